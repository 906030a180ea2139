"""What readers are given of persons and of what they said: one row each."""

from dataclasses import dataclass
from typing import Any

TOKEN = "token "
"""Begins the name of who asks by an API token."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in."""

    name: str
    """What they sign in by; in the audit trail."""
    full_name: str
    role: str
    rights: frozenset[str]
    """Of the role, when it was read."""
    disabled: bool
    generation: int
    """Rises with `sign out everywhere`: an older session is void."""
    language: str
    secrets: frozenset[str] = frozenset()
    """Of `pin`, `password`, `badge`: what they have."""
    made_at: str = ""
    second_since: str = ""
    """UTC since when they have a second factor; empty: they have none."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of a part."""

    n: int
    seq: int
    truth: str
    """`defect`, `good`, `unsure`."""
    kind: str
    """Class of the defect; empty: none was said."""
    second: bool
    """A second person's, for the agreement: never the label of the part."""
    who: str
    at: str
    undone_at: str | None = None
    undone_by: str | None = None


def label_of_row(row: dict[str, Any]) -> Label:
    """A row of the table."""
    return Label(**{**row, "second": bool(row["second"])})


@dataclass(frozen=True, slots=True)
class Review:
    """Somebody has seen a part."""

    seq: int
    who: str
    at: str


@dataclass(frozen=True, slots=True)
class Golden:
    """Somebody marked a part as golden."""

    seq: int
    who: str
    at: str
    why: str


@dataclass(frozen=True, slots=True)
class Escape:
    """A defect that was found downstream."""

    n: int
    seq: int | None
    serial: str
    found_at: str
    """Where."""
    what: str
    who: str
    at: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What was drawn on a part; `body` as `drawing.set` takes it."""

    seq: int
    who: str
    at: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the trail."""

    n: int
    at: str
    who: str
    what: str
    object: Any
    old: Any
    new: Any
    why: str
    hash: str


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One event."""

    n: int
    at: str
    stream: str
    key: str
    event: str
    who: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a process keeps to find it again."""

    body: Any
    at: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that the ledger keeps."""

    name: str
    body: Any
    who: str
    at: str


@dataclass(frozen=True, slots=True)
class Token:
    """An API token; the token itself is nowhere."""

    id: int
    name: str
    rights: frozenset[str]
    made_by: str
    made_at: str
    ended_at: str | None
    used_at: str | None

    @property
    def who(self) -> str:
        """What an Ask by this token bears as `who`."""
        return TOKEN + self.name


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told."""

    id: int
    url: str
    events: tuple[str, ...]
    """Streams of the journal, or STREAM.EVENT; empty: all."""
    secret: str
    made_by: str
    made_at: str
    ended_at: str | None
    reached: int
    """Journal number up to which it was delivered."""
    reached_part: int = 0
    """The same for parts, by `seq`."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that an address refused for good."""

    n: int
    webhook: int
    at: str
    event: str
    """Id of the event."""
    why: str
    """What the address answered."""
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Study:
    """Persons look at the same parts again and again."""

    id: int
    name: str
    operators: tuple[str, ...]
    seqs: tuple[int, ...]
    repeats: int
    reference: dict[int, str]
    """What is true of a part, by `seq`, where it is known."""
    who: str
    at: str
    closed_at: str | None


@dataclass(frozen=True, slots=True)
class StudyAnswer:
    """What one operator said of one part in one round."""

    study: int
    seq: int
    operator: str
    round: int
    truth: str
    at: str
    took_ms: int | None
