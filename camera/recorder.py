"""Frames of any camera kept as a folder that `replay.py` plays again, bit for bit.

Each frame is a PNG of its raw samples beside `frames.csv` (columns: `sequence.py`). Samples of 10 and 12 bits stand in
the high bits of 16, so that any viewer shows them rightly; a frame of YUV 4:2:2 is a grey picture of twice its width.
What a format leaves unused (filling bits) is not kept.
"""

import csv
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from ..bus.errors import BadPicture, BadSettings, StoreLost
from ..imaging.formats import FORMATS
from ..imaging.unpack import unpack
from .sequence import COLUMNS, INDEX
from .source import Grab

_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


class Recorder:
    """Writes one recording. A row stands only once its picture does, so one that was cut off can be played."""

    def __init__(self, folder: Path) -> None:
        """folder: made here; where it is there already it must be empty (BadSettings). StoreLost: cannot be made."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise BadSettings(f"{folder}: not empty, expected a new folder for the recording")
            self._index = (folder / INDEX).open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise StoreLost(f"{folder}: cannot be written: {error.strerror}") from error
        self._folder = folder
        self._rows = csv.writer(self._index, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        self._first_ns: int | None = None
        self._at_ns = 0
        self.frames = 0
        """Written so far."""

    def add(self, grab: Grab, pixels: memoryview | bytes) -> None:
        """Write one frame before returning: what comes meanwhile waits in the driver's buffers, or is dropped there.

        pixels: as `grab` copied them. BadPicture: no picture, or a format nobody here unpacks. StoreLost: the disk.
        """
        fmt = FORMATS.get(grab.pixel_format)
        if fmt is None or grab.size_bytes == 0:
            raise BadPicture(f"frame {grab.number}, {grab.pixel_format}, {grab.size_bytes} bytes: cannot be recorded")
        samples = unpack(pixels[: grab.size_bytes], grab.width, grab.height, fmt)
        if fmt.colour in ("yuyv", "uyvy"):
            samples = samples.reshape(grab.height, 2 * grab.width)
        elif fmt.colour == "rgb":
            samples = samples[:, :, ::-1]
        elif fmt.depth_bits > 8:
            samples = samples << (16 - fmt.depth_bits)
        done, png = cv2.imencode(".png", np.ascontiguousarray(samples), _FAST)
        if not done:
            raise BadPicture(f"frame {grab.number} of {grab.width}x{grab.height}: does not become a PNG")
        first_ns = grab.exposed_at_ns if self._first_ns is None else self._first_ns
        at_ns = max(grab.exposed_at_ns - first_ns, self._at_ns)  # a clock that is learned anew may step back a little
        name = f"{self.frames:06d}.png"
        count = "" if grab.trigger_count is None else grab.trigger_count
        try:
            (self._folder / name).write_bytes(png.tobytes())
            self._rows.writerow((name, f"{at_ns / 1e6:.6f}", grab.pixel_format, count))
            self._index.flush()
        except OSError as error:
            raise StoreLost(f"{self._folder / name}: cannot be written: {error.strerror}") from error
        self._first_ns, self._at_ns = first_ns, at_ns
        self.frames += 1

    def close(self) -> None:
        """End the recording. A second call does nothing. StoreLost: its last row could not be written."""
        try:
            self._index.close()
        except OSError as error:
            raise StoreLost(f"{self._folder / INDEX}: cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
