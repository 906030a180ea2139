"""A fleet to look at: a dozen boxes of three lines in all states, a plan half way, a queue, a trail."""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from okng.cloud import rollouts
from okng.cloud.database import writing
from okng.cloud.deeds import note
from okng.cloud.rollout_state import state_of
from okng.cloud.tables import Alarm

from . import pages_room as room
from .rig import Rig


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


def plan(line: str = "line7", seq: int = 4, bundle: str = room.CHALLENGER) -> Any:
    """A pointer as the channel has it."""
    names = (("pilot", 500, 2000, 0.0), ("half", 5000, 20000, 5.0), ("rest", 5000, 20000, 5.0))
    rings = [
        SimpleNamespace(
            model_dump=lambda mode, one=one: dict(
                zip(("ring", "shadow_parts", "canary_parts", "max_error_pct"), one, strict=True)
            )
        )
        for one in names
    ]
    return SimpleNamespace(
        line=line,
        recipe="cap",
        role="challenger",
        seq=seq,
        bundle=bundle,
        plan=rings,
        at="2026-11-26T09:00:00Z",
        approved_by="Ines Weber",
    )


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
            bodies = {}
            if n < 3:
                for row in rows[::60]:
                    bodies[row["seq"]] = {
                        "beside": {
                            "bundle": room.CHALLENGER,
                            "outcome": "NG" if row["outcome"] == "OK" else "OK",
                            "score": 1.1,
                        }
                    }
            room.arrive(db, rows, bodies)
            if n == 4:
                room.halted_stream(db, box)
        _pictures(rig, db)
        _rollout(db, now)
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


def _pictures(rig: Rig, db: Any) -> None:
    for n in range(3):
        for at, seq in enumerate((1, 61, 121, 181)):
            data = png(n * 4 + at)
            sha256 = room.add_picture(db, f"press-{n + 1}-0a1b2c3d", seq, data)
            rig.service.blobs.take(sha256, len(data), [data])  # type: ignore[attr-defined]  # of the folder store


def _rollout(db: Any, now: datetime) -> None:
    rollouts.ring_row(db, "line7")
    rollouts.adopt(db, "line7", [plan()])
    boxes = [f"press-{n}-0a1b2c3d" for n in range(1, 5)]
    rollouts.set_members(db, "person:local:ada", "line7", {"pilot": boxes[:1], "half": boxes[1:3], "rest": boxes[3:]})
    rollouts.open_next(db, "person:local:ada", state_of(db, "line7", "cap", "challenger", 4), "pilot")
    room.climb(db, boxes[0], "CHAMPION", parts=22_500, ng=412)
    rollouts.open_next(
        db, "service", state_of(db, "line7", "cap", "challenger", 4), "half", "the ring before it is through"
    )
    room.climb(db, boxes[1], "SHADOW", parts=3120, ng=61)
    room.climb(
        db, boxes[2], "ROLLED_BACK", reason="reject rate 6.1 % against 2.0 %: CUSUM 10.4 above 10", parts=900, ng=55
    )
