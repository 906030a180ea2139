"""A fleet that is made up: boxes, parts, pictures, ladders, written the way the service writes what boxes say."""

import hashlib
import random
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from okng.cloud import ripple
from okng.cloud.database import writing
from okng.cloud.tables import Blob, Box, Cursor, Event, Part, Person, Picture

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)
HOSTILE = "<script>alert('box')</script>\"'>&"
MODEL = hashlib.sha256(b"model 1").hexdigest()
CHALLENGER = hashlib.sha256(b'{"bundle": "c"}').hexdigest()
"""Of `channel_kit.made_up("c")`."""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def add_box(db: Session, box: str, name: str = "", line: str = "line7", site: str = "north", **more: Any) -> None:
    """A box that was let in."""
    given = {"seen_at": NOW - timedelta(seconds=20), "version": "1.0.0"} | more
    db.add(
        Box(
            id=box,
            name=name or box,
            site=site,
            line=line,
            cert_sha256=digest(box),
            cert_ends_at=NOW + timedelta(days=80),
            enrolled_at=NOW - timedelta(days=30),
            state=given.pop("state", {}),
            **given,
        )
    )
    db.flush()


def tell(db: Session, box: str, **state: Any) -> None:
    """A state of a box, as it sends it every 30 s."""
    found = {
        "version": "1.0.0",
        "uptime_s": 86400,
        "clock_ok": True,
        "fps": 12.0,
        "health": [],
        "disk": {"free_percent": 61.5},
        "owed": {"records": 3, "alarms": 0},
        "recipes": [],
        "ladder": [],
        "camera": [],
        "drift": [],
    } | state
    db.execute(sa.update(Box).where(Box.id == box).values(state=found))
    ripple.told(db, box, found)


def part(box: str, seq: int, at: datetime, outcome: str = "OK", **more: Any) -> dict[str, Any]:
    """One row of `part`, with `codes`."""
    bad = outcome == "NG"
    row = {
        "box": box, "epoch": 1, "seq": seq, "event_seq": seq, "taken_at": at, "serial": f"SN{seq:06d}",
        "lot": "L-2026-48",
        "recipe": "cap", "revision": "r3", "model": MODEL, "station": "1", "camera": "top", "verdict": outcome,
        "disposition": "PASS" if outcome == "OK" else "REJECT", "why": outcome.lower(), "outcome": outcome,
        "reasons": ["score 7.10 above 4.00 in region cap"] if bad else [],
        "defects": [{"kind": "scratch", "score": 0.9}] if bad else [], "score": 6.0 if bad else 1.0, "threshold": 4.0,
        "shift": "early", "picture_sha256": None,
        "image": [{"camera": "top", "focus": 1.0, "brightness": 120.0, "alarms": []}],
        "codes": [],
    }  # fmt: skip
    return row | more


def arrive(
    db: Session, parts: Iterable[Mapping[str, Any]], bodies: Mapping[int, Mapping[str, Any]] | None = None
) -> None:
    """Store parts of one box as the service does."""
    rows = [dict(one) for one in parts]
    if not rows:
        return
    box, epoch = rows[0]["box"], rows[0]["epoch"]
    events = [
        {"seq": row["event_seq"], "kind": "part", "at": row["taken_at"], "body": (bodies or {}).get(row["seq"], {})}
        for row in rows
    ]
    db.execute(sa.insert(Part), [{key: row[key] for key in row if key not in ("codes", "tool")} for row in rows])
    ripple.arrived(db, box, "records", epoch, events, rows)


def add_events(
    db: Session, box: str, stream: str, bodies: Iterable[Mapping[str, Any]], first: int = 1, at: datetime = NOW
) -> None:
    """Store events of a stream as the service does."""
    events = [
        {"seq": first + n, "kind": stream.rstrip("s"), "at": at, "body": dict(body)} for n, body in enumerate(bodies)
    ]
    db.execute(
        sa.insert(Event),
        [
            one | {"box": box, "stream": stream, "epoch": 1, "arrived_at": at, "sha256": digest(str(one))}
            for one in events
        ],
    )
    ripple.arrived(db, box, stream, 1, events)


