"""What a part's event says, read from its row: only of what never changes, so that two readings say the same."""

import json
from collections.abc import Sequence
from typing import Any, cast

import apsw

from .seal_content import HEALTH, PART, VIEW

_HERE = frozenset(("number", "stored_at", "heat", "picture"))
"""Of a part, what does not leave: the picture's place on this disk, the heat map, when and how it was stored."""
_LISTS = ("reasons", "defects", "codes", "placements", "measures")
_TRUTHS = ("missed", "recovered", "confirmed")
_PART = tuple(name for name in PART if name not in _HERE)
_VIEW = tuple(name for name in VIEW if name != "picture")
_AMONG = "seq in (select value from json_each(?))"


def part_bodies(db: apsw.Connection, asked: Sequence[tuple[int, bool]]) -> dict[int, dict[str, Any]]:
    """What the events of these parts say, by seq; of a part that is gone nothing.

    asked: seq of each part, and whether its pictures are named. The body has the columns of the part, `epoch` the name
    of its run of io, `views` and `image` of its cameras. ValueError, TypeError: a row was doctored.
    """
    among = json.dumps([seq for seq, _ in asked])
    named = dict(asked)
    names = ", ".join(f"p.{name}" if name != "epoch" else "e.name" for name in _PART)
    found: dict[int, dict[str, Any]] = {}
    for row in _rows(db, f"select {names} from part p join epoch e on e.n = p.epoch where p.{_AMONG}", among):
        body = dict(zip(_PART, row, strict=True))
        body.update({name: json.loads(body[name]) for name in _LISTS})
        body.update({name: None if body[name] is None else bool(body[name]) for name in _TRUTHS})
        body["views"], body["image"] = [], []
        if not named[int(body["seq"])]:
            del body["picture_sha256"]
        found[int(body["seq"])] = body
    views = f"select seq, {', '.join(_VIEW)} from view where {_AMONG} order by seq, camera"
    for seq, *columns in _rows(db, views, among):
        view = dict(zip(_VIEW, columns, strict=True))
        if not named[seq]:
            del view["picture_sha256"]
        if seq in found:
            found[seq]["views"].append(view)
    health = f"select seq, {', '.join(HEALTH)} from image_health where {_AMONG} order by seq, camera"
    for seq, *columns in _rows(db, health, among):
        seen = dict(zip(HEALTH, columns, strict=True))
        if seq in found:
            found[seq]["image"].append({**seen, "alarms": json.loads(seen["alarms"])})
    return found


def _rows(db: apsw.Connection, sql: str, among: str) -> list[tuple[Any, ...]]:
    return cast(list[tuple[Any, ...]], db.execute(sql, (among,)).fetchall())
