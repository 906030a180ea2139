"""All that is wrong with a set, at once: broken files, doubles, parts and lots on two sides, goods that may be none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .dataset import Dataset, LeftOut, Sample
from .doubles import Double, find_doubles
from .intake import assembled, opened
from .manifest import read_manifest
from .pollution import FEWEST, Suspect, suspects_by_features
from .sources import SourceOptions, claims_of, manifest_at, told_apart
from .split import torn

Progress = Callable[[str, float], None]
_SIZE_PX = 256
_MOST_GOODS = 1000
"""With more goods, so many are drawn by chance and looked at (about 0.2 MB of memory each)."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """A picture among the goods that is unlike the others."""

    sample: Sample
    suspect: Suspect
    grid: tuple[int, int]
    """Rows and columns of the cells."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to."""

    dataset: Dataset
    """What can be used."""
    broken: tuple[LeftOut, ...]
    doubles: tuple[Double, ...]
    torn: tuple[str, ...]
    """Parts and lots on several sides of the split."""
    unusual: tuple[Unusual, ...]
    """The most unlike goods, the worst first; no proof: a person has to look."""
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """True when nothing has to be mended before the set is used. Unlike goods are for a person to judge."""
        return not (self.broken or self.torn or any(one.across or one.contradicts for one in self.doubles))


def check(
    path: Path,
    options: SourceOptions | None = None,
    *,
    doubles: bool = True,
    goods: bool = True,
    most: int = 10,
    progress: Progress | None = None,
) -> Checked:
    """Look through the set at a path.

    doubles, goods: whether these are looked for. most: so many unlike goods are named. progress: told phase, 0..1.
    BadData: nothing that is known lies there, or its own text is not as expected. Broken pictures raise nothing.
    """
    options = options or SourceOptions()
    kind = told_apart(path) if options.kind == "auto" else options.kind
    tell = _teller(progress)
    if kind == "manifest":
        dataset = read_manifest(manifest_at(path), leave_out_broken=True, progress=tell("files"))
        broken: Sequence[LeftOut] = dataset.left_out
    else:
        reading = claims_of(path, kind, options)
        samples, found = opened(reading, threads=options.threads, progress=tell("files"))
        dataset, broken = assembled(reading, samples, found), found
    notes = list(dataset.notes)
    unusual: tuple[Unusual, ...] = ()
    if goods and len(dataset.goods) >= FEWEST:
        unusual, said = _unusual(dataset.goods, options.threads, most, tell("goods"))
        notes += said
    elif goods:
        notes.append(f"{len(dataset.goods)} goods: {FEWEST} or more say which is unlike the others")
    return Checked(
        dataset=dataset,
        broken=tuple(broken),
        doubles=find_doubles(dataset, threads=options.threads, progress=tell("doubles")) if doubles else (),
        torn=tuple(torn(dataset.samples)),
        unusual=unusual,
        notes=tuple(notes),
    )


def _unusual(
    goods: Sequence[Sample], threads: int, most: int, progress: Callable[[float], None] | None
) -> tuple[tuple[Unusual, ...], list[str]]:
    # Brings ONNX in: reading and splitting a set need none.
    from ..features import cut_files, extract
    from ..layout import Layout

    notes = []
    if len(goods) > _MOST_GOODS:
        drawn = np.sort(np.random.default_rng(0).choice(len(goods), _MOST_GOODS, replace=False))
        notes.append(f"of {len(goods)} goods {_MOST_GOODS} were drawn by chance and looked at")
        goods = [goods[int(place)] for place in drawn]
    tell = progress or (lambda share: None)
    channels = 1 if all(sample.channels == 1 for sample in goods) else 3
    layout = Layout(_SIZE_PX, _SIZE_PX, channels)
    files = [sample.picture for sample in goods]
    cuts = cut_files(files, (_SIZE_PX, _SIZE_PX), channels, None, threads, lambda share: tell(0.2 * share))
    features = extract(cuts, layout, threads, lambda share: tell(0.2 + 0.5 * share))
    found = suspects_by_features(features, layout.columns, most)
    tell(1.0)
    return tuple(Unusual(goods[one.place], one, (layout.rows, layout.columns)) for one in found), notes


def _teller(progress: Progress | None) -> Callable[[str], Callable[[float], None] | None]:
    if progress is None:
        return lambda phase: None
    return lambda phase: lambda share: progress(phase, share)
