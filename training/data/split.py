"""The sides of a split: by lot or part, never by picture, each class in its share on every side.

Pictures that belong together (one part, one lot, doubles) are one group, and a group goes to one side whole. Groups are
dealt out largest first, each to the side that lacks its classes most, as Sechidis, Tsoumakas and Vlahavas (2011: On the
stratification of multi-label data) do it for single examples; then moved while that makes the shares truer.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...bus.errors import BadData
from .dataset import SPLITS, Dataset, Sample, Split
from .doubles import Double

Unit = Literal["lot", "part", "both"]
_SHOWN = 10
_ROUNDS = 20


class SplitOptions(BaseModel):
    """How a set is split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of the pictures to learn from."""
    val: float = Field(default=0.15, ge=0.0, le=1.0)
    """Share that choices are made on: when to stop, thresholds."""
    test: float = Field(default=0.15, ge=0.0, le=1.0)
    """Share that nothing is chosen on."""
    by: Literal["auto", "lot", "part", "both"] = "auto"
    """What stays on one side. both: parts, and lots where they are known. auto: both where every picture has a lot and
    there are as many as sides, else parts. lot: as both, and every picture must have one."""
    keep: Literal["all", "test", "none"] = "all"
    """Which existing sides stay: all, only the test side, or none."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if abs(self.train + self.val + self.test - 1.0) > 1e-6:
            raise ValueError(f"train + val + test = {self.train + self.val + self.test:g}: expected 1")
        return self


@dataclass(frozen=True, slots=True)
class SplitReport:
    """How a split came out."""

    dataset: Dataset
    by: Unit
    groups: int
    notes: tuple[str, ...]
    """What a person should know: classes that lack on a side, no parts known."""


def split(dataset: Dataset, options: SplitOptions, doubles: Iterable[Double] = ()) -> SplitReport:
    """Return the set with a side for every picture.

    doubles: go to one side together. BadData: a part, lot or double is already on two sides that are to stay; or there
    are fewer groups than sides.
    """
    samples = [replace(one, split=_kept(one, options)) for one in dataset.samples]
    sides = [side for side in SPLITS if getattr(options, side) > 0.0]
    by = _unit(samples, options, len(sides))
    groups = grouped(samples, by, doubles)
    _refuse_torn(samples, groups, by)
    settled = [_side_of(samples, group) for group in groups]
    free = [place for place, side in enumerate(settled) if side is None]
    if free and sum(side is not None for side in settled) + len(free) < len(sides):
        raise BadData(f"{len(groups)} groups by {by}: expected {len(sides)} or more, one a side")
    dealt = _dealt(samples, groups, settled, sides, options)
    for group, side in zip(groups, dealt, strict=True):
        for place in group:
            samples[place] = replace(samples[place], split=side)
    return SplitReport(dataset.with_samples(samples), by, len(groups), _notes(samples, groups, by, sides, options))


