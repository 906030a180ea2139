"""A bundle becomes the one in use: proved on this box, then one link is switched. Old or new, never neither.

    signature, where an authority is named  ->  trial in a throw-away process  ->  golden pictures and time  ->  link

`current` is a link to a bundle's folder, `last-good` beside it the one before, `factory` what was there at first. None
of the three is ever collected.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..bus.errors import BadBundle, StoreLost
from ..models.bundle import open_bundle
from ..models.detector import Detector
from ..models.parity import GoldenReport, require_gate
from ..models.sandbox import trial
from ..records.durable import make_folder, sync_folder
from .signing import verify

LAST_GOOD = "last-good"
FACTORY = "factory"


def activate(
    bundle: Path,
    slot: Path,
    provider: str = "cpu",
    threads: int = 1,
    authorities: Sequence[Path] = (),
) -> GoldenReport:
    """Prove the bundle on this box, then let the link `slot` point at it.

    authorities: certificates one of which must vouch for the bundle's signature; none: no signature is asked for.
    BadBundle: damaged, not signed as asked, fails its trial, scores otherwise than stored, or is slower than promised;
    the link is as it was. BadSettings: no such provider here. StoreLost: the disk does not let us; the link points at
    the old bundle or the new one.
    """
    if not slot.parent.is_dir():
        raise BadBundle(f"{slot}: its folder {slot.parent} is not there")
    report = proved(bundle, provider, threads, authorities)
    if slot.exists() and not slot.is_symlink():
        raise BadBundle(f"{slot}: is no link; expected the link that `okng sync` switches, or nothing")
    take_over(slot, bundle)
    return report


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


def proved(bundle: Path, provider: str, threads: int, authorities: Sequence[Path] = ()) -> GoldenReport:
    """Return how the bundle scored on this box, after everything that must hold before it is used. As `activate`."""
    if authorities:
        verify(bundle, authorities)
    trial(bundle)
    return require_gate(Detector(open_bundle(bundle), provider, threads))


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
