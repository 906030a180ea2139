"""Finding the part: where the golden picture's pattern lies in this one, to a fraction of a pixel, or that it does not.

Three ways to a first guess (`AlignOptions.method`), one way on from there: the pattern's patches are looked for each in
its neighbourhood and a rigid motion is laid through them; then the pattern is compared as a whole and cell by cell.
Only that comparison says found, so a wrong guess is told whatever made it.

Sources: normalised cross-correlation (Lewis 1995), here over a fan of turned patterns; ORB (Rublee 2011) with RANSAC;
ECC (Evangelidis 2008); all as OpenCV has them. Rigid motion from pairs of points: Umeyama 1991.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ..bus.errors import BadPicture, BadRecipe
from ..bus.part import Placement
from .align_options import AlignOptions
from .grey import grey_of
from .likeness import PATCH_PX, Grey, Plane, cells_of, correlation, patches_of, peak
from .picture import Picture
from .rigid import Found, Motion, fitted

_COARSE_PX = 96
"""Longer side of the pattern where the fan of turned patterns is tried, about."""
_FEWEST = 3
"""Patches that a motion is laid through at least."""
_ROUNDS = 12
"""Steps of the last alignment."""
_COMPARED_PX = 160
"""Longer side of the pattern where it is compared as a whole, about."""
_AGREES = 0.5
"""Likeness of a patch or a cell that counts as the same."""
_REPEATED = 0.85
"""Likeness of a second place in the golden picture itself from which the pattern is no mark."""
_TWIN = 0.97
"""A second place this near to the best one's likeness makes the finding doubtful."""


@dataclass(frozen=True, slots=True)
class _Turned:
    """The pattern, turned and shrunk."""

    degrees: float
    pattern: Grey


