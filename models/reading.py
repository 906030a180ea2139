"""What an adapter makes of a model's raw outputs, and what all adapters need for it. Pure, no session in here.

    outputs (arrays, by the order of `Output.ports`), Reader  ->  Reading, or Unsound with the reason

A class has a limit of confidence; a place has a score, and its ratio is score / limit. The score of the whole region is
the largest ratio there is, listed or not, so it is a steady figure to choose limits by.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .box import Box
from .findings import Measure, Spot
from .manifest import Output

MOST_SPOTS = 100
"""Places listed of one region; of more, the worst, and how many were left out is said."""
MOST_CANDIDATES = 300
"""Boxes looked at for overlap; of more, the worst."""
LISTED_RATIO = 0.25
"""A place is listed from this share of its limit; the worst of each class is listed below it too."""
LEAST_CONFIDENCE = 0.01
"""Nothing below is ever listed."""
LEFT_OUT = "places left out"
"""Name of the measure that says how many places above their limit are not listed."""
_ROUNDING = 1e-3

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class Unsound(ValueError):
    """The output is nothing that can be judged by; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How one region's outputs are read."""

    output: Output
    width: int
    """Of the model's input, pixels."""
    height: int
    region: Box
    """Of the picture, stretched to the model's input."""
    limits: Floats
    """`(classes,)`, confidence above which a class is NG; above 0."""
    areas_px: Floats
    """`(classes,)`, picture pixels a place of a class must have to count; 0: any. Segmentation only."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the outputs say. Sound always: else there is none."""

    score: float
    heat: npt.NDArray[np.float32]
    """`(rows, columns)`"""
    spots: tuple[Spot, ...] = ()
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A box of one class, before it is a place in the picture."""

    kind: int
    """Place of its class among the classes."""
    corners: tuple[float, float, float, float]
    """x0, y0, x1, y1 in input pixels, as the model gave them."""
    score: float


def numbers(outputs: Sequence[Array], at: int, name: str, axes: int) -> Array:
    """Return one output of so many axes. Unsound: another shape, no numbers, or not all of them finite."""
    if at >= len(outputs):
        raise Unsound(f"output {name!r} is missing")
    found = np.asarray(outputs[at])
    if found.ndim != axes or found.dtype.kind not in "fiu":
        raise Unsound(f"output {name!r} is {found.dtype} {list(found.shape)}: expected numbers of {axes} axes")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise Unsound(f"NaN or infinite numbers in output {name!r}")
    return found


def check_confidence(values: Array, name: str) -> Array:
    """Return confidences in 0..1, as precise as given. Unsound: one lies outside by more than rounding (no sigmoid)."""
    found = values if values.dtype.kind == "f" else values.astype(np.float64)
    if found.size and not (found.min() >= -_ROUNDING and found.max() <= 1.0 + _ROUNDING):
        raise Unsound(f"confidence {found.min():.3g}..{found.max():.3g} in output {name!r}: expected 0..1")
    return np.asarray(np.clip(found, 0.0, 1.0))


def confidences(logits: Array, reader: Reader, axis: int) -> Floats:
    """Return the confidence of each class, classes along the first axis. Unsound: fewer channels than classes need."""
    output = reader.output
    wanted, channels = output.class_numbers, logits.shape[axis]
    if max(wanted) >= channels:
        raise Unsound(f"output {output.logits!r} has {channels} channels: the classes need {max(wanted) + 1}")
    values = np.moveaxis(logits, axis, 0).astype(np.float64)
    if output.activation == "softmax":
        values = np.exp(values - values.max(axis=0))
        return np.asarray((values / values.sum(axis=0))[list(wanted)])
    values = values[list(wanted)]
    if output.activation == "sigmoid":
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))  # the same, and never overflows
    return check_confidence(values, output.logits)


def from_candidates(candidates: Iterable[Candidate], score: float, reader: Reader, left_out: int = 0) -> Reading:
    """Return the reading of boxes that were found. score: the largest ratio. left_out: above limit and not among them.

    Boxes are clipped to the region. One that lies outside is not dropped but becomes the nearest pixel inside: what a
    model is sure of must not vanish because it puts it beside the picture.
    """
    output, limits = reader.output, reader.limits
    ordered = sorted(candidates, key=lambda one: one.score / limits[one.kind], reverse=True)
    heat = np.zeros((output.rows, output.columns), np.float32)
    spots: list[Spot] = []
    for one in ordered:
        limit = float(limits[one.kind])
        if len(spots) == MOST_SPOTS:
            left_out += one.score > limit
            continue
        x0, y0, x1, y1 = one.corners
        rows = _span(y0 / reader.height, y1 / reader.height, output.rows)
        columns = _span(x0 / reader.width, x1 / reader.width, output.columns)
        np.maximum(heat[rows, columns], np.float32(one.score / limit), out=heat[rows, columns])
        spots.append(Spot(output.classes[one.kind], placed(one.corners, reader), one.score, limit))
    return Reading(score, heat, tuple(spots), said_left_out(left_out))


def placed(corners: tuple[float, float, float, float], reader: Reader) -> Box:
    """Return corners in input pixels as a box of the picture, clipped to the region and at least one pixel."""
    x0, y0, x1, y1 = corners
    across = _span(x0 / reader.width, x1 / reader.width, reader.region.w)
    down = _span(y0 / reader.height, y1 / reader.height, reader.region.h)
    x, y = reader.region.x + across.start, reader.region.y + down.start
    return Box(x, y, across.stop - across.start, down.stop - down.start)


def said_left_out(count: int) -> tuple[Measure, ...]:
    """How many places above their limit are not listed; nothing where all are."""
    return (Measure(LEFT_OUT, float(count), "count"),) if count else ()


def _span(low: float, high: float, cells: int) -> slice:
    """The cells that low..high (shares of the whole) touches, clipped, at least one."""
    low, high = min(low, high), max(low, high)
    # A hair inside, so that an edge right between two cells touches one of them only.
    first = int(np.clip(np.floor(low * cells + 1e-6), 0, cells - 1))
    last = int(np.clip(np.ceil(high * cells - 1e-6), first + 1, cells))
    return slice(first, last)
