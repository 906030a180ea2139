"""How alike two pictures are once shift, scale, turn and light are taken out: coarse for all pairs, fine for a few.

All parts of a line look alike, so looking alike proves nothing. What does is that a picture differs from its double by
what encoding, resizing or cropping leaves, and from every other part by many times that.

Coarse: tangent distance (Simard, LeCun, Denker 1993: Efficient pattern recognition using a new transformation
distance), affine, with gain and offset; one matrix product for a block of pairs. Fine: Gauss-Newton on the six numbers
of an affine warp with gain and offset (Lucas and Kanade 1981, Baker and Matthews 2004).
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ...models import pictures

COARSE, FINE = 32, 64
"""Sides of the two thumbnails, pixels."""
_COARSE_BLUR, _FINE_BLUR = 1.6, 1.0
_TANGENTS = 8
_STEPS = 6
_FURTHEST = 0.12
"""How far a double may be shifted, cropped or turned, as a share of the side."""
_GAIN = 2.0
_RIM = 4
GRAIN = 192
"""Side of the picture that fine detail is compared on."""
_GRAIN_BLUR = 2.0
_LEAST_FLAT = 400
_LEAST_GRAIN = 0.05
"""Grey levels; less is what rounding leaves."""
Floats = npt.NDArray[np.float32]

TURNS: dict[str, Callable[[Floats], Floats]] = {
    "as it is": lambda one: one,
    "mirrored": lambda one: one[..., :, ::-1],
    "upside down": lambda one: one[..., ::-1, :],
    "turned by 180": lambda one: one[..., ::-1, ::-1],
    "turned by 90": lambda one: np.swapaxes(one, -1, -2)[..., ::-1, :],
    "turned by 270": lambda one: np.swapaxes(one, -1, -2)[..., :, ::-1],
    "transposed": lambda one: np.swapaxes(one, -1, -2),
    "transposed back": lambda one: np.swapaxes(one, -1, -2)[..., ::-1, ::-1],
}
"""The eight ways a square lies on itself."""


@dataclass(frozen=True, slots=True)
class Match:
    """How one picture lies on another."""

    rms: float
    """What is left of the difference, grey levels (root of the mean square) at 64 x 64."""
    most: float
    """The largest of it anywhere, averaged over 3 x 3, grey levels."""
    gain: float
    """Contrast of the first over that of the second."""
    moved: float
    """How far the furthest point moved, share of the side."""
    warp: tuple[tuple[float, float, float], tuple[float, float, float]] = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    """For x and for y: shift, then what the far edges across and down move more; shares of the side."""


NO_MATCH = Match(np.inf, np.inf, 1.0, np.inf)


def thumbnails(picture: pictures.Picture) -> tuple[Floats, Floats]:
    """Return the coarse and the fine thumbnail, float32 `(32, 32)` and `(64, 64)`, grey levels.

    Blurred before they are made small, so that a pixel more or less of the original changes nothing.
    """
    grey = pictures.with_channels(picture, 1)
    return _small(grey, COARSE, _COARSE_BLUR), _small(grey, FINE, _FINE_BLUR)


def tangents(coarse: Floats) -> Floats:
    """Return an orthonormal base of what light and an affine motion can make of it, `(8, pixels)`."""
    side = coarse.shape[0]
    down, across = (np.mgrid[0:side, 0:side].astype(np.float32) - (side - 1) / 2) / side
    right = cv2.Sobel(coarse, cv2.CV_32F, 1, 0, ksize=1)
    below = cv2.Sobel(coarse, cv2.CV_32F, 0, 1, ksize=1)
    ways = [np.ones_like(coarse), coarse, right, below, across * right, down * right, across * below, down * below]
    # The rim is what a crop changes most.
    rows = np.stack([_inner(way) for way in ways]).reshape(_TANGENTS, -1)
    base, _ = np.linalg.qr(rows.T.astype(np.float64))
    return np.asarray(base.T, np.float32)


def unlikeness(bases: Floats, coarse: Floats) -> Floats:
    """Return how far pictures are from the tangent spaces of others, `(bases, pictures)`: 0 alike, 1 nothing common.

    bases: `(n, 8, pixels)` of `tangents`. coarse: `(m, 32, 32)`. It is the share of contrast the base does not explain.
    """
    flat = np.ascontiguousarray(_inner(coarse)).reshape(len(coarse), -1)
    flat = flat - flat.mean(1, keepdims=True)
    whole = np.maximum((flat * flat).sum(1), 1e-6)
    seen = (bases.reshape(-1, bases.shape[2]) @ flat.T).reshape(len(bases), _TANGENTS, -1)
    return np.asarray(np.sqrt(np.clip(1.0 - (seen * seen).sum(1) / whole, 0.0, 1.0)), np.float32)


def matched(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Match:
    """Lay a picture's thumbnails over another's as well as an affine warp, gain and offset can: coarse, then fine."""
    warp, _, _ = _laid(one[0], other[0], np.zeros((2, 3)))
    warp, moved, gain = _laid(one[1], other[1], warp * (FINE / COARSE))
    reach = float(np.max(np.abs(warp[:, 0]) + (np.abs(warp[:, 1]) + np.abs(warp[:, 2])) / 2)) / FINE
    if moved is None or reach > _FURTHEST or not 1 / _GAIN < gain < _GAIN:
        return NO_MATCH
    seen = np.isfinite(moved)
    left = np.where(seen, one[1] - moved, 0.0)
    most = float(np.abs(cv2.blur(left, (3, 3))).max())
    share = (warp / FINE).tolist()
    rows = (share[0][0], share[0][1], share[0][2]), (share[1][0], share[1][1], share[1][2])
    return Match(float(np.sqrt(np.square(left[seen]).mean())), most, gain, reach, rows)


def grain_picture(picture: pictures.Picture) -> Floats:
    """Return the picture at 192 x 192, float32, not blurred: what is fine on it is still there."""
    grey = pictures.with_channels(picture, 1)
    how = cv2.INTER_AREA if min(grey.shape) > GRAIN else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (GRAIN, GRAIN), interpolation=how), np.float32)


def shared_grain(one: Floats, other: Floats, match: Match) -> float | None:
    """Correlate the fine detail of two pictures that `match` lays on each other, away from the edges all parts share.

    Grain, brushing and noise are of one picture or one part alone. -1..1, about 0 for different parts; None: there is
    none, as on binary or drawn pictures.
    """
    y, x = np.mgrid[0:GRAIN, 0:GRAIN].astype(np.float32)
    ways = np.stack([np.full_like(x, GRAIN), x - (GRAIN - 1) / 2, y - (GRAIN - 1) / 2])
    to_x, to_y = (
        at + np.tensordot(np.array(row), ways, 1).astype(np.float32) for at, row in zip((x, y), match.warp, strict=True)
    )
    laid = cv2.remap(other, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = np.asarray(laid, np.float32)
    seen = (to_x >= 4) & (to_x <= GRAIN - 5) & (to_y >= 4) & (to_y <= GRAIN - 5)
    form = cv2.GaussianBlur(one, (0, 0), 2 * _GRAIN_BLUR)
    steep = np.hypot(cv2.Sobel(form, cv2.CV_32F, 1, 0), cv2.Sobel(form, cv2.CV_32F, 0, 1))
    steep = cv2.dilate(steep, np.ones((7, 7), np.uint8))
    flat = seen & (steep <= np.median(steep[seen]))
    flat[:4] = flat[-4:] = False
    flat[:, :4] = flat[:, -4:] = False
    fine = [_fine(each)[flat] for each in (one, moved)]
    if np.count_nonzero(flat) < _LEAST_FLAT or min(float(part.std()) for part in fine) < _LEAST_GRAIN:
        return None
    # Equal weight for all places: each is brought to its own strength, so that one scratch does not speak for all.
    return float(np.corrcoef(np.tanh(fine[0] / fine[0].std()), np.tanh(fine[1] / fine[1].std()))[0, 1])


def _fine(picture: Floats) -> Floats:
    """What is finer than the form, and coarser than what encoding takes away."""
    near = cv2.GaussianBlur(picture, (0, 0), 0.7)
    return np.asarray(near - cv2.GaussianBlur(picture, (0, 0), _GRAIN_BLUR), np.float32)


def _laid(
    one: Floats, other: Floats, warp: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], Floats | None, float]:
    """Refine a warp (rows x and y: shift in pixels, then pixels from edge to edge across and down).

    Returns it, the other picture in the first one's place and light, and the gain. That picture is NaN where the other
    does not reach; None: too little of it does.
    """
    side = one.shape[0]
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    ways = np.stack([np.ones_like(x), (x - (side - 1) / 2) / side, (y - (side - 1) / 2) / side])
    inside = np.zeros((side, side), bool)
    inside[_RIM:-_RIM, _RIM:-_RIM] = True
    for step in range(_STEPS + 1):
        to_x, to_y = (
            at + np.tensordot(part, ways, 1).astype(np.float32) for at, part in zip((x, y), warp, strict=True)
        )
        moved = cv2.remap(other, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        # The other picture's own rim is blurred with what lies outside of it.
        seen = inside & (to_x >= 2) & (to_x <= side - 3) & (to_y >= 2) & (to_y <= side - 3)
        if np.count_nonzero(seen) < side * side // 3:
            return warp, None, 0.0
        gain, offset = _line(moved[seen], one[seen])
        laid = np.where(seen, gain * moved + offset, np.nan).astype(np.float32)
        if step == _STEPS or gain <= 0.0:
            break
        right = cv2.Sobel(moved, cv2.CV_32F, 1, 0, ksize=1)[seen] * (0.5 * gain)
        below = cv2.Sobel(moved, cv2.CV_32F, 0, 1, ksize=1)[seen] * (0.5 * gain)
        slopes = np.concatenate([right * ways[:, seen], below * ways[:, seen], moved[seen][None], ways[:1, seen]])
        normal = (slopes @ slopes.T).astype(np.float64)
        normal[np.diag_indices(8)] += 1e-6 * np.trace(normal) / 8 + 1e-9
        moves = np.linalg.solve(normal, (slopes @ (one - laid)[seen]).astype(np.float64))[:6].reshape(2, 3)
        warp = warp + np.clip(moves, -2.0, 2.0)
        if np.abs(moves).max() < 0.02:
            break
    return warp, laid, gain


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Gain and offset that bring x to y."""
    spread = float(x.var())
    gain = float(((x - x.mean()) * (y - y.mean())).mean()) / spread if spread > 1e-6 else 0.0
    return gain, float(y.mean()) - gain * float(x.mean())


def _small(grey: npt.NDArray[np.uint8], side: int, blur: float) -> Floats:
    double = 2 * side
    how = cv2.INTER_AREA if min(grey.shape) > double else cv2.INTER_LINEAR
    larger = cv2.GaussianBlur(
        cv2.resize(grey, (double, double), interpolation=how).astype(np.float32), (0, 0), 2 * blur
    )
    return np.asarray(cv2.resize(larger, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _inner(coarse: Floats) -> Floats:
    return coarse[..., _RIM:-_RIM, _RIM:-_RIM]
