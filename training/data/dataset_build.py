"""A version of a data set in the making: sources are joined, sides dealt out, and nothing leaks from one to another.

sources (+ the version before) -> merged -> sides of the version before stay -> the rest is dealt out -> store

A picture that ties two sides together (its part was learnt from, its lot is tested on) is left out by name: whoever was
there first keeps their side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...bus.errors import BadData
from .dataset import SPLITS, Dataset, LeftOut, Sample, Split
from .dataset_store import DatasetStore, Stored
from .doubles import Double, find_doubles
from .intake import Progress
from .manifest import read_manifest
from .merge import merged
from .split import SplitOptions, SplitReport, Unit, grouped, split, torn


@dataclass(frozen=True, slots=True)
class Growing:
    """How a version goes on from the one before."""

    add: bool = False
    """What the version before holds stays in it."""
    relabel: bool = False
    """Where a source says other of a picture than the version before, the source counts; else it is kept apart."""
    doubles: bool = True
    """Look-alikes go to one side together, found by decoding every picture."""
    afresh: bool = False
    """No side of the version before stays."""


ANEW = Growing()


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it."""

    stored: Stored
    dataset: Dataset
    split: SplitReport | None
    """None: sides are as the sources have them."""
    contradictions: tuple[LeftOut, ...]
    """Pictures of which people say different things."""
    tying: tuple[LeftOut, ...]
    """Pictures that would have tied two sides together."""
    twice: int
    before: str
    """Version it goes on from, `plates@2`; empty: none."""


def build(
    store: DatasetStore,
    name: str,
    sources: Sequence[Dataset],
    options: SplitOptions | None,
    how: Growing = ANEW,
    progress: Progress | None = None,
) -> Built:
    """Keep the next version of a set.

    options: how sides are dealt out; None: they are taken as the sources have them.
    BadData: nothing to keep, too few groups for the sides, or (without options) parts or lots on two sides. StoreLost.
    """
    before = store.newest(name)
    known = read_manifest(store.manifest(before), check=False) if before and not how.afresh else None
    joined = merged([*([_whole(store, known, sources)] if how.add and known else []), *sources], newer_wins=how.relabel)
    if not joined.dataset.samples:
        raise BadData(f"{name}: no picture to keep: {_why(joined.contradictions)}")
    tying: tuple[LeftOut, ...] = ()
    report: SplitReport | None = None
    if options is None:
        done = joined.dataset
        if said := torn(done.samples):
            raise BadData("\n".join([f"{len(said)} parts and lots are on two sides:", *said[:10]]))
    else:
        alike = find_doubles(joined.dataset) if how.doubles else ()
        rules = options.model_copy(update={"by": _unit(joined.dataset, known, options), "keep": "all"})
        kept, tying = _settled(joined.dataset, known, alike, rules)
        report = split(kept, rules, _among(kept.samples, alike))
        done = report.dataset
    done = replace(done, left_out=(*done.left_out, *tying))
    stored = store.add(done, name, progress)
    return Built(stored, done, report, joined.contradictions, tying, joined.twice, before or "")


def _whole(store: DatasetStore, known: Dataset, sources: Sequence[Dataset]) -> Dataset:
    """The version before, all its pictures on this machine; one that was lost is taken from a source that has it."""
    there = {one.sha256: one.picture for source in sources for one in source.samples}
    store.bring(known.name)
    samples = (
        replace(one, picture=there.get(one.sha256, one.picture)) if not one.picture.is_file() else one
        for one in known.samples
    )
    return replace(known, samples=tuple(samples))


def _unit(dataset: Dataset, known: Dataset | None, options: SplitOptions) -> Unit:
    """What stays together: as in the version before; in the first, parts and lots where that leaves enough groups."""
    if options.by != "auto":
        return options.by
    if known is not None:
        return "part" if any(said.startswith("lot ") for said in torn(known.samples)) else "both"
    sides = sum(getattr(options, side) > 0.0 for side in SPLITS)
    return "both" if len(grouped(dataset.samples, "both")) >= sides else "part"


def _settled(
    dataset: Dataset, known: Dataset | None, doubles: Sequence[Double], options: SplitOptions
) -> tuple[Dataset, tuple[LeftOut, ...]]:
    """Give the sides of the version before to its pictures and to others of its parts and lots; leave out what ties.

    Its own pictures come first, then new ones by name. Sides that sources have are not taken: they were dealt by other
    rules.
    """
    old = known.samples if known else ()
    pictures = {one.sha256: one.split for one in old}
    alike: dict[str, list[str]] = {}
    for pair in doubles:
        alike.setdefault(pair.one.sha256, []).append(pair.other.sha256)
        alike.setdefault(pair.other.sha256, []).append(pair.one.sha256)
    ties, gone = _Ties(), dict[str, LeftOut]()
    for one in old:
        ties.join(_keys(one, options, ()), one.split)
    for one in sorted(dataset.samples, key=lambda each: (each.sha256 not in pictures, each.name)):
        sides = ties.join(_keys(one, options, alike.get(one.sha256, ())), None)
        if len(sides) > 1:
            shown = " and ".join(sorted(str(side) for side in sides))
            gone[one.name] = LeftOut(one.name, f"part {one.part} of lot {one.lot} would tie {shown} together")
    kept = [replace(one, split=ties.side(("picture", one.sha256))) for one in dataset.samples if one.name not in gone]
    return replace(dataset, samples=tuple(kept)), tuple(gone.values())


Key = tuple[str, str]


def _keys(one: Sample, options: SplitOptions, alike: Iterable[str]) -> list[Key]:
    """What ties a picture to others: its bytes, its part, its lot, and pictures that look alike."""
    keys = [("picture", one.sha256), *(("picture", other) for other in alike)]
    keys += [("part", one.part)] if one.part is not None else []
    return keys + ([("lot", one.lot)] if one.lot is not None and options.by != "part" else [])


class _Ties:
    """What belongs together, and the side it has."""

    def __init__(self) -> None:
        self._above: dict[Key, Key] = {}
        self._side: dict[Key, Split] = {}

    def join(self, keys: Sequence[Key], side: Split | None) -> set[Split]:
        """Tie these together, unless that would tie two sides; return the sides that it would."""
        roots = {self._root(key) for key in keys}
        sides = {found for root in roots if (found := self._side.get(root)) is not None} | ({side} if side else set())
        if len(sides) > 1:
            return sides
        first = self._root(keys[0])
        for root in roots:
            self._above[root] = first
        self._above[first] = first
        for found in sides:
            self._side[first] = found
        return sides

    def side(self, key: Key) -> Split | None:
        """The side of all that is tied to it; None: none yet."""
        return self._side.get(self._root(key))

    def _root(self, key: Key) -> Key:
        self._above.setdefault(key, key)
        while self._above[key] != key:
            self._above[key] = key = self._above[self._above[key]]
        return key


def _among(samples: Sequence[Sample], doubles: Sequence[Double]) -> list[Double]:
    names = {one.name for one in samples}
    return [one for one in doubles if {one.one.name, one.other.name} <= names]


def _why(contradictions: Sequence[LeftOut]) -> str:
    return f"of all {len(contradictions)} people say different things" if contradictions else "the sources hold none"
