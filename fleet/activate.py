"""A bundle becomes the one in use: proved on this box, then one link is switched. Old or new, never neither.

    signature, where an authority is named  ->  trial in a throw-away process  ->  golden pictures and time  ->  link

`current` is a link to a bundle's folder, `last-good` beside it the one before, `factory` what was there at first. None
of the three is ever collected.
"""

from collections.abc import Sequence
from pathlib import Path

from ..bus.errors import BadBundle
from ..models.bundle import open_bundle
from ..models.detector import Detector
from ..models.parity import GoldenReport, require_gate
from ..models.sandbox import trial
from .ladder_slots import LAST_GOOD, active, take_over
from .signing import verify

__all__ = ["LAST_GOOD", "activate", "active", "proved"]


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


def proved(bundle: Path, provider: str, threads: int, authorities: Sequence[Path] = ()) -> GoldenReport:
    """Return how the bundle scored on this box, after everything that must hold before it is used. As `activate`."""
    if authorities:
        verify(bundle, authorities)
    trial(bundle)
    return require_gate(Detector(open_bundle(bundle), provider, threads))
