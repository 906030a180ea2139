"""The thread that reads a video camera without pause: nothing lies in its buffers, and OpenCV's reads hold up nobody.

In free run the newest frame replaces the one nobody took. With software triggers, frames pass by unseen until one is
captured after the trigger: that one is the trigger's. Everything OpenCV is asked, is asked by this thread.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import cv2

from ..bus.clock import SECOND, now_ns
from ..bus.errors import CameraLost, OkngError
from .capture import Address, Capture, OpenCapture
from .claims import Claims, Seen
from .freshness import Freshness

log = logging.getLogger(__name__)
T = TypeVar("T")
_ASKED = 4
_HIGHEST_RATE_HZ = 240
"""Streams that do not know their rate tell 90000 or the like."""


class Reader:
    """One camera and its thread, from opening to closing."""

    def __init__(self, address: Address, open_capture: OpenCapture, silent_ns: int) -> None:
        """Begin to open it. silent_ns: without a frame for so long it is lost."""
        self._address, self._open_capture, self._silent_ns = address, open_capture, silent_ns
        self._changed = threading.Condition()
        self._capture: Capture | None = None
        self._failed: OkngError | None = None
        self._stopping = False
        self._moved_ns = now_ns()
        """When the thread last came back from OpenCV."""
        self._asked: deque[Callable[[Capture], None]] = deque()
        self._claims = Claims()
        self._age_ns = self._period_ns = self._next_ns = 0
        self._thread = threading.Thread(target=self._run, name=f"video {address.name}"[:60], daemon=True)
        self._thread.start()

    # ---- for the camera's own thread ----

    def wait_open(self, timeout_ns: int) -> None:
        """Return once it is open. CameraLost, BadSettings: it does not open, or not in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._capture or self._failed, timeout_ns / SECOND)
            if self._failed is not None:
                raise self._failed
            if self._capture is None:
                raise CameraLost(f"{self._address.name}: does not open within {timeout_ns / SECOND:.0f} s")

    def ask(self, question: Callable[[Capture], T]) -> T:
        """Let the thread ask OpenCV something between two frames. CameraLost: it hangs."""
        answers: list[T] = []
        errors: list[OkngError] = []

        def answer(capture: Capture) -> None:
            try:
                answers.append(question(capture))
            except OkngError as error:
                errors.append(error)

        with self._changed:
            self._check()
            if len(self._asked) >= _ASKED:
                raise CameraLost(f"{self._address.name}: hangs")
            self._asked.append(answer)
            self._changed.notify_all()
            self._changed.wait_for(lambda: answers or errors or self._failed, self._silent_ns / SECOND)
            if errors:
                raise errors[0]
            if not answers:
                self._check()
                raise CameraLost(f"{self._address.name}: hangs")
            return answers[0]

    def begin(self, *, triggered: bool, age_ns: int, period_ns: int, room: int) -> None:
        """Start a stream; what was captured before is nobody's.

        age_ns: how long before it is here a frame may have begun, at most. period_ns: of a file, which is read at that
        pace. room: answered triggers that may wait to be taken.
        """
        with self._changed:
            self._check()
            self._age_ns, self._period_ns = age_ns, period_ns
            self._next_ns = now_ns()
            if self._address.kind == "file":  # it has stood still meanwhile
                self._moved_ns = self._next_ns
            self._claims.begin(self._next_ns, room, triggered=triggered)
            self._changed.notify_all()

    def end(self) -> None:
        """End the stream. Frames go on to be read, and thrown away."""
        with self._changed:
            self._claims.end()

    def trigger(self, at_ns: int) -> None:
        """The next frame that begins after that moment is this trigger's. CameraLost."""
        with self._changed:
            self._check()
            self._claims.trigger(at_ns)

    @property
    def dropped(self) -> int:
        """Frames nobody took in time, and triggers beyond the bound, this stream."""
        return self._claims.dropped

    def take(self, until_ns: int) -> Seen | None:
        """Return the next frame; None: none came by that moment. CameraLost: none will."""
        with self._changed:
            while not self._claims.seen:
                self._check()
                left_ns = until_ns - now_ns()
                if left_ns <= 0:
                    return None
                self._changed.wait(min(left_ns, self._silent_ns) / SECOND)
            return self._claims.seen.popleft()

    def check(self) -> None:
        """CameraLost: no frame for too long, or no more to come."""
        with self._changed:
            self._check()

    def close(self, timeout_ns: int) -> bool:
        """Stop the thread. False: it hangs inside OpenCV; it is left to itself, and ends with the process."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout_ns / SECOND)
        return not self._thread.is_alive()

    def _check(self) -> None:
        if self._failed is not None:
            raise CameraLost(str(self._failed)) from self._failed
        silent_ns = now_ns() - self._moved_ns - self._period_ns
        if silent_ns > self._silent_ns and (self._claims.live or self._address.kind != "file"):
            raise CameraLost(f"{self._address.name}: no frame for {silent_ns / SECOND:.1f} s")

    # ---- the thread ----

    def _run(self) -> None:
        try:
            capture = self._open_capture(self._address)
        except OkngError as error:
            self._fail(error)
            return
        except Exception as error:  # the outermost frame of the thread; the camera is lost by it
            log.exception("%s", self._address.name)
            self._fail(CameraLost(f"{self._address.name}: {error!r}"))
            return
        try:
            with self._changed:
                self._capture = capture
                self._moved_ns = now_ns()
                self._changed.notify_all()
            self._read(capture)
        except Exception as error:  # as above
            log.exception("%s", self._address.name)
            self._fail(CameraLost(f"{self._address.name}: {error!r}"))
        finally:
            capture.close()

    def _fail(self, error: OkngError) -> None:
        with self._changed:
            self._failed = error
            self._changed.notify_all()

    def _read(self, capture: Capture) -> None:
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        freshness = Freshness(round(SECOND / rate_hz) if 1 <= rate_hz <= _HIGHEST_RATE_HZ else 0)
        while self._wait_turn(capture):
            asked_ns, worked_ns = now_ns(), time.thread_time_ns()
            if not capture.grab():
                ends = {"device": "unplugged, or it hangs", "stream": "the stream has ended", "file": "it has ended"}
                self._fail(CameraLost(f"{self._address.name}: {ends[self._address.kind]}"))
                return
            arrived_ns = now_ns()
            waited_ns = arrived_ns - asked_ns - (time.thread_time_ns() - worked_ns)  # decoding is no waiting
            held_ns = self._held_ns(freshness, capture, waited_ns, arrived_ns)
            fault = freshness.fault(arrived_ns, held_ns)
            if fault and self._address.kind != "file":
                self._fail(CameraLost(f"{self._address.name}: {fault}"))
                return
            self._moved_ns = arrived_ns
            if held_ns is not None:
                self._look(capture, arrived_ns - held_ns)

    def _wait_turn(self, capture: Capture) -> bool:
        """Answer questions, and let a file take its time. False: the end."""
        while True:
            with self._changed:
                while not self._stopping and not self._asked:
                    wait_ns = self._next_ns - now_ns() if self._claims.live else SECOND
                    if self._address.kind != "file" or (self._claims.live and wait_ns <= 0):
                        self._next_ns += self._period_ns
                        return True
                    self._changed.wait(wait_ns / SECOND)
                if self._stopping:
                    return False
                question = self._asked.popleft()
            question(capture)
            with self._changed:
                self._moved_ns = now_ns()
                self._changed.notify_all()

    def _held_ns(self, freshness: Freshness, capture: Capture, waited_ns: int, arrived_ns: int) -> int | None:
        """How long the frame was held up on its way; None: for any time."""
        if self._address.kind == "file":
            return 0
        stamp_ns = capture.stamp_ns()
        if self._address.kind == "device" and stamp_ns is not None:
            return max(arrived_ns - stamp_ns, 0)
        return freshness.held_ns(waited_ns, arrived_ns, stamp_ns)

    def _look(self, capture: Capture, captured_ns: int) -> None:
        """Keep the frame where it is somebody's."""
        with self._changed:
            claim = self._claims.claim(captured_ns - self._age_ns)
        if claim is None:
            return
        picture = capture.retrieve()
        with self._changed:
            self._claims.give(claim, captured_ns, picture)
            self._changed.notify_all()
