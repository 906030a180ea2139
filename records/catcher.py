"""The thread that listens to cameras and inspect, and copies the pictures worth keeping out of the rings at once.

A part is worth keeping when one of its views is: then the pictures of all its views are taken, those that came before
and those that come after.
"""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from ..bus.channel import Subscriber, camera_address, inspect_addresses, io_address
from ..bus.errors import BadPicture
from ..bus.messages import FrameLost, FrameReady
from ..bus.part import Action, Disposition, Outcome, Trigger, Verdict
from ..bus.ring import RingShelf
from ..camera.frame import read_picture
from ..imaging.picture import Picture
from .desk import PartKey, PictureDesk
from .options import RecordsOptions

log = logging.getLogger(__name__)
_SEEN = 1024
"""Parts remembered until their record comes. Full: the oldest is forgotten, its row has no heat map."""


@dataclass(slots=True)
class Seen:
    """What was heard of one part before its record, by camera."""

    frames: dict[str, FrameReady] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """What inspect said; the pictures, if worth keeping, have been offered."""
    important: bool = False
    """A view is not OK, or has no picture: all pictures of the part are kept."""
    sampled: bool = False
    """It is one of the OK parts whose pictures are kept."""
    copied: set[str] = field(default_factory=set)
    """Cameras whose picture has been taken out of the ring, or was found gone from it."""


def copied(shelf: RingShelf, frame: FrameReady) -> Picture | None:
    """The picture (uint8, HxW or HxWx3 RGB) copied out of the ring; None: gone, or not what its frame says."""
    try:
        return read_picture(shelf, frame)
    except BadPicture:
        return None


class Catcher:
    """Owns the subscription; runs in a thread of its own until `close`."""

    def __init__(self, cameras: tuple[str, ...], run_dir: Path, desk: PictureDesk, options: RecordsOptions) -> None:
        self._cameras = cameras
        self._addresses = [*inspect_addresses(run_dir), *(camera_address(run_dir, name) for name in cameras)]
        self._addresses.append(io_address(run_dir))
        self._run_dir, self._desk, self._percent = run_dir, desk, options.ok_sample_percent
        self._due = 0.0
        self._lock = threading.Lock()
        self._seen: OrderedDict[PartKey, Seen] = OrderedDict()
        self._shown: OrderedDict[int, Disposition] = OrderedDict()
        self._stop = threading.Event()
        self.missed = 0
        """Pictures that were gone from the ring before they were copied."""
        self._thread = threading.Thread(target=self._listen, name="catcher", daemon=True)
        self._thread.start()

    def seen(self, part: PartKey) -> Seen:
        """What is known of that part so far: a copy."""
        with self._lock:
            known = self._seen.get(part)
            return Seen() if known is None else Seen(dict(known.frames), dict(known.verdicts), known.important)

    def shown(self, trigger: Trigger) -> Disposition | None:
        """The OK that io said it shows to the PLC for this trigger: its record may have died with io. None: none."""
        with self._lock:
            told = self._shown.get(trigger.part)
        if told is None or told.published_ns is None:
            return None
        return told if trigger.at_ns <= told.committed_ns and told.published_ns < trigger.deadline_ns else None

    def let_go(self, part: PartKey) -> None:
        """The row is made up: forget the part."""
        with self._lock:
            self._seen.pop(part, None)

    def close(self) -> None:
        """Stop listening. Never raises."""
        self._stop.set()
        self._thread.join(2)

    def _listen(self) -> None:
        shelf = RingShelf(self._run_dir)
        with Subscriber(self._addresses, (Verdict, FrameReady, FrameLost, Disposition)) as messages:
            while not self._stop.is_set():
                try:
                    message = messages.receive(100)
                except ValueError:
                    log.exception("a message of another version was dropped")
                    continue
                if isinstance(message, Disposition):
                    self._note(message)
                elif message is not None and message.part:
                    self._take(message, shelf)
        shelf.close()

    def _note(self, told: Disposition) -> None:
        if told.action is not Action.PASS:
            return
        with self._lock:
            self._shown[told.part] = told
            while len(self._shown) > _SEEN:
                self._shown.popitem(last=False)

    def _take(self, message: Verdict | FrameReady | FrameLost, shelf: RingShelf) -> None:
        part = (message.part, message.triggered_at_ns)
        with self._lock:
            known = self._seen.setdefault(part, Seen())
            while len(self._seen) > _SEEN:
                self._seen.popitem(last=False)
            match message:
                case FrameReady():
                    known.frames[message.camera] = message
                case FrameLost():
                    known.important = True
                case Verdict():
                    known.verdicts[message.camera] = message
                    known.important |= message.outcome is not Outcome.OK
                    if message.frame is not None:
                        known.frames[message.camera] = message.frame
            wanted = known.important or known.sampled
            if isinstance(message, Verdict) and not wanted and len(known.verdicts) >= len(self._cameras):
                wanted = known.sampled = self._sampled()
            frames = [frame for camera, frame in known.frames.items() if wanted and camera not in known.copied]
        for frame in frames:
            self._copy(part, known, frame, shelf)

    def _copy(self, part: PartKey, known: Seen, frame: FrameReady, shelf: RingShelf) -> None:
        known.copied.add(frame.camera)
        picture = copied(shelf, frame)
        if picture is None:
            self.missed += 1
        else:
            self._desk.offer(part, frame, picture, important=known.important)

    def _sampled(self) -> bool:
        """True for exactly `ok_sample_percent` of the parts that are OK in all views, evenly spread."""
        self._due += self._percent
        if self._due < 100.0:
            return False
        self._due -= 100.0
        return True
