"""Which bundles stay on the disk: what is in use, what could be, and the newest of the rest as far as room is given.

`current`, `last-good`, `factory` and whatever climbs are never collected, whatever the numbers say.
"""

import logging
import re
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..bus.ladder import Rung
from ..models.manifest import MANIFEST
from ..records.durable import sync_folder
from .climb_box import ClimbBox, RecipeAt
from .ladder_slots import FACTORY, LAST_GOOD, active
from .ladder_state import CLIMBING, OUT, Ladder

log = logging.getLogger(__name__)
GONE = ".gone"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def kept(box: ClimbBox, ladder: Ladder, recipes: Sequence[RecipeAt]) -> set[str]:
    """Digests that are never collected."""
    never = {*ladder.last_good.values(), *ladder.factory.values()}
    never |= {one.bundle for one in ladder.entries if one.rung in (*CLIMBING, Rung.CHAMPION)}
    never |= {digest for one in ladder.swaps for digest in (one.to, one.back)}
    slots = [one.slot for one in recipes]
    slots += [one / "current" for one in sorted((box.bundles / "slots").glob("*")) if one.is_dir()]
    for slot in slots:
        for link in (slot, slot.with_name(LAST_GOOD), slot.with_name(FACTORY)):
            place = active(link) or (link if link.is_dir() else None)
            if place is not None:
                never.add(place.name)
    return never


def sweep(box: ClimbBox, ladder: Ladder, recipes: Sequence[RecipeAt]) -> list[str]:
    """Collect what is too many or too large; return digests that went. Engine caches go with their bundle.

    A bundle that was refused or taken back loses its bytes first; its entry in the ladder stays, locked. OSError.
    """
    if not box.bundles.is_dir():
        return []
    for left in box.bundles.glob(f"*{GONE}"):  # of a sweep that was stopped
        _remove(left)
    never = kept(box, ladder, recipes)
    standing = {one.bundle: one for one in ladder.entries}
    there = [
        one
        for one in box.bundles.iterdir()
        if _DIGEST.fullmatch(one.name) and not one.is_symlink() and (one / MANIFEST).is_file()
    ]
    sizes = {one.name: _bytes([one, *_caches(one)]) for one in there}
    used = sum(sizes[one.name] for one in there if one.name in never)
    count = sum(one.name in never for one in there)

    def worth(folder: Path) -> tuple[bool, float]:
        entry = standing.get(folder.name)
        return entry is None or entry.rung not in OUT, folder.stat().st_mtime if entry is None else entry.since

    gone = []
    for folder in sorted((one for one in there if one.name not in never), key=worth, reverse=True):
        entry = standing.get(folder.name)
        size = sizes[folder.name]
        refused = entry is not None and entry.rung is Rung.REFUSED
        if not refused and count < box.keep_bundles and used + size <= box.keep_gb * 1e9:
            count, used = count + 1, used + size
            continue
        for each in (*_caches(folder), folder):
            _collect(each)
        gone.append(folder.name)
    return gone


def _caches(folder: Path) -> list[Path]:
    """Engines that were built of a bundle on this box: `<digest>.engine-...` beside it."""
    return sorted(folder.parent.glob(f"{folder.name}.engine*"))


def _collect(path: Path) -> None:
    """Out of sight at once, then away: what is half removed is no bundle."""
    if not path.exists():
        return
    aside = path.with_name(path.name + GONE)
    path.rename(aside)
    sync_folder(path.parent)
    _remove(aside)


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink()
        return
    for folder in (path, *(one for one in path.rglob("*") if one.is_dir() and not one.is_symlink())):
        folder.chmod(folder.stat().st_mode | stat.S_IRWXU)  # a bundle may be read-only
    shutil.rmtree(path)


def _bytes(places: Iterable[Path]) -> int:
    return sum(one.lstat().st_size for place in places for one in (place, *place.rglob("*")) if not one.is_dir())
