"""What the API answers of parts: samples, traces, causes, and the queue of the review."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from .. import review
from ..spec import Among, Shape
from ..trace_parts import FACTORS
from .asked_shapes import NO_NUL

Outcome = Annotated[str, Field(description="OK, NG, UNJUDGED; else as the box said it.")]
Truth = Annotated[str, Among(review.TRUTHS)]
Said = Annotated[str, Field(max_length=1000, pattern=NO_NUL)]


class Part(Shape):
    """One inspected part, as its box told it."""

    box: str
    box_name: str
    site: str
    line: str
    epoch: int
    seq: int = Field(description="Of the part in the box's ledger.")
    taken_at: str
    serial: str
    lot: str
    recipe: str
    revision: str
    model: str
    station: str
    camera: str
    verdict: str
    disposition: str
    why: str
    outcome: Outcome
    reasons: list[str]
    defects: list[Any]
    score: float | None
    threshold: float | None
    shift: str
    picture_sha256: str | None = Field(description="null where the picture does not leave the box.")
    image: list[Any] = Field(description="Health of the image, one for each camera.")


class Label(Shape):
    """What somebody said of a part."""

    from_: Literal["line", "review"] = Field(alias="from")
    who: str
    truth: str
    kind: str
    at: str
    second: bool
    undone: bool


class Shot(Shape):
    """A picture in the store."""

    sha256: str
    url: str = Field(description="Where it is read, for a short time.")
    kind: str = Field(description="picture, crop")
    camera: str


class SizedShot(Shot):
    """The same with its size."""

    size: int = Field(description="Bytes.")


class Sample(Part):
    """A part with its pictures and labels."""

    width: int | SkipJsonSchema[None] = Field(default=None, description="Of the judged picture, pixels, where known.")
    height: int | SkipJsonSchema[None] = Field(default=None, description="As width.")
    pictures: list[SizedShot]
    labels: list[Label] = Field(description="Newest first; those of the line before those of the review.")
    escaped: bool


class Samples(Shape):
    """One page, oldest first."""

    samples: list[Sample]
    next: str | None = Field(description="The cursor of the next page; null: this is the last.")


class TracedPart(Part):
    """A part and what people said of it."""

    labels: list[Label]


class Traced(Shape):
    """In order of time."""

    parts: list[TracedPart]


class OneCause(Shape):
    """One level of one factor, held against all other parts of the search."""

    factor: Annotated[str, Among(FACTORS)]
    level: str
    label: str = Field(description="Of a box its name, else as level.")
    parts: int
    rejects: int
    rest_parts: int
    rest_rejects: int
    lift: float | None = Field(description="Share of rejects over that of the rest; null: the rest has none.")
    low: float | None = Field(description="Lower bound of lift, 95 %.")
    high: float | None
    p: float
    q: float = Field(description="p after Benjamini and Hochberg.")
    tested: bool
    conspicuous: bool


class FoundCauses(Shape):
    """What stands beside the rejects, the conspicuous first."""

    parts: int
    rejects: int
    tested: int
    cut: bool = Field(description="There was more than was looked at.")
    note: str
    causes: list[OneCause]


class InReview(Shape):
    """Why a part is in the queue."""

    why: Annotated[str, Among(review.WHYS)]
    state: Annotated[str, Among((*review.WAITING, "settled"))]
    bundle: str = Field(description="Of a disagreement: the challenger; else empty.")


class OneWord(Shape):
    """What a person said in the review."""

    who: str
    truth: Truth
    kind: str
    at: str


class QueuedPart(Part):
    """A part that waits for who asks."""

    in_review: InReview
    pictures: list[Shot]
    said: list[OneWord]


class Queue(Shape):
    """The next parts, the most telling first."""

    waits: int = Field(description="How many wait, 1000 at most.")
    parts: list[QueuedPart]


class NewReview(Shape):
    """What a person says of a part; it takes the place of their last word."""

    model_config = ConfigDict(json_schema_extra={"required": ["box", "epoch", "seq", "truth"]})

    box: Said = ""
    epoch: int = Field(ge=1, lt=2**62, strict=True)
    seq: int = Field(ge=1, lt=2**62, strict=True, description="Of the part.")
    truth: Said = Field(default="", description="good, defect, unsure")
    kind: Said = Field(default="", description="Class of the defect, at most 64 characters; only with defect.")


class Reviewed(Shape):
    """What is held for true now."""

    state: Annotated[str, Among((*review.WAITING, "settled"))]
    truth: Annotated[str, Among(("", "good", "defect"))]


class OneConfirmed(Shape):
    """A truth of a part of this box."""

    n: int
    epoch: int
    part_seq: int
    bundle: str
    truth: Truth


class ConfirmedAfter(Shape):
    """The next truths, at most 200."""

    confirmed: list[OneConfirmed]
    next: int = Field(description="Ask with it as after next time.")
