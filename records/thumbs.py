"""The small picture that stays of a reject when its picture is given up: `1-2-top.png` leaves `1-2-top.thumb.jpg`."""

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from .durable import sync_folder, write_synced
from .rows import thumb_path

SIZE_PX = (240, 160)
"""Width and height it fits into."""
QUALITY = 80


def make_thumb(store: Path, picture: str) -> int | None:
    """Make it, durable; its bytes. None: the picture does not decode, or the disk takes nothing."""
    file = store / thumb_path(picture)
    waiting = file.with_name(file.name + ".tmp")
    try:
        data = np.frombuffer((store / picture).read_bytes(), np.uint8)
        small = _small(data)
        if small is None:
            return None
        write_synced(waiting, small)
        waiting.rename(file)
        sync_folder(file.parent)
    except OSError:
        with suppress(OSError):
            waiting.unlink()
        return None
    return len(small)


def _small(data: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> bytes | None:
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
        if picture is None:
            return None
        height, width = picture.shape[:2]
        scale = min(SIZE_PX[0] / width, SIZE_PX[1] / height, 1.0)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        made, small = cv2.imencode(
            ".jpg", cv2.resize(picture, size, interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
    except cv2.error:
        return None
    return small.tobytes() if made else None


def size_of(file: Path) -> int:
    """Its bytes; 0: it is not there."""
    try:
        return file.stat().st_size
    except OSError:
        return 0
