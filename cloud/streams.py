"""A box's streams: sent at least once, stored once. One transaction for a request, one at a time for a stream.

Where a known number comes with other content, somebody's numbers were used twice: the stream halts, both sides alarm,
and a person decides. What was stored stays.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from . import limits
from .database import writing
from .deeds import note
from .projections import project
from .said import DROPPED, Said
from .tables import Alarm, Cursor, Event

HALTED, UNREADABLE = "stream_halted", "part_unreadable"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request: one of them is set."""

    acked: int | None = None
    next: int | None = None
    """There is a gap: send from here."""
    differs: int | None = None
    """This number is stored with other content; the stream is halted."""
    wait_s: int = 0
    """Too many requests: come back in so many seconds."""


def take(engine: Engine, box: str, stream: str, epoch: int, events: Sequence[Said], most_a_minute: int) -> Taken:
    """Store what is new, compare what is known, move the cursor."""
    with writing(engine) as db:
        if wait := limits.count(db, f"box:{box}", most_a_minute):
            return Taken(wait_s=wait)
        cursor = _locked(db, box, stream, epoch)
        if cursor.halted is not None:
            return Taken(differs=int(cursor.halted["seq"]))
        first, last = events[0].seq, events[-1].seq
        if first > cursor.acked + 1:
            return Taken(next=cursor.acked + 1)
        if (wrong := _differing(db, cursor, events)) is not None:
            _halt(db, cursor, *wrong)
            return Taken(differs=wrong[0].seq)
        fresh = [one for one in events if one.seq > cursor.acked]
        if fresh:
            now = datetime.now(UTC)
            db.execute(sa.insert(Event), [_row(box, stream, epoch, one, now) for one in fresh])
            if troubles := project(db, box, epoch, stream, fresh):
                alarm(db, UNREADABLE, box, {"stream": stream, "epoch": epoch, "events": troubles[:20]})
            cursor.acked, cursor.moved_at = last, now
        return Taken(acked=cursor.acked)


def resume(engine: Engine, who: str, box: str, stream: str, epoch: int) -> bool:
    """Let a halted stream go on: what is stored stays, what the box says otherwise of these numbers has no effect.

    False: it is not halted.
    """
    with writing(engine) as db:
        cursor = db.get(Cursor, (box, stream, epoch), with_for_update=True)
        if cursor is None or cursor.halted is None:
            return False
        halted, cursor.halted, cursor.settled_to = cursor.halted, None, cursor.acked
        key = {"stream": stream, "epoch": epoch}
        for one in db.execute(sa.select(Alarm).where(Alarm.kind == HALTED, Alarm.box == box, _open())).scalars():
            if key.items() <= one.detail.items():
                one.ended_at, one.ended_by = datetime.now(UTC), who
        db.flush()
        note(db, who, "stream resumed", f"box:{box}", {**key, "halted": halted, "settled_to": cursor.settled_to})
        return True


def alarm(db: Session, kind: str, box: str | None, detail: dict[str, Any]) -> None:
    """Raise an alarm, unless one of this kind of this box is open with the same stream and epoch."""
    same = {name: detail[name] for name in ("stream", "epoch") if name in detail}
    standing = db.execute(sa.select(Alarm.detail).where(Alarm.kind == kind, Alarm.box == box, _open())).scalars()
    if any(same.items() <= one.items() for one in standing):
        return
    db.add(Alarm(id=secrets.token_hex(16), at=datetime.now(UTC), kind=kind, box=box, detail=detail))
    db.flush()


def _open() -> sa.ColumnElement[bool]:
    return Alarm.ended_at.is_(None)


def _locked(db: Session, box: str, stream: str, epoch: int) -> Cursor:
    """The stream's cursor, ours until the transaction ends."""
    found = db.get(Cursor, (box, stream, epoch), with_for_update=True)
    if found is None:
        insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
        db.execute(
            insert(Cursor)
            .values(box=box, stream=stream, epoch=epoch, acked=0, settled_to=0)
            .on_conflict_do_nothing(index_elements=["box", "stream", "epoch"])
        )
        found = db.get_one(Cursor, (box, stream, epoch), with_for_update=True)
    return found


def _differing(db: Session, cursor: Cursor, events: Sequence[Said]) -> tuple[Said, str] | None:
    """The first event of a known number with other content, and the hash that is stored; None: all agree."""
    known = {one.seq: one for one in events if cursor.settled_to < one.seq <= cursor.acked and one.kind != DROPPED}
    if not known:
        return None
    stored = db.execute(
        sa.select(Event.seq, Event.sha256)
        .where(Event.box == cursor.box, Event.stream == cursor.stream, Event.epoch == cursor.epoch)
        .where(Event.seq.between(min(known), max(known)))
        .order_by(Event.seq)
    )
    for seq, sha256 in stored:
        if seq in known and known[seq].sha256 != sha256:
            return known[seq], str(sha256)
    return None


def _halt(db: Session, cursor: Cursor, event: Said, was: str) -> None:
    now = datetime.now(UTC)
    cursor.halted = {"seq": event.seq, "at": now.isoformat(), "was": was, "is": event.sha256}
    key = {"stream": cursor.stream, "epoch": cursor.epoch}
    alarm(db, HALTED, cursor.box, {**key, **cursor.halted})
    db.flush()
    note(db, f"box:{cursor.box}", "stream halted", f"box:{cursor.box}", {**key, **cursor.halted})


def _row(box: str, stream: str, epoch: int, one: Said, now: datetime) -> dict[str, Any]:
    return {
        "box": box,
        "stream": stream,
        "epoch": epoch,
        "seq": one.seq,
        "kind": one.kind,
        "at": one.at,
        "arrived_at": now,
        "body": one.body,
        "sha256": one.sha256,
    }
