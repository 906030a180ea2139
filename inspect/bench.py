"""The jobs inspect has at hand: the one it judges by, and at a change-over another one, loaded and proved beside it.

A model is loaded in a thread of its own, so that inspect goes on turning. It belongs to that thread until it is handed
over whole; only the loop judges by it.
"""

import logging
import threading
from collections.abc import Callable

from ..bus.clock import SECOND, now_ns
from ..bus.errors import OkngError
from ..bus.messages import Job, JobOrder, JobPhase, JobReport
from .inspector import Inspector

_LOG = logging.getLogger(__name__)
_CLOSE_S = 5.0
RETRY_NS = 5 * SECOND
"""The job that the line runs by is tried again so long after it was refused: what was missing may have come back."""
Load = Callable[[int, Job | None], Inspector]
"""Loads the job of a number, warms it up and proves it. OkngError: it cannot be had, or is not the Job asked for."""
_Asked = tuple[str, int, JobPhase, int, Job]


class _Loading(threading.Thread):
    """One job being loaded."""

    def __init__(self, load: Load, asked: _Asked) -> None:
        super().__init__(name="loader", daemon=True)
        self._load, self.asked = load, asked
        self.made: Inspector | None = None
        self.refusal = ""

    def run(self) -> None:
        """Load; what goes wrong is a refusal."""
        number, job = self.asked[3:]
        try:
            self.made = self._load(number, job)
        except OkngError as error:
            self.refusal = str(error)
        except Exception as error:  # noqa: BLE001 - outermost frame of the thread: the change-over is refused
            _LOG.exception("loading job %d", number)
            self.refusal = f"job {number} cannot be loaded: {error}"


class Bench:
    """Follows the orders of io. One thread: the loop of inspect."""

    def __init__(self, active: Inspector, load: Load) -> None:
        self.active = active
        """What is judged by."""
        self._load = load
        self._at_hand = [active]
        self._order: JobOrder | None = None
        self._owes_answer = False
        self._loading: _Loading | None = None
        self._refused: tuple[_Asked, str] | None = None
        self._refused_ns = 0
        self.lacking = False
        """The job that io judges by now is not at hand."""

    @property
    def loading(self) -> bool:
        """A job is being loaded."""
        return self._loading is not None

    @property
    def unfit(self) -> str:
        """Why the job that the whole line runs by cannot be had here; empty: it can, or it is not known yet."""
        order = self._order
        return self._refusal(order) if order is not None and order.phase is JobPhase.STEADY and self.lacking else ""

    def follow(self, order: JobOrder) -> None:
        """Take an order; `turn` does what it asks."""
        self._order, self._owes_answer = order, True

    def turn(self) -> JobReport | None:
        """Do the next thing that is due, without waiting; return the answer that is due, if one is."""
        self._collect()
        order = self._order
        if order is None:
            return None
        holds = self._get(order, order.number, order.job)
        self.lacking = holds is None
        if holds is not None:
            self.active = holds
        wanted, found = self.active, holds
        if order.phase is JobPhase.PREPARE and order.next_job is not None and holds is not None:
            found = self._get(order, order.next_number, order.next_job)
            wanted = found or holds
        if order.phase is not JobPhase.COMMIT:  # then the old job may still be taken back
            self._let_go([made for made in self._at_hand if made is not self.active and made is not wanted])
        refusal = self._refusal(order)
        if not self._owes_answer or order.phase is JobPhase.STEADY or (found is None and not refusal):
            return None
        self._owes_answer = False
        return JobReport("inspect", order.epoch, order.change, order.phase, "" if found is not None else refusal)

    def close(self) -> None:
        """Wait a little for a job that is being loaded: a runtime that is torn down while it loads may crash."""
        if self._loading is not None:
            self._loading.join(_CLOSE_S)
        self._let_go(list(self._at_hand))

    def _let_go(self, done: list[Inspector]) -> None:
        for made in done:
            self._at_hand.remove(made)
            made.close()

    def _get(self, order: JobOrder, number: int, job: Job) -> Inspector | None:
        """The inspector of that job, or None and it is being loaded, unless it was refused."""
        for made in self._at_hand:
            if (made.number, made.job) == (number, job):
                return made
        asked = order.epoch, order.change, order.phase, number, job
        if self._loading is None and (self._refused is None or self._refused[0] != asked or self._is_due_again(order)):
            _LOG.info("loading job %d: recipe %s, revision %s", number, job.recipe, job.revision)
            self._loading = _Loading(self._load, asked)
            self._loading.start()
        return None

    def _is_due_again(self, order: JobOrder) -> bool:
        """A change that was refused is over; a line that runs by a job it cannot have stands until it can."""
        return order.phase is JobPhase.STEADY and now_ns() - self._refused_ns >= RETRY_NS

    def _collect(self) -> None:
        done = self._loading
        if done is None or done.is_alive():
            return
        self._loading, self._owes_answer = None, True
        if done.made is not None:
            self._at_hand.append(done.made)
        else:
            self._refused, self._refused_ns = (done.asked, done.refusal), now_ns()
            _LOG.error("job %d: %s", done.asked[3], done.refusal)

    def _refusal(self, order: JobOrder) -> str:
        """Why this very order cannot be followed; empty: it was not refused."""
        if self._refused is None or self._refused[0][:3] != (order.epoch, order.change, order.phase):
            return ""
        return self._refused[1]
