"""Which pictures are trained on, which choose, which judge: whole parts and lots, never single pictures of them.

A split that the source brings is kept where every side has what it needs. MVTec's sets have no defect to train on;
those are split anew, and that is said. The same picture on two sides is refused with both names.
"""

from dataclasses import replace

from ..data.dataset import Dataset
from ..data.doubles import Progress, find_doubles, refuse_across
from ..data.split import SplitOptions, split


def sided(
    dataset: Dataset, validation_share: float, test_share: float, seed: int, progress: Progress | None = None
) -> Dataset:
    """Return the set with every sample on a side; `notes` say what was done.

    Shares are of pictures, of each label as nearly as whole groups allow. The same set and seed give the same sides.
    BadData: too few parts for the sides, or a part, lot or picture is on two sides that the source asks to keep.
    """
    doubles = find_doubles(dataset, progress=progress)
    labels = {sample.label for sample in dataset.samples}
    taught, chosen = ({sample.label for sample in dataset.of(side)} for side in ("train", "val"))
    whole = not dataset.of(None)
    if labels <= taught and labels <= chosen and whole:
        refuse_across(doubles)
        return dataset
    train = 1.0 - validation_share - test_share
    if labels <= taught and dataset.of("test") and not dataset.of("val") and whole:
        refuse_across(doubles)
        part = validation_share / (validation_share + train)
        options = SplitOptions(train=1.0 - part, val=part, test=0.0, keep="none", seed=seed)
        mine = dataset.of("train")
        names = {sample.name for sample in mine}
        near = [one for one in doubles if {one.one.name, one.other.name} <= names]
        made = split(dataset.with_samples(mine), options, near)
        said = "the source's test pictures stay; pictures to validate by are taken from those to train on"
    else:
        options = SplitOptions(train=train, val=validation_share, test=test_share, keep="none", seed=seed)
        made = split(dataset, options, doubles)
        said = "the source has no sides: the pictures are split"
        if any(sample.split for sample in dataset.samples):
            said = "the source's own sides lack labels to train or validate on: all pictures are split anew"
    sides = {sample.name: sample.split for sample in made.dataset.samples}
    samples = [replace(one, split=sides.get(one.name, one.split)) for one in dataset.samples]
    told = (f"{said} by {made.by}, {made.groups} groups", *made.notes)
    return replace(dataset, samples=tuple(samples), notes=(*dataset.notes, *told))
