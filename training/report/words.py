"""Figures as people read them."""

import math
from collections.abc import Mapping
from typing import Any

from .page import Text, Words

NONE = Words("none", "无")


def percent(share: object) -> str:
    """Return a share 0..1 as percent with the figures that count; not a number: a dash."""
    return f"{figure}\u00a0%" if (figure := _percent(share)) else "–"


def _percent(share: object) -> str:
    if not isinstance(share, int | float) or not math.isfinite(share):
        return ""
    value = 100.0 * share
    if value in (0.0, 100.0):
        return f"{value:.0f}"
    return f"{value:.1f}" if 9.995 <= value < 99.9 else f"{value:.2f}"


def number(value: object, digits: int = 3) -> str:
    """Return a figure with so many decimals; not a number: a dash."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}"


def plain(value: object) -> Text:
    """Return any plain value for a table."""
    if isinstance(value, bool):
        return Words("yes", "是") if value else Words("no", "否")
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def interval(rate: Mapping[str, Any]) -> str:
    """Return the 95 % interval of a rate as it stands in `report.json`."""
    return f"{_percent(rate['low'])}\u00a0–\u2060\u00a0{_percent(rate['high'])}\u00a0%"


def aim(share: float) -> str:
    """Return a round share somebody aims at, as percent."""
    return f"≤\u00a0{100.0 * share:g}\u00a0%"
