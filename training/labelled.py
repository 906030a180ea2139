"""The labelled pictures somebody names to evaluate on, whatever they lie in; the test side where there is one."""

from dataclasses import replace
from pathlib import Path

from .data.dataset import Dataset, Split
from .data.folders import MASKS, SIDES
from .data.intake import Progress, take_in
from .data.manifest import read_manifest
from .data.sources import SourceOptions, claims_of, told_apart


def labelled(place: Path, options: SourceOptions | None = None, progress: Progress | None = None) -> Dataset:
    """Return the labelled pictures at a place, only those of its test side when it is split.

    place: any source `okng data` reads, or one side of MVTec's layout (`.../test`), whose masks lie beside it.
    BadData: nothing that is known there, or broken files, all named.
    """
    options = options or SourceOptions()
    side: Split | None = None
    if place.name in SIDES and (place.parent / MASKS).is_dir() and options.kind in ("auto", "folders"):
        place, side = place.parent, SIDES[place.name]
    kind = told_apart(place) if options.kind == "auto" else options.kind
    if kind == "manifest":
        file = place / "manifest.json" if place.is_dir() else place
        whole = read_manifest(file, leave_out_broken=options.leave_out_broken, progress=progress)
        side = side or _side({sample.split for sample in whole.samples})
        return whole.with_samples(whole.of(side)) if side is not None else whole
    reading = claims_of(place, kind, options)
    side = side or _side({claim.split for claim in reading.claims})
    if side is not None:
        reading.claims = [claim for claim in reading.claims if claim.split == side]
    data = take_in(reading, leave_out_broken=options.leave_out_broken, threads=options.threads, progress=progress)
    return replace(data, origin=f"{data.origin}, {side}" if side is not None else data.origin)


def _side(there: set[Split | None]) -> Split | None:
    """Test pictures are for this; without any, all there are."""
    return "test" if "test" in there else None
