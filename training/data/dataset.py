"""Labelled pictures as all of training has them, whatever they were read from."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ...models import pictures
from ...models.box import Box
from .shapes import Boxed, Mask, Shape

GOOD = "good"
"""Label of a part without defects."""
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SaidBy = Literal["file", "operator", "verdict"]
"""Who gave the label: the files of a person, the operator at the screen, or merely the model that ran."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One defect on one picture."""

    kind: str
    """Class of the defect."""
    box: Box
    """Around it, picture pixels."""
    shape: Shape | None = None
    """What says its pixels; None: no more than the box is known."""

    def mask(self, width: int, height: int) -> Mask:
        """Return its pixels, `[height, width]` bool; the box filled where no more is known. Read each time: keep it.

        BadPicture: the mask cannot be read or is of another size.
        """
        return (self.shape or Boxed(self.box)).mask(width, height)


@dataclass(frozen=True, slots=True)
class PartId:
    """Which entry of which box's ledger: the name of a part that no other part in the fleet has."""

    box: str
    epoch: int
    """Lineage of the box's ledger, 1 or more."""
    seq: int
    """Number of the part in it."""

    def __str__(self) -> str:
        return f"{self.box}-{self.epoch}-{self.seq}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture and all that is known of it."""

    picture: Path
    sha256: str
    """Of the file, 64 hex digits."""
    width: int
    """Pixels."""
    height: int
    channels: int
    """1: grey, 3: colour."""
    label: str
    """`good`, or a class of defect: the one with the largest area where there are several."""
    name: str
    """What people call it: unique within the set, with `/`."""
    part: str | None = None
    """Which part is seen; pictures of one part never go to two sides of a split. None: not known."""
    lot: str | None = None
    """Lot, shift, series: what was made together. None: not known."""
    split: Split | None = None
    annotations: tuple[Annotation, ...] = ()
    said_by: SaidBy = "file"
    serial: str | None = None
    """What a code on the part says; None: none was read."""
    seen: PartId | None = None
    """Where a box kept it; None: it is of no box's ledger."""

    @property
    def ok(self) -> bool:
        """True for a good part."""
        return self.label == GOOD

    @property
    def kinds(self) -> tuple[str, ...]:
        """Classes of its defects, sorted; its label where nothing is drawn; empty for a good part."""
        if self.ok:
            return ()
        return tuple(sorted({one.kind for one in self.annotations})) or (self.label,)

    @property
    def drawn(self) -> bool:
        """True when pixels of its defects are known, not only boxes."""
        return any(one.shape is not None for one in self.annotations)

    def read(self) -> pictures.Picture:
        """Return its pixels: uint8 grey `[h, w]` or RGB `[h, w, 3]`. BadPicture."""
        return pictures.read(self.picture)

    def masks(self) -> dict[str, Mask]:
        """Return the pixels of its defects by class, each `[h, w]` bool; empty: nothing is drawn. BadPicture.

        Where no more than boxes are known the boxes are filled: ask `drawn`.
        """
        found: dict[str, Mask] = {}
        for one in self.annotations:
            mask = one.mask(self.width, self.height)
            found[one.kind] = found[one.kind] | mask if one.kind in found else mask
        return found

    def mask(self) -> Mask | None:
        """Return the pixels of all its defects, `[h, w]` bool: none for a good part. None: not known. BadPicture."""
        if not self.annotations:
            return np.zeros((self.height, self.width), bool) if self.ok else None
        joined: Mask = np.logical_or.reduce(list(self.masks().values()))
        return joined

    def boxes(self) -> tuple[tuple[str, Box], ...]:
        """Return class and box of each defect."""
        return tuple((one.kind, one.box) for one in self.annotations)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not in the set, and why."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled pictures."""

    samples: tuple[Sample, ...]
    origin: str
    """Where they were read from: kind and place."""
    classes: tuple[str, ...]
    """Classes of defects by picture label, in the source's own order where it has one, else sorted; without `good`."""
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know, and nothing was left out for."""
    name: str = ""
    """`plates@3` of a store of data sets; empty: it is no version of one."""
    digest: str = ""
    """Of the manifest it was read from, whole; empty: it was read from none, or is a part of one."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Classes of what is drawn: channels of a segmentation, labels of a detection. `classes` where nothing is."""
        drawn = {one.kind for sample in self.samples for one in sample.annotations}
        if not drawn:
            return self.classes
        return (*(name for name in self.classes if name in drawn), *sorted(drawn.difference(self.classes)))

    @property
    def goods(self) -> tuple[Sample, ...]:
        """The good parts."""
        return tuple(sample for sample in self.samples if sample.ok)

    @property
    def defects(self) -> tuple[Sample, ...]:
        """The defective parts."""
        return tuple(sample for sample in self.samples if not sample.ok)

    def of(self, split: Split | None) -> tuple[Sample, ...]:
        """The samples on one side of the split; None: those on none."""
        return tuple(sample for sample in self.samples if sample.split == split)

    def count(self) -> dict[tuple[str, str], int]:
        """Return how many pictures by label and side (`""`: on none)."""
        return dict(Counter((sample.label, sample.split or "") for sample in self.samples))

    def with_samples(self, samples: Iterable[Sample]) -> "Dataset":
        """Return the same set with other samples."""
        return replace(self, samples=tuple(samples), name="", digest="")
