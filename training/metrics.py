"""How well a heat map finds the defect: per pixel and per region, counted as the pictures go by.

Counts are kept at a million fixed thresholds (24 MB), so a set of any size is one pass, and each count is exact at its
threshold. From one to the next it is a millionth of the bundle's threshold near it, and 0.004 % of the way far off.

Source of PRO: P. Bergmann, K. Batzner, M. Fauser, D. Sattlegger, C. Steger, The MVTec Anomaly Detection Dataset, IJCV
129 (2021) 1038: at a threshold, the share of each connected region (8 neighbours) that lies above it, averaged over
all regions of all pictures; AUPRO is its area over the share of defect-free pixels above the threshold, up to a limit
of that share and divided by it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from ..models.box import Box

BINS = 1 << 20
FINEST = 0.02
"""Distance from the threshold, as share of it, up to which the steps are even; they widen in proportion beyond."""
MOST_HEAT = 1e6
"""As the detector: more is unsound."""
CURVE_POINTS = 200
FPR_LIMITS = (0.3, 0.05)

Heat = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PixelFigures:
    """Figures of all pixels together. NaN where there was no defective, or no good, pixel."""

    auroc: float
    """Chance that a defective pixel is hotter than a good one, 0..1."""
    ap: float
    """Area under precision over recall, pixels, 0..1."""
    aupro: dict[float, float]
    """By limit of the share of good pixels above the threshold: 0..1."""
    regions: int
    """Connected defects that counted."""
    pictures: int
    pro_curve: tuple[tuple[float, float], ...]
    """(share of good pixels above, mean share of each defect above), rising, at most CURVE_POINTS."""


class PixelTally:
    """Adds up pictures."""

    def __init__(self, threshold: float) -> None:
        """Count around this threshold: there the steps are finest."""
        self._threshold = threshold
        self._unit = FINEST * max(abs(threshold), 1e-3)
        self._reach = math.asinh((MOST_HEAT + abs(threshold)) / self._unit)
        self._good = np.zeros(BINS, np.int64)
        self._bad = np.zeros(BINS, np.int64)
        self._overlap = np.zeros(BINS, np.float64)
        self._regions = 0
        self._pictures = 0

    def add(self, heat: Heat, mask: Mask | None) -> None:
        """Count one picture.

        heat: f32[h, w], brought to the pixels of the mask (`spread`). mask: bool[h, w], True on a defect; None: a good
        part, no pixel of it is defective. BadPicture: of another shape.
        """
        if mask is not None and mask.shape != heat.shape:
            raise BadPicture(f"mask of {mask.shape}: expected that of the heat, {heat.shape}")
        bins = self._bins(heat)
        self._pictures += 1
        if mask is None or not mask.any():
            self._good += np.bincount(bins.ravel(), minlength=BINS)
            return
        self._good += np.bincount(bins[~mask], minlength=BINS)
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        hot, owner = bins[mask], labels[mask]
        self._bad += np.bincount(hot, minlength=BINS)
        size = np.bincount(owner, minlength=count)
        self._overlap += np.bincount(hot, weights=1.0 / size[owner], minlength=BINS)
        self._regions += count - 1

    def figures(self) -> PixelFigures:
        """Return the figures of what was added so far."""
        used = np.flatnonzero((self._good > 0) | (self._bad > 0))[::-1]
        good, bad = self._good[used].cumsum(), self._bad[used].cumsum()
        goods, bads = (int(good[-1]), int(bad[-1])) if len(used) else (0, 0)
        if not goods or not bads:
            none = {limit: math.nan for limit in FPR_LIMITS}
            return PixelFigures(math.nan, math.nan, none, self._regions, self._pictures, ())
        fpr = np.concatenate([[0.0], good / goods])
        recall = np.concatenate([[0.0], bad / bads])
        pro = np.concatenate([[0.0], self._overlap[used].cumsum() / self._regions])
        precision = bad / (good + bad)
        return PixelFigures(
            auroc=_area(recall, fpr),
            ap=float((np.diff(recall) * precision).sum()),
            aupro={limit: area_up_to(fpr, pro, limit) for limit in FPR_LIMITS},
            regions=self._regions,
            pictures=self._pictures,
            pro_curve=_thinned(fpr, pro, max(FPR_LIMITS)),
        )

    def _bins(self, heat: Heat) -> npt.NDArray[np.int64]:
        """A million steps, even near the threshold, even in the logarithm far from it; they rise with the heat."""
        at = np.arcsinh((heat.astype(np.float64) - self._threshold) / self._unit)
        scaled = (at + self._reach) * (BINS / (2.0 * self._reach))
        return np.clip(scaled, 0, BINS - 1).astype(np.int64)


def area_up_to(fpr: npt.NDArray[np.float64], pro: npt.NDArray[np.float64], limit: float) -> float:
    """Return the area under a curve from 0 to limit, divided by limit; straight lines join its points."""
    inside = fpr <= limit
    at_limit = float(np.interp(limit, fpr, pro))
    x = np.concatenate([fpr[inside], [limit]])
    y = np.concatenate([pro[inside], [at_limit]])
    return _area(y, x) / limit


def _area(y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> float:
    """By trapezes; numpy's own function has another name in each of its two major versions."""
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2.0)


def spread(heat: Heat, width: int, height: int) -> Heat:
    """Return a heat map brought to so many pixels, bilinearly: what people are shown over the picture. f32[h, w]."""
    return np.asarray(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def cut_mask(mask: Mask, region: Box) -> Mask:
    """Return the part of a picture's mask that a region sees. BadPicture: the region is not inside it."""
    if not region.lies_in(mask.shape[1], mask.shape[0]):
        raise BadPicture(f"region {region} is not inside the mask of {mask.shape[1]}x{mask.shape[0]}")
    return mask[region.y : region.y + region.h, region.x : region.x + region.w]


def _thinned(
    fpr: npt.NDArray[np.float64], pro: npt.NDArray[np.float64], limit: float
) -> tuple[tuple[float, float], ...]:
    """Points for a drawing: dense at the left, where the curve bends."""
    wanted = limit * np.linspace(0.0, 1.0, CURVE_POINTS) ** 2
    shares = np.interp(wanted, fpr, pro)
    return tuple((round(float(x), 6), round(float(y), 6)) for x, y in zip(wanted, shares, strict=True))