def grouped(samples: Sequence[Sample], by: Unit, doubles: Iterable[Double] = ()) -> list[list[int]]:
    """Return places of the samples that belong together: one part, one lot (not by part), or doubles of each other."""
    parent = list(range(len(samples)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[tuple[str, str], int] = {}
    for place, sample in enumerate(samples):
        keys = [("part", sample.part), ("lot", None if by == "part" else sample.lot), ("file", sample.sha256)]
        for what, value in keys:
            if value is not None:
                parent[root(place)] = root(first.setdefault((what, value), place))
    names = {sample.name: place for place, sample in enumerate(samples)}
    for one in doubles:
        parent[root(names[one.one.name])] = root(names[one.other.name])
    found: dict[int, list[int]] = {}
    for place in range(len(samples)):
        found.setdefault(root(place), []).append(place)
    return list(found.values())


def torn(samples: Sequence[Sample]) -> list[str]:
    """Say which parts and lots lie on several sides of a split."""
    said = []
    for what in ("part", "lot"):
        sides: dict[str, dict[str, str]] = {}
        for sample in samples:
            value = getattr(sample, what)
            if value is not None and sample.split is not None:
                sides.setdefault(value, {}).setdefault(sample.split, sample.name)
        for value, where in sorted(sides.items()):
            if len(where) > 1:
                shown = ", ".join(f"{side} ({name})" for side, name in sorted(where.items()))
                said.append(f"{what} {value} lies on {shown}")
    return said


def _kept(sample: Sample, options: SplitOptions) -> Split | None:
    stays = options.keep == "all" or (options.keep == "test" and sample.split == "test")
    return sample.split if stays else None


def _unit(samples: Sequence[Sample], options: SplitOptions, sides: int) -> Unit:
    lots = {sample.lot for sample in samples}
    if options.by == "lot" and None in lots:
        (name,) = [sample.name for sample in samples if sample.lot is None][:1]
        raise BadData(f"by lot: {name} has none: expected a lot for every picture (say where names hold it)")
    if options.by != "auto":
        return options.by
    return "lot" if None not in lots and len(lots) >= max(2, sides) else "part"


def _side_of(samples: Sequence[Sample], group: Sequence[int]) -> Split | None:
    return next((samples[place].split for place in group if samples[place].split is not None), None)


def _refuse_torn(samples: Sequence[Sample], groups: Sequence[Sequence[int]], by: Unit) -> None:
    said = []
    for group in groups:
        sides = {samples[place].split: samples[place] for place in group if samples[place].split is not None}
        if len(sides) > 1:
            shown = " and ".join(
                f"{one.name} ({side})" for side, one in sorted(sides.items(), key=lambda it: str(it[0]))
            )
            named = next((f"{what} {value}" for what, value in _ties(list(sides.values()), by)), "the same part")
            said.append(f"{named}: {shown}")
    if said:
        lines = [f"{len(said)} groups by {by} are on several sides already:", *(f"  {one}" for one in said[:_SHOWN])]
        lines += [f"  and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else []
        raise BadData("\n".join([*lines, "expected each on one side: split again (keep: none)"]))


def _ties(samples: Sequence[Sample], by: Unit) -> list[tuple[str, str]]:
    """Which part or lot all of them share."""
    shared = []
    for what in ("part",) if by == "part" else ("part", "lot"):
        values = {getattr(sample, what) for sample in samples}
        if len(values) == 1 and None not in values:
            shared.append((what, str(values.pop())))
    return shared


def _dealt(
    samples: Sequence[Sample],
    groups: Sequence[Sequence[int]],
    settled: Sequence[Split | None],
    sides: Sequence[Split],
    options: SplitOptions,
) -> list[Split]:
    """One side for each group."""
    rng = np.random.default_rng(options.seed)
    labels = sorted({sample.label for sample in samples})
    number = {label: place for place, label in enumerate(labels)}
    held = np.zeros((len(groups), len(labels)))
    for row, group in enumerate(groups):
        for place in group:
            held[row, number[samples[place].label]] += 1
    total = held.sum(0)
    shares = np.array([getattr(options, side) for side in SPLITS])
    # What stays may be more than its share: the rest is then dealt among the other sides.
    wanted = shares[:, None] * total[None]
    has = np.zeros_like(wanted)
    chosen: list[int | None] = [SPLITS.index(side) if side is not None else None for side in settled]
    for row, side in enumerate(chosen):
        if side is not None:
            has[side] += held[row]
    free = [row for row, side in enumerate(chosen) if side is None]
    open_sides = [SPLITS.index(side) for side in sides]
    weight = 1.0 / np.maximum(total, 1.0)

    def cost(side: int, row: int) -> float:
        """How much worse the shares get when a group goes to a side; every class counts alike."""
        before, after = has[side] - wanted[side], has[side] + held[row] - wanted[side]
        return float(((np.square(after) - np.square(before)) * weight / max(shares[side], 1e-9)).sum())

    order = sorted(rng.permutation(free).tolist(), key=lambda row: -float((held[row] * weight).sum()))
    for row in order:
        best = min(open_sides, key=lambda side: cost(side, row))
        chosen[row] = best
        has[best] += held[row]
    for _ in range(_ROUNDS):
        moved = False
        for row in order:
            now = chosen[row]
            assert now is not None
            has[now] -= held[row]
            best = min(open_sides, key=lambda side: (cost(side, row), side != now))
            moved |= best != now
            chosen[row] = best
            has[best] += held[row]
        if not moved:
            break
    _fill_empty(chosen, order, has, held, open_sides)
    return [SPLITS[side] for side in chosen if side is not None]


def _fill_empty(
    chosen: list[int | None],
    order: Sequence[int],
    has: npt.NDArray[np.float64],
    held: npt.NDArray[np.float64],
    sides: Sequence[int],
) -> None:
    """A side that got nothing gets the smallest group of the side that has most."""
    for side in sides:
        if has[side].sum() == 0.0 and order:
            fullest = max(sides, key=lambda one: (sum(chosen[row] == one for row in order), has[one].sum()))
            row = next(row for row in reversed(order) if chosen[row] == fullest)
            has[fullest] -= held[row]
            has[side] += held[row]
            chosen[row] = side


def _notes(
    samples: Sequence[Sample],
    groups: Sequence[Sequence[int]],
    by: Unit,
    sides: Sequence[Split],
    options: SplitOptions,
) -> tuple[str, ...]:
    notes = []
    unknown = sum(sample.part is None for sample in samples)
    if by == "part" and unknown:
        notes.append(f"the part of {unknown} pictures is not known: each is taken for a part of its own")
    counts = Counter((sample.label, sample.split) for sample in samples)
    of_label = Counter(label for group in groups for label in {samples[place].label for place in group})
    for label in sorted({sample.label for sample in samples}):
        lacks = [side for side in sides if not counts[label, side]]
        if lacks:
            notes.append(f"{label}: none on {', '.join(lacks)} ({of_label[label]} groups in all)")
    for side in sides:
        share = sum(sample.split == side for sample in samples) / len(samples)
        if abs(share - getattr(options, side)) > 0.1:
            notes.append(
                f"{side}: {100 * share:.0f} % of the pictures, {100 * getattr(options, side):.0f} % were asked"
            )
    return tuple(notes)
