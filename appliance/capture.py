"""Pictures of good parts for teaching, taken by the line's own camera process: what is taught is what the line sees."""

import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..bus.channel import Publisher, Subscriber, camera_address, io_address
from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadPicture, CameraLost
from ..bus.messages import FrameLost, FrameReady
from ..bus.part import Trigger
from ..bus.ring import RingShelf
from ..camera.frame import read_picture

log = logging.getLogger(__name__)
TRIES = 3
"""Shots at one part before the camera is given up."""
WAIT_NS = 2 * SECOND


def capture(run_dir: Path, camera: str, out: Path, present: Callable[[], bool], progress: Callable[[int], None]) -> int:
    """Trigger one frame for each part that `present` lays before the camera; write them as PNG to out; return how many.

    present: put the next part in place; False when there is none left. The camera process must be running and io must
    not: this function speaks in io's place. CameraLost: no picture after three tries.
    """
    out.mkdir(parents=True, exist_ok=True)
    count = 0
    with (
        Publisher(io_address(run_dir)) as publisher,
        Subscriber([camera_address(run_dir, camera)], (FrameReady, FrameLost)) as frames,
    ):
        shelf = RingShelf(run_dir)
        part = 0
        try:
            while present():
                for _ in range(TRIES):
                    part += 1
                    if _shot(publisher, frames, shelf, part, out / f"{count:05d}.png"):
                        break
                else:
                    raise CameraLost(f"camera {camera}: no picture of good part {count} after {TRIES} triggers")
                count += 1
                progress(count)
        finally:
            shelf.close()
    return count


def _shot(publisher: Publisher, frames: Subscriber, shelf: RingShelf, part: int, file: Path) -> bool:
    at = now_ns()
    publisher.send(Trigger(part, "capture", at, None, at + WAIT_NS, "capture"))
    while (left_ms := (at + WAIT_NS - now_ns()) // 1_000_000) > 0:
        message = frames.receive(int(left_ms))
        if isinstance(message, FrameReady) and message.part == part:
            try:
                picture = read_picture(shelf, message)
            except BadPicture as error:
                log.warning("no picture of part %d: %s", part, error)
                return False
            if picture is None:
                return False
            if picture.ndim == 3:
                picture = np.ascontiguousarray(picture[:, :, ::-1])  # OpenCV's files are BGR
            return bool(cv2.imwrite(str(file), picture))
        if isinstance(message, FrameLost) and message.part == part:
            log.warning("no picture of part %d: %s", part, message.reason)
            return False
    return False
