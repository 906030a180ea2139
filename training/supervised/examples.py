"""Labelled pictures as the trainer holds them: cut as the line cuts, labels beside them, all of one size."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ...bus.errors import BadPicture
from ...models.box import Box
from ...models.crop import crop_and_resize
from .augment import Marked, augmented
from .losses import Targets
from .options import Augment

_LEAST_COVER = 0.25
"""A pixel of the model's input is defective from this share of defective picture pixels on."""


@dataclass(frozen=True, slots=True)
class Known:
    """One picture and what a person said of it, before it is cut."""

    name: str
    """Of the file, for people."""
    picture: npt.NDArray[np.uint8]
    """`(h, w)` or `(h, w, 3)` uint8."""
    label: int
    """0: good, else 1 + place of the class."""
    masks: Sequence[tuple[int, npt.NDArray[np.bool_]]]
    """Place of the class and `(h, w)`, True where its defect is."""
    boxes: Sequence[tuple[int, Box]]
    """Place of the class, and where in the picture."""


class Examples:
    """Cut pictures with their labels. Pictures and masks lie in memory, or in a file where they are many."""

    def __init__(
        self,
        known: Iterator[Known],
        count: int,
        size_px: int,
        channels: int,
        *,
        region: Box | None,
        masks: bool,
        spill: Path | None,
    ) -> None:
        """known: read one after the other. masks: whether masks are needed. spill: folder for large ones; None: memory.

        BadPicture: one does not fit the region or the channels.
        """
        self.pictures = _array((count, size_px, size_px, channels), spill)
        self._masks = _array((count, size_px, size_px) if masks else (count, 1, 1), spill if masks else None)
        self.labels = np.zeros(count, np.int64)
        self.names: list[str] = []
        self._boxes: list[npt.NDArray[np.float32]] = []
        self._kinds: list[npt.NDArray[np.int64]] = []
        text = hashlib.sha256()
        for place, one in enumerate(known):
            box = region or Box(0, 0, one.picture.shape[1], one.picture.shape[0])
            cut = crop_and_resize(one.picture, box, size_px)
            if cut.shape[3] != channels:
                raise BadPicture(f"{one.name}: {cut.shape[3]} channels: expected {channels}")
            self.pictures[place] = cut[0]
            if masks:
                self._masks[place] = cut_mask(one.masks, box, size_px)
            boxes, kinds = _cut_boxes(one, box, size_px)
            self._boxes.append(boxes)
            self._kinds.append(kinds)
            seen = len(boxes) > 0 or (masks and bool(self._masks[place].any()))
            # A defect that lies outside the region is none for a model of the region.
            self.labels[place] = 0 if (one.masks or one.boxes) and not seen else one.label
            self.names.append(one.name)
            for part in (cut, self._masks[place], boxes, kinds, self.labels[place : place + 1]):
                text.update(np.ascontiguousarray(part).tobytes())
        self.digest: str = text.hexdigest()
        """sha256 of all cut pictures and labels, in their order."""

    def __len__(self) -> int:
        return len(self.labels)

    def boxes(self, place: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Return the boxes `(k, 4)` and kinds `(k,)` of one picture."""
        return self._boxes[place], self._kinds[place]

    def masks(self, places: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return masks `(n, h, w)`: 0 good, else 1 + place of the class."""
        return self._masks[places]

    def marked(self, place: int) -> Marked:
        """Return one picture with all that is known of it."""
        boxes, kinds = self.boxes(place)
        size = self.pictures.shape[1]
        mask = self._masks[place] if self._masks.shape[1] == size else np.zeros((size, size), np.uint8)
        return Marked(np.asarray(self.pictures[place]), int(self.labels[place]), np.asarray(mask), boxes, kinds)


def drawn(labels: npt.NDArray[np.int64], batch: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the pictures of one epoch in their order, `(steps, batch)`; rare labels come oftener than they are.

    A label's weight is the root of how many pictures have it. What is drawn depends on seed and epoch alone.
    """
    rng = np.random.default_rng([seed, epoch, 0])
    counts = np.bincount(labels)
    weights = 1.0 / np.sqrt(counts[labels])
    steps = -(-len(labels) // batch)
    total = steps * batch
    # Systematic: each picture comes its share of times, rounded up or down by one common chance.
    order = rng.permutation(len(labels))
    edges = np.cumsum(weights[order]) / weights.sum() * total
    taken = np.searchsorted(edges, np.arange(total) + rng.random(), side="left")
    chosen = order[np.minimum(taken, len(labels) - 1)]
    return rng.permutation(chosen).reshape(steps, batch)


def steps(
    examples: Examples,
    order: npt.NDArray[np.int64],
    share: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]],
    augment: Augment,
    seed: int,
    epoch: int,
    workers: int,
) -> Iterator[tuple[torch.Tensor, Targets]]:
    """Yield pictures uint8 `[n, h, w, c]` and targets of each step, made ahead by threads.

    share: takes this process's part of a step. Each picture has a generator of its own: seed, epoch and where it comes.
    """

    def made(numbered: tuple[int, int]) -> Marked:
        at, place = numbered
        return augmented(examples.marked(place), augment, np.random.default_rng([seed, epoch, 1 + at]))

    batch = order.shape[1]
    with ThreadPoolExecutor(max(1, workers), "augment") as pool:
        ahead = None
        for number, places in enumerate(order):
            mine = share(np.stack([number * batch + np.arange(batch), places], 1))
            coming = [pool.submit(made, (int(at), int(place))) for at, place in mine]
            if ahead is not None:
                yield _stacked([one.result() for one in ahead])
            ahead = coming
        if ahead is not None:
            yield _stacked([one.result() for one in ahead])


def _stacked(marked: list[Marked]) -> tuple[torch.Tensor, Targets]:
    most = max(1, *(len(one.boxes) for one in marked)) if marked else 1
    boxes, kinds = np.zeros((len(marked), most, 4), np.float32), np.full((len(marked), most), -1, np.int64)
    for place, one in enumerate(marked):
        boxes[place, : len(one.boxes)], kinds[place, : len(one.kinds)] = one.boxes, one.kinds
    pictures = torch.from_numpy(np.ascontiguousarray(np.stack([one.picture for one in marked])))
    return pictures, Targets(
        labels=torch.tensor([one.label for one in marked], dtype=torch.int64),
        masks=torch.from_numpy(np.stack([one.mask for one in marked]).astype(np.int64)),
        boxes=torch.from_numpy(boxes),
        kinds=torch.from_numpy(kinds),
    )


def cut_mask(masks: Sequence[tuple[int, npt.NDArray[np.bool_]]], box: Box, size_px: int) -> npt.NDArray[np.uint8]:
    """Return masks as the model's input has them, `(size, size)` uint8: 0 good, else 1 + place of the class.

    A fine scratch that covers a quarter of no pixel keeps the pixels it covers most: a defect never vanishes by scale.
    """
    out = np.zeros((size_px, size_px), np.uint8)
    for kind, mask in masks:
        part = mask[box.y : box.y + box.h, box.x : box.x + box.w].astype(np.float32)
        shrinks = part.shape[0] > size_px or part.shape[1] > size_px
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cover = np.asarray(cv2.resize(part, (size_px, size_px), interpolation=how))
        if cover.max() > 0.0:
            out[cover >= min(0.5 if not shrinks else _LEAST_COVER, 0.7 * float(cover.max()))] = kind + 1
    return out


def _cut_boxes(one: Known, box: Box, size_px: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Boxes in pixels of the model's input, cut at the region's edge."""
    boxes, kinds = [], []
    for kind, where in one.boxes:
        left, top = max(where.x, box.x), max(where.y, box.y)
        right, bottom = min(where.x + where.w, box.x + box.w), min(where.y + where.h, box.y + box.h)
        if right > left and bottom > top:
            across, down = size_px / box.w, size_px / box.h
            boxes.append(
                ((left - box.x) * across, (top - box.y) * down, (right - box.x) * across, (bottom - box.y) * down)
            )
            kinds.append(kind)
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(kinds, np.int64)


def _array(shape: tuple[int, ...], spill: Path | None) -> npt.NDArray[np.uint8]:
    """Zeros in memory, or in a file that is gone when it is closed."""
    if spill is None or not np.prod(shape):
        return np.zeros(shape, np.uint8)
    spill.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=spill) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)
