"""From the figures of each part to alarms that stand: the middle of a window, limits, hysteresis. Never a verdict."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .diagnosis import Alarm, Cause, Change, Changes, Place, told_by
from .health_options import HealthOptions
from .measures import Grid, Measures, shape_change
from .reference import Reference

Cells = npt.NDArray[np.uint8]
_BACK = 0.7
"""A figure that was beyond its limit counts as such until it is back within this share of it."""
_SLOPES = ("slope_x", "slope_y", "bow")
_ONE_WAY = ("focus", "background_focus", "noise", "saturation", "lost")
"""Changes that matter upward only: lost sharpness, not gained."""
_CHANCE = 4.2
"""A limit is at least this many standard deviations of what a window would show by chance."""
_CHANCE_ALONE = 5.0
"""The same without a fixed background: parts stray less evenly than lamps."""
_CELL_CHANCE = 6.5
"""The same for one cell of some thousand."""
_MOST_GRIDS = 32
"""Parts, spread over a window, that places are told from: more would cost more and hardly show more."""
_MIDDLE = 1.1
"""The mean of the middle half strays this much more than the mean of all, for normal figures."""
_LOST = 0.5
"""Share of the background's patches that may be hidden, by a part or by dirt."""
_SPOT_CELLS = 2
_WIDE = 0.25
"""Share of the picture above which a darker place is no spot."""


