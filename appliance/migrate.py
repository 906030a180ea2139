"""Settings and recipes of an older okng are brought up to date, each kept beside; those of a newer one are refused.

1 plan     every file is read and changed in memory, and the new text is tried: it has to be read as the box would
2 write    recipes first, the settings last: cut off in between, a second run does the rest
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..bus.errors import BadRecipe, BadSettings, OkngError
from ..bus.form import form_of, newer
from ..inspect import recipe as recipes
from ..settings import VERSION as SETTINGS_VERSION
from ..settings import read_settings
from ..workshop.recipe_text import versions
from ..workshop.settings_text import Change, changed_text
from ..workshop.whole import put
from .migrations import RECIPE_STEPS, SETTINGS_STEPS, Step

_VERSION_LINE = re.compile(r"^version\s*:.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Kind:
    """Settings or recipes: how they are read, and what makes them newer."""

    steps: Sequence[Step]
    known: int
    parse: Callable[[str], Mapping[str, Any]]
    numbered: Callable[[str, int], str]
    """The text with that `version`."""
    read: Callable[[Path], object]
    """As the box reads it: raises what it says of a mistake."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One file: what it would become."""

    path: Path
    before: str
    after: str
    version: int
    """Of the file as it lies there."""
    known: int
    about: tuple[str, ...]
    """Of each step."""

    @property
    def needed(self) -> bool:
        """True: it is of an older version."""
        return self.version < self.known

    @property
    def backup(self) -> Path:
        """Where the file is kept as it was."""
        return self.path.with_name(f"{self.path.name}.v{self.version}.bak")


def numbered_toml(text: str, version: int) -> str:
    """Settings with that version."""
    return changed_text(text, [Change("", "version", version)])


def numbered_yaml(text: str, version: int) -> str:
    """A recipe with that version: the line is changed, or comes first, after the comments that head the file."""
    line = f"version: {version}"
    if _VERSION_LINE.search(text):
        return _VERSION_LINE.sub(line, text, count=1)
    lines = text.splitlines(keepends=True)
    head = next((at for at, one in enumerate(lines) if one.strip() and not one.startswith(("#", "---", "%"))), 0)
    return "".join([*lines[:head], line + "\n", *lines[head:]])


def _toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"not TOML: {error}") from error


def _yaml(text: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadRecipe(f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise BadRecipe(f"expected a mapping of keys, found {type(found).__name__}")
    return found


SETTINGS = Kind(SETTINGS_STEPS, SETTINGS_VERSION, _toml, numbered_toml, read_settings)
RECIPES = Kind(RECIPE_STEPS, recipes.VERSION, _yaml, numbered_yaml, recipes.read_recipe)


def plan(path: Path, kind: Kind) -> Plan:
    """What a file would become. BadSettings, BadRecipe: newer, not to be read, or not what the box takes afterwards."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: cannot be read: {error}") from error
    try:
        version = form_of(kind.parse(text))
    except (BadSettings, BadRecipe) as error:
        raise type(error)(f"{path}: {error}") from error
    if version is None:
        raise BadSettings(f"{path}: version: expected a whole number of 1 or more")
    if version > kind.known:
        raise BadSettings(newer(path, version, kind.known))
    steps, made = kind.steps[version - 1 :], text
    for at, step in enumerate(steps, version):
        try:
            made = kind.numbered(step.change(made), at + 1)
        except OkngError as error:
            raise BadSettings(f"{path}: version {at} to {at + 1} ({step.about}): {error}") from error
    if steps:
        _try(path, made, kind)
    return Plan(path, text, made, version, kind.known, tuple(step.about for step in steps))


def _try(path: Path, text: str, kind: Kind) -> None:
    """Read the new text as the box would, beside the file: relative paths mean the same."""
    trial = path.with_name(f".{path.name}.trial")
    put(trial, text.encode())
    try:
        kind.read(trial)
    except (BadSettings, BadRecipe) as error:
        raise type(error)(f"after its migration: {str(error).replace(str(trial), str(path))}") from error
    finally:
        with suppress(OSError):
            trial.unlink()


def plans(settings_file: Path, settings: Kind = SETTINGS, of_recipes: Kind = RECIPES) -> tuple[list[Plan], list[str]]:
    """What is to be written, in this order, and what is left as it is: old versions of recipes that do not read.

    A recipe that a job uses has to come through.
    """
    first = plan(settings_file, settings)
    found, left, seen = [], [], set()
    for used in _recipes(settings_file, settings.parse(first.after)):
        for path in [used, *(each for each in versions(used) if each != used and each.is_file())]:
            if path in seen:
                continue
            seen.add(path)
            try:
                found.append(plan(path, of_recipes))
            except (BadSettings, BadRecipe) as error:
                if path == used:
                    raise
                left.append(str(error))
    return [*found, first], left


def _recipes(settings_file: Path, content: Mapping[str, Any]) -> list[Path]:
    """Recipes that the jobs of these settings use and that are there."""
    jobs = content.get("jobs", {})
    names = [content.get("recipe"), *(jobs.values() if isinstance(jobs, dict) else [])]
    paths = [settings_file.resolve().parent / name for name in names if isinstance(name, str)]
    return [path for path in dict.fromkeys(paths) if path.is_file()]


def write(one: Plan) -> None:
    """Keep the file as it was, then put the new text in its place. StoreLost: not written; the old one stays."""
    put(one.backup, one.before.encode())
    one.backup.chmod(one.path.stat().st_mode & 0o777)
    put(one.path, one.after.encode())
