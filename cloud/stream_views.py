"""`POST /v1/streams/{stream}/{epoch}/{first}`: a box tells what happened; and a person lets a halted stream go on."""

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import Field
from spectree import SpecTree

from .access import box, for_boxes, needs, person
from .answers import busy, problem
from .said import MOST_BYTES, MOST_NUMBER, BadSaid, TooMuch, read_said, unzipped
from .service import Service
from .spec import BY_BOX, Problem, Shape, answers
from .streams import resume, take

MOST_EPOCH = (1 << 31) - 1
ENCODINGS = ("gzip", "identity", "")
MEDIA = ("application/jsonl", "application/x-ndjson")


class Acked(Shape):
    """Every number up to this one is stored."""

    acked: int = Field(ge=0)


class Gap(Shape):
    """Numbers lack: send from here."""

    error: str
    detail: str
    next: int = Field(ge=1)


class Differs(Shape):
    """A known number came with other content: the stream is halted until a person lets it go on."""

    error: str
    detail: str
    seq: int | None = Field(default=None, description="The number; absent where the request itself was wrong.")


class Resumed(Shape):
    """The stream goes on."""

    resumed: bool


def add_streams(views: Blueprint, spec: SpecTree, service: Service) -> None:
    """Add the views."""

    @views.post("/streams/<stream>/<int:epoch>/<int:first>")
    @for_boxes
    @spec.validate(
        resp=answers(Acked, HTTP_409=Gap, HTTP_415=Problem, HTTP_422=Differs), tags=("box",), security=BY_BOX
    )
    def stream(stream: str, epoch: int, first: int) -> Response:
        """Say events of one stream.

        One JSON object a line, at most 512 of them and 1 MiB unzipped, numbered one after the other from `first`:
        {"seq", "kind", "at", "sha256", "body"}; sha256 is that of the body in canonical JSON.
        """
        who = box() or ""
        if not 1 <= epoch <= MOST_EPOCH:
            return problem(400, f"epoch = {epoch}: expected 1 to {MOST_EPOCH}")
        request.max_content_length = MOST_BYTES + (64 << 10)
        if request.mimetype not in MEDIA:
            return problem(415, f"Content-Type = {request.mimetype!r}: expected {MEDIA[0]}")
        if request.headers.get("Content-Encoding", "") not in ENCODINGS:
            return problem(415, "Content-Encoding: expected gzip, or none")
        data = request.get_data(cache=False)
        try:
            if request.headers.get("Content-Encoding") == "gzip":
                data = unzipped(data)
            events = read_said(stream, first, data)
        except TooMuch as error:
            return problem(413, str(error))
        except BadSaid as error:
            return problem(400, str(error))
        found = take(service.engine, who, stream, epoch, events, service.options.limits.box_requests_a_minute)
        if found.wait_s:
            return busy(f"more than {service.options.limits.box_requests_a_minute} requests a minute", found.wait_s)
        if found.next is not None:
            return problem(409, f"expected numbers from {found.next} on", next=found.next)
        if found.differs is not None:
            detail = f"number {found.differs} is stored with other content: the stream is halted until a person decides"
            return problem(422, detail, seq=found.differs)
        return jsonify(acked=found.acked)

    @views.post("/boxes/<name>/streams/<stream>/<int:epoch>/resume")
    @needs("stream.resume")
    @spec.validate(resp=answers(Resumed, HTTP_404=Problem), tags=("people",))
    def go_on(name: str, stream: str, epoch: int) -> Response:
        """Let a halted stream go on.

        What is stored stays; what the box says otherwise of the numbers up to there has no effect. Right:
        `stream.resume`.
        """
        asker = person()
        if asker is None or epoch > MOST_NUMBER or not resume(service.engine, asker.who, name, stream, epoch):
            abort(404, f"box {name[:60]}, stream {stream[:40]}, epoch {epoch}: expected a halted stream")
        return jsonify(resumed=True)
