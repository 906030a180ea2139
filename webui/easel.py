"""The easel: the pictures of the last parts, copied out of the rings and encoded once for all viewers.

One thread puts them up; any thread may look.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from ..bus.clock import MS
from ..bus.errors import BadPicture
from ..bus.messages import FrameReady
from ..bus.part import Outcome
from ..bus.ring import RingShelf
from ..imaging.picture import Picture
from .payload import key_of
from .pictures import Shown, ShownView, to_jpeg, to_overlay, to_thumb
from .result import Result

log = logging.getLogger(__name__)
HELD = 6
"""Parts kept besides the last NG: a slow viewer still finds the one it was told of."""
THUMBS = 32
Read = Callable[[RingShelf, FrameReady], Picture | None]


class Easel:
    """Holds what browsers may ask for."""

    def __init__(self, read: Read, max_edge_px: int) -> None:
        """read: copies a picture out of its ring. max_edge_px: as in the options."""
        self._read, self._max_edge_px = read, max_edge_px
        self._changed = threading.Condition()
        self._shown: OrderedDict[int, Shown] = OrderedDict()
        self._frame_of: OrderedDict[str, int] = OrderedDict()
        self._thumbs: OrderedDict[str, bytes] = OrderedDict()
        # Rises over a restart of this process too, so that a browser never waits for a number that is past.
        self._next_frame = time.time_ns() // MS
        self._newest = 0
        self._unreadable: set[str] = set()

    # -- any thread -----------------------------------------------------------------------------------------------

    def newer(self, after: int, timeout_s: float) -> Shown | None:
        """Wait for a picture other than number `after`; None: none came in timeout_s."""
        with self._changed:
            if self._newest in (0, after):
                self._changed.wait(timeout_s)
            return None if self._newest in (0, after) else self._shown.get(self._newest)

    def shown(self, frame: int) -> Shown | None:
        """One part's pictures that are still held, by their number."""
        with self._changed:
            return self._shown.get(frame)

    def thumb(self, key: str) -> bytes | None:
        """The small picture of a recent reject."""
        with self._changed:
            return self._thumbs.get(key)

    def is_bare(self) -> bool:
        """True while nothing was encoded yet."""
        with self._changed:
            return not self._shown and not self._thumbs

    def wake(self) -> None:
        """Let all who wait go on."""
        with self._changed:
            self._changed.notify_all()

    # -- the watcher's thread -------------------------------------------------------------------------------------

    def of(self, result: Result) -> Shown | None:
        """What is held of a part."""
        return self.shown(self._frame_of.get(key_of(result), 0))

    def missing(self, result: Result) -> list[FrameReady]:
        """Pictures of the part that are not held yet, the deciding view's first; none while that one is missing."""
        if result.frame is None:
            return []
        held = self.of(result)
        known = held.views.keys() if held and held.camera == result.camera else ()
        others = [ready for ready in result.frames if ready.camera != result.camera]
        return [ready for ready in (result.frame, *others) if ready.camera not in known]

    def put(self, shelf: RingShelf, result: Result, last_ng: Result | None) -> Shown | None:
        """Copy what is missing out of the rings and hold it; None: the deciding view's picture is gone.

        last_ng: kept however old it is.
        """
        held = self.of(result)
        views = dict(held.views) if held else {}
        heat = {verdict.camera: verdict.heat for verdict in result.verdicts}
        for ready in self.missing(result):
            picture = self._picture(shelf, ready)
            if picture is not None:
                height, width = picture.shape[:2]
                maps = result.heat if ready is result.frame else heat.get(ready.camera, ())
                jpeg = to_jpeg(picture, self._max_edge_px)
                views[ready.camera] = ShownView(jpeg, to_overlay(maps, width, height), width, height)
        if result.frame is None or result.camera not in views:
            return None
        if held is not None and views.keys() == held.views.keys() and held.camera == result.camera:
            return held  # the other views are gone from their rings
        shown = Shown(self._next_frame, result.part, result.frame.exposed_at_ns, result.camera, views)
        self._next_frame += 1
        self._hold(shown, result, last_ng)
        return shown

    def put_thumb(self, shelf: RingShelf, reject: Result) -> None:
        """Hold the small picture of a reject, unless it is held or gone from its ring."""
        key = key_of(reject)
        if key in self._thumbs or reject.frame is None:
            return
        picture = self._picture(shelf, reject.frame)
        if picture is not None:
            with self._changed:
                self._thumbs[key] = to_thumb(picture)
                while len(self._thumbs) > THUMBS:
                    self._thumbs.popitem(last=False)

    def _hold(self, shown: Shown, result: Result, last_ng: Result | None) -> None:
        keep = self._frame_of.get(key_of(last_ng), 0) if last_ng else 0
        with self._changed:
            self._shown[shown.frame] = shown
            self._frame_of[key_of(result)] = shown.frame
            if result.outcome == Outcome.NG:
                keep = shown.frame
            for frame in list(self._shown)[:-HELD]:
                if frame != keep:
                    del self._shown[frame]
            for key in [key for key, frame in self._frame_of.items() if frame not in self._shown]:
                del self._frame_of[key]
            self._newest = shown.frame
            self._changed.notify_all()

    def _picture(self, shelf: RingShelf, ready: FrameReady) -> Picture | None:
        try:
            picture = self._read(shelf, ready)
        except BadPicture as error:
            if ready.camera not in self._unreadable:
                log.warning("part %d, and more of camera %s, without its picture: %s", ready.part, ready.camera, error)
            self._unreadable.add(ready.camera)
            return None
        self._unreadable.discard(ready.camera)
        return picture
