"""Pictures for the screen: encoded once for all viewers, and the heat map as a small picture of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..bus.part import HeatMap
from ..imaging.picture import Picture

JPEG_QUALITY = 80
OVERLAY_PX = 200
"""Longest edge of the heat map's picture; the browser smooths it up to the picture's size."""
THUMB_PX = (240, 160)
"""Width and height a thumbnail fits into."""


@dataclass(frozen=True, slots=True)
class ShownView:
    """One camera's picture as it is sent to browsers."""

    jpeg: bytes
    overlay: bytes | None
    """PNG, RGBA, of the same shape; None: nothing to lay over."""
    width: int
    """Of the picture as it was judged, px; the JPEG may be smaller."""
    height: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The pictures of one part as they are sent to browsers."""

    frame: int
    """The screen's own number of it, rising; restarts with the process."""
    part: int
    at_ns: int
    """When the part was exposed, for its age."""
    camera: str
    """Of the view that is shown first."""
    views: Mapping[str, ShownView]
    """By camera; that one is always among them."""

    @property
    def main(self) -> ShownView:
        """The view that is shown first."""
        return self.views[self.camera]


def kept_picture(path: Path) -> Picture | None:
    """Decode a kept picture to RGB or grey; None: it is gone or does not decode."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    decoded = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
    if decoded is None:
        return None
    if decoded.ndim == 3:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return np.asarray(decoded, dtype=np.uint8)


def to_jpeg(picture: Picture, longest_px: int, quality: int = JPEG_QUALITY) -> bytes:
    """Encode HxW grey or HxWx3 RGB, made smaller so that no edge is longer than longest_px."""
    height, width = picture.shape[:2]
    scale = longest_px / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # INTER_AREA is the better picture at five times the time; defects are looked at in the full one.
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    return _encode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])


def to_thumb(picture: Picture) -> bytes:
    """Encode a JPEG that fits THUMB_PX."""
    height, width = picture.shape[:2]
    scale = min(THUMB_PX[0] / width, THUMB_PX[1] / height, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return _encode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def to_overlay(maps: tuple[HeatMap, ...], width: int, height: int) -> bytes | None:
    """Encode all heat maps of a part as one RGBA PNG of the shape of its picture. None: there are none.

    width, height: of the picture in sensor pixels. Half the threshold and below is clear, the threshold itself is
    clearly amber, and it is red from there to twice the threshold.
    """
    if not maps or width < 1 or height < 1:
        return None
    scale = min(1.0, OVERLAY_PX / max(width, height))
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    levels = np.zeros((rows, columns), np.uint8)
    for heat in maps:
        if not heat.levels:
            continue
        left, top = round(heat.x * scale), round(heat.y * scale)
        right = min(columns, max(left + 1, round((heat.x + heat.w) * scale)))
        bottom = min(rows, max(top + 1, round((heat.y + heat.h) * scale)))
        if left >= right or top >= bottom or left < 0 or top < 0:
            continue
        own = np.frombuffer(heat.levels, np.uint8).reshape(heat.rows, heat.columns)
        fitted = cv2.resize(own, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        part = levels[top:bottom, left:right]
        np.maximum(part, np.asarray(fitted, dtype=np.uint8), out=part)
    return _encode(".png", _COLOURS[levels], [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _colours() -> Picture:
    """256 x BGRA: clear below half the limit, amber up to it, red above."""
    level = np.arange(256, dtype=np.float64)
    warm = np.clip((level - 100) / 60, 0, 1)[:, None]
    amber, red = np.array([0, 159, 230.0]), np.array([20, 20, 220.0])
    alpha = np.interp(level, [0, 64, 128, 200, 255], [0, 0, 110, 175, 190])
    table = np.concatenate([amber + warm * (red - amber), alpha[:, None]], axis=1)
    return np.asarray(np.rint(table), dtype=np.uint8)


_COLOURS = _colours()


def _encode(kind: str, picture: Picture, options: list[int]) -> bytes:
    """Encode; cv2 wants blue first where there is colour."""
    if picture.ndim == 3 and picture.shape[2] == 3:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), dtype=np.uint8)
    made, data = cv2.imencode(kind, picture, options)
    if not made:
        raise ValueError(f"picture of shape {picture.shape} does not encode as {kind}")
    return data.tobytes()