class Drift:
    """One view's drift. One thread; no clock, no I/O. Its memory is the last two windows of parts.

    What is plain shows in one window; what hardly stands out from how parts differ shows in two.
    """

    def __init__(self, options: HealthOptions, reference: Reference) -> None:
        self._options = options
        self._reference = reference
        self._parts: deque[Measures] = deque(maxlen=2 * options.window)  # full: the oldest part is forgotten
        self._on: dict[str, bool] = {}
        self._streak = dict.fromkeys(Cause, 0)
        self._words: dict[Cause, str] = {}
        self._needed = (options.window + 1) // 2
        self._loss = np.float32(-math.log(1 - min(options.local_change, 0.99)))
        # A few pictures tell little of one cell's spread; its neighbours' help.
        near = np.sqrt(cv2.blur(np.square(reference.spread), (3, 3), borderType=cv2.BORDER_REPLICATE))
        self._cell_spread = np.maximum(reference.spread, near)
        self._alarms: tuple[Alarm, ...] = ()
        self._limits: dict[tuple[str, float], float] = {}
        """By figure and stray of the span: the same for every part."""

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What stands as of the last part."""
        return self._alarms

    def add(self, measures: Measures) -> tuple[Alarm, ...]:
        """Take up one part in the order of the line; return the alarms that stand as of this part.

        Nothing is said before `window` parts are known. A cause is raised when the rules have named it for half a
        window of parts running, and falls when they have not for as many.
        """
        self._parts.append(measures)
        if len(self._parts) < self._options.window:
            return self._alarms
        told = told_by(self.changes())
        for cause in Cause:
            if cause in told:
                self._words[cause] = told[cause]
                self._streak[cause] = min(self._needed, self._streak[cause] + 1)
            else:
                self._streak[cause] = max(0, self._streak[cause] - 1)
        standing = {alarm.cause for alarm in self._alarms}
        self._alarms = tuple(
            Alarm(cause, self._words[cause])
            for cause in Cause
            if self._streak[cause] == self._needed or (cause in standing and self._streak[cause] > 0)
        )
        return self._alarms

    def changes(self) -> Changes:
        """Return the present parts against the commissioned figures, each over the window that shows it more clearly.

        Needs one part or more.
        """
        options, window = self._options, self._options.window
        spans = [window] if len(self._parts) < 2 * window else [window, 2 * window]
        found = [_Span(list(self._parts)[-span:], self._reference, self._stray(span)) for span in spans]
        spots, marks = self._places(found)

        def change(name: str, limit: float, figures: Sequence[str], by: Callable[[_Span], float]) -> Change:
            seen = max((Change(by(span), self._limit(span, name, limit, figures), False) for span in found), key=_share)
            losing = name in _ONE_WAY
            over = seen.by if losing else abs(seen.by)
            on = math.isfinite(over) and over > seen.limit * (_BACK if self._on.get(name, False) else 1.0)
            self._on[name] = on
            return Change(seen.by, seen.limit, on)

        shift_x_px, shift_y_px = found[0].shift()
        return Changes(
            light=change("light", options.brightness_change, ["background"], lambda s: s.share("background")),
            shape=change("shape", options.uniformity_change, _SLOPES, _Span.shape),
            focus=change("focus", options.focus_loss, ["focus"], lambda s: -s.share("focus")),
            background_focus=change(
                "background_focus", options.focus_loss, ["background_focus"], lambda s: -s.share("background_focus")
            ),
            noise=change("noise", options.noise_gain - 1, ["noise_gain"], lambda s: s.share("noise_gain")),
            saturation=change("saturation", options.saturation_change, ["saturation"], lambda s: s.moved("saturation")),
            part=change("part", options.product_change, ["part"], lambda s: s.share("part")),
            shift=change("shift", options.shift_px, ["shift_x_px", "shift_y_px"], lambda s: math.hypot(*s.shift())),
            shift_x_px=shift_x_px,
            shift_y_px=shift_y_px,
            angle=change("angle", options.angle_deg, ["angle_deg"], lambda s: s.moved("angle_deg")),
            lost=change("lost", _LOST, [], lambda s: 1 - s.middle("position")),
            spots=spots,
            marks=marks,
        )

    def _limit(self, span: "_Span", name: str, wanted: float, figures: Sequence[str]) -> float:
        known = self._limits.get((name, span.stray))
        if known is None:
            known = self._limits[name, span.stray] = span.limit(wanted, figures)
        return known

    def _stray(self, span: int) -> float:
        """How much the middle of so many parts strays against the commissioned one, as a share of one part's spread."""
        return _MIDDLE * math.sqrt(1 / span + 1 / self._reference.pictures)

    def _places(self, spans: Sequence["_Span"]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
        """Return the places that are darker, and brighter, than level and shape of the light explain."""
        back = _BACK if self._on.get("spots", False) else 1.0
        dark, bright = np.zeros((2, *self._cell_spread.shape), np.uint8)
        for span in spans:
            parts = span.parts[:: -(-len(span.parts) // _MOST_GRIDS)]
            off = middle_cells([part.local for part in parts])
            stray = np.float32(_CELL_CHANCE * self._stray(len(parts)))
            limit = np.maximum(self._loss, self._cell_spread * stray) * np.float32(back)
            dark |= off < -limit
            bright |= off > limit
        spots, marks = self._hanging(dark), self._hanging(bright)
        self._on["spots"] = bool(spots)
        return spots, marks

    def _hanging(self, cells: Cells) -> tuple[Place, ...]:
        """Return what hangs together, largest first; nothing where it is most of the picture.

        cells: rows x columns uint8, 1 where something is.
        """
        if not _SPOT_CELLS <= int(cells.sum()) <= _WIDE * cells.size:
            return ()
        px = self._reference.cell_px
        _, labels, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
        found = []
        for label, row in enumerate(stats):
            x, y, w, h, area = (int(value) for value in row)
            if label and area >= _SPOT_CELLS:
                fixed = bool(self._reference.fixed[labels == label].any())
                found.append((area, Place((x * px, y * px, w * px, h * px), fixed)))
        return tuple(place for _, place in sorted(found, key=lambda each: -each[0]))


@dataclass(frozen=True, slots=True)
class _Span:
    """The middle of some parts against the commissioned figures."""

    parts: Sequence[Measures]
    reference: Reference
    stray: float
    """How much that middle strays by chance, as a share of one part's spread."""

    def middle(self, name: str) -> float:
        """Mean of the middle half; NaN: the figure cannot be told in this view."""
        seen = self.parts
        if name in ("shift_x_px", "shift_y_px", "angle_deg"):
            # A part whose background was not found says nothing of where it lies.
            seen = [part for part in seen if part.position > 0]
        return middle([getattr(part, name) for part in seen] or [0.0])

    def moved(self, name: str) -> float:
        """Change in the figure's own unit."""
        was = self.reference.typical[name].middle
        return self.middle(name) - (was if math.isfinite(was) else 0.0)

    def share(self, name: str) -> float:
        """Change as a share of the commissioned figure; NaN: it cannot be told."""
        was = self.reference.typical[name].middle
        return self.middle(name) / was - 1 if was > 0 else math.nan

    def shape(self) -> float:
        """Change of the light's shape, as a share of its mean."""
        return shape_change(*(self.moved(name) for name in _SLOPES))

    def shift(self) -> tuple[float, float]:
        """How far the background moved, px."""
        return self.moved("shift_x_px"), self.moved("shift_y_px")

    def limit(self, wanted: float, figures: Sequence[str]) -> float:
        """Return the limit wanted, or more where the parts would reach it by chance."""
        spreads = [self.reference.typical[name].spread for name in figures]
        chance = _CHANCE if self.reference.fixed.any() else _CHANCE_ALONE
        return max(wanted, chance * self.stray * math.hypot(*(each for each in spreads if math.isfinite(each))))


def middle(values: Sequence[float]) -> float:
    """Return the mean of the middle half: like the median no odd part moves it, and it strays less. NaN if one is."""
    if not all(map(math.isfinite, values)):
        return math.nan
    ranked = sorted(values)
    cut = len(ranked) // 4
    kept = ranked[cut : len(ranked) - cut]
    return sum(kept) / len(kept)


def middle_cells(grids: Sequence[Grid]) -> Grid:
    """Return `middle` of each cell."""
    ranked = np.sort(np.stack(grids), axis=0)
    cut = len(grids) // 4
    return np.asarray(ranked[cut : len(grids) - cut].mean(axis=0), np.float32)


def _share(change: Change) -> float:
    return change.share
