"""A camera that replays pictures from a folder: for teaching tools and for looking at a recipe without a camera.

The pictures come in the order of their names, round and round, centre-cropped or filled up with black to the size of
the profile. Exposure and gain change nothing. It has no trigger line.
"""

import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadPicture, BadSettings, CameraLost
from ..imaging.picture import Picture
from .devclock import Latch
from .features import Feature, Value
from .profiles import Profile
from .source import CameraInfo, RawGrab, Source

SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
_WAITING = 64
"""Exposures that may wait to be grabbed; older ones are dropped, as a camera without free buffers would."""


def list_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder by name. BadSettings: no such folder, or no picture in it."""
    if not folder.is_dir():
        raise BadSettings(f"folder = {str(folder)!r}: no such folder")
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise BadSettings(f"folder = {str(folder)!r}: no pictures, expected {' '.join(SUFFIXES)}")
    return found


def load_picture(file: Path) -> Picture:
    """Read a picture, grey or RGB. BadPicture: it does not decode."""
    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise BadPicture(f"{file}: cannot be read: {error.strerror}") from error
    decoded = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
    if decoded is None:
        raise BadPicture(f"{file}: does not decode as a picture")
    picture = np.asarray(decoded, np.uint8)
    return picture if picture.ndim == 2 else np.ascontiguousarray(picture[:, :, ::-1])


def to_pixels(picture: Picture, profile: Profile) -> bytes:
    """What a sensor set to that profile would send of the picture: cropped or filled up around its centre."""
    colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    view = np.zeros((profile.height, profile.width, 3), np.uint8)
    rows, columns = colour.shape[:2]
    top = (profile.height - rows) // 2 - profile.offset_y
    left = (profile.width - columns) // 2 - profile.offset_x
    y0, y1 = max(top, 0), min(top + rows, profile.height)
    x0, x1 = max(left, 0), min(left + columns, profile.width)
    if y0 < y1 and x0 < x1:
        view[y0:y1, x0:x1] = colour[y0 - top : y1 - top, x0 - left : x1 - left]
    if profile.pixel_format == "RGB8":
        return view.tobytes()
    if profile.pixel_format == "Mono8":
        grey = view[:, :, 0] if picture.ndim == 2 else cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
        return grey.tobytes()
    bayer = view[:, :, 1].copy()
    bayer[0::2, 0::2] = view[0::2, 0::2, 0]
    bayer[1::2, 1::2] = view[1::2, 1::2, 2]
    return bayer.tobytes()


class FolderSource(Source):
    """A folder of pictures as a camera."""

    def __init__(self, folder: Path) -> None:
        """BadSettings: no such folder, or no picture in it."""
        super().__init__()
        self._folder = folder
        self._files = list_pictures(folder)
        self._profile: Profile | None = None
        self._opened = False
        self._next = self._number = self._dropped = 0
        self._exposed: deque[tuple[int, int]] = deque()
        """Exposures not yet grabbed: number, start."""
        self._due_ns = 0

    def discover(self) -> list[CameraInfo]:
        """One camera, named like the folder."""
        name = self._folder.name
        return [CameraInfo(name, "okng", "folder", name, "Custom", str(self._folder), not self._opened)]

    def open(self, serial: str) -> None:
        """Any serial is the folder. BadSettings: it is open already."""
        if self._opened:
            raise BadSettings(f"serial = {serial!r}: this source has a camera open already")
        self._opened = True

    def describe(self, name: str) -> Feature:
        """A folder can be set to nothing but a profile."""
        raise BadSettings(f"{name}: a folder of pictures has no such feature")

    def get(self, name: str) -> Value:
        """As describe."""
        raise BadSettings(f"{name}: a folder of pictures has no such feature")

    def set(self, name: str, value: Value) -> None:
        """As describe."""
        raise BadSettings(f"{name} = {value}: a folder of pictures has no such feature")

    def execute(self, name: str) -> None:
        """As describe."""
        raise BadSettings(f"{name}: a folder of pictures has no such feature")

    def _configure(self, profile: Profile) -> Profile:
        if not self._opened:
            raise CameraLost("no camera is open")
        if profile.trigger == "hardware":
            raise BadSettings("trigger = hardware: a folder of pictures has no trigger line, expected software or off")
        self._profile = profile
        return profile

    def _start(self, buffers: int) -> None:
        if self._profile is None:
            raise CameraLost("start: not configured")
        self._number = self._dropped = 0
        self._exposed.clear()
        self._due_ns = now_ns()

    def _stop(self) -> None:
        self._exposed.clear()

    def _trigger(self) -> None:
        self._expose(now_ns())

    def _expose(self, at_ns: int) -> None:
        self._number += 1
        self._exposed.append((self._number, at_ns))
        if len(self._exposed) > _WAITING:
            self._exposed.popleft()
            self._dropped += 1

    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None:
        profile = self._profile
        if profile is None:
            raise CameraLost("grab: not configured")
        until_ns = now_ns() + timeout_ns
        if profile.trigger == "off" and not self._exposed:
            self._due_ns = max(self._due_ns + round(SECOND / profile.frame_rate_hz), now_ns())
            self._expose(self._due_ns)
        ready_ns = self._exposed[0][1] + profile.exposure_ns if self._exposed else until_ns + 1
        time.sleep(max(min(ready_ns, until_ns) - now_ns(), 0) / SECOND)
        if ready_ns > until_ns:
            return None
        number, at_ns = self._exposed.popleft()
        file = self._files[self._next % len(self._files)]
        self._next += 1
        pixels = to_pixels(load_picture(file), profile)
        fits = len(pixels) <= len(into)
        if fits:
            into[: len(pixels)] = pixels
        return RawGrab(
            number=number,
            width=profile.width,
            height=profile.height,
            pixel_format=profile.pixel_format,
            size_bytes=len(pixels) if fits else 0,
            device_ns=at_ns,
            received_ns=now_ns(),
        )

    def _probe(self) -> None:
        if not self._folder.is_dir():
            raise CameraLost(f"{self._folder}: the folder is gone")

    def _latch(self) -> Latch:
        at_ns = now_ns()
        return Latch(at_ns, at_ns, at_ns)  # its stamps are the host's own

    def _underrun(self) -> int:
        return self._dropped

    def _close(self) -> None:
        self._opened = False
