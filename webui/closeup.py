"""The close-up: one camera's newest picture in full, with its histogram and its sharpness, only while somebody looks.

The watcher's thread reads and encodes it; any thread may ask. Nothing is worked out while nobody has asked for 4 s.
"""

import threading
from dataclasses import dataclass

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadPicture
from ..bus.messages import FrameReady
from ..bus.ring import RingShelf
from ..imaging.focus import FocusMeter
from ..imaging.histogram import histogram_of
from ..imaging.picture import Box, Picture
from .easel import Read
from .pictures import to_jpeg

WATCHED_NS = 4 * SECOND
EVERY_NS = 150 * MS
"""Between two pictures at least: full ones cost time."""
QUALITY = 92


@dataclass(frozen=True, slots=True)
class Close:
    """One picture and what it is like."""

    number: int
    """Rises with each one, over restarts of this process too."""
    camera: str
    jpeg: bytes
    width: int
    height: int
    at_ns: int
    """When it was exposed."""
    part: int
    """0: free run."""
    channels: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and 64 counts of each channel, of the chosen place."""
    clipped: float
    """Share of pixels at full scale, of the channel that has most."""
    dark: float
    mean: float
    focus: float
    peak: float
    trend: str


class Closeup:
    """Holds the newest close picture of the camera that is looked at. One camera at a time: the one asked for last."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._changed = threading.Condition()
        self._camera, self._wanted_ns, self._reset = "", 0, False
        self._box: Box | None = None
        self._close: Close | None = None
        # The watcher's thread alone:
        self._newest: dict[str, FrameReady] = {}
        self._shown: FrameReady | None = None
        self._meter = FocusMeter()
        self._meter_of: tuple[str, Box | None] = ("", None)
        self._due_ns = 0
        self._number = now_ns() // MS

    # -- any thread -----------------------------------------------------------------------------------------------

    def look(self, camera: str, box: Box | None = None, *, reset: bool = False) -> None:
        """Somebody looks at a camera. box: where sharpness and levels are measured. reset: forget the peak."""
        with self._changed:
            self._camera, self._box, self._wanted_ns = camera, box, now_ns()
            self._reset |= reset

    def newer(self, camera: str, after: int, timeout_s: float) -> Close | None:
        """Wait for a close picture of the camera other than number `after`; None: none came."""
        with self._changed:
            self._changed.wait_for(lambda: self._fits(camera, after), timeout_s)
            return self._close if self._fits(camera, after) else None

    def _fits(self, camera: str, after: int) -> bool:
        return self._close is not None and self._close.camera == camera and self._close.number != after

    # -- the watcher's thread -------------------------------------------------------------------------------------

    def hear(self, ready: FrameReady) -> None:
        """A camera has a picture."""
        self._newest[ready.camera] = ready

    def serve(self, shelf: RingShelf, at_ns: int) -> None:
        """Make the newest picture ready if somebody looks."""
        with self._changed:
            camera, box, reset = self._camera, self._box, self._reset
            watched = self._wanted_ns > 0 and at_ns - self._wanted_ns < WATCHED_NS
            self._reset = False
        ready = self._newest.get(camera)
        if not watched or ready is None or (ready == self._shown and not reset) or at_ns < self._due_ns:
            return
        try:
            picture = self._read(shelf, ready)
        except BadPicture:
            picture = None
        self._shown = ready
        if picture is None:
            return
        close = self._made(ready, picture, box, reset=reset)
        # A large picture takes long: the watcher has more to do than this.
        self._due_ns = now_ns() + max(EVERY_NS, now_ns() - at_ns)
        with self._changed:
            self._close = close
            self._changed.notify_all()

    def _made(self, ready: FrameReady, picture: Picture, box: Box | None, *, reset: bool) -> Close:
        height, width = picture.shape[:2]
        if box is not None and (box[0] + box[2] > width or box[1] + box[3] > height):
            box = None
        if reset or self._meter_of != (ready.camera, box):
            self._meter, self._meter_of = FocusMeter(box), (ready.camera, box)
        reading = self._meter.add(picture)
        channels = histogram_of(picture, box)
        self._number += 1
        return Close(
            self._number,
            ready.camera,
            to_jpeg(picture, max(width, height), QUALITY),
            width,
            height,
            ready.exposed_at_ns,
            ready.part,
            tuple((one.name, tuple(sum(one.counts[at : at + 4]) for at in range(0, 256, 4))) for one in channels),
            max(one.high for one in channels),
            max(one.low for one in channels),
            sum(one.mean for one in channels) / len(channels),
            reading.value,
            reading.peak,
            reading.trend,
        )
