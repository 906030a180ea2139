"""From the bytes of a slot to a picture: the one conversion for judging, keeping, showing and teaching."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..bus.errors import BadPicture
from ..bus.messages import FrameReady
from ..bus.ring import RingShelf
from ..imaging.picture import Picture


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of one part, taken out of the ring."""

    part: int
    """Part number; 0: free run, nobody's part."""
    camera: str
    number: int
    """The camera's frame number inside the epoch."""
    epoch: int
    exposed_at_ns: int
    """Start of exposure on the host's monotonic clock."""
    device_ns: int | None
    taken_at: str
    """UTC, for people."""
    picture: Picture
    """The pixels, an array of its own."""


def to_picture(pixels: memoryview | bytes, width: int, height: int, pixel_format: str) -> Picture:
    """Return the picture as an array of its own: height x width for Mono8, height x width x 3 RGB otherwise.

    pixels: width x height (x 3 for RGB8) bytes, row by row without padding. pixel_format: Mono8, BayerRG8 or RGB8.
    Raises BadPicture where the format is another, or the bytes are too few.
    """
    depth = {"Mono8": 1, "BayerRG8": 1, "RGB8": 3}.get(pixel_format)
    if depth is None:
        raise BadPicture(f"pixel format {pixel_format}: expected Mono8, BayerRG8 or RGB8")
    size = width * height * depth
    if width < 1 or height < 1 or len(pixels) < size:
        raise BadPicture(f"picture of {width}x{height} {pixel_format}: expected {size} bytes, got {len(pixels)}")
    flat = np.frombuffer(pixels, np.uint8, size)
    if pixel_format == "RGB8":
        return flat.reshape(height, width, 3).copy()
    grey = flat.reshape(height, width)
    if pixel_format == "Mono8":
        return grey.copy()
    if width < 2 or height < 2:
        raise BadPicture(f"picture of {width}x{height} BayerRG8: expected 2x2 or more")
    # OpenCV names a Bayer pattern by its second row and column; RGGB is the sensor's, as in BayerRG8.
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_BayerRGGB2RGB), np.uint8)


def read_picture(shelf: RingShelf, ready: FrameReady) -> Picture | None:
    """Return the picture FrameReady speaks of, or None when it is gone (overwritten, or the camera restarted).

    Raises BadPicture where the announced size and format do not fit together.
    """
    reader = shelf.reader(ready.camera, ready.ring)
    view = reader.view(ready.slot, ready.sequence, ready.size_bytes) if reader else None
    if reader is None or view is None:
        return None
    with view:
        picture = to_picture(view, ready.width, ready.height, ready.pixel_format)
    return picture if reader.still(ready.slot, ready.sequence) else None


def read_frame(shelf: RingShelf, ready: FrameReady) -> Frame | None:
    """As `read_picture`, with what is known of the picture."""
    picture = read_picture(shelf, ready)
    if picture is None:
        return None
    return Frame(
        part=ready.part,
        camera=ready.camera,
        number=ready.number,
        epoch=ready.epoch,
        exposed_at_ns=ready.exposed_at_ns,
        device_ns=ready.device_ns,
        taken_at=ready.taken_at,
        picture=picture,
    )
