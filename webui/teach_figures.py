"""The scores of a teaching as a drawing: bars of goods above the line, of defects below, the limit across. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MIDDLE = 1000, 300, 200
BINS = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """All of it."""

    goods: tuple[Bar, ...]
    defects: tuple[Bar, ...]
    limit_x: float
    ticks: tuple[tuple[float, str], ...]
    low: float
    high: float


def histogram(goods: Sequence[float], defects: Sequence[float], limit: float) -> Histogram:
    """Bars over a common axis. Scores far beyond the limit are put into the last bar, so that goods stay legible."""
    finite = [*goods, limit, *(min(score, max(2.5 * limit, max(goods, default=limit))) for score in defects)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    span = (high - low) or 1.0
    low, high = low - 0.03 * span, high + 0.03 * span

    def bars(scores: Sequence[float], room: float, *, up: bool) -> tuple[Bar, ...]:
        counts = [0] * BINS
        for score in scores:
            place = int((score - low) / (high - low) * BINS)
            counts[min(BINS - 1, max(0, place))] += 1
        most, wide, found = max(counts, default=0) or 1, WIDTH / BINS, []
        for place, count in enumerate(counts):
            if count:
                tall = max(6.0, room * count / most)
                found.append(Bar(place * wide + 1, MIDDLE - tall if up else MIDDLE + 2, wide - 2, tall, count))
        return tuple(found)

    step = (high - low) / 5
    ticks = tuple((WIDTH * at / 5, f"{low + at * step:.3g}") for at in range(1, 5))
    x = (limit - low) / (high - low) * WIDTH
    return Histogram(
        bars(goods, MIDDLE - 14, up=True), bars(defects, HEIGHT - MIDDLE - 14, up=False), x, ticks, low, high
    )
