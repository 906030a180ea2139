"""From what a person drew on a defect to what each cell of the map is: defect, none, or not known."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from ..models import crop
from ..models.box import Box
from .data.dataset import Sample
from .features import regarded
from .layout import Layout

Cells = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]

DEFECT, NONE, UNKNOWN = 1, 0, -1
COVERED = 0.5
"""Share of a cell that has to be drawn for it to be one of the defect, or of the best covered cell's share 0.6."""
_OF_BEST = 0.6


@dataclass(frozen=True, slots=True)
class Labelled:
    """One defect picture as the model's input, with what is known of its cells."""

    name: str
    kind: str
    cut: npt.NDArray[np.uint8]
    """`(height, width, channels)`."""
    cells: Cells
    """`(cells,)` `DEFECT`, `NONE` or `UNKNOWN`."""
    exact: bool
    """False: only a box, or nothing, was drawn; the cells are then narrowed by what the goods say (`narrowed`)."""


def labelled(
    sample: Sample, like: Sample | None, layout: Layout, region: Box | None, *, scribbles: bool
) -> Labelled | None:
    """Return a defect picture ready to be learnt from; None: its defect lies outside the region.

    like: a picture whose size all must have where there is a region; None: any. scribbles: what is drawn is a part of
    the defect only, so what is not drawn is unknown.
    BadPicture: it does not decode, or does not fit.
    """
    first = (like or sample).read()
    picture, box = regarded(sample.picture, (like or sample).picture, first, layout.channels, region)
    cut = crop.crop_and_resize(picture, box, (layout.height_px, layout.width_px))[0]
    drawn = sample.mask() if sample.annotations else None
    if drawn is None:
        cells = np.full(layout.cells, UNKNOWN, np.int8)
        return Labelled(sample.name, sample.label, cut, cells, exact=False)
    if drawn.shape != picture.shape[:2]:
        raise BadPicture(f"{sample.picture}: mask of {drawn.shape}: expected that of the picture, {picture.shape[:2]}")
    inside = drawn[box.y : box.y + box.h, box.x : box.x + box.w]
    if not inside.any():
        return None
    cells = on_cells(inside, layout, scribbles=scribbles)
    return Labelled(sample.name, sample.label, cut, cells, exact=sample.drawn)


def on_cells(drawn: npt.NDArray[np.bool_], layout: Layout, *, scribbles: bool) -> Cells:
    """Return what each cell is by what was drawn on the region, bool `[h, w]`.

    Cells beside a defect are unknown: features reach over the edge.
    """
    covered = _covered(drawn, layout)
    cells = np.full(covered.shape, UNKNOWN, np.int8)
    if not scribbles:
        near = cv2.dilate((covered > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
        cells[near == 0] = NONE
    cells[covered >= min(COVERED, _OF_BEST * float(covered.max()))] = DEFECT
    return cells.reshape(-1)


def narrowed(cells: Cells, unlikeness: Floats, usual: float) -> Cells:
    """Return cells of a loose label, narrowed to where the picture is unlike goods.

    cells: `(cells,)`; those of a box are `DEFECT`, all `UNKNOWN` where nothing was drawn. unlikeness: `(cells,)` as the
    goods taught it. usual: what hardly any cell of a good exceeds. At least the most unlike cell remains.
    """
    found = cells.copy()
    pool = cells == DEFECT
    if not pool.any():
        pool = np.ones_like(pool)
    limit = max(usual, float(np.median(unlikeness[pool])))
    sure = pool & (unlikeness > limit)
    sure[np.flatnonzero(pool)[unlikeness[pool].argmax()]] = True
    found[pool] = UNKNOWN
    found[sure] = DEFECT
    return found


def _covered(drawn: npt.NDArray[np.bool_], layout: Layout) -> Floats:
    """Share of each cell that is drawn, `(rows, columns)`. By area wherever cells are larger than pixels.

    Linear steps would jump over what is small, and nothing drawn would be found.
    """
    fine = drawn.astype(np.float32)
    height, width = fine.shape
    least = min(width, layout.columns), min(height, layout.rows)
    fine = cv2.resize(fine, least, interpolation=cv2.INTER_AREA).astype(np.float32)
    return cv2.resize(fine, (layout.columns, layout.rows), interpolation=cv2.INTER_LINEAR).astype(np.float32)
