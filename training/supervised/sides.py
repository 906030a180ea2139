"""Which pictures are trained on, which choose, which judge: whole parts and lots, never single pictures of them.

A split that the source brings is kept where every side has what it needs. MVTec's sets have no defect to train on;
those are split anew, and that is said.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..data.dataset import SPLITS, Dataset, Sample, Split

FEWEST_GROUPS = 12
"""With fewer lots than this a split by lot would leave a side with chance alone: then it goes by part."""


def sided(dataset: Dataset, validation_share: float, test_share: float, seed: int) -> Dataset:
    """Return the set with every sample on a side; `notes` say what was done.

    Shares are of pictures, of each label as nearly as whole groups allow. The same set and seed give the same sides.
    """
    train, val = dataset.of("train"), dataset.of("val")
    labels = {sample.label for sample in dataset.samples}
    if labels <= {one.label for one in train} and labels <= {one.label for one in val} and not dataset.of(None):
        return dataset
    if labels <= {one.label for one in train} and dataset.of("test") and not val and not dataset.of(None):
        moved = _assigned(train, {"val": validation_share / (1.0 - test_share)}, seed)
        said = "the source's test pictures stay; pictures to validate by are taken from those to train on"
    else:
        moved = _assigned(dataset.samples, {"val": validation_share, "test": test_share}, seed)
        said = "the source's own sides lack labels to train or validate on: all pictures are split anew"
        if not any(sample.split for sample in dataset.samples):
            said = "the source has no sides: the pictures are split"
    by_name = {sample.name: side for sample, side in moved}
    samples = [replace(one, split=by_name.get(one.name, one.split)) for one in dataset.samples]
    return replace(dataset, samples=tuple(samples), notes=(*dataset.notes, said, *_grouping_told(dataset.samples)))


def _assigned(samples: Sequence[Sample], shares: dict[Split, float], seed: int) -> list[tuple[Sample, Split]]:
    """Give each group the side that lacks most of its rarest label; large groups first, then by the seed's order."""
    groups = _groups(samples)
    totals = Counter(sample.label for sample in samples)
    wanted = {**shares, "train": 1.0 - sum(shares.values())}
    have: dict[Split, Counter[str]] = {side: Counter() for side in SPLITS}

    def order(group: list[Sample]) -> tuple[int, int, str]:
        rarest = min(totals[sample.label] for sample in group)
        drawn = hashlib.sha256(f"{seed}\0{min(sample.sha256 for sample in group)}".encode()).hexdigest()
        return (-len(group), rarest, drawn)

    found: list[tuple[Sample, Split]] = []
    for group in sorted(groups, key=order):
        label = min((sample.label for sample in group), key=lambda name: (totals[name], name))
        lacking = {side: share * totals[label] - have[side][label] for side, share in wanted.items()}
        side: Split = max(lacking, key=lambda one: (lacking[one], one == "train"))
        for sample in group:
            have[side][sample.label] += 1
            found.append((sample, side))
    return found


def _groups(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples that must stay together: of one lot, one part, or one content."""
    root = list(range(len(samples)))

    def top(at: int) -> int:
        while root[at] != at:
            root[at] = root[root[at]]
            at = root[at]
        return at

    first: dict[tuple[str, str], int] = {}
    by_lot = _by_lot(samples)
    for at, sample in enumerate(samples):
        keys = [("content", sample.sha256), ("part", sample.part), ("lot", sample.lot if by_lot else None)]
        for kind, value in keys:
            if value is not None:
                root[top(at)] = top(first.setdefault((kind, value), at))
    groups: dict[int, list[Sample]] = {}
    for at, sample in enumerate(samples):
        groups.setdefault(top(at), []).append(sample)
    return list(groups.values())


def _by_lot(samples: Sequence[Sample]) -> bool:
    return len({sample.lot for sample in samples if sample.lot is not None}) >= FEWEST_GROUPS


def _grouping_told(samples: Sequence[Sample]) -> list[str]:
    lots = {sample.lot for sample in samples if sample.lot is not None}
    if lots and not _by_lot(samples):
        return [f"{len(lots)} lots are too few to keep apart ({FEWEST_GROUPS} are needed): lots are on both sides"]
    return []
