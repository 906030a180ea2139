"""Parts, samples, exports, causes and the review as JSON: the same functions as the pages'."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, jsonify, request

from .. import export, review, samples, trace_parts
from ..access import needs
from ..database import reading, writing
from ..part_told import key_of, labels_of, told
from ..search_terms import BadTerms, number_of, terms_of
from ..service import Service
from ..spec import Problem, answers, described, files
from ..tables import Box
from .asked import asker, one_of
from .asked_shapes import LABELS, CausesQuery, PartsQuery, QueueQuery, SamplesQuery, TraceQuery
from .fleet_api import body_of, word_of, worded
from .part_shapes import FoundCauses, NewReview, Queue, Reviewed, Samples, Traced


def part_api(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("parts", __name__, url_prefix="/v1")
    spec = service.spec

    @views.get("/samples")
    @needs("export")
    @described(spec, answers(Samples), ("parts",), SamplesQuery)
    @worded
    def sampled() -> Response:
        """Parts with their pictures and what people said of them, page by page, oldest first. Right: `export`."""
        limit = number_of(request.args, "limit", 100, 1, samples.MOST)
        mark = request.args.get("cursor", "") or request.args.get("after", "")
        with reading(service.engine) as db:
            found = samples.samples(
                db, service.blobs, terms_of(request.args, span="30d"), wanted(request.args, True), mark, limit
            )
        return jsonify(found)

    @views.get("/export/parts.<kind>")
    @needs("export")
    @described(spec, files(export.KINDS, HTTP_422=Problem), ("parts",), PartsQuery)
    @worded
    def exported(kind: str) -> Response:
        """All parts of a search as one file: csv, jsonl or parquet, streamed. Right: `export`.

        In CSV a text that a spreadsheet would take for a formula has an apostrophe in front.
        """
        terms = terms_of(request.args, span="30d")
        pieces = export.stream(service.engine, kind, terms, wanted(request.args, False))
        answer = Response(pieces, mimetype=export.KINDS[kind].split(";")[0])
        answer.headers["Content-Type"] = export.KINDS[kind]
        answer.headers["Content-Disposition"] = f'attachment; filename="parts-{terms.since:%Y%m%d}.{kind}"'
        return answer

    @views.get("/trace")
    @needs("look")
    @described(spec, answers(Traced), ("parts",), TraceQuery)
    @worded
    def traced() -> Response:
        """Where a part was, over all boxes: by serial number, lot or its own address. Right: `look`."""
        what = next((name for name in ("serial", "lot", "part") if request.args.get(name)), "")
        if not what:
            raise BadTerms("serial, lot or part: expected one of them")
        limit = number_of(request.args, "limit", trace_parts.MOST, 1, 1000)
        with reading(service.engine) as db:
            rows = trace_parts.find(db, request.args[what], what, limit)
            labels = labels_of(db, [part for part, _ in rows])
        return jsonify(parts=[told(part, box) | {"labels": labels.get(key_of(part), [])} for part, box in rows])

    @views.get("/causes")
    @needs("look")
    @described(spec, answers(FoundCauses), ("figures",), CausesQuery)
    @worded
    def caused() -> Response:
        """What stands beside the rejects more often than chance would have it; no proof. Right: `look`."""
        limit = number_of(request.args, "limit", 100, 1, 1000)
        with reading(service.engine) as db:
            found = trace_parts.causes(db, terms_of(request.args), request.args.get("kind", "").strip()[:64])
            ids = {one.level for one in found.causes if one.factor == "box"}
            names = {box: name for box, name in db.execute(sa.select(Box.id, Box.name).where(Box.id.in_(ids)))}
        return jsonify(found.told(names, limit))

    @views.get("/review/queue")
    @needs("review")
    @described(spec, answers(Queue), ("review",), QueueQuery)
    @worded
    def waiting() -> Response:
        """The next parts that who asks has not said anything of. Right: `review`."""
        limit = number_of(request.args, "limit", 10, 1, 50)
        why = one_of(request.args, "why", review.WHYS, "")
        narrow = {name: request.args.get(name, "").strip()[:200] for name in ("box", "line", "recipe")}
        with reading(service.engine) as db:
            rows = review.queue(db, asker().who, why, limit=limit, **narrow)
            waits = review.waiting(db, asker().who, why, **narrow)
        return jsonify(waits=waits, parts=[_shown(service, row) for row in rows])

    @views.post("/review")
    @needs("review")
    @spec.validate(json=NewReview, resp=answers(Reviewed, HTTP_422=Problem), tags=("review",))
    @worded
    def say() -> Response:
        """Say whether a part is good. Right: `review`."""
        body = body_of()
        epoch, seq = body.get("epoch"), body.get("seq")
        if type(epoch) is not int or type(seq) is not int or not 0 < epoch < 2**62 or not 0 < seq < 2**62:
            abort(400, "epoch, seq: expected whole numbers, 1 or more")
        with writing(service.engine) as db:
            sample = review.say(
                db, asker().who, word_of(body, "box"), epoch, seq, word_of(body, "truth"), word_of(body, "kind")
            )
            return jsonify(state=sample.state, truth=sample.truth)

    return views


def wanted(given: Mapping[str, str], with_picture: bool) -> samples.Wanted:
    """What an address wants of the parts. BadTerms."""
    outcome, label = given.get("outcome", "").upper(), given.get("label", "")
    if outcome not in ("", "OK", "NG", "UNJUDGED"):
        raise BadTerms(f"outcome = {outcome[:20]!r}: expected OK, NG or UNJUDGED")
    if label and label not in LABELS:
        raise BadTerms(f"label = {label[:20]!r}: expected one of {', '.join(LABELS)}")
    pictures = with_picture and given.get("pictures") != "any"
    return samples.Wanted(outcome, label, pictures, given.get("queued") == "1")


def _shown(service: Service, row: review.Shown) -> dict[str, Any]:
    pictures = [
        {"sha256": sha256, "url": service.blobs.get_url(sha256), "kind": kind, "camera": camera}
        for sha256, kind, camera in row.pictures
    ]
    return told(row.part, row.box) | {
        "in_review": {"why": row.sample.why, "state": row.sample.state, "bundle": row.sample.bundle},
        "pictures": pictures,
        "said": [
            {"who": name, "truth": truth, "kind": kind, "at": at.isoformat()} for name, truth, kind, at in row.words
        ],
    }
