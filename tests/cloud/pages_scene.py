"""A fleet to look at: a dozen boxes of three lines in all states, a plan half way, a queue, a trail."""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from okng.cloud import rollouts
from okng.cloud.database import writing
from okng.cloud.deeds import note
from okng.cloud.rollout_sign import rings_of, sign, turn
from okng.cloud.rollout_state import state_of
from okng.cloud.settings import FleetSettings
from okng.cloud.tables import Alarm
from okng.fleet.channel_format import RingForm
from okng.fleet.channel_keys import make_signer
from okng.fleet.channel_repository import begin
from okng.fleet.rings import FolderShelf, OnlineKeys

from ..fleet.channel_kit import LINE, Fleet, Watch, made_up, new_key
from . import pages_room as room
from .rig import Rig, rig, settings_of


def png(seed: int, width: int = 320, height: int = 240) -> bytes:
    """A grey picture with a scratch."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        rows += bytes(40 if abs(x - y - 20 * seed) < 4 else 150 + (x * y * (seed + 3)) % 23 for x in range(width))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    )


PLAN = [
    RingForm(ring="pilot", shadow_parts=500, canary_parts=2000, max_error_pct=0),
    RingForm(ring="half"),
    RingForm(ring="rest"),
]


@contextlib.contextmanager
def filled(folder: Path, **people: str) -> Iterator[Rig]:
    """The fleet in a service on SQLite. people: name to role."""
    with rig(with_channel(folder), folder) as made:
        with writing(made.service.engine) as db:
            for name, role in people.items():
                room.add_person(db, name, role)
        build(made)
        yield made


def with_channel(folder: Path, **more: Any) -> FleetSettings:
    """Settings of a service that signs the rings of a channel; it publishes PLAN for the recipe `cap` of line7."""
    keys, published, watch = folder / "keys", folder / "published", Watch(datetime.now(UTC))
    keys.mkdir(mode=0o700)
    published.mkdir()
    online = OnlineKeys(*(make_signer(keys / f"{name}.pem", None) for name in ("timestamp", "snapshot", "rings")))
    roots, targets = [new_key() for _ in range(3)], new_key()
    root = begin(FolderShelf(published), roots, targets, online, watch.at)
    channel = Fleet(published, watch, roots, targets, online, root)
    channel.repository.publish(made_up("c"), LINE, "cap", "challenger", PLAN, "Ines Weber", targets)
    channel.rings.refresh()
    text = f'\n[channel]\nfolder = "{published}"\nonline_keys = "{keys}"\n'
    return settings_of(folder / "fleet", change=lambda toml: toml + text, **more)


def build(rig: Rig) -> None:
    """Fill an empty service, up to the present moment."""
    now = datetime.now(UTC)
    engine = rig.service.engine
    with writing(engine) as db:
        for n in range(12):
            line, box = f"line{7 + n // 4}", f"press-{n + 1}-0a1b2c3d"
            seen = now - timedelta(minutes=47) if n == 5 else now
            room.add_box(
                db,
                box,
                f"Press {n + 1}",
                line,
                "north" if n < 8 else "south",
                seen_at=seen,
                version="1.4.2" if n != 3 else "1.3.9",
            )
            state: dict[str, Any] = {"recipes": [{"line": line, "recipe": "cap", "job": 1, "model": room.MODEL}]}
            state["ladder"] = [{"recipe": "cap", "bundle": room.MODEL, "rung": "CHAMPION", "reason": "", "parts": 0}]
            state["health"] = [
                {"process": name, "state": "ready", "detail": ""} for name in ("io", "camera-top", "inspect", "records")
            ]
            if n == 2:
                state["health"][2] = {"process": "inspect", "state": "fault", "detail": "golden picture scores wrong"}
            if n == 3:
                state |= {"disk": {"free_percent": 7.0}, "owed": {"records": 182_400, "alarms": 2}, "clock_ok": False}
            if n == 8:
                state["drift"] = ["focus"]
            room.tell(db, box, **state)
            more: dict[str, Any] = {"lot": f"L-2026-{48 + n % 2}", "shift": "early" if n % 2 else "late"}
            rows = room.shift_of_parts(box, 240, n, since=now - timedelta(hours=8), **more)
            for row in rows:
                row["taken_at"] = min(row["taken_at"], now)
                if n == 8:
                    row["image"][0]["focus"] *= 0.7
                    row["image"][0]["alarms"] = ["focus"]
                    if row["seq"] % 12 == 0:
                        row |= room.part(box, row["seq"], row["taken_at"], "NG", **more, image=row["image"])
            room.arrive(db, rows)
            if n < 3:
                told = [room.differs(row["seq"], row["outcome"] == "OK") for row in rows[::60]]
                room.add_events(db, box, "ladder", told, first=1000)
            if n == 4:
                room.halted_stream(db, box)
        _pictures(rig, db)
        db.add(
            Alarm(
                id="a1",
                at=now - timedelta(minutes=12),
                kind="stream_halted",
                box="press-5-0a1b2c3d",
                detail={"stream": "records", "epoch": 1, "seq": 17},
            )
        )
        db.flush()
        note(db, "person:local:ada", "box let in", "box:press-1-0a1b2c3d", {"name": "Press 1", "line": "line7"})
    _rollout(rig)


def _pictures(rig: Rig, db: Any) -> None:
    for n in range(3):
        for at, seq in enumerate((1, 61, 121, 181)):
            data = png(n * 4 + at)
            sha256 = room.add_picture(db, f"press-{n + 1}-0a1b2c3d", seq, data)
            rig.service.blobs.take(sha256, len(data), [data])  # type: ignore[attr-defined]  # of the folder store


def _rollout(rig: Rig) -> None:
    engine, rings = rig.service.engine, rings_of(rig.service)
    assert rings is not None
    turn(engine, rings)
    boxes = [f"press-{n}-0a1b2c3d" for n in range(1, 5)]
    with writing(engine) as db:
        rollouts.set_members(
            db, "person:local:ada", "line7", {"pilot": boxes[:1], "half": boxes[1:3], "rest": boxes[3:]}
        )
        rollouts.open_next(db, "person:local:ada", state_of(db, "line7", "cap", "challenger", 1), "pilot")
        room.climb(db, boxes[0], "CHAMPION", parts=22_500, ng=412)
        at = state_of(db, "line7", "cap", "challenger", 1)
        rollouts.open_next(db, "service", at, "half", "the ring before it is through")
        room.climb(db, boxes[1], "SHADOW", parts=3120, ng=61)
        reason = "reject rate 6.1 % against 2.0 %: CUSUM 10.4 above 10"
        room.climb(db, boxes[2], "ROLLED_BACK", reason=reason, parts=900, ng=55)
    assert sign(engine, rings, "line7") == ""
