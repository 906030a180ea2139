"""A part as it might also have come: turned, moved, lit otherwise, within what the product allows.

Comes after the crop that the line does too, so the model sees the same pixels on the line as in training. Numpy and
OpenCV only. What is drawn depends on the generator alone, and that on seed, epoch and picture: a training that goes on
after a kill draws what it would have drawn.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from .options import Augment

Pixels = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]

LEAST_SIDE_PX = 1.0
"""A box that keeps less than this inside the picture is left out."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A cut picture and what is known of it, in pixels of the model's input."""

    picture: Pixels
    """`(h, w, c)` uint8."""
    label: int
    """0: good, else 1 + place of the class."""
    mask: Pixels
    """`(h, w)` uint8: 0 good, 1 + place of the class where a defect is."""
    boxes: Boxes
    """`(k, 4)` float32: left, top, right, bottom."""
    kinds: npt.NDArray[np.int64]
    """`(k,)`: place of each box's class, from 0."""


def augmented(marked: Marked, options: Augment, rng: np.random.Generator) -> Marked:
    """Return the picture changed by chance, its mask and boxes moved along."""
    moved = _moved(marked, options, rng)
    return replace(moved, picture=_relit(moved.picture, options, rng))


def _moved(marked: Marked, options: Augment, rng: np.random.Generator) -> Marked:
    height, width = marked.mask.shape
    matrix = _matrix(options, rng, width, height)
    if np.allclose(matrix, np.eye(2, 3)):
        return marked
    # At the rim the nearest pixel goes on: a mirrored rim could show a defect twice.
    picture = cv2.warpAffine(
        marked.picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).reshape(marked.picture.shape)
    mask = marked.mask
    if mask.any():
        mask = np.asarray(
            cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT),
            np.uint8,
        )
    boxes, kept = _moved_boxes(marked.boxes, matrix, width, height)
    label = marked.label
    lost = len(marked.boxes) > 0 and not kept.any()
    if lost or (marked.mask.any() and not mask.any()):
        return marked  # the defect would have left the picture: the label would be a lie
    return Marked(np.asarray(picture, np.uint8), label, np.asarray(mask, np.uint8), boxes[kept], marked.kinds[kept])


def _matrix(options: Augment, rng: np.random.Generator, width: int, height: int) -> npt.NDArray[np.float64]:
    """A flip, turn, scale and shift about the middle, as an affine map of pixel centres, `(2, 3)`."""
    angle = np.deg2rad(rng.uniform(-options.rotate_deg, options.rotate_deg))
    factor = 1.0 + rng.uniform(-options.scale, options.scale)
    across, down = (-1.0 if allowed and rng.random() < 0.5 else 1.0 for allowed in (options.flip_x, options.flip_y))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * factor
    linear = turn @ np.diag([across, down])
    middle = np.array([(width - 1) / 2.0, (height - 1) / 2.0])
    shift = rng.uniform(-options.shift, options.shift, 2) * (width, height)
    return np.hstack([linear, (middle + shift - linear @ middle)[:, None]])


def _moved_boxes(
    boxes: Boxes, matrix: npt.NDArray[np.float64], width: int, height: int
) -> tuple[Boxes, npt.NDArray[np.bool_]]:
    """Boxes after the map, cut at the rim, and which of them are still there.

    A box holds something round rather than something that fills its corners, so the box of the turned ellipse is
    taken: the hull of turned corners would grow with every turn.
    """
    if not len(boxes):
        return boxes, np.zeros(0, np.bool_)
    linear = matrix[:, :2]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2.0 - 0.5  # edges to pixel centres
    half = (boxes[:, 2:] - boxes[:, :2]) / 2.0
    centre = middle @ linear.T + matrix[:, 2] + 0.5
    reach = np.sqrt((half * half) @ (linear * linear).T)
    moved = np.concatenate([centre - reach, centre + reach], 1)
    limit = np.array([width, height, width, height], np.float64)
    cut = np.clip(moved, 0.0, limit)
    inside = ((centre >= 0.0) & (centre <= limit[:2])).all(axis=1)
    large = (cut[:, 2:] - cut[:, :2] >= LEAST_SIDE_PX).all(axis=1)
    return cut.astype(np.float32), inside & large


def _relit(picture: Pixels, options: Augment, rng: np.random.Generator) -> Pixels:
    contrast = 1.0 + rng.uniform(-options.contrast, options.contrast)
    brightness = 255.0 * rng.uniform(-options.brightness, options.brightness)
    noise, blur = rng.uniform(0.0, options.noise), rng.uniform(0.0, options.blur)
    if contrast == 1.0 and brightness == 0.0 and noise == 0.0 and blur == 0.0:
        return picture
    values = picture.astype(np.float32)
    mean = float(values.mean())
    values = (values - mean) * contrast + (mean + brightness)
    if blur > 0.2:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), blur), np.float32).reshape(picture.shape)
    if noise > 0.0:
        values += rng.standard_normal(picture.shape, np.float32) * np.float32(noise)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
