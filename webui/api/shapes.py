"""The shapes of what is read: the line, its parts, and what people did."""

from typing import Any, Literal

from pydantic import Field

from .spec import Shape


class Counted(Shape):
    """Totals of one run of io: triggers = ok + ng + unjudged + challenge + bypass + in_flight."""

    triggers: int
    ok: int
    ng: int
    unjudged: int
    late: int
    missed: int
    in_flight: int
    ordered: int
    confirmed: int
    unconfirmed: int
    stale_verdicts: int
    consecutive_ng: int
    challenge: int
    bypass: int


class LineNow(Shape):
    """The line as the other processes last said. Null: nothing heard."""

    station: str
    inspecting: bool | None = Field(description="Null: not known.")
    state: str | None = Field(description="OFFLINE, READY, ACQUIRING, INSPECTING, RESULT_VALID, FAULT")
    ready: bool | None
    reasons: list[str]
    mode: str | None = Field(description="production, challenge, bypass")
    forced: list[str]
    recipe: str | None
    revision: str | None
    model: str | None
    job_number: int | None
    provider: str | None = Field(description="Execution provider of the model.")
    counters: Counted | None
    lot: str | None
    shift: str | None
    cameras: dict[str, dict[str, Any]] = Field(description="By name: what the camera process says of itself.")


class Part(Shape):
    """One part as the ledger holds it."""

    seq: int = Field(description="Number in this ledger; rises with time.")
    part: int
    station: str
    taken_at: str = Field(description="UTC of the trigger.")
    outcome: str = Field(description="OK, NG, UNJUDGED")
    verdict: str | None
    action: str = Field(description="PASS, REJECT")
    why: str = Field(description="ok, ng, late, lost, fault, group, bypass, challenge")
    reasons: list[str]
    defects: list[Any]
    score: float
    threshold: float
    recipe: str
    revision: str
    model: str
    camera: str
    missed: bool
    serial: str
    lot: str = Field(description="Lot it was made in; empty: none was set.")
    delivery: str
    confirmed: bool | None
    latency_ms: float | None
    picture_sha256: str | None
    picture_kept: bool
    recovered: bool
    codes: list[Any]
    measures: list[Any]
    stored_at: str


class Parts(Shape):
    """A page of parts."""

    parts: list[Part]


class PartQuery(Shape):
    """Which parts. With `after` the oldest come first, else the newest."""

    limit: int = Field(default=100, ge=1, le=1000)
    after: int | None = Field(default=None, ge=0, le=2**53)
    before: int | None = Field(default=None, ge=0, le=2**53)
    outcome: Literal["", "OK", "NG", "UNJUDGED"] = ""
    action: Literal["", "PASS", "REJECT"] = ""
    serial: str = Field(default="", max_length=256)
    since: str = Field(default="", max_length=40, description="UTC, inclusive, for example 2026-11-26T06:00:00Z")
    until: str = Field(default="", max_length=40, description="UTC, exclusive")


class Alarms(Shape):
    """All alarms that are not normal; `known` is false while the shift process is silent."""

    known: bool
    hourly: float
    alarms: list[dict[str, Any]]


class PageQuery(Shape):
    """A page of a list, newest first."""

    limit: int = Field(default=100, ge=1, le=500)
    before: int | None = Field(default=None, ge=0, le=2**53)


class JournalQuery(PageQuery):
    """A page of one stream of the journal."""

    stream: Literal["alarm", "challenge", "change", "bypass", "lot", "hold", "line", "escape", "inspection"] = "alarm"


class Rows(Shape):
    """Rows of a list, each as the ledger holds it."""

    rows: list[dict[str, Any]]


class Checked(Shape):
    """What the check of the audit chain found; empty: sound."""

    problems: list[str]
