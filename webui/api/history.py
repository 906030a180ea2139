"""The history of a part, and from a model, a recipe, a lot or a camera back to all its parts."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import Field, model_validator
from spectree import SpecTree

from ...bus.errors import BadLedger, Refused
from ...records.part_trace import Tracer
from ...records.trace_back import BackTracer, By
from ..access import needs
from ..web import Web
from .shapes import Part
from .spec import Problem, Shape, answers

Answered = tuple[Response, int]


class TraceQuery(Shape):
    """One part by one of the three: its serial number, its part number, or its number in the ledger."""

    serial: str = Field(default="", max_length=256)
    part: int | None = Field(default=None, ge=1, lt=2**32)
    seq: int | None = Field(default=None, ge=1, lt=2**53)
    verify: bool = Field(default=True, description="Hash its pictures.")

    @model_validator(mode="after")
    def _one(self) -> "TraceQuery":
        if bool(self.serial) + (self.part is not None) + (self.seq is not None) != 1:
            raise ValueError("expected one of serial, part, seq")
        return self


class Traces(Shape):
    """Every reading of it, the newest first."""

    parts: list[dict[str, Any]] = Field(
        description="Each with part, verdict, lot, sequence, published_ms, acked_ms, pictures (state, sound), recipe,"
        " model and cameras (their text), labels, golden, escapes, alarms, signed_in, others."
    )


class BackQuery(Shape):
    """Of what: one of model, recipe, lot, camera."""

    model: str = Field(default="", max_length=64, pattern=r"^[0-9a-f]*$", description="Digest, or its first digits.")
    recipe: str = Field(default="", max_length=128)
    revision: str = Field(default="", max_length=64, description="Of the recipe; empty: all.")
    lot: str = Field(default="", max_length=64)
    camera: str = Field(default="", max_length=64)
    limit: int = Field(default=100, ge=1, le=1000)
    before: int | None = Field(default=None, ge=1, lt=2**53)

    @model_validator(mode="after")
    def _one(self) -> "BackQuery":
        if sum(map(bool, (self.model, self.recipe, self.lot, self.camera))) != 1:
            raise ValueError("expected one of model, recipe, lot, camera")
        return self

    @property
    def by(self) -> By:
        """What is looked for."""
        if self.recipe:
            return By("recipe", self.recipe, self.revision)
        if self.model:
            return By("model", self.model)
        return By("lot", self.lot) if self.lot else By("camera", self.camera)


class SumsOf(Shape):
    """What all of them come to. Of a camera only `parts` is known."""

    parts: int
    ok: int
    ng: int
    unjudged: int
    first_at: str
    last_at: str
    runs: int
    recipes: list[str]
    models: list[str]
    lots: list[str]


class BackPage(Shape):
    """A page of them, the newest first."""

    sums: SumsOf
    parts: list[Part]
    before: int | None = Field(description="For the next page; null: there is none.")


def add_history(views: Blueprint, spec: SpecTree, web: Web) -> None:
    """Add the views."""
    tracer, back = Tracer(web.store), BackTracer(web.store)

    @views.get("/trace")
    @needs("part.review")
    @spec.validate(query=TraceQuery, resp=answers(Traces, HTTP_422=Problem), tags=("part",), operation_id="trace")
    def trace() -> Answered:
        """All that is known of a part: pictures, recipe, model, camera settings, PLC, labels, alarms, people."""
        asked = TraceQuery.model_validate(request.args.to_dict())
        try:
            seqs = [asked.seq] if asked.seq is not None else tracer.readings(asked.serial or str(asked.part))
            found = [tracer.trace(seq, verify=asked.verify) for seq in seqs[:20]]
        except BadLedger as error:
            return jsonify(error="no_history", detail=str(error)), 503
        parts = [one.as_json() for one in found if one is not None]
        if not parts:
            return jsonify(error="not_found", detail="there is no such part"), 404
        return jsonify(parts=parts), 200

    @views.get("/trace/parts")
    @needs("part.review")
    @spec.validate(query=BackQuery, resp=answers(BackPage, HTTP_422=Problem), tags=("part",), operation_id="trace_back")
    def parts() -> Answered:
        """All parts of a model, a recipe, a lot or a camera, a page at a time, with what they come to."""
        asked = BackQuery.model_validate(request.args.to_dict())
        try:
            sums, page = back.sums(asked.by), back.page(asked.by, asked.limit, asked.before)
        except Refused as error:
            if isinstance(error, BadLedger):
                return jsonify(error="no_history", detail=str(error)), 503
            return jsonify(error="invalid", detail=str(error)), 422
        return jsonify(sums=asdict(sums), parts=page.parts, before=page.before), 200
