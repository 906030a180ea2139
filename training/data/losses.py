"""What a format of others cannot say of a set, in words and counted: nobody finds out by losing it.

`okng.csv` beside an export (`beside.py`) holds name, side, part, lot, serial, ledger entry and who gave the label. What
is told here is lost, or comes back in another form, even with it.
"""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np

from .dataset import Dataset, Sample
from .shapes import Boxed, Mask, Polygons, box_of

Format = Literal["mvtec", "coco", "yolo", "label-studio"]
FORMATS: tuple[Format, ...] = ("mvtec", "coco", "yolo", "label-studio")


def losses(dataset: Dataset, form: Format) -> tuple[str, ...]:
    """Return what a set loses in a format, one line each; empty: nothing. BadPicture: a mask cannot be read."""
    rules = _OF[form]
    marks = [one for sample in dataset.samples for one in sample.annotations]
    drawn = sum(one.shape is not None for one in marks)
    said = []
    if form == "yolo" and 0 < drawn < len(marks):
        # In a text file all are boxes, or all are outlines.
        said.append(f"{drawn} defects are drawn and others only boxed: all come back as boxes")
        rules = rules[1:2]
    said += [f"{count} {text}" for text, counted in rules if (count := sum(map(counted, dataset.samples)))]
    if dataset.left_out:
        said.append(f"{len(dataset.left_out)} pictures that were left out are not named in it")
    return tuple(said)


def _boxed_only(sample: Sample) -> int:
    return sum(one.shape is None for one in sample.annotations)


def _overlapping(sample: Sample) -> int:
    """Defects that get pixels of others where one mask holds all: those of the mask that lie in their box."""
    if len(sample.annotations) < 2:
        return 0
    masks = [one.mask(sample.width, sample.height) for one in sample.annotations]
    whole = np.logical_or.reduce(masks)
    boxes = [Boxed(one.box).mask(sample.width, sample.height) for one in sample.annotations]
    return sum(not np.array_equal(whole & box, mask) for mask, box in zip(masks, boxes, strict=True))


def _masks(sample: Sample) -> int:
    return sum(one.shape is not None and not isinstance(one.shape, Polygons) for one in sample.annotations)


def _polygons(sample: Sample) -> int:
    return sum(isinstance(one.shape, Polygons) for one in sample.annotations)


def _several_outlines(sample: Sample) -> int:
    return sum(isinstance(one.shape, Polygons) and len(one.shape.outlines) > 1 for one in sample.annotations)


def _holed_or_torn(sample: Sample) -> int:
    """Masks that one outer edge does not tell."""
    drawn = (one for one in sample.annotations if one.shape is not None and not isinstance(one.shape, Polygons))
    return sum(not _one_piece(one.mask(sample.width, sample.height)) for one in drawn)


def _one_piece(mask: Mask) -> bool:
    pieces, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    holes, _ = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=4)
    return pieces == 2 and holes == 2


def _other_label(sample: Sample) -> int:
    """Pictures whose label is not what is drawn largest."""
    if not sample.annotations:
        return 0
    area: dict[str, int] = {}
    for one in sample.annotations:
        area[one.kind] = area.get(one.kind, 0) + one.box.w * one.box.h
    return int(max(sorted(area), key=area.__getitem__) != sample.label)


def _other_box(sample: Sample) -> int:
    """Defects whose box is not the one around what is drawn."""
    drawn = [one for one in sample.annotations if one.shape is not None]
    size = sample.width, sample.height
    around = [one.shape.box(*size) if isinstance(one.shape, Polygons) else box_of(one.mask(*size)) for one in drawn]
    return sum(one.box != box for one, box in zip(drawn, around, strict=True))


def _only_box(sample: Sample) -> int:
    """The same where a list of boxes is not written: one defect, of the class that the picture is labelled by."""
    alone = len(sample.annotations) == 1 and sample.kinds == (sample.label,)
    return sum(box_of(one.mask(sample.width, sample.height)) != one.box for one in sample.annotations) if alone else 0


_BOXES = "boxes are not those around what is drawn, by which they come back"
_OF: dict[Format, tuple[tuple[str, Callable[[Sample], int]], ...]] = {
    "mvtec": (
        (_BOXES, _only_box),
        ("defects of which only the box is known come back as masks that fill it", _boxed_only),
        ("outlines come back as masks of the same pixels", _polygons),
        (
            "defects lie in one another's boxes: one mask is for the whole picture, they share pixels",
            _overlapping,
        ),
    ),
    "coco": (
        (_BOXES, _other_box),
        ("pictures are labelled otherwise than their largest defect, by which they come back", _other_label),
    ),
    "yolo": (
        (_BOXES, _other_box),
        ("pictures are labelled otherwise than their largest defect, by which they come back", _other_label),
        ("masks come back as outlines", _masks),
        ("masks have holes or several pieces: holes are filled, each piece is a defect of its own", _holed_or_torn),
        ("defects of several outlines come back as one defect an outline", _several_outlines),
    ),
    "label-studio": (
        (_BOXES, _other_box),
        ("defects of several outlines come back as brush masks of the same pixels", _several_outlines),
    ),
}
