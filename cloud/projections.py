"""What is drawn from events in the transaction that stores them: it can neither lack nor come twice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import ripple
from .said import DROPPED, BadSaid, Said, moment
from .tables import Part

Rows = list[dict[str, Any]]
MOST_SEQ = (1 << 62) - 1


def project(db: Session, box: str, epoch: int, stream: str, events: Sequence[Said]) -> list[str]:
    """Draw from events that are newly stored; what could not be read, in words."""
    fresh, troubles = _parts(db, box, epoch, events) if stream == "records" else ([], [])
    said = [{"seq": one.seq, "kind": one.kind, "at": one.at, "body": one.body} for one in events if one.kind != DROPPED]
    ripple.arrived(db, box, stream, epoch, said, fresh)
    return troubles


def _parts(db: Session, box: str, epoch: int, events: Sequence[Said]) -> tuple[Rows, list[str]]:
    rows: dict[int, dict[str, Any]] = {}
    troubles: list[str] = []
    for one in events:
        if one.kind != "part":
            continue
        try:
            row = part_row(box, epoch, one)
        except BadSaid as error:
            # The event stays as it was said; a stream that stood still for one bad row would lose all after it.
            troubles.append(f"event {one.seq}: {error}")
            continue
        rows.setdefault(row["seq"], row)
    if not rows:
        return [], troubles
    known = db.execute(sa.select(Part.seq).where(Part.box == box, Part.epoch == epoch, Part.seq.in_(rows))).scalars()
    for seq in known:
        troubles.append(f"event {rows[seq]['event_seq']}: part {seq} was told before: the first stays")
        del rows[seq]
    fresh = list(rows.values())
    if fresh:
        db.execute(sa.insert(Part), [{key: row[key] for key in row if key != "codes"} for row in fresh])
    return fresh, troubles


def part_row(box: str, epoch: int, event: Said) -> dict[str, Any]:
    """Columns of `part` of one event, and its codes. BadSaid: a key that cannot be done without is not as it should."""
    body = event.body
    seq = body.get("seq")
    if type(seq) is not int or not 1 <= seq <= MOST_SEQ:
        raise BadSaid(f"seq = {seq!r:.60}: expected the part's number in the ledger, 1 or more")
    return {
        "box": box,
        "epoch": epoch,
        "seq": seq,
        "event_seq": event.seq,
        "taken_at": _taken(body.get("taken_at"), event.at),
        **{name: _text(body, name, most) for name, most in _TEXTS.items()},
        "verdict": _text(body, "verdict", 16),
        "disposition": _text(body, "action", 16),
        "reasons": [str(one)[:500] for one in _list(body, "reasons")][:100],
        "defects": _list(body, "defects")[:1000],
        "score": _real(body.get("score")),
        "threshold": _real(body.get("threshold")),
        "picture_sha256": _digest(body.get("picture_sha256")),
        "image": _list(body, "image")[:32],
        "codes": _list(body, "codes")[:100],
    }


_TEXTS = {
    "serial": 200,
    "lot": 200,
    "recipe": 100,
    "revision": 80,
    "model": 80,
    "station": 100,
    "camera": 100,
    "why": 24,
    "outcome": 16,
    "shift": 100,
}


def _taken(value: Any, otherwise: datetime) -> datetime:
    try:
        return moment(value, "taken_at")
    except BadSaid:
        return otherwise


def _text(body: dict[str, Any], name: str, most: int) -> str:
    found = body.get(name)
    return found[:most] if isinstance(found, str) else ""


def _list(body: dict[str, Any], name: str) -> list[Any]:
    found = body.get(name)
    return found if isinstance(found, list) else []


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e300 else None


def _digest(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) == 64 else None
