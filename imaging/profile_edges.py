"""Edges of one grey-level profile, to a fraction of a pixel.

An edge is an extremum of the profile smoothed by a Gaussian and derived once (Canny 1986; the amplitude as Halcon's
measuring tools have it). Its place is first the vertex of a parabola through the logarithm of three values, which is
exact for a Gaussian-shaped peak. A pixel gathers light over its whole width, though, which pulls that place by up to
0.05 px towards the nearer pixel where the edge is sharp: so a step blurred by a Gaussian and gathered by pixels is then
laid through the grey levels about it (least squares, Gauss-Newton), which knows of that.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Profile = npt.NDArray[np.float64]
MOST_EDGES = 200
"""Of one profile, the strongest."""
_ROOT_2_PI = math.sqrt(2 * math.pi)
_ROUNDS = 8
_FURTHEST = 0.25
"""A fit that leaves the parabola's place by more of the peak's sigma has found something else."""
_SHARPEST_PX, _BLUNTEST_PX = 0.05, 20.0
_BLUNTEST = 4.0
"""Sigma of an edge's peak that is believed, over the Gaussian's own."""
_FEWEST = 6
"""Samples that four unknowns are told from."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One step of the grey level."""

    at_px: float
    """Along the profile; 0.0 is the middle of the first sample."""
    contrast: float
    """Grey levels; above 0: from dark to light. A step more blurred than sigma shows less than its height."""


def edges_of(profile: Profile, sigma_px: float, min_contrast: float) -> list[Edge]:
    """Return the edges in their order. profile: grey levels of 3 samples or more; beyond its ends it goes on level."""
    response = _derivative(profile, sigma_px) * (sigma_px * _ROOT_2_PI)
    size = np.abs(response)
    sign = np.sign(response)
    # A neighbour of the other sign is no rival, whatever its size.
    left = np.where(sign[:-2] == sign[1:-1], size[:-2], 0.0)
    right = np.where(sign[2:] == sign[1:-1], size[2:], 0.0)
    at = size[1:-1]
    found = np.flatnonzero((at > left) & (at >= right) & (at >= 0.8 * min_contrast)) + 1
    rough: list[tuple[Edge, float]] = []
    for index in found:
        shift, height, width_px = _vertex(float(left[index - 1]), float(at[index - 1]), float(right[index - 1]))
        if height >= min_contrast:
            # The derivative lies between the samples: its first value between 0 and 1.
            edge = Edge(float(index) - 0.5 + shift, float(sign[index]) * height)
            rough.append((edge, min(max(width_px, sigma_px), _BLUNTEST * sigma_px)))
    rough.sort(key=lambda found: -abs(found[0].contrast))
    return _refined(profile, sorted(rough[:MOST_EDGES], key=lambda found: found[0].at_px))


def strongest(profile: Profile, sigma_px: float) -> float:
    """The largest contrast of all that might be an edge, grey levels, 0 or more."""
    return float(np.abs(_derivative(profile, sigma_px)).max()) * sigma_px * _ROOT_2_PI


def _derivative(profile: Profile, sigma_px: float) -> Profile:
    """Differences of neighbours, smoothed, one more value (0) at each end; value i lies at sample i - 0.5."""
    reach = math.ceil(4 * sigma_px)
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    kernel = np.exp(-0.5 * (x / sigma_px) ** 2) / (sigma_px * _ROOT_2_PI)
    steps = np.pad(np.diff(profile), 1 + reach)
    return np.asarray(np.convolve(steps, kernel, mode="valid"), np.float64)


def _vertex(before: float, at: float, after: float) -> tuple[float, float, float]:
    """Place, from the middle one, height, and sigma of the peak through three values, the middle one the largest."""
    logarithmic = min(before, after) > 1e-3 * at
    a, b, c = (math.log(each) for each in (before, at, after)) if logarithmic else (before, at, after)
    bend = a - 2 * b + c
    if bend >= 0:
        return 0.0, at, 0.0
    shift = min(max(0.5 * (a - c) / bend, -0.5), 0.5)
    height = b - 0.25 * (a - c) * shift
    return (shift, math.exp(height), 1 / math.sqrt(-bend)) if logarithmic else (shift, height, 0.0)


def _refined(profile: Profile, rough: list[tuple[Edge, float]]) -> list[Edge]:
    """Each edge where a fitted step has it; where none can be fitted, where it was. rough: with sigma of its peak."""
    places = [-math.inf, *(edge.at_px for edge, _ in rough), math.inf]
    fine = []
    for (edge, width_px), last, following in zip(rough, places, places[2:], strict=False):
        reach = max(3.0, 2.5 * width_px)
        # Up to half way to the neighbours: beyond it their steps rule.
        first = max(edge.at_px - reach, (edge.at_px + last) / 2, 0.0)
        end = min(edge.at_px + reach, (edge.at_px + following) / 2, len(profile) - 1.0)
        samples = np.arange(math.ceil(first), math.floor(end) + 1)
        furthest = _FURTHEST * max(width_px, 1.0)
        at = _fitted(samples.astype(np.float64), profile[samples], edge.at_px, furthest)
        fine.append(edge if at is None else Edge(at, edge.contrast))
    return fine


def _fitted(x: Profile, y: Profile, start: float, furthest: float) -> float | None:
    """Place of a blurred step through y at x; None: it cannot be told, or lies further from the start."""
    if len(x) < _FEWEST:
        return None
    at, blur = start, 0.5
    low, height = float(y[0]), float(y[-1] - y[0])
    for _ in range(_ROUNDS):
        # A pixel's light is the step's integral over it: blur * (z * cdf(z) + pdf(z)) between its two borders.
        right, left = (x + 0.5 - at) / blur, (x - 0.5 - at) / blur
        cdf_right, cdf_left, pdf_right, pdf_left = _cdf(right), _cdf(left), _pdf(right), _pdf(left)
        share = blur * ((right * cdf_right + pdf_right) - (left * cdf_left + pdf_left))
        slopes = np.column_stack(
            [np.ones_like(x), share, -height * (cdf_right - cdf_left), height * (pdf_right - pdf_left)]
        )
        try:
            step, _, rank, _ = np.linalg.lstsq(slopes, y - low - height * share, rcond=1e-6)
        except np.linalg.LinAlgError:  # it ran away
            return None
        if rank < 3 or not np.isfinite(step).all():
            return None
        low, height, moved = low + float(step[0]), height + float(step[1]), float(step[2])
        at += min(max(moved, -furthest), furthest)
        blur = min(max(blur + min(max(float(step[3]), -0.5 * blur), blur), _SHARPEST_PX), _BLUNTEST_PX)
        if abs(at - start) > 2 * furthest:
            return None
        if abs(moved) < 1e-4:
            break
    return at if abs(at - start) <= furthest else None


def _cdf(z: Profile) -> Profile:
    return np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in z.tolist()])


def _pdf(z: Profile) -> Profile:
    return np.asarray(np.exp(-0.5 * np.square(z)) / _ROOT_2_PI, np.float64)
