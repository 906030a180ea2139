"""Which recipe a job number means, changed in the settings: a new product, another version, one step back."""

import tomllib
from pathlib import Path

from .box import Box, ReadBox
from .settings_text import Change, changed_text, read_text, write_checked

LAST = 65535


def free_number(box: Box) -> int:
    """The next number above all jobs there are; the lowest free one where that is none."""
    number = max(box.recipes, default=0) + 1
    if number <= LAST:
        return number
    return next(number for number in range(1, LAST + 1) if number not in box.recipes)


def point(box: Box, number: int, recipe: Path, read_box: ReadBox) -> Box:
    """Let a job's number mean a recipe; return the box by the new settings. BadSettings, StoreLost."""
    text, digest = read_text(box.settings_file)
    shown = _shown(recipe, box.settings_file.parent)
    changes = []
    if number == box.start_job:
        changes.append(Change("", "recipe", shown))
    if number != box.start_job or str(number) in tomllib.loads(text).get("jobs", {}):
        changes.append(Change("jobs", str(number), shown))
    return write_checked(box.settings_file, changed_text(text, changes), digest, read_box)


def _shown(recipe: Path, folder: Path) -> str:
    """The path as it stands in the settings: relative where it lies below them."""
    whole, root = recipe.absolute(), folder.absolute()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)
