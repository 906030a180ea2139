"""What was measured on a part, in the viewer's language: name, value with its unit, and what it may be."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..bus.part import Measurement
from .words import N_, Gettext

NAMES = {
    "width": N_("width"),
    "position": N_("position"),
    "straightness": N_("straightness"),
    "count": N_("count"),
    "total area": N_("total area"),
    "largest area": N_("largest area"),
    "share": N_("share"),
    "likeness": N_("likeness"),
    "delta E": N_("colour difference"),
    "objections": N_("views that see a defect"),
    "mean score": N_("mean of the views"),
}
"""Figures by the name that inspect gives them; what is not here is shown as it came."""
PARTS = {"min": N_("least"), "mean": N_("mean"), "max": N_("largest")}
"""Last word of a name where several lines were measured."""
UNITS = {"mm": "mm", "px": "px", "px2": "px²", "mm2": "mm²", "deg": "°", "deltaE": "ΔE", "level": ""}
"""As they are written, in any language; what is left out has none to show."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure for people."""

    where: str
    """Region or tool, with the camera where there are several."""
    name: str
    value: str
    """With its unit."""
    limits: str
    """Empty: none."""
    within: bool


def figures(measures: Iterable[Measurement], gettext: Gettext) -> list[Figure]:
    """What was measured, what is outside its limits first."""
    found = list(measures)
    several = len({each.camera for each in found if each.camera}) > 1
    made = [_figure(each, several, gettext) for each in found]
    return sorted(made, key=lambda each: each.within)


def _figure(each: Measurement, several: bool, gettext: Gettext) -> Figure:
    unit = UNITS.get(each.unit, "")
    real = [value for value in (each.value, each.low, each.high) if value is not None and math.isfinite(value)]
    whole = each.unit == "count" and all(float(value).is_integer() for value in real)
    decimals = 0 if whole else 2 if max((abs(value) for value in real), default=0.0) >= 1 else 4

    def text(value: float) -> str:
        return f"{value:.{decimals}f}" if math.isfinite(value) else "–"

    low, high = each.low, each.high
    if low is not None and high is not None:
        limits = f"{text(low)} … {text(high)}"
    else:
        limits = f"≥ {text(low)}" if low is not None else f"≤ {text(high)}" if high is not None else ""
    return Figure(
        where=f"{each.camera}: {each.region}" if several and each.camera else each.region,
        name=_name(each.name, gettext),
        value=f"{text(each.value)} {unit}".strip(),
        limits=limits,
        within=each.within or (low is None and high is None),
    )


def _name(name: str, gettext: Gettext) -> str:
    base, _, part = name.rpartition(" ")
    if base in NAMES and part in PARTS:
        return f"{gettext(NAMES[base])}, {gettext(PARTS[part])}"
    return gettext(NAMES[name]) if name in NAMES else name