def climb(
    db: Session,
    box: str,
    rung: str,
    bundle: str = CHALLENGER,
    recipe: str = "cap",
    seq: int = 1,
    reason: str = "",
    **figures: Any,
) -> None:
    """One step of a box's ladder."""
    body = {
        "bundle": bundle,
        "recipe": recipe,
        "from": "",
        "to": rung,
        "reason": reason,
        "figures": figures,
        "at": NOW.isoformat(),
    }
    add_events(db, box, "ladder", [body], first=seq)


def differs(seq: int, champion_ok: bool = True, bundle: str = CHALLENGER, **more: Any) -> dict[str, Any]:
    """Body of the event of a part on which the challenger said the other."""
    said = ("OK", "NG") if champion_ok else ("NG", "OK")
    return {
        "what": "differs",
        "bundle": bundle,
        "recipe": "cap",
        "seq": seq,
        "part_epoch": 1,
        "champion_outcome": said[0],
        "challenger_outcome": said[1],
        "taken_at": (NOW - timedelta(minutes=9)).isoformat(),
    } | more


def add_picture(db: Session, box: str, seq: int, data: bytes, state: str = "have") -> str:
    """A picture of a part that lies in the store."""
    sha256 = hashlib.sha256(data).hexdigest()
    if db.get(Blob, sha256) is None:
        db.add(Blob(sha256=sha256, size=len(data), state=state, first_box=box, at=NOW))
        db.flush()
    db.add(Picture(box=box, epoch=1, part_seq=seq, sha256=sha256, kind="picture", camera="top"))
    db.flush()
    return sha256


def add_person(db: Session, name: str, *roles: str) -> str:
    """Somebody who may sign in; the name by which deeds call them."""
    db.add(Person(sub=f"local:{name}", name=name.title(), roles=list(roles), created_at=NOW))
    db.flush()
    return f"person:local:{name}"


def signed_in(rig: Any, name: str) -> Any:
    """A browser of a local person, without the sign-in's costly look at the password; made where there is none."""
    client = rig.app.test_client()
    with client.session_transaction(base_url=rig.settings.service.url) as session:
        session["sub"], session["at"] = f"local:{name}", int(time.time() * 1000)
    return client


def shift_of_parts(
    box: str, count: int, seed: int, since: datetime = NOW - timedelta(hours=8), **more: Any
) -> list[dict[str, Any]]:
    """A shift of parts, one in fifty rejected, evenly over the eight hours up to NOW."""
    dice = random.Random(seed)
    step = timedelta(hours=8) / max(1, count)
    out = []
    for n in range(count):
        outcome = "NG" if dice.random() < 0.02 else "UNJUDGED" if dice.random() < 0.003 else "OK"
        score = dice.gauss(6.0, 1.0) if outcome == "NG" else dice.gauss(1.6, 0.4)
        image = [{"camera": "top", "focus": dice.gauss(1.0, 0.03), "brightness": dice.gauss(120, 3), "alarms": []}]
        out.append(part(box, n + 1, since + n * step, outcome, **({"score": score, "image": image} | more)))
    return out


def halted_stream(db: Session, box: str, stream: str = "records", seq: int = 17) -> None:
    """A stream that stands still: a known number came with other content."""
    halted = {"seq": seq, "at": NOW.isoformat(), "was": "a" * 64, "is": "b" * 64}
    db.add(Cursor(box=box, stream=stream, epoch=1, acked=40, halted=halted, moved_at=NOW, settled_to=0))
    db.flush()


def filled(engine: Engine, boxes: int = 3, parts: int = 400) -> None:
    """Some boxes of a line with a shift of parts each."""
    with writing(engine) as db:
        for n in range(boxes):
            box = f"box{n + 1}"
            add_box(db, box, f"Press {n + 1}")
            tell(db, box, recipes=[{"line": "line7", "recipe": "cap", "job": 1, "model": MODEL}])
            arrive(db, shift_of_parts(box, parts, n))
