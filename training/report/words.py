"""Figures as people read them."""

import math

from .page import Text, Words

NONE = Words("none", "无")


def percent(share: object) -> str:
    """Return a share 0..1 as percent with two figures that count; not a number: a dash."""
    if not isinstance(share, int | float) or not math.isfinite(share):
        return "–"
    value = 100.0 * share
    if value == 0 or value >= 99.95:
        return f"{value:.0f} %" if value in (0.0, 100.0) else f"{value:.2f} %"
    return f"{value:.2f} %" if value < 10 else f"{value:.1f} %"


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
