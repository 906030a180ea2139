"""Figures of a camera's pictures as charts: geometry and numbers, no words of a language, no I/O."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..records.read import ImageHistory
from .bands import BARE, Band

WIDTH, HEIGHT = 600.0, 120.0
"""Of a chart's drawing; the page stretches it."""
NOW = 8
"""Parts the present value is the median of, as the drift is told from by default."""
_PAD = 0.12


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is charted."""

    name: str
    """As in `bands.py`."""
    unit: str
    decimals: int
    scale: float
    """From the ledger's unit to that of the screen."""
    reach: float
    """At least so far from the median the drawing reaches, in the ledger's unit: small scatter is to look small."""


FIGURES = (
    Figure("focus", "%", 0, 100.0, 0.25),
    Figure("brightness", "", 0, 1.0, 15.0),
    Figure("uniformity", "%", 1, 100.0, 0.06),
    Figure("noise", "", 1, 1.0, 1.5),
    Figure("shift", "px", 1, 1.0, 3.0),
    Figure("angle", "°", 2, 1.0, 1.0),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure over the last parts. Coordinates are those of the drawing, y downward."""

    figure: Figure
    line: str
    """SVG path of the values; a gap where one was not measured."""
    outside: str
    """SVG path of dots at values beyond a limit."""
    band: tuple[float, float] | None
    """Upper edge and height of the band; None: no limit is known."""
    commissioned: float | None
    """Where the commissioned value lies; None: not known."""
    now: str
    """Median of the last parts, with its unit; empty: nothing was measured."""
    is_out: bool
    """That median lies beyond a limit."""
    low: str
    """Lower limit, with its unit; empty: none known."""
    high: str
    was: str
    """Commissioned value; empty: not known."""
    bottom: str
    """Value at the lower edge of the drawing."""
    top: str


def charts_of(history: ImageHistory, bands: Mapping[str, Band] | None) -> list[Chart]:
    """One chart for each of FIGURES. bands: by figure; None: not known."""
    known = bands or BARE
    return [_chart(figure, _values(history, figure.name), known[figure.name]) for figure in FIGURES]


def _values(history: ImageHistory, name: str) -> list[float | None]:
    columns = history.figures
    if name == "shift":
        pairs = zip(columns["shift_x_px"], columns["shift_y_px"], strict=True)
        return [None if x is None or y is None else math.hypot(x, y) for x, y in pairs]
    return list(columns["angle_deg" if name == "angle" else name])


def _chart(figure: Figure, values: Sequence[float | None], band: Band) -> Chart:
    measured = [value for value in values if value is not None]
    least, most = _span(measured, band, figure.reach)
    if figure.name in ("uniformity", "noise", "shift", "brightness"):
        least = max(0.0, least)
    across = WIDTH / max(1, len(values) - 1)

    def y(value: float) -> float:
        return round(HEIGHT * (most - value) / (most - least), 1)

    spots = [None if value is None else (round(i * across, 1), y(value)) for i, value in enumerate(values)]
    beyond = [spot for spot, value in zip(spots, values, strict=True) if value is not None and not band.holds(value)]
    now = statistics.median(measured[-NOW:]) if measured else None
    limited = band.low is not None or band.high is not None
    top = y(most if band.high is None else band.high)
    low = y(least if band.low is None else band.low)
    return Chart(
        figure=figure,
        line=_line(spots),
        outside=" ".join(f"M{spot[0]} {spot[1]}h0" for spot in beyond if spot),
        band=(top, round(low - top, 1)) if limited else None,
        commissioned=None if band.commissioned is None else y(band.commissioned),
        now=_text(figure, now),
        is_out=now is not None and not band.holds(now),
        low=_text(figure, band.low),
        high=_text(figure, band.high),
        was=_text(figure, band.commissioned),
        bottom=_text(figure, least),
        top=_text(figure, most),
    )


def _span(measured: Sequence[float], band: Band, reach: float) -> tuple[float, float]:
    """Least and most value of the drawing: all values, limits and the commissioned one, and some room."""
    middle = statistics.median(measured) if measured else band.commissioned or 0.0
    known = [value for value in (band.low, band.high, band.commissioned) if value is not None]
    wanted = [*measured, *known, middle - reach, middle + reach]
    least, most = min(wanted), max(wanted)
    room = (most - least) * _PAD
    return least - room, most + room


def _line(spots: Iterable[tuple[float, float] | None]) -> str:
    drawn, pen = [], "M"
    for spot in spots:
        if spot is None:
            pen = "M"
            continue
        drawn.append(f"{pen}{spot[0]} {spot[1]}")
        pen = "L"
    return "".join(drawn)


def _text(figure: Figure, value: float | None) -> str:
    if value is None:
        return ""
    number = f"{round(value * figure.scale, figure.decimals) + 0.0:.{figure.decimals}f}"  # + 0.0: no -0.00
    return f"{number} {figure.unit}".strip() if figure.unit != "°" else f"{number}°"
