"""How each box is, worst first: drawn from its last state when it comes, and from its silence when it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .tables import Alarm, Box, Cursor
from .tables_rollout import Standing
from .upsert import put

SILENT_S = 120
"""A box tells its state every 30 s: after four that did not come it is silent."""
WELL, LOOK, WRONG, DOWN, SILENT = range(5)
"""Levels, the worst highest. SILENT is never stored: it is told from `box.seen_at`."""
LEVELS = ("well", "look", "wrong", "down", "silent")
MOST_WHY = 8
DISK_LOW_PCT = 10.0
DISK_OUT_PCT = 3.0
GOOD = ("", "ok", "well", "running", "good", "operational", "alive", "ready")
LESS = ("starting", "degraded", "stopping", "late", "warning")
PER_PAGE = 50
SORTS = ("worst", "name", "line", "site", "seen", "owed", "disk", "drift", "version")
_LADDER_WRONG = ("REFUSED", "ROLLED_BACK")
_INSPECTS = ("io", "inspect", "camera")
"""Processes without which nothing is inspected."""


def told(session: Session, box: str, state: Mapping[str, Any]) -> None:
    """Draw what a box's state says. Whatever it says: a strange state is a state that says little."""
    why = sorted(_why(state), key=lambda one: -one[0])
    disk = _number(_mapping(state.get("disk")).get("free_percent"))
    owed = _owed(state.get("owed"))
    clock = state.get("clock_ok")
    drift = state.get("drift")
    row = {
        "box": box,
        "level": max((level for level, _, _ in why), default=WELL),
        "why": [[code, detail] for _, code, detail in why[:MOST_WHY]],
        "disk_free_pct": disk,
        "owed": owed,
        "clock_ok": clock if isinstance(clock, bool) else None,
        "drift": len(drift) if isinstance(drift, list) else 0,
        "models": _models(state),
    }
    put(session, Standing, [row], replace=[name for name in row if name != "box"])


