"""Pictures on disk: encoded, synced, renamed, and only then named by a row.

A file under its final name is whole: `.tmp` -> fsync -> rename -> fsync folder. Folders are `pictures/YYYY/MM/DD/HH`,
and a new folder is synced in its parent, or a power cut takes it with everything inside.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ..bus.messages import FrameReady
from ..imaging.picture import Picture
from .durable import make_folder, sync_folder, write_synced
from .rows import Kept

PICTURES = "pictures"
_ENDINGS = {"png": ".png", "jpeg": ".jpg"}

Format = Literal["png", "jpeg"]


def picture_path(frame: FrameReady, kind: Format) -> str:
    """Where the picture of that frame lies, relative to the store: the same again after a restart of records."""
    day, _, clock = frame.taken_at.partition("T")
    name = f"{frame.part}-{frame.triggered_at_ns}-{frame.camera}{_ENDINGS[kind]}"
    return "/".join((PICTURES, *day.split("-"), clock[:2], name))


def encode(picture: Picture, kind: Format, quality: int) -> bytes:
    """Encode uint8 HxW (grey) or HxWx3 (RGB). quality: 0..100, JPEG only; PNG takes OpenCV's default level.

    ValueError: OpenCV cannot encode it.
    """
    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality] if kind == "jpeg" else []
    try:
        done, data = cv2.imencode(_ENDINGS[kind], pixels, parameters)
    except cv2.error as error:
        raise ValueError(f"picture of shape {picture.shape} does not encode: {error}") from error
    if not done:
        raise ValueError(f"picture of shape {picture.shape} does not encode")
    return data.tobytes()


class PictureShelf:
    """Writes picture files under one store. One thread."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._unsynced: set[Path] = set()

    def put(self, path: str, data: bytes, width: int = 0, height: int = 0) -> Kept:
        """Write one file whole; durable after `settle`. OSError: disk full or failing, nothing is left behind.

        width, height: of the picture, for its row.
        """
        final = self._store / path
        make_folder(final.parent)
        waiting = final.with_name(final.name + ".tmp")
        try:
            write_synced(waiting, data)
            waiting.rename(final)
        except OSError:
            with contextlib.suppress(OSError):
                waiting.unlink()
            raise
        self._unsynced.add(final.parent)
        return Kept(path, hashlib.sha256(data).hexdigest(), width, height)

    def settle(self) -> None:
        """Sync the folders of what was put since the last call. OSError: what was put may be gone after a cut."""
        while self._unsynced:
            folder = next(iter(self._unsynced))
            sync_folder(folder)
            self._unsynced.discard(folder)

    def drop(self, path: str) -> None:
        """Remove a file that no row will name. Never raises."""
        with contextlib.suppress(OSError):
            (self._store / path).unlink()


def adopt(store: Path, frame: FrameReady) -> Kept | None:
    """The picture of that frame if an earlier run of records already put it on disk, else None.

    Its last sync may have died with that run, so file and folder are synced again before a row may name it.
    """
    for kind in ("png", "jpeg"):
        path = picture_path(frame, "png" if kind == "png" else "jpeg")
        file = store / path
        try:
            with file.open("rb") as handle:
                data = handle.read()
                os.fsync(handle.fileno())
            sync_folder(file.parent)
        except OSError:
            continue
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        if decoded is not None:
            height, width = decoded.shape[:2]
            return Kept(path, hashlib.sha256(data).hexdigest(), width, height)
    return None