class Aligner:
    """Looks for one golden pattern. One thread at a time."""

    def __init__(self, golden: Picture, options: AlignOptions) -> None:
        """golden: a part in its place, as developed. BadRecipe: the box reaches out of it, or is plain."""
        grey = grey_of(golden)
        rows, columns = grey.shape
        x, y, w, h = options.box
        if w < 2 * PATCH_PX or h < 2 * PATCH_PX or x < 0 or y < 0 or x + w > columns or y + h > rows:
            raise BadRecipe(
                f"align.box = {list(options.box)}: expected to lie inside the golden picture of {columns}x{rows}, "
                f"{2 * PATCH_PX} px or more each way"
            )
        self._options, self._size = options, (columns, rows)
        self._pattern = np.ascontiguousarray(grey[y : y + h, x : x + w])
        self._centre = (x + (w - 1) / 2, y + (h - 1) / 2)
        self._patches = patches_of(self._pattern)
        if len(self._patches) < _FEWEST:
            raise BadRecipe(
                f"align.box = {list(options.box)}: expected a region with edges or a pattern in it, found it plain"
            )
        self._step = max(1.0, max(w, h) / _COMPARED_PX)
        still = Motion(0.0, 0.0, 0.0)
        self._sampled8 = still.cut(grey, options.box, self._step)
        self._sampled = self._sampled8.astype(np.float32)
        self._cells = cells_of(self._sampled)
        self._shrink = max(1.0, max(w, h) / _COARSE_PX)
        if self._repeats(grey):
            raise BadRecipe(
                f"align.box = {list(options.box)}: the pattern lies in the golden picture a second time within "
                f"search_px = {options.search_px}: expected one that is there once"
            )
        self._fan = self._turned_patterns(grey) if options.method == "template" else []
        self._orb = cv2.ORB_create(nfeatures=600, fastThreshold=8)  # type: ignore[attr-defined] # in both 4 and 5
        self._points, self._words = self._orb.detectAndCompute(self._pattern, None)

    def find(self, picture: Picture, camera: str) -> Found:
        """Return where the part lies. BadPicture: the picture is of another size than the golden one."""
        columns, rows = self._size
        if picture.shape[:2] != (rows, columns):
            raise BadPicture(f"picture of {picture.shape[1]}x{picture.shape[0]}: the golden one is of {columns}x{rows}")
        grey = grey_of(picture)
        guess = {"template": self._by_template, "features": self._by_features, "ecc": self._by_ecc}[
            self._options.method
        ](grey)
        if guess is None:
            return Found(Placement(camera, False, 0.0, 0.0, 0.0, 0.0), None)
        motion = guess
        for reach in (8, 3):
            motion = self._refined(grey, motion, reach)
        motion = self._settled(grey, motion)
        score = self._likeness(grey, motion)
        shift_x, shift_y = motion.shift_of(self._centre)
        inside = (
            max(abs(shift_x), abs(shift_y)) <= self._options.search_px + 0.5
            and abs(motion.degrees) <= self._options.angle_deg + 0.25
        )
        found = inside and score >= self._options.min_score
        if not found:
            return Found(Placement(camera, False, score, 0.0, 0.0, 0.0), None)
        return Found(Placement(camera, True, score, shift_x, shift_y, motion.degrees), motion)

    def _repeats(self, grey: Grey) -> bool:
        """A grid or a knurl looks the same a pitch further: nobody could say which one was found."""
        window, left, top = self._window(grey, 0)
        shrink = max(1.0, self._shrink / 2)
        x, y, w, h = self._options.box
        small = cv2.resize(window, (round(window.shape[1] / shrink), round(window.shape[0] / shrink)))
        pattern = cv2.resize(self._pattern, (round(w / shrink), round(h / shrink)))
        likeness = np.asarray(cv2.matchTemplate(small, pattern, cv2.TM_CCOEFF_NORMED), np.float32)
        at_x, at_y, reach = round((x - left) / shrink), round((y - top) / shrink), max(4, round(12 / shrink))
        likeness[max(at_y - reach, 0) : at_y + reach + 1, max(at_x - reach, 0) : at_x + reach + 1] = -1.0
        return bool(likeness.max() > _REPEATED)

    # ---- first guesses ----

    def _turned_patterns(self, grey: Grey) -> list[_Turned]:
        x, y, w, h = self._options.box
        size = (max(round(w / self._shrink), 8), max(round(h / self._shrink), 8))
        step = math.degrees(1.2 / (0.5 * math.hypot(*size)))
        count = max(1, math.ceil(self._options.angle_deg / step))
        fan = []
        for number in range(-count, count + 1) if self._options.angle_deg > 0 else [0]:
            degrees = number * self._options.angle_deg / count
            # The part turned counter-clockwise is what the golden picture turned the other way is cut from.
            turn = cv2.getRotationMatrix2D(self._centre, degrees, 1.0)
            turned = cv2.warpAffine(grey, turn, self._size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            small = cv2.resize(turned[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
            fan.append(_Turned(degrees, np.asarray(small, np.uint8)))
        return fan

    def _window(self, grey: Grey, margin: int) -> tuple[Grey, int, int]:
        """Where the pattern can lie, inside the picture, and the window's left and upper edge."""
        x, y, w, h = self._options.box
        reach = self._options.search_px + margin
        left, top, right, bottom = x - reach, y - reach, x + w + reach, y + h + reach
        columns, rows = self._size
        inner = grey[max(top, 0) : min(bottom, rows), max(left, 0) : min(right, columns)]
        return inner, max(left, 0), max(top, 0)

    def _by_template(self, grey: Grey) -> Motion | None:
        window, left, top = self._window(grey, 2)
        shrink = self._shrink
        size = (max(round(window.shape[1] / shrink), 8), max(round(window.shape[0] / shrink), 8))
        small = cv2.resize(window, size, interpolation=cv2.INTER_AREA)
        scale_x, scale_y = window.shape[1] / size[0], window.shape[0] / size[1]
        best: tuple[float, float, int, int, Plane] | None = None
        for turned in self._fan:
            rows, columns = turned.pattern.shape
            if rows > size[1] or columns > size[0]:
                continue
            likeness = np.asarray(cv2.matchTemplate(small, turned.pattern, cv2.TM_CCOEFF_NORMED), np.float32)
            _, most, _, (at_x, at_y) = cv2.minMaxLoc(likeness)
            if best is None or most > best[0]:
                best = (float(most), turned.degrees, int(at_x), int(at_y), likeness)
        if best is None or best[0] < 0.3 or self._has_twin(*best):
            return None
        _, degrees, at_x, at_y, _ = best
        x, y, _, _ = self._options.box
        return Motion.about(self._centre, degrees, left + at_x * scale_x - x, top + at_y * scale_y - y)

    def _has_twin(self, most: float, degrees: float, at_x: int, at_y: int, likeness: Plane) -> bool:
        """A second place as like as the best: a grid, a knurl. Nobody can say which one it is."""
        rest = likeness.copy()
        reach = max(4, _COARSE_PX // 8)
        rest[max(at_y - reach, 0) : at_y + reach + 1, max(at_x - reach, 0) : at_x + reach + 1] = -1.0
        return bool(rest.max() > _TWIN * most)

    def _by_features(self, grey: Grey) -> Motion | None:
        if self._words is None or len(self._points) < 8:
            return None
        window, left, top = self._window(grey, math.ceil(math.hypot(*self._pattern.shape) / 4))
        points, words = self._orb.detectAndCompute(np.ascontiguousarray(window), None)
        if words is None or len(points) < 8:
            return None
        pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(self._words, words, k=2)
        good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance]
        if len(good) < 6:
            return None
        x, y, _, _ = self._options.box
        here = np.array([self._points[each.queryIdx].pt for each in good]) + np.array([x, y])
        there = np.array([points[each.trainIdx].pt for each in good]) + np.array([left, top])
        matrix, kept = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=2.0)
        if matrix is None or int(kept.sum()) < 6 or not 0.95 < math.hypot(matrix[0, 0], matrix[1, 0]) < 1.05:
            return None
        inliers = kept.reshape(-1).astype(bool)
        return fitted(here[inliers], there[inliers])

    def _by_ecc(self, grey: Grey) -> Motion | None:
        window, left, top = self._window(grey, 0)
        shrink = max(1.0, self._shrink / 2)
        sizes = [(round(each.shape[1] / shrink), round(each.shape[0] / shrink)) for each in (self._pattern, window)]
        pattern, small = (
            cv2.resize(each, size, interpolation=cv2.INTER_AREA)
            for each, size in zip((self._pattern, window), sizes, strict=True)
        )
        x, y, _, _ = self._options.box
        warp = np.array([[1, 0, (x - left) / shrink], [0, 1, (y - top) / shrink]], np.float32)
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
        try:
            all_of_it = np.full(small.shape, 255, np.uint8)
            _, found = cv2.findTransformECC(pattern, small, warp, cv2.MOTION_EUCLIDEAN, stop, all_of_it, 5)
        except cv2.error:  # it does not converge: nothing like the pattern lies near
            return None
        warp = np.asarray(found, np.float32)
        degrees = math.degrees(math.atan2(-float(warp[1, 0]), float(warp[0, 0])))
        rows, columns = pattern.shape
        middle = np.array([(columns - 1) / 2, (rows - 1) / 2, 1.0])
        at_x, at_y = warp @ middle * shrink + (shrink - 1) / 2 + (left, top)
        return Motion.about(self._centre, degrees, float(at_x) - self._centre[0], float(at_y) - self._centre[1])

    # ---- from the guess on ----

    def _refined(self, grey: Grey, motion: Motion, reach: int) -> Motion:
        """Look for each patch within reach of where the motion puts it; lay a rigid motion through what was found."""
        x, y, _, _ = self._options.box
        side = PATCH_PX + 2 * reach
        here, there = [], []
        for left, top in self._patches:
            patch = self._pattern[top : top + PATCH_PX, left : left + PATCH_PX]
            around = motion.cut(grey, (x + left - reach, y + top - reach, side, side))
            likeness = np.asarray(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED), np.float32)
            _, most, _, (at_x, at_y) = cv2.minMaxLoc(likeness)
            if most >= _AGREES:
                middle = (x + left + (PATCH_PX - 1) / 2, y + top + (PATCH_PX - 1) / 2)
                here.append(middle)
                off_x, off_y = peak(likeness, int(at_x), int(at_y))
                there.append(motion.apply((middle[0] + off_x - reach, middle[1] + off_y - reach)))
        if len(here) < _FEWEST:
            return motion
        better = fitted(np.array(here), np.array(there))
        distance = np.hypot(*(np.array([better.apply(each) for each in here]) - there).T)
        kept = distance <= max(2.5 * float(np.median(distance)), 0.75)
        if _FEWEST <= int(kept.sum()) < len(here):
            better = fitted(np.array(here)[kept], np.array(there)[kept])
        return better

    def _settled(self, grey: Grey, motion: Motion) -> Motion:
        """The last fraction of a pixel, by the whole pattern: patches lean on what differs from part to part."""
        x, y, _, _ = self._options.box
        step = self._step
        seen = motion.cut(grey, self._options.box, step)
        warp = np.eye(2, 3, dtype=np.float32)
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ROUNDS, 1e-4)
        try:
            all_of_it = np.full(seen.shape, 255, np.uint8)
            _, found = cv2.findTransformECC(self._sampled8, seen, warp, cv2.MOTION_EUCLIDEAN, stop, all_of_it, 5)
        except cv2.error:  # it does not come nearer: what the patches said stands, and is compared
            return motion
        warp = np.asarray(found, np.float32)
        # A sample of the golden picture and where the seen one has it, both in px of the golden picture, then moved.
        rows, columns = self._sampled8.shape
        here = np.array([(0.0, 0.0), (columns - 1.0, 0.0), (0.0, rows - 1.0), (columns - 1.0, rows - 1.0)])
        there = here @ warp[:, :2].T + warp[:, 2]
        corner = np.array([x, y])
        return fitted(here * step + corner, np.array([motion.apply(each) for each in there * step + corner]))

    def _likeness(self, grey: Grey, motion: Motion) -> float:
        """0..1: of the whole pattern, and not above the share of its textured cells that agree."""
        seen = motion.cut(grey, self._options.box, self._step).astype(np.float32)
        whole = correlation(seen, self._sampled)
        agree = [
            correlation(seen[rows, columns], self._sampled[rows, columns]) >= _AGREES for rows, columns in self._cells
        ]
        return max(0.0, min(whole, sum(agree) / len(agree) if agree else whole, 1.0))
