"""Golden pictures of a taught bundle: goods from the most to the least usual, and some of them spoilt on purpose.

The spoilt ones stand above the threshold by far, so a device that gives every part the same score is found out.
"""

import json

import cv2
import numpy as np
import numpy.typing as npt

from ..models.pictures import Picture, encode_png

GOODS = 8
SPOILT = 4


def choose(cuts: npt.NDArray[np.uint8], held_out: npt.NDArray[np.float64]) -> dict[str, Picture]:
    """Return named pictures for the golden set.

    cuts: uint8 `(goods, size, size, channels)`. held_out: their scores, by which goods are spread over the range.
    """
    order = np.argsort(held_out, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, GOODS).round().astype(int))
    chosen = {f"good-{number}.png": _picture(cuts[order[place]]) for number, place in enumerate(places)}
    for number in range(SPOILT):
        middle = order[(len(order) * (number + 1)) // (SPOILT + 1)]
        chosen[f"spoilt-{number}.png"] = _spoil(_picture(cuts[middle]), number)
    return chosen


def expected(scores: dict[str, float], threshold: float, tolerance: float) -> bytes:
    """Return `expected.json`: what each picture must score."""
    listed = {name: {"score": score, "ok": score <= threshold} for name, score in scores.items()}
    return json.dumps({"tolerance": tolerance, "pictures": listed}, indent=2, sort_keys=True).encode()


def files(chosen: dict[str, Picture]) -> dict[str, bytes]:
    """Return the pictures as files of the bundle."""
    return {f"golden/{name}": encode_png(picture) for name, picture in chosen.items()}


def _picture(cut: npt.NDArray[np.uint8]) -> Picture:
    return cut[..., 0] if cut.shape[2] == 1 else cut


def _spoil(picture: Picture, number: int) -> Picture:
    """Draw one mark on a copy: a scratch or a spot, bright or dark, at a place of its own."""
    spoilt = np.ascontiguousarray(picture).copy()
    size = spoilt.shape[0]
    x, y = size * (1 + number) // (SPOILT + 1), size * (2 + 3 * number % SPOILT) // (SPOILT + 2)
    level = 255 if picture[y, x].mean() < 128 else 0
    tint = (level,) * 3
    if number % 2:
        cv2.circle(spoilt, (x, y), max(2, size // 16), tint, -1, cv2.LINE_AA)
    else:
        reach = size // 6
        cv2.line(spoilt, (x - reach, y - reach), (x + reach, y + reach), tint, max(1, size // 64), cv2.LINE_AA)
    return spoilt
