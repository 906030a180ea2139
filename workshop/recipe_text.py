"""A recipe as a person writes it: read and checked as the line would, each mistake told so that a screen can say it.

A recipe in use is never changed: what is saved becomes a new file beside it, `NAME.r0002.yaml`, `NAME.r0003.yaml`, ...
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..bus.asks import Objection
from ..bus.errors import BadRecipe
from ..inspect.recipe import ActiveRecipe, read_recipe
from .last_good import keep
from .whole import put

_VERSION = re.compile(r"\.r(\d{4,6})$")
MOST_BYTES = 1 << 20


def as_text(content: Mapping[str, Any]) -> str:
    """Return plain data as the YAML of a recipe."""
    return yaml.safe_dump(_plain(content), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def as_data(active: ActiveRecipe) -> dict[str, Any]:
    """Return what stands in a recipe's file, without defaults. BadRecipe."""
    try:
        content = yaml.safe_load(active.path.read_bytes())
    except (OSError, yaml.YAMLError) as error:  # pragma: no cover - it has just been read
        raise BadRecipe(f"{active.path}: changed while it was read: {error}") from error
    return dict(content)


@contextmanager
def drafted(beside: Path, text: str) -> Iterator[ActiveRecipe]:
    """Read a recipe that is not saved yet, as if it lay beside another whose files it takes.

    Objection with `errors` (loc, type, ctx, msg, input): it is no recipe.
    """
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"a recipe of more than {MOST_BYTES} bytes")
    path = beside.with_name(f".draft-{secrets.token_hex(6)}.yaml")
    put(path, text.encode())
    try:
        yield read_recipe(path)
    except BadRecipe as error:
        raise objection(error, path) from error
    finally:
        with suppress(OSError):
            path.unlink()


def objection(error: BadRecipe, path: Path) -> Objection:
    """What is wrong, for a screen."""
    words = str(error).replace(f"{path}: ", "")
    cause = error.__cause__
    errors: list[dict[str, Any]] = [{"loc": [], "type": "recipe", "ctx": {}, "msg": words, "input": ""}]
    if isinstance(cause, ValidationError):
        errors = [told(one) for one in cause.errors(include_url=False)]
    return Objection(words, {"errors": errors})


def told(one: Mapping[str, Any]) -> dict[str, Any]:
    """One of pydantic's mistakes as plain data."""
    context = {name: str(value) for name, value in one.get("ctx", {}).items()}
    return {
        "loc": list(one["loc"]),
        "type": one["type"],
        "ctx": context,
        "msg": str(one["msg"]).removeprefix("Value error, "),
        "input": repr(one["input"])[:80],
    }


def save(text: str, beside: Path, stem: str = "") -> ActiveRecipe:
    """Write a recipe as the next version beside another, never over one; return it. Objection, StoreLost.

    stem: name of the file for a recipe that is no version of that one; empty: it is.
    """
    with drafted(beside, text):
        pass
    path = next_version(beside.with_name(f"{stem}.yaml") if stem else beside)
    put(path, text.encode())
    made = read_recipe(path)
    keep(path, text.encode())
    return made


def next_version(path: Path) -> Path:
    """Name of the next version of a recipe's file."""
    newest = max((number for number, _ in _numbered(path)), default=0)
    return path.with_name(f"{_VERSION.sub('', path.stem)}.r{newest + 1:04d}.yaml")


def versions(path: Path) -> list[Path]:
    """All versions of a recipe that lie beside it, the oldest first."""
    return [each for _, each in sorted(_numbered(path))]


def _numbered(path: Path) -> list[tuple[int, Path]]:
    """The versions of a recipe that are there, by number: the first has none in its name."""
    stem = _VERSION.sub("", path.stem)
    found = [(1, path.with_name(f"{stem}.yaml"))]
    for other in path.parent.glob(f"{stem}.r*.yaml"):
        number = _VERSION.search(other.stem)
        if number and other.stem == f"{stem}.r{number.group(1)}":
            found.append((int(number.group(1)), other))
    return [(number, each) for number, each in found if each.is_file()]


def _plain(value: Any) -> Any:
    """Tuples become lists: YAML writes no tuples."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
