"""The slots of a recipe: links to bundles' folders, switched one at a time. Old or new, never neither.

`current` is what the recipe names, `last-good` the one before, `factory` what was there at first. None of the three is
ever collected. Proving what is put there is the caller's matter (`fleet/activate.py`, `fleet/climb.py`).
"""

import os
from contextlib import suppress
from pathlib import Path

from ..bus.errors import StoreLost
from ..records.durable import make_folder, sync_folder

LAST_GOOD = "last-good"
FACTORY = "factory"


def take_over(slot: Path, bundle: Path) -> None:
    """Let the slot point at a bundle, and `last-good` at the one before. No proof: who asks has it.

    A stop between the two links leaves the old bundle in use; a second call ends what a first one began. StoreLost.
    """
    try:
        before = _target(slot)
        if before is not None and before != bundle.resolve():
            _point(slot.with_name(LAST_GOOD), before)
        _point(slot, bundle.resolve())
    except OSError as error:
        raise StoreLost(f"{slot}: {error}") from error


def fall_back(slot: Path, bundle: Path) -> None:
    """Let the slot point at a bundle again; `last-good` stays, the one that goes is none. StoreLost."""
    try:
        if _target(slot) != bundle.resolve():
            _point(slot, bundle.resolve())
    except OSError as error:
        raise StoreLost(f"{slot}: {error}") from error


def set_up(slot: Path, bundle: Path) -> None:
    """Make the slots of a recipe that had none: all of them point at the bundle it has. StoreLost."""
    try:
        make_folder(slot.parent)
        for name in (FACTORY, LAST_GOOD, slot.name):
            link = slot.with_name(name)
            if _target(link) is None:
                _point(link, bundle.resolve())
    except OSError as error:
        raise StoreLost(f"{slot}: {error}") from error


def active(slot: Path) -> Path | None:
    """The bundle in use; None: none yet, or the link leads nowhere."""
    return _target(slot)


def _target(slot: Path) -> Path | None:
    if not slot.is_symlink() or not slot.exists():
        return None
    return slot.resolve()


def _point(slot: Path, bundle: Path) -> None:
    """Switch one link: write the new one beside it, sync, rename over it, sync."""
    new = slot.with_name(slot.name + ".new")
    with suppress(FileNotFoundError):
        new.unlink()
    new.symlink_to(os.path.relpath(bundle, slot.parent.resolve()))
    sync_folder(slot.parent)
    new.rename(slot)
    sync_folder(slot.parent)
