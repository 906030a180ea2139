"""Blobs over the wire: a box lists what it has and is told what lacks and where to put it."""

from typing import Any, Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import Field
from spectree import SpecTree

from . import shelf
from .access import box, for_boxes
from .answers import busy, problem
from .blobs import BadBlob, NotWhole
from .folder_blobs import FolderBlobs
from .folder_views import add_folder
from .service import Service
from .spec import BY_BOX, Hex64, Problem, Shape, answers

MOST_BLOBS = 64
MOST_PARTS = 10_000
Number = Field(ge=1, le=(1 << 62) - 1)


class OneBlob(Shape):
    """A picture or crop that the box has."""

    sha256: Hex64
    size: int = Field(ge=1)
    kind: Literal["picture", "crop"]
    part_seq: int = Number
    epoch: int = Field(ge=1, le=(1 << 31) - 1)
    camera: str = Field(default="", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")


class Blobs(Shape):
    """What the box has."""

    blobs: list[OneBlob] = Field(min_length=1, max_length=MOST_BLOBS)


class OnePart(Shape):
    """Where one part goes."""

    n: int
    url: str


class BlobAnswer(Shape):
    """What to do with one blob."""

    sha256: str
    state: Literal["have", "put", "multipart"]
    url: str | None = None
    headers: dict[str, str] | None = None
    upload: str | None = None
    part_size: int | None = None
    done: list[int] | None = None
    parts: list[OnePart] | None = None


class BlobAnswers(Shape):
    """In the order asked."""

    blobs: list[BlobAnswer]


class Sent(Shape):
    """One part that was sent."""

    n: int = Field(ge=1, le=MOST_PARTS)
    etag: str = Field(max_length=200)


class BlobDone(Shape):
    """It is all there, the box believes."""

    sha256: Hex64
    upload: str | None = Field(default=None, max_length=200)
    parts: list[Sent] = Field(default=[], max_length=MOST_PARTS, description="For the store; it knows its own better.")


class Kept(Shape):
    """The service believes it too."""

    sha256: str
    size: int


def add_blobs(views: Blueprint, spec: SpecTree, service: Service) -> None:
    """Add the views."""

    @views.post("/blobs")
    @for_boxes
    @spec.validate(json=Blobs, resp=answers(BlobAnswers), tags=("box",), security=BY_BOX)
    def offer() -> Response:
        """List what the box has.

        `have`: nothing to do. `put`: send it to `url` with `headers`, then say done. `multipart`: send the parts that
        are listed, each of `part_size` bytes but the last, then say done. Asking again goes on where it was.
        """
        given = _given(Blobs)
        most = service.options.blobs.most_mb << 20
        for place, one in enumerate(given.blobs):
            if one.size > most:
                return problem(413, f"blobs.{place}.size = {one.size}: expected at most {most}")
        found = shelf.offer(service, box() or "", [shelf.Offered(**one.model_dump()) for one in given.blobs])
        if isinstance(found, int):
            return busy("too many requests", found)
        return jsonify(blobs=found)

    @views.post("/blobs/done")
    @for_boxes
    @spec.validate(
        json=BlobDone, resp=answers(Kept, HTTP_409=Problem, HTTP_422=Problem), tags=("box",), security=BY_BOX
    )
    def done() -> Response:
        """Say that a blob is all there. 409: it is not (send it again); 422: it is not what its hash says."""
        given = _given(BlobDone)
        try:
            size = shelf.done(service, box() or "", given.sha256, given.upload)
        except NotWhole as error:
            return problem(409, str(error))
        except BadBlob as error:
            return problem(422, str(error))
        if size is None:
            return problem(409, f"{given.sha256}: not there: expected it to be sent before: ask for the blob again")
        return jsonify(sha256=given.sha256, size=size)

    if isinstance(service.blobs, FolderBlobs):
        add_folder(views, service.blobs, service.options.blobs.most_mb << 20)


def _given(shape: Any) -> Any:
    return shape.model_validate(request.get_json(silent=True) or {})
