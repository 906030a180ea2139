"""What addresses of the API may ask for, as the document says it; the views read the words themselves."""

from typing import Annotated

from pydantic import Field

from .. import drift, review, samples, standing, trace_parts, yields
from ..search_terms import SPANS
from ..spec import Among, Query

LABELS = ("good", "defect", "unsure", "any", "none")
NO_NUL = r"^[^\x00]*$"
Word = Annotated[str, Field(max_length=100, pattern=NO_NUL)]
Term = Annotated[str, Field(max_length=200, pattern=NO_NUL)]
Moment = Annotated[
    str,
    Field(max_length=64, description="ISO 8601 with a zone, as 2026-11-27T08:15:04Z, or a date: it begins 00:00 UTC."),
]
Span = Annotated[str, Among(SPANS), Field(description="So long up to now; without effect beside since or until.")]
Switch = Annotated[str, Among(("0", "1")), Field(description="1: yes.")]


class TermsQuery(Query):
    """A stretch of time, and what the parts have in common."""

    span: Span = "24h"
    since: Moment = ""
    until: Moment = Field(default="", description="As since; default: now. Not of that moment itself.")
    recipe: Term = Field(default="", description="Name of the recipe.")
    line: Term = Field(default="", description="Name of the line.")
    box: Term = Field(default="", description="Id of the box.")
    model: Term = Field(default="", description="Digest of a bundle.")
    lot: Term = Field(default="", description="Number of the lot.")
    shift: Term = Field(default="", description="Name of the shift.")
    tool: Term = Field(default="", description="What made the part; only counts know it.")
    camera: Term = Field(default="", description="Name of the camera.")


class BoxesQuery(Query):
    """Which boxes."""

    q: Word = Field(default="", description="Words in name, line, site, id or version.")
    line: Word = Field(default="", description="Name of the line.")
    site: Word = Field(default="", description="Name of the site.")
    level: Annotated[str, Among((*standing.LEVELS, "trouble"))] = Field(
        default="", description="trouble: all that are not well."
    )
    sort: Annotated[str, Among(standing.SORTS)] = Field(default="worst", description="What comes first.")
    page: int = Field(default=1, ge=1, le=100_000, description="From 1 on.")
    limit: int = Field(default=standing.PER_PAGE, ge=1, le=1000, description="How many at most.")
    retired: Switch = Field(default="0", description="1: retired ones too.")


class YieldQuery(TermsQuery):
    """Counts by what."""

    by: Annotated[str, Among(yields.BY)] = Field(default="recipe", description="What one row is of.")


class DriftQuery(TermsQuery):
    """Which figure."""

    span: Span = "7d"
    figure: Annotated[str, Among(drift.FIGURES)] = Field(default="score", description="score: as a share of its limit.")


class DeedsQuery(Query):
    """Which deeds."""

    q: Word = Field(default="", description="Words in who, what or about.")
    before: int = Field(default=2**53, ge=1, le=2**53, description="Only numbers below; `before` of the last answer.")
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.")


class PartsQuery(TermsQuery):
    """Which parts."""

    span: Span = "30d"
    outcome: Annotated[str, Among(samples.OUTCOMES, any_case=True)] = Field(default="", description="Default: any.")
    label: Annotated[str, Among(LABELS)] = Field(
        default="", description="Somebody said so in the review; any: anything; none: nobody said anything."
    )
    queued: Switch = Field(default="0", description="1: only parts that are or were in the queue of the review.")


class SamplesQuery(PartsQuery):
    """Which samples."""

    pictures: Annotated[str, Among(("any",))] = Field(
        default="", description="any: parts without a picture in the store too."
    )
    cursor: str = Field(
        default="",
        max_length=300,
        pattern=r"^[^|\x00]+\|[^|\x00]+\|[0-9]{1,18}\|[0-9]{1,18}$",
        description="`next` of the page before.",
    )
    after: str = Field(
        default="",
        max_length=300,
        pattern=r"^[^|\x00]+\|[^|\x00]+\|[0-9]{1,18}\|[0-9]{1,18}$",
        description="Another name of cursor.",
    )
    limit: int = Field(default=100, ge=1, le=samples.MOST, description="How many at most.")


class TraceQuery(Query):
    """One of serial, lot, part; where several are said the first in this order counts."""

    serial: Term = Field(default="", description="With * at its end: all that begin so.")
    lot: Term = Field(default="", description="With * at its end: all that begin so.")
    part: str = Field(
        default="", max_length=200, pattern=r"^\s*[^/\x00]+/[0-9]{1,18}/[0-9]{1,18}\s*$", description="box/epoch/number"
    )
    limit: int = Field(default=trace_parts.MOST, ge=1, le=1000, description="How many at most.")


class CausesQuery(TermsQuery):
    """Rejects of which search."""

    kind: Annotated[str, Field(max_length=64, pattern=NO_NUL)] = Field(
        default="", description="Class of a defect: only rejects with one of it count."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.")


class QueueQuery(Query):
    """Of which parts."""

    why: Annotated[str, Among(review.WHYS)] = Field(default="", description="Default: any.")
    box: Term = Field(default="", description="Id of the box.")
    line: Term = Field(default="", description="Name of the line.")
    recipe: Term = Field(default="", description="Name of the recipe.")
    limit: int = Field(default=10, ge=1, le=50, description="How many at most.")


class ConfirmedQuery(Query):
    """From where on."""

    after: int = Field(default=0, ge=0, le=2**62, description="`next` of the last answer.")


class RolloutsQuery(Query):
    """Which plans."""

    line: Word = Field(default="", description="Name of the line.")
    over: Switch = Field(default="0", description="1: those too that a newer one took the place of.")
