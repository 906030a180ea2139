"""Pictures in a report: part, heat and the outline of the defect, as small JPEGs within a fixed number of bytes."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ...models.box import Box
from .page import Text, Words, html

SIDE_PX = 320
"""No side of a picture in a report is longer."""
GAP_PX = 4
MOST_PICTURES_BYTES = 3_500_000
"""All pictures of one report together, before base64; the whole file stays under 5 MB."""
QUALITIES = (85, 70, 50)
"""JPEG qualities tried until a picture fits its share."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Look:
    """One picture to show."""

    caption: Text
    """What it is, for example its file."""
    detail: Text
    """What it scored, and what was said of it."""
    alt: Words
    """For those who cannot see it."""
    picture: Pixels
    """uint8, grey [h, w] or RGB [h, w, 3]: the whole picture."""
    heat: npt.NDArray[np.float32] | None = None
    """f32[rows, cols] over `region`, in the unit of threshold; None: not shown."""
    region: Box | None = None
    """Part of the picture the heat is of; None: all of it."""
    threshold: float = 1.0
    """Half of it and below is clear, the threshold itself amber, twice it red: as on the operator's screen."""
    mask: npt.NDArray[np.bool_] | None = None
    """bool[h, w] of the picture: where people say the defect is; its outline is drawn."""
    paired: bool = False
    """True: the bare picture stands beside it, because heat hides what it marks."""


def gallery(looks: Sequence[Look], most_bytes: int = MOST_PICTURES_BYTES) -> str:
    """Return pictures in a grid. most_bytes: all JPEGs together; a picture that will not fit its share is left out."""
    shares = most_bytes // max(1, len(looks))
    shown = []
    for look in looks:
        jpeg = drawn(look, shares)
        image = (
            f'<img alt="{look.alt.both()}" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
            if jpeg
            else ""
        )
        shown.append(f"<figure>{image}<figcaption><b>{html(look.caption)}</b>{html(look.detail)}</figcaption></figure>")
    kind = "pictures pairs" if any(look.paired for look in looks) else "pictures"
    return f'<div class="{kind}">{"".join(shown)}</div>'


def drawn(look: Look, most_bytes: int) -> bytes:
    """Return the JPEG of a look, at most so many bytes; empty when it cannot be."""
    height, width = look.picture.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(look.picture, size, interpolation=cv2.INTER_AREA)
    colour = small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    canvas = colour.astype(np.float32)
    if look.heat is not None:
        _lay_heat(canvas, look, scale)
    outlined = _outlined(np.asarray(np.rint(canvas), np.uint8), look)
    if look.paired:
        beside = 0 if width > 1.15 * height else 1
        gap = np.full((GAP_PX, size[0], 3) if beside == 0 else (size[1], GAP_PX, 3), 255, np.uint8)
        outlined = np.concatenate([np.asarray(colour, np.uint8), gap, outlined], axis=beside)
    for quality in QUALITIES:
        done, data = cv2.imencode(
            ".jpg", cv2.cvtColor(outlined, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
        if done and data.size <= most_bytes:
            return data.tobytes()
    return b""


def _lay_heat(canvas: npt.NDArray[np.float32], look: Look, scale: float) -> None:
    assert look.heat is not None
    height, width = canvas.shape[:2]
    box = look.region or Box(0, 0, look.picture.shape[1], look.picture.shape[0])
    left, top = min(width - 1, round(box.x * scale)), min(height - 1, round(box.y * scale))
    right = min(width, max(left + 1, round((box.x + box.w) * scale)))
    bottom = min(height, max(top + 1, round((box.y + box.h) * scale)))
    unit = max(abs(look.threshold), 1e-6)
    beyond = np.clip((look.heat.astype(np.float64) - look.threshold) / unit, -1.0, 1.0)
    level = cv2.resize(128.0 * (1.0 + beyond), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    warm = np.clip((level - 100.0) / 60.0, 0.0, 1.0)[..., None]
    tint = np.array([230.0, 159.0, 0.0]) * (1.0 - warm) + np.array([220.0, 20.0, 20.0]) * warm
    alpha = np.interp(level, [0, 64, 128, 200, 255], [0.0, 0.0, 0.43, 0.62, 0.68])[..., None]
    part = canvas[top:bottom, left:right]
    part += (alpha * (tint - part)).astype(np.float32)


def _outlined(canvas: Pixels, look: Look) -> Pixels:
    """White within black, so that it is seen on any ground."""
    if look.mask is not None and look.mask.any():
        size = (canvas.shape[1], canvas.shape[0])
        share = cv2.resize(look.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        lines, _ = cv2.findContours((share > 0.25 * share.max()).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, lines, -1, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.drawContours(canvas, lines, -1, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas
