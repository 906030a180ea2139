"""The pictures that wait for the disk, and the thread that encodes and writes them.

The rows' side asks; it is never made to wait here. `PictureDesk.offer` says
what is shed when there are more pictures than the disk takes.
"""

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import cv2

from ..bus.clock import SECOND, now_ns
from ..bus.messages import FrameReady
from ..imaging.picture import Picture
from .options import RecordsOptions
from .pictures import Format, PictureShelf, encode, picture_path
from .rows import Kept

log = logging.getLogger(__name__)
PartKey = tuple[int, int]
"""One part for sure: its number and `Trigger.at_ns` (numbers are used again)."""
Key = tuple[PartKey, str]
"""One picture: of that part, by that camera."""
_SETTLE = 8
"""Pictures that share one sync of their folder at most."""
_DONE = 1024
"""Results that wait for their row. Full: the oldest is forgotten, its file stays unnamed."""


class Where(Enum):
    """Where the picture of a part is."""

    UNKNOWN = "never offered"
    WAITING = "on its way to the disk"
    KEPT = "on disk"
    GONE = "shed, or the disk refused it"


@dataclass(frozen=True, slots=True)
class _Job:
    key: Key
    frame: FrameReady
    picture: Picture
    important: bool
    """NG or UNJUDGED: shed last."""


class PictureDesk:
    """Takes pictures from the catching thread, writes them in a thread of its own, answers the rows' thread."""

    def __init__(self, store: Path, options: RecordsOptions, gone: Callable[[], str] = lambda: "") -> None:
        """gone: why the folder is not on the disk of the store now; no picture is kept meanwhile."""
        self._store, self._options, self._gone = store, options, gone
        self._shelf = PictureShelf(store)
        self._change = threading.Condition()
        self._jobs: OrderedDict[Key, _Job] = OrderedDict()
        self._busy: set[Key] = set()
        self._results: OrderedDict[Key, Kept | None] = OrderedDict()
        self._given_up: set[Key] = set()
        self._closed: OrderedDict[PartKey, None] = OrderedDict()
        self._stop = False
        self._trouble_ns = 0
        self.shed_ok = 0
        """OK pictures dropped because the queue was full."""
        self.shed_ng = 0
        self.refused = 0
        """Pictures that the disk did not take."""
        self._thread = threading.Thread(target=self._work, name="pictures", daemon=True)
        self._thread.start()

    def offer(self, part: PartKey, frame: FrameReady, picture: Picture, *, important: bool) -> None:
        """Queue one view's picture (uint8, HxW or HxWx3 RGB). Never waits.

        Full: an OK picture is shed first, the newest of them, then the oldest NG picture; the row of a shed picture is
        written without.
        """
        key = (part, frame.camera)
        with self._change:
            if key in self._jobs or key in self._busy or key in self._results or part in self._closed:
                return
            self._jobs[key] = _Job(key, frame, picture, important)
            if len(self._jobs) > self._options.queue_pictures:
                self._shed()
            self._change.notify_all()

    def ask(self, key: Key) -> tuple[Where, Kept | None]:
        """Where that picture is; with KEPT, under which name."""
        with self._change:
            if key in self._results:
                kept = self._results[key]
                return (Where.KEPT, kept) if kept else (Where.GONE, None)
            waiting = key in self._jobs or key in self._busy
            return (Where.WAITING if waiting else Where.UNKNOWN), None

    def let_go(self, part: PartKey, cameras: Iterable[str]) -> None:
        """The row is made up: forget the pictures and take no later one; one still under way is removed again.

        cameras: all that may have offered one.
        """
        with self._change:
            self._closed[part] = None
            while len(self._closed) > _DONE:
                self._closed.popitem(last=False)
            for camera in cameras:
                key = (part, camera)
                self._results.pop(key, None)
                self._jobs.pop(key, None)
                if key in self._busy:
                    self._given_up.add(key)

    def waiting(self) -> int:
        """Pictures not yet on disk."""
        with self._change:
            return len(self._jobs) + len(self._busy)

    def close(self, timeout_ns: int) -> None:
        """Stop; the picture being written is finished, others are shed. Never raises."""
        with self._change:
            self._stop = True
            self._change.notify_all()
        self._thread.join(timeout_ns / SECOND)

    def _shed(self) -> None:
        fine = [key for key, job in self._jobs.items() if not job.important]
        victim = fine[-1] if fine else next(iter(self._jobs))
        job = self._jobs.pop(victim)
        if job.important:
            self.shed_ng += 1
        else:
            self.shed_ok += 1
        self._finish(victim, None)

    def _finish(self, key: Key, kept: Kept | None) -> None:
        self._results[key] = kept
        while len(self._results) > _DONE:
            self._results.popitem(last=False)

    def _work(self) -> None:
        cv2.setNumThreads(1)
        while True:
            with self._change:
                while not self._jobs and not self._stop:
                    self._change.wait()
                if self._stop:
                    return
            self._write_some()

    def _write_some(self) -> None:
        """Write up to `_SETTLE` pictures, then sync their folders once, then say so."""
        written: dict[Key, Kept | None] = {}
        while len(written) < _SETTLE:
            with self._change:
                if not self._jobs:
                    break
                key, job = self._jobs.popitem(last=False)
                self._busy.add(key)
            written[key] = self._write(job)
        try:
            self._shelf.settle()
            self._stand()
        except OSError as error:
            self._complain(str(error))
            written = dict.fromkeys(written)
        with self._change:
            for key, kept in written.items():
                self._busy.discard(key)
                if key in self._given_up:
                    self._given_up.discard(key)
                    if kept:
                        self._shelf.drop(kept.path)
                else:
                    self._finish(key, kept)

    def _write(self, job: _Job) -> Kept | None:
        kind: Format = self._options.ng_format if job.important else "jpeg"
        try:
            self._stand()
            free = os.statvfs(self._store)
            if free.f_bavail * free.f_frsize < self._options.min_free_mb << 20:
                raise OSError(f"less than {self._options.min_free_mb} MB free")
            data = encode(job.picture, kind, self._options.jpeg_quality)
            height, width = job.picture.shape[:2]
            kept = self._shelf.put(picture_path(job.frame, kind), data, width, height)
        except (OSError, ValueError) as error:
            self._complain(str(error))
            return None
        if self._trouble_ns:
            log.info("pictures are kept again after %.1f s", (now_ns() - self._trouble_ns) / SECOND)
            self._trouble_ns = 0
        return kept

    def _stand(self) -> None:
        if gone := self._gone():
            raise OSError(gone)

    def _complain(self, text: str) -> None:
        self.refused += 1
        if not self._trouble_ns:
            self._trouble_ns = now_ns()
            log.error("pictures are not kept, rows go on: %s", text)
