"""Questions to a library that may take seconds to answer: a thread of its own asks them, and waiting for it has an end.

The camera's loop must turn all the while; a library that goes on waiting for a camera that is gone is left behind.
"""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..bus.clock import SECOND
from ..bus.errors import CameraLost

log = logging.getLogger(__name__)
T = TypeVar("T")


class Asker:
    """The thread of one open camera. It is asked by one other thread; after the first CameraLost not at all."""

    def __init__(self, name: str, patience_ns: int) -> None:
        """name: of the camera. patience_ns: longest wait for an answer."""
        self._name, self._patience_ns = name, patience_ns
        # At most one question waits: nobody asks again before the answer, or after there was none.
        self._questions: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self.lost = ""
        """Why it is not asked any more; empty: it is."""
        threading.Thread(target=self._run, name=f"camera {name}"[:60], daemon=True).start()

    def ask(self, question: Callable[[], T], patience_ns: int = 0) -> T:
        """Return the answer, or raise what the question raises. CameraLost: no answer in time, now or before.

        patience_ns: of this question; 0: as of all.
        """
        if self.lost:
            raise CameraLost(self.lost)
        answer: Future[T] = Future()
        self._questions.put((question, answer))
        patience_s = (patience_ns or self._patience_ns) / SECOND
        try:
            return answer.result(patience_s)
        except TimeoutError as error:
            self.lost = f"{self._name}: no answer for {patience_s:.1f} s"
            raise CameraLost(self.lost) from error
        except CameraLost as error:
            self.lost = str(error)
            raise
        finally:
            del answer, question  # an error that is kept would keep them, and they the camera

    def end(self, last: Callable[[], object], patience_ns: int) -> None:
        """Let the thread do one more thing and end, after what it is at; wait for that no longer than patience_ns."""
        done: Future[Any] = Future()
        self._questions.put((last, done))
        self._questions.put(None)
        try:
            done.result(patience_ns / SECOND)
        except TimeoutError:
            log.info("%s: still held by its library, let go of as soon as that answers", self._name)

    def _run(self) -> None:
        while (each := self._questions.get()) is not None:
            question, answer = each
            try:
                answer.set_result(question())
            except Exception as error:  # noqa: BLE001 - it is raised again by the thread that asked
                answer.set_exception(error)
            del each, question, answer  # they hold the camera
