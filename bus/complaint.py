"""How a file that a person wrote is refused: file, key, value and what was expected, all mistakes at once."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol


class Mistakes(Protocol):
    """What is needed of pydantic's ValidationError."""

    def errors(self, *, include_url: bool = ..., include_context: bool = ...) -> list[Any]:
        """One mapping a mistake: `loc`, `input`, `msg`, `type`."""
        ...


def complain(file: Path | str, mistakes: Mistakes) -> str:
    """Return one line a mistake, for example `okng.toml: plc.port = 0: expected 1 or more`."""
    errors = mistakes.errors(include_url=False, include_context=False)
    places = [tuple(error["loc"]) for error in errors]
    return "\n".join(_line(file, error) for error in errors if not _follows(error, places))


def _follows(error: Mapping[str, Any], places: list[tuple[Any, ...]]) -> bool:
    """A list whose entries are wrong is also reported as too short: only the entries are worth a line."""
    here = tuple(error["loc"])
    inner = any(len(place) > len(here) and place[: len(here)] == here for place in places)
    return error["type"] == "too_short" and inner


def _line(file: Path | str, error: Mapping[str, Any]) -> str:
    key = ".".join(_key(error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{file}: {key}: unknown key"
    if error["type"] == "missing":
        return f"{file}: {key}: missing"
    message = str(error["msg"])
    for start in ("Input should be ", "Value error, "):
        message = message.removeprefix(start)
    expected = message if error["type"] == "value_error" else f"expected {message}"
    if not error["loc"]:
        return f"{file}: {expected}"
    shown = repr(error["input"])
    return f"{file}: {key} = {shown if len(shown) <= 80 else shown[:77] + '...'}: {expected}"


def _key(loc: Iterable[str | int]) -> list[str]:
    return [f"[{step}]" if isinstance(step, int) else str(step) for step in loc]