def _why(state: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """(level, code, detail) of all that is not well."""
    found: list[tuple[int, str, str]] = []
    for one in _list(state.get("health")):
        process, said = _text(one.get("process")), _text(one.get("state"))
        if said.lower() in GOOD:
            continue
        stops = process.replace("-", " ").split(" ")[0] in _INSPECTS
        level = LOOK if said.lower() in LESS else DOWN if stops else WRONG
        found.append((level, "process", " · ".join(filter(None, (process, said, _text(one.get("detail")))))))
    named = {_text(one.get("process")) for one in _list(state.get("health"))}
    for one in _list(state.get("camera")):
        said = _text(one.get("state"))
        if said.lower() not in GOOD and f"camera-{_text(one.get('camera'))}" not in named:
            told = (_text(one.get("camera")), said, _text(one.get("detail")))
            found.append((DOWN, "camera", " · ".join(filter(None, told))))
    if state.get("clock_ok") is False:
        found.append((LOOK, "clock", ""))
    free = _number(_mapping(state.get("disk")).get("free_percent"))
    if free is not None and free < DISK_LOW_PCT:
        found.append((WRONG if free < DISK_OUT_PCT else LOOK, "disk", f"{free:.0f} %"))
    found += [
        (LOOK, "ladder", f"{_text(one.get('recipe'))} · {_text(one.get('reason'))}")
        for one in _list(state.get("ladder"))
        if _text(one.get("rung")) in _LADDER_WRONG
    ]
    if isinstance(state.get("drift"), list) and state["drift"]:
        found.append((LOOK, "drift", ", ".join(_drift_text(one) for one in state["drift"][:4])))
    return found


def _drift_text(one: object) -> str:
    if isinstance(one, Mapping):
        return " ".join(filter(None, (_text(one.get("camera")), _text(one.get("figure") or one.get("cause")))))
    return _text(one)


def _models(state: Mapping[str, Any]) -> list[dict[str, str]]:
    rungs = {
        (_text(one.get("recipe")), _text(one.get("bundle"))): _text(one.get("rung"))
        for one in _list(state.get("ladder"))
    }
    found = []
    for one in _list(state.get("recipes"))[:50]:
        recipe, model = _text(one.get("recipe")), _text(one.get("model") or one.get("digest"))
        found.append({"recipe": recipe, "model": model, "rung": rungs.pop((recipe, model), "")})
    found += [{"recipe": recipe, "model": bundle, "rung": rung} for (recipe, bundle), rung in list(rungs.items())[:50]]
    return found


def _owed(said: object) -> int | None:
    """Events owed in all: `owed` is a number by stream, or {stream: {"events": n}}, or one number."""
    if isinstance(said, Mapping):
        numbers = [_number(one.get("events") if isinstance(one, Mapping) else one) for one in said.values()]
        known = [one for one in numbers if one is not None]
        return int(min(sum(known), 2**53)) if known else None
    one = _number(said)
    return None if one is None else int(min(one, 2**53))


@dataclass(frozen=True, slots=True)
class BoxLine:
    """One row of the page of boxes."""

    id: str
    name: str
    site: str
    line: str
    version: str
    seen_at: datetime | None
    retired: bool
    level: int
    """WELL … SILENT."""
    why: list[tuple[str, str]]
    disk_free_pct: float | None
    owed: int | None
    clock_ok: bool | None
    drift: int
    models: list[dict[str, str]]
    halted: int
    """Streams that stand still until a person says go on."""

    def told(self) -> dict[str, Any]:
        """As the API says it."""
        own = {name: getattr(self, name) for name in self.__slots__ if name not in ("seen_at", "level", "why")}
        seen = self.seen_at.isoformat() if self.seen_at else None
        why = [{"what": code, "detail": detail} for code, detail in self.why]
        return own | {"seen_at": seen, "level": LEVELS[self.level], "why": why}


@dataclass(frozen=True, slots=True)
class Fleet:
    """One page of boxes, and the counts of all that were found."""

    boxes: list[BoxLine]
    total: int
    """Found by the filter."""
    by_level: dict[str, int]
    """By name of the level, over all boxes that the words of the search fit, whatever level was asked for."""
    owed: int
    lines: list[str]
    sites: list[str]


def fleet(
    session: Session,
    text: str = "",
    line: str = "",
    site: str = "",
    level: str = "",
    retired: bool = False,
    sort: str = "worst",
    page: int = 1,
    per_page: int = PER_PAGE,
    now: datetime | None = None,
) -> Fleet:
    """One page of boxes, counted and sorted by the database.

    text: part of name, line, site, id or version, capitals or not. level: one of LEVELS, or `trouble` (all that are not
    well).
    """
    now = now or datetime.now(UTC)
    rank = _rank(now)
    where = _where(text, line, site, retired)
    counts = session.execute(
        sa.select(rank, sa.func.count(), sa.func.coalesce(sa.func.sum(Standing.owed), 0))
        .select_from(Box)
        .outerjoin(Standing)
        .where(*where)
        .group_by(rank)
    ).all()
    by_level = {name: next((n for found, n, _ in counts if found == k), 0) for k, name in enumerate(LEVELS)}
    if level == "trouble":
        where.append(rank > WELL)
    elif level in LEVELS:
        where.append(rank == LEVELS.index(level))
    total = sum(by_level.values()) if not level else by_level.get(level, sum(by_level.values()) - by_level["well"])
    asked = sa.select(Box, Standing, rank).outerjoin(Standing).where(*where).order_by(*_order(sort, rank))
    rows = session.execute(asked.limit(per_page).offset((page - 1) * per_page)).all()
    ids = [box.id for box, _, _ in rows]
    halted: dict[str, int] = dict(
        session.execute(
            sa.select(Cursor.box, sa.func.count()).where(Cursor.box.in_(ids), _is_halted()).group_by(Cursor.box)
        ).all()
    )
    lines = list(session.scalars(sa.select(Box.line).distinct().order_by(Box.line)))
    sites = list(session.scalars(sa.select(Box.site).distinct().order_by(Box.site)))
    boxes = [_line_of(box, standing, int(found), halted.get(box.id, 0)) for box, standing, found in rows]
    return Fleet(boxes, total, by_level, sum(int(owed) for _, _, owed in counts), lines, sites)


def one_box(session: Session, box: str, now: datetime | None = None) -> BoxLine | None:
    """The same of a single box; None: there is none."""
    rank = _rank(now or datetime.now(UTC))
    row = session.execute(sa.select(Box, Standing, rank).outerjoin(Standing).where(Box.id == box)).first()
    if row is None:
        return None
    halted = session.scalar(sa.select(sa.func.count()).select_from(Cursor).where(Cursor.box == box, _is_halted()))
    return _line_of(row[0], row[1], int(row[2]), int(halted or 0))


def _is_halted() -> Any:
    return Cursor.halted.is_not(None)


def _rank(now: datetime) -> Any:
    last = now - timedelta(seconds=SILENT_S)
    silent = sa.or_(Box.seen_at.is_(None), Box.seen_at < last)
    told = sa.func.coalesce(Standing.level, WELL)
    halted = sa.select(Cursor.box).where(_is_halted())
    return sa.case((silent, SILENT), (sa.and_(told < WRONG, Box.id.in_(halted)), WRONG), else_=told)


def _where(text: str, line: str, site: str, retired: bool) -> list[Any]:
    where: list[Any] = [] if retired else [Box.retired_at.is_(None)]
    columns = (Box.name, Box.line, Box.site, Box.id, Box.version)
    where += [sa.or_(*(one.icontains(word, autoescape=True) for one in columns)) for word in text.split()[:5]]
    if line:
        where.append(Box.line == line)
    if site:
        where.append(Box.site == site)
    return where


def _order(sort: str, rank: Any) -> tuple[Any, ...]:
    last = (sa.func.lower(Box.name), Box.id)
    if sort == "owed":
        return (sa.func.coalesce(Standing.owed, -1).desc(), *last)
    if sort == "disk":
        return (sa.func.coalesce(Standing.disk_free_pct, 101.0), *last)
    if sort == "drift":
        return (sa.func.coalesce(Standing.drift, 0).desc(), *last)
    own = {"name": (), "line": (Box.line,), "site": (Box.site,), "seen": (Box.seen_at,), "version": (Box.version,)}
    return (*own[sort], *last) if sort in own else (rank.desc(), *last)


def _line_of(box: Box, standing: Standing | None, level: int, halted: int) -> BoxLine:
    own = standing or Standing(why=[], drift=0, models=[], level=0)
    why = [(str(one[0]), str(one[1])) for one in own.why if isinstance(one, list) and len(one) == 2]
    return BoxLine(
        box.id,
        box.name,
        box.site,
        box.line,
        box.version,
        box.seen_at,
        box.retired_at is not None,
        level,
        why,
        own.disk_free_pct,
        own.owed,
        own.clock_ok,
        own.drift,
        own.models,
        halted,
    )


def open_alarms(session: Session, limit: int = 20) -> list[Alarm]:
    """What somebody has to see to, newest first."""
    asked = sa.select(Alarm).where(Alarm.ended_at.is_(None)).order_by(Alarm.at.desc()).limit(limit)
    return list(session.scalars(asked))


def _list(said: object) -> list[Mapping[str, Any]]:
    return [one for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []


def _mapping(said: object) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _text(said: object) -> str:
    return "" if said is None else str(said)[:120].replace("\0", "")


def _number(said: object) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    found = float(said) if abs(said) < 1e15 else None
    return found if found is not None and found == found else None
