"""Figures of the pictures and of the scores by the hour, and the boxes held against one another."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .search_terms import Terms
from .tables import Box
from .tables_rollout import HourlyFigure
from .upsert import put
from .yields import hour_of

IMAGE = ("focus", "brightness", "contrast", "uniformity", "noise")
FIGURES = ("score", *IMAGE, "shift_px", "angle_deg")
APART = 3.5
"""Robust standard deviations from the other boxes' median from which a box stands out."""
LEAST_BOXES = 3
"""With fewer, nobody can say which of them is the odd one."""
LEAST_PARTS = 30
MOST_BOXES = 200
MOST_POINTS = 84
"""Of a course: over a longer time several hours are one point."""


@dataclass(slots=True)
class _Sum:
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value
        self.low, self.high = min(self.low, value), max(self.high, value)


def measure(session: Session, parts: Iterable[Mapping[str, Any]]) -> None:
    """Add the figures of newly stored parts to their hours."""
    sums: dict[tuple[Any, ...], _Sum] = defaultdict(_Sum)
    for part in parts:
        place = (hour_of(part["taken_at"]), part["box"], part.get("recipe") or "")
        score, limit = _real(part.get("score")), _real(part.get("threshold"))
        if score is not None and limit is not None and limit > 0:
            sums[(*place, part.get("camera") or "", "score")].add(score / limit)
        image = part.get("image")
        for one in image if isinstance(image, list) else []:
            if isinstance(one, Mapping):
                for figure, value in _figures(one):
                    sums[(*place, str(one.get("camera") or "")[:100], figure)].add(value)
    names = ("hour", "box", "recipe", "camera", "figure")
    rows = [
        dict(zip(names, key, strict=True))
        | {"n": one.n, "total": one.total, "squares": one.squares, "low": one.low, "high": one.high}
        for key, one in sorted(sums.items())
    ]
    put(session, HourlyFigure, rows, add=("n", "total", "squares"), least=("low",), most=("high",))


def _figures(one: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    for name in (*IMAGE, "angle_deg"):
        if (value := _real(one.get(name))) is not None:
            yield name, value
    x, y = _real(one.get("shift_x_px")), _real(one.get("shift_y_px"))
    if x is not None and y is not None:
        yield "shift_px", math.hypot(x, y)


def _real(said: object) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    value = float(said) if abs(said) < 1e12 else math.nan
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Course:
    """One box's figure over a stretch of time."""

    box: str
    name: str
    line: str
    camera: str
    n: int
    mean: float
    spread: float
    """Standard deviation of single parts."""
    first: float
    """Mean of the first quarter of the hours."""
    last: float
    """Mean of the last quarter."""
    last_n: int
    """Parts in the last quarter."""
    points: list[tuple[datetime, float]] = field(repr=False)
    """(hour, mean)."""
    apart: float | None = None
    """Robust standard deviations away from the median of all boxes; None: too few to tell."""

    @property
    def change(self) -> float:
        """Last quarter less the first, in standard deviations of single parts; 0 where they do not scatter."""
        return (self.last - self.first) / self.spread if self.spread > 0 else 0.0

    @property
    def stands_out(self) -> bool:
        """It is unlike the others."""
        return self.apart is not None and abs(self.apart) >= APART

    def told(self) -> dict[str, Any]:
        """As the API says it."""
        own = {
            name: getattr(self, name)
            for name in ("box", "name", "line", "camera", "n", "mean", "spread", "first", "last", "apart")
        }
        points = [[hour.isoformat(), mean] for hour, mean in self.points]
        return own | {"change": self.change, "stands_out": self.stands_out, "points": points}


def courses(session: Session, terms: Terms, figure: str) -> list[Course]:
    """One figure of every box and camera that told it, those that stand out first. ValueError: no such figure."""
    if figure not in FIGURES:
        raise ValueError(f"figure = {figure[:40]!r}: expected one of {', '.join(FIGURES)}")
    seconds = max(3600, int((terms.until - terms.since).total_seconds() / MOST_POINTS) // 3600 * 3600)
    bucket = _bucket(session, seconds)
    sums = [sa.func.sum(column) for column in (HourlyFigure.n, HourlyFigure.total, HourlyFigure.squares)]
    where = [HourlyFigure.figure == figure, *terms.with_(line="").figures()]
    if terms.line:
        where.append(HourlyFigure.box.in_(sa.select(Box.id).where(Box.line == terms.line)))
    asked = sa.select(HourlyFigure.box, HourlyFigure.camera, bucket, *sums).where(*where)
    asked = asked.group_by(HourlyFigure.box, HourlyFigure.camera, bucket).order_by(bucket)
    rows = session.execute(asked).all()
    known = sa.select(Box.id, Box.name, Box.line).where(Box.id.in_({row[0] for row in rows}))
    names = {box: (name, line) for box, name, line in session.execute(known)}
    groups: dict[tuple[str, str, str, str], list[tuple[datetime, int, float, float]]] = defaultdict(list)
    for box, camera, number, n, total, squares in rows:
        at = datetime.fromtimestamp(int(number) * seconds, UTC)
        groups[box, camera, *names[box]].append((at, int(n), float(total), float(squares)))
    found = [_course(key, hours) for key, hours in groups.items()]
    found = _set_apart(found)
    found.sort(key=lambda one: (-abs(one.apart or 0.0), -abs(one.change), one.name, one.camera))
    return found[:MOST_BOXES]


def _bucket(session: Session, seconds: int) -> Any:
    """The stretch of time that an hour lies in, counted from 1970."""
    if session.get_bind().dialect.name == "postgresql":
        return sa.func.floor(sa.extract("epoch", HourlyFigure.hour) / seconds)
    return sa.cast(sa.func.strftime("%s", HourlyFigure.hour), sa.Integer).op("/")(seconds)


def _course(key: tuple[str, str, str, str], hours: list[tuple[datetime, int, float, float]]) -> Course:
    box, camera, name, line = key
    n = sum(one[1] for one in hours)
    mean = sum(one[2] for one in hours) / n
    variance = max(0.0, sum(one[3] for one in hours) / n - mean**2)
    quarter = max(1, len(hours) // 4)
    return Course(
        box,
        name,
        line,
        camera,
        n,
        mean,
        math.sqrt(variance),
        _mean(hours[:quarter]),
        _mean(hours[-quarter:]),
        sum(one[1] for one in hours[-quarter:]),
        [(hour, total / count) for hour, count, total, _ in hours],
    )


def _mean(hours: list[tuple[datetime, int, float, float]]) -> float:
    return sum(one[2] for one in hours) / sum(one[1] for one in hours)


def _set_apart(found: list[Course]) -> list[Course]:
    """How far the present of each lies from that of the others.

    By the median and its absolute deviation, so that the odd one does not move the yardstick; chance in the means of
    few parts belongs to it too.
    """
    known = [one for one in found if one.n >= LEAST_PARTS]
    told = [one.last for one in known]
    if len(told) < LEAST_BOXES:
        return found
    middle = statistics.median(told)
    chance = statistics.median(one.spread / math.sqrt(one.last_n) for one in known)
    deviation = math.hypot(1.4826 * statistics.median(abs(one - middle) for one in told), chance)
    floor = max(deviation, 0.02 * abs(middle), 1e-9)  # boxes that agree to 2 % are not told apart
    out = []
    for one in found:
        apart = (one.last - middle) / floor if one.n >= LEAST_PARTS else None
        out.append(replace(one, apart=apart))
    return out
