"""Keeps the last good copy of settings and recipes beside them: after every change, and at each start of the workshop.

A copy is taken only of what the box has just read and taken, so damage never reaches it.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from ..bus.errors import BadRecipe, StoreLost
from ..bus.last_good import good_of
from ..inspect.recipe import read_recipe
from .box import Box
from .whole import put

log = logging.getLogger(__name__)


def keep(file: Path, data: bytes) -> None:
    """Keep these bytes as the last good ones of a file. Never raises: without a copy the box goes on."""
    copy = good_of(file)
    try:
        if copy.is_file() and copy.read_bytes() == data:
            return
        put(copy, data)
    except (OSError, StoreLost) as error:
        log.warning("no copy of %s is kept: %s", file, error)


def keep_all(box: Box) -> None:
    """Keep the settings, which have just been read, and every recipe that they name and that can be read."""
    for file in (box.settings_file, *_sound(box.recipes.values())):
        try:
            keep(file, file.read_bytes())
        except OSError as error:
            log.warning("no copy of %s is kept: %s", file, error)


def _sound(recipes: Iterable[Path]) -> list[Path]:
    found = []
    for file in recipes:
        try:
            read_recipe(file)
        except BadRecipe as error:
            log.warning("no copy of a recipe that cannot be read: %s", error)
        else:
            found.append(file)
    return found
