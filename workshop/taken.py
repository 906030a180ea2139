"""What an ask brings, read: a word, a number, a list, each bounded; what is missing or odd is refused by name."""

from typing import Any

from ..bus.asks import Ask
from .box import Box
from .jobs_of import LAST

MOST_LETTERS = 4000


def text(ask: Ask, key: str, default: str | None = None) -> str:
    """A text. ValueError: not there and no default, not a text, or too long."""
    value = ask.body.get(key, default)
    if not isinstance(value, str) or len(value) > MOST_LETTERS:
        raise ValueError(f"{ask.name}: {key}: expected a text")
    return value


def number(ask: Ask, key: str, low: float, high: float) -> float | None:
    """A number within bounds; None: not given."""
    value = ask.body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{ask.name}: {key} = {value!r}: expected a number of {low:g}..{high:g}")
    return float(value)


def whole(ask: Ask, key: str, low: int, high: int) -> int | None:
    """A whole number within bounds; None: not given."""
    value = number(ask, key, low, high)
    if value is None:
        return None
    if value != int(value):
        raise ValueError(f"{ask.name}: {key} = {value!r}: expected a whole number")
    return int(value)


def job(ask: Ask, box: Box, key: str = "job") -> int:
    """Number of a job of the settings; the active one where none is given."""
    value = whole(ask, key, 1, LAST) or box.active_job
    if value not in box.recipes:
        raise ValueError(f"{ask.name}: {key} = {value}: expected a job of the settings")
    return value


def choice(ask: Ask, key: str, among: tuple[str, ...], default: str | None = None) -> str:
    """One of some words."""
    value = text(ask, key, default)
    if value not in among:
        raise ValueError(f"{ask.name}: {key} = {value!r}: expected one of {', '.join(among)}")
    return value


def flag(ask: Ask, key: str) -> bool:
    """True or false; false where it is not given."""
    value = ask.body.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{ask.name}: {key}: expected true or false")
    return value


def items(ask: Ask, key: str) -> list[dict[str, Any]]:
    """A list of mappings."""
    value = ask.body.get(key)
    if not isinstance(value, list | tuple) or not all(isinstance(one, dict) for one in value) or len(value) > 1000:
        raise ValueError(f"{ask.name}: {key}: expected a list of mappings")
    return list(value)
