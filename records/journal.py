"""What happened, in order and for good, and what a process wants to find again: `journal.*`, and `audit.add`.

Entries that a machine makes are not in the audit trail besides: the journal is append-only itself. What a person did is
in both.
"""

from typing import Any

from pydantic import Field

from ..bus.errors import Refused
from .clerk import Body, Task, Turn
from .outgoing import ALARM, ALARMS, send
from .rows import as_json
from .seal import seal_row
from .seal_content import Kind

_MOST = 1 << 20
"""Letters of one body."""


class Entry(Body):
    """`journal.add`: one event."""

    stream: str = Field(min_length=1, max_length=64)
    key: str = Field(default="", max_length=256)
    event: str = Field(min_length=1, max_length=64)
    body: dict[str, Any] = Field(default_factory=dict)


class State(Body):
    """`journal.state`: what is kept under a name, in place of what was."""

    name: str = Field(min_length=1, max_length=64)
    body: Any


class Said(Body):
    """`audit.add`."""

    what: str = Field(min_length=1, max_length=200)
    object: dict[str, Any] = Field(default_factory=dict)
    old: Any = None
    new: Any = None


def add(turn: Turn) -> dict[str, Any]:
    """Write an event; answer its number."""
    return {"n": write(turn, turn.take(Entry))}


def write(turn: Turn, entry: Entry) -> int:
    """Append one event; return its number. What a person did goes into the audit trail as well."""
    who = turn.ask.who
    turn.db.execute(
        "insert into journal (at, stream, key, event, who, body) values (?, ?, ?, ?, ?, ?)",
        (turn.at, entry.stream, entry.key, entry.event, who, _packed(entry.body)),
    )
    n = turn.db.last_insert_rowid()
    seal_row(turn.db, Kind.JOURNAL, n)
    if entry.stream == ALARM:
        send(turn.db, ALARMS, "alarm", n)
    if who:
        about: dict[str, object] = {"journal": n, "key": entry.key, "by": who}
        turn.audit(f"{entry.stream} {entry.event}", about)
    return n


def keep(turn: Turn) -> dict[str, Any]:
    """Keep a snapshot under its name."""
    asked = turn.take(State)
    turn.db.execute(
        "insert into keep values (?, ?, ?) on conflict (name) do update set body = excluded.body, at = excluded.at",
        (asked.name, _packed(asked.body), turn.at),
    )
    return {}


def add_audit(turn: Turn) -> dict[str, Any]:
    """Write a line into the trail for who asks."""
    asked = turn.take(Said)
    for part in (asked.object, asked.old, asked.new):
        _packed(part)
    turn.audit(asked.what, asked.object, old=asked.old, new=asked.new)
    (newest,) = turn.rows("select max(n) from audit")[0]
    return {"n": newest}


TASKS: dict[str, Task] = {"journal.add": add, "journal.state": keep, "audit.add": add_audit}


def _packed(body: object) -> str:
    packed = as_json(body)
    if len(packed) > _MOST:
        raise Refused(f"a body of {len(packed)} letters: expected at most {_MOST}")
    return packed
