"""The thread that listens to cameras and inspect, and copies the pictures worth keeping out of the ring at once."""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from ..bus.channel import Subscriber, camera_address, inspect_address
from ..bus.errors import BadPicture
from ..bus.messages import FrameReady
from ..bus.part import HeatMap, Outcome, Verdict
from ..bus.ring import RingShelf
from ..camera.frame import read_picture
from ..imaging.picture import Picture
from .desk import Key, PictureDesk
from .options import RecordsOptions

log = logging.getLogger(__name__)
_SEEN = 1024
"""Parts remembered until their record comes. Full: the oldest is forgotten, its row has no heat map."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was heard of one part before its record."""

    frame: FrameReady | None = None
    judged: bool = False
    """inspect's verdict has been heard; its picture, if worth keeping, has been offered."""
    heat: tuple[HeatMap, ...] = ()


def copied(shelf: RingShelf, frame: FrameReady) -> Picture | None:
    """The picture (uint8, HxW or HxWx3 RGB) copied out of the ring; None: gone, or not what its frame says."""
    try:
        return read_picture(shelf, frame)
    except BadPicture:
        return None


class Catcher:
    """Owns the subscription; runs in a thread of its own until `close`."""

    def __init__(self, cameras: tuple[str, ...], run_dir: Path, desk: PictureDesk, options: RecordsOptions) -> None:
        self._addresses = [inspect_address(run_dir), *(camera_address(run_dir, name) for name in cameras)]
        self._run_dir, self._desk, self._percent = run_dir, desk, options.ok_sample_percent
        self._due = 0.0
        self._lock = threading.Lock()
        self._seen: OrderedDict[Key, Seen] = OrderedDict()
        self._stop = threading.Event()
        self.missed = 0
        """Pictures that were gone from the ring before they were copied."""
        self._thread = threading.Thread(target=self._listen, name="catcher", daemon=True)
        self._thread.start()

    def seen(self, key: Key) -> Seen:
        """What is known of that part so far."""
        with self._lock:
            return self._seen.get(key, Seen())

    def let_go(self, key: Key) -> None:
        """The row is made up: forget the part."""
        with self._lock:
            self._seen.pop(key, None)

    def close(self) -> None:
        """Stop listening. Never raises."""
        self._stop.set()
        self._thread.join(2)

    def _listen(self) -> None:
        shelf = RingShelf(self._run_dir)
        with Subscriber(self._addresses, (Verdict, FrameReady)) as messages:
            while not self._stop.is_set():
                try:
                    message = messages.receive(100)
                except ValueError:
                    log.exception("a message of another version was dropped")
                    continue
                if isinstance(message, Verdict):
                    self._take(message, shelf)
                elif isinstance(message, FrameReady) and message.part:
                    self._note((message.part, message.triggered_at_ns), Seen(frame=message))
        shelf.close()

    def _take(self, verdict: Verdict, shelf: RingShelf) -> None:
        key = (verdict.part, verdict.triggered_at_ns)
        important = verdict.outcome is not Outcome.OK
        if verdict.frame is not None and (important or self._sampled()):
            picture = copied(shelf, verdict.frame)
            if picture is None:
                self.missed += 1
            else:
                self._desk.offer(key, verdict.frame, picture, important=important)
        self._note(key, Seen(verdict.frame, judged=True, heat=verdict.heat))

    def _sampled(self) -> bool:
        """True for exactly `ok_sample_percent` of the OK parts, evenly spread."""
        self._due += self._percent
        if self._due < 100.0:
            return False
        self._due -= 100.0
        return True

    def _note(self, key: Key, seen: Seen) -> None:
        with self._lock:
            known = self._seen.get(key, Seen())
            frame = seen.frame or known.frame
            self._seen[key] = Seen(frame, known.judged or seen.judged, seen.heat or known.heat)
            while len(self._seen) > _SEEN:
                self._seen.popitem(last=False)
