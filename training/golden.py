"""Golden pictures of a taught bundle: goods from the most to the least usual, and some of them spoilt on purpose.

The spoilt ones stand above the threshold by far, so a device that gives every part the same score is found out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..models.bundle import SCORE_TOLERANCE
from ..models.manifest import EXPECTED
from ..models.pictures import Picture, encode_png
from ..models.runtime import Session
from .targets import Labelled

Cuts = npt.NDArray[np.uint8]

GOODS = 8
SPOILT = 4
DEFECTS = 6


@dataclass(frozen=True, slots=True)
class Pool:
    """What golden pictures are chosen from."""

    cuts: Cuts
    """Goods read now, uint8 `(goods, height, width, channels)`."""
    held_out: npt.NDArray[np.float64]
    """Their scores, by which they are spread over the range."""
    old: Mapping[str, Picture]
    """Golden goods of the bundle that is added to."""
    defects: Sequence[Labelled]
    """Labelled pictures read now."""


def choose(pool: Pool) -> dict[str, Picture]:
    """Return named pictures for the golden set: goods, goods spoilt, and where there are some real defects."""
    order = np.argsort(pool.held_out, kind="stable")
    bad = [_picture(each.cut) for each in pool.defects]
    # What was a good and is called a defect now stands for no good any more.
    old = [good for good in pool.old.values() if not any(np.array_equal(good, each) for each in bad)]
    fresh = GOODS - min(len(old), GOODS // 2)
    places = np.unique(np.linspace(0, max(0, len(order) - 1), fresh).round().astype(int))
    goods = [_picture(pool.cuts[order[place]]) for place in places if len(order)]
    goods += old[: GOODS - len(goods)]
    chosen = {f"good-{number}.png": picture for number, picture in enumerate(goods)}
    middle = [_picture(pool.cuts[order[(len(order) * (n + 1)) // (SPOILT + 1)]]) for n in range(SPOILT) if len(order)]
    for number, picture in enumerate(middle or goods[:SPOILT]):
        chosen[f"spoilt-{number}.png"] = _spoil(picture, number)
    # One of each class first, so that no class goes unproved where there are many of another.
    seen: dict[str, int] = {}
    for each in pool.defects:
        seen[each.name] = sum(other.kind == each.kind for other in pool.defects[: len(seen)])
    for number, each in enumerate(sorted(pool.defects, key=lambda one: seen[one.name])[:DEFECTS]):
        chosen[f"defect-{number}.png"] = _picture(each.cut)
    return chosen


def made(model: bytes, pool: Pool, threshold: float) -> dict[str, bytes]:
    """Return the golden set of a model as files of the bundle: pictures, and what they must score."""
    chosen = choose(pool)
    session = Session(model, "cpu", 1)
    scores = {
        name: float(session.run(["score"], {"picture": _input(picture)})[0][0]) for name, picture in chosen.items()
    }
    return {EXPECTED: expected(scores, threshold, SCORE_TOLERANCE), **files(chosen)}


def expected(scores: dict[str, float], threshold: float, tolerance: float) -> bytes:
    """Return `expected.json`: what each picture must score."""
    listed = {name: {"score": score, "ok": score <= threshold} for name, score in scores.items()}
    return json.dumps({"tolerance": tolerance, "pictures": listed}, indent=2, sort_keys=True).encode()


def files(chosen: dict[str, Picture]) -> dict[str, bytes]:
    """Return the pictures as files of the bundle."""
    return {f"golden/{name}": encode_png(picture) for name, picture in chosen.items()}


def _picture(cut: npt.NDArray[np.uint8]) -> Picture:
    return cut[..., 0] if cut.shape[2] == 1 else cut


def _input(picture: Picture) -> Cuts:
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture).reshape(1, height, width, -1)


def _spoil(picture: Picture, number: int) -> Picture:
    """Draw one mark on a copy: a scratch or a spot, bright or dark, at a place of its own."""
    spoilt = np.ascontiguousarray(picture).copy()
    height, width = spoilt.shape[:2]
    size = min(height, width)
    x, y = width * (1 + number) // (SPOILT + 1), height * (2 + 3 * number % SPOILT) // (SPOILT + 2)
    level = 255 if picture[y, x].mean() < 128 else 0
    tint = (level,) * 3
    if number % 2:
        cv2.circle(spoilt, (x, y), max(2, size // 16), tint, -1, cv2.LINE_AA)
    else:
        reach = size // 6
        cv2.line(spoilt, (x - reach, y - reach), (x + reach, y + reach), tint, max(1, size // 64), cv2.LINE_AA)
    return spoilt
