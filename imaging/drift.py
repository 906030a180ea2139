"""From the figures of each part to alarms that stand: the middle of a window, limits, hysteresis. Never a verdict."""

import math
from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np

from .diagnosis import Alarm, Cause, Change, Changes, told_by
from .health_options import HealthOptions
from .measures import Grid, Measures, shape_change
from .picture import Box
from .reference import Reference, Typical

_BACK = 0.7
"""A figure that was beyond its limit counts as such until it is back within this share of it."""
_CHANCE = 5.0
"""A limit is at least this many standard deviations of what a window would show by chance."""
_CELL_CHANCE = 7.0
"""The same for one cell of some thousand."""
_MIDDLE = 1.1
"""The mean of the middle half strays this much more than the mean of all, for normal figures."""
_LOST = 0.5
"""Share of the background's patches that may be hidden, by a part or by dirt."""
_SPOT_CELLS = 2
_WIDE = 0.25
"""Share of the picture above which a darker place is no spot."""


class Drift:
    """One view's drift. One thread; no clock, no I/O. Its memory is the last `window` parts."""

    def __init__(self, options: HealthOptions, reference: Reference) -> None:
        self._options = options
        self._reference = reference
        self._parts: deque[Measures] = deque(maxlen=options.window)  # full: the oldest part is forgotten
        self._on: dict[str, bool] = {}
        self._streak = dict.fromkeys(Cause, 0)
        self._words: dict[Cause, str] = {}
        self._needed = (options.window + 1) // 2
        chance = _MIDDLE * math.sqrt(1 / options.window + 1 / reference.pictures)
        self._chance = chance
        loss = -math.log(1 - min(options.local_change, 0.99))
        self._cell_limit = np.maximum(np.float32(loss), reference.spread * np.float32(_CELL_CHANCE * chance))
        self._alarms: tuple[Alarm, ...] = ()

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
        """Return the middle of the present window against the commissioned figures. Needs one part or more."""
        options = self._options
        x, y = self._moved("shift_x_px"), self._moved("shift_y_px")
        spots, marks = self._places()
        return Changes(
            light=self._change("light", self._share("background"), options.brightness_change, "background"),
            shape=self._shape(),
            focus=self._change("focus", -self._share("focus"), options.focus_loss, "focus"),
            background_focus=self._change(
                "background_focus", -self._share("background_focus"), options.focus_loss, "background_focus"
            ),
            noise=self._change("noise", self._share("noise_gain"), options.noise_gain - 1, "noise_gain"),
            saturation=self._change("saturation", self._moved("saturation"), options.saturation_change, "saturation"),
            part=self._change("part", self._share("part"), options.product_change, "part"),
            shift=self._change("shift", math.hypot(x, y), options.shift_px, "shift_x_px", "shift_y_px"),
            shift_x_px=x,
            shift_y_px=y,
            angle=self._change("angle", self._moved("angle_deg"), options.angle_deg, "angle_deg"),
            lost=self._change("lost", 1 - self._middle("position"), _LOST),
            spots=spots,
            marks=marks,
        )

    def _middle(self, name: str) -> float:
        """Mean of the middle half of the window; NaN: the figure cannot be told in this view."""
        values = [getattr(part, name) for part in self._parts]
        if name in ("shift_x_px", "shift_y_px", "angle_deg"):
            # A part whose background was not found says nothing of where it lies.
            values = [value for value, part in zip(values, self._parts, strict=True) if part.position > 0] or [0.0]
        return middle(values)

    def _moved(self, name: str) -> float:
        was = self._reference.typical[name].middle
        return self._middle(name) - (was if math.isfinite(was) else 0.0)

    def _share(self, name: str) -> float:
        """Change as a share of the commissioned figure."""
        was = self._reference.typical[name].middle
        return self._middle(name) / was - 1 if was > 0 else math.nan

    def _change(self, name: str, by: float, limit: float, *figures: str) -> Change:
        """Compare with a limit, widened to what the parts show by chance."""
        spread = math.hypot(*(_spread(self._reference.typical[figure]) for figure in figures)) if figures else 0.0
        limit = max(limit, _CHANCE * spread * self._chance)
        losing = name in ("focus", "background_focus", "noise", "saturation", "lost")
        size = by if losing else abs(by)
        self._on[name] = math.isfinite(by) and size > limit * (_BACK if self._on.get(name, False) else 1.0)
        return Change(by, limit, self._on[name])

    def _shape(self) -> Change:
        names = ("slope_x", "slope_y", "bow")
        by = shape_change(*(self._moved(name) for name in names))
        return self._change("shape", by, self._options.uniformity_change, *names)

    def _places(self) -> tuple[tuple[Box, ...], tuple[Box, ...]]:
        """Return the places that are darker, and brighter, than level and shape of the light explain."""
        off = middle_cells([part.local for part in self._parts])
        back = _BACK if self._on.get("spots", False) else 1.0
        dark, bright = (
            self._boxes(np.asarray(sign * off > self._cell_limit * np.float32(back), np.uint8)) for sign in (-1, 1)
        )
        self._on["spots"] = bool(dark)
        return dark, bright

    def _boxes(self, cells: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> tuple[Box, ...]:
        """Return the boxes in px of what hangs together, largest first; nothing where it is most of the picture."""
        if not _SPOT_CELLS <= int(cells.sum()) <= _WIDE * cells.size:
            return ()
        cell = self._reference.cell_px
        _, _, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
        found = sorted((tuple(int(v) for v in row) for row in stats[1:]), key=lambda row: -row[4])
        return tuple((x * cell, y * cell, w * cell, h * cell) for x, y, w, h, area in found if area >= _SPOT_CELLS)


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


def _spread(typical: Typical) -> float:
    return typical.spread if math.isfinite(typical.spread) else 0.0
