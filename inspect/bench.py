"""The jobs inspect has at hand: the one it judges by, and at a change-over another one, loaded and proved beside it.

A model is loaded in a thread of its own, so that inspect goes on turning. It belongs to that thread until it is handed
over whole; only the loop judges by it.

Where one model of the active job takes the place of another (`plc_io/model_swap.py`), both are at hand: each part is
judged by the model of its trigger. The one before stays for a day, as the last good one to go back to.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..bus.clock import SECOND, now_ns
from ..bus.errors import Fault, OkngError
from ..bus.messages import BundleAt, Job, JobOrder, JobPhase, JobReport
from .inspector import Inspector
from .last_good import changed

_LOG = logging.getLogger(__name__)
_CLOSE_S = 5.0
RETRY_NS = 5 * SECOND
"""The job that the line runs by is tried again so long after it was refused: what was missing may have come back."""
LAST_GOOD_NS = 24 * 3600 * SECOND
"""The model before stays loaded for so long after a swap."""
Load = Callable[[int, Job | None, dict[str, Path]], Inspector]
"""Loads the job of a number, warms it up and proves it. OkngError: it cannot be had, or is not the Job asked for.

The last one: where its bundles lie, by what the recipe calls each; where it is left out, the recipe's link says it."""
_Asked = tuple[str, int, JobPhase, int, Job]


class _Loading(threading.Thread):
    """One job being loaded."""

    def __init__(self, load: Load, asked: _Asked, bundles: Sequence[BundleAt]) -> None:
        super().__init__(name="loader", daemon=True)
        self._load, self.asked = load, asked
        self._folders = {each.name: Path(each.folder) for each in bundles}
        self.made: Inspector | None = None
        self.refusal = ""

    def run(self) -> None:
        """Load; what goes wrong is a refusal."""
        number, job = self.asked[3:]
        try:
            self.made = self._load(number, job, self._folders)
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
        self._beside: Inspector | None = None
        self._last_good: tuple[Inspector, int] | None = None
        self._order: JobOrder | None = None
        self._owes_answer = False
        self._loading: _Loading | None = None
        self._refused: tuple[_Asked, str] | None = None
        self._refused_ns = 0
        self.exchanged: tuple[BundleAt, BundleAt] | None = None
        """The bundle that the last swap took away, and the one in its place."""
        self._bundles: tuple[BundleAt, ...] = ()
        self.swapped = False
        """Nothing but a model was changed last: the line worked on."""
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

    @property
    def models(self) -> tuple[str, ...]:
        """Every `Job.model` by which the active job can be judged from one part to the next."""
        return tuple(made.job.model for made in self._at_hand if _is_same_job(made, self.active) and not made.trouble)

    @property
    def is_steady(self) -> bool:
        """No job is being changed or loaded, and the active one is the line's."""
        steady = self._order is not None and self._order.phase is JobPhase.STEADY
        return steady and not self.lacking and self._loading is None

    @property
    def last_good(self) -> Inspector | None:
        """What judged before the last swap, while it stays loaded."""
        return None if self._last_good is None else self._last_good[0]

    def judge_of(self, triggered_at_ns: int) -> Inspector:
        """By which of them a part is judged that was triggered at that moment."""
        order = self._order
        for past in () if order is None else order.past:
            if triggered_at_ns < past.until_ns:
                wanted = replace(self.active.job, model=past.model)
                return next((made for made in self._at_hand if made.job == wanted), self.active)
        return self.active

    def has(self, model: str) -> Inspector | None:
        """The active job by that `Job.model`, if it is at hand."""
        return next(
            (each for each in self._at_hand if _is_same_job(each, self.active) and each.job.model == model), None
        )

    def put_beside(self, made: Inspector) -> None:
        """Have one more at hand: the active job with another model. It stays until it is taken away."""
        if made not in self._at_hand:
            self._at_hand.append(made)
        self._beside = made

    def take_away(self) -> None:
        """What was put beside goes, unless it judges by now, or is the last good one."""
        self._beside = None
        if self.is_steady:
            self._tidy()

    def keep_last_good(self, made: Inspector, until_ns: int) -> None:
        """Have the model before the last swap at hand again, after this process was started anew."""
        if made not in self._at_hand:
            self._at_hand.append(made)
        self._last_good = made, until_ns

    def keep_warm(self) -> None:
        """Keep the last good one as fit as the one that judges, while no frame waits."""
        made = self.last_good
        if made is None or made is self.active:
            return
        try:
            made.turn()
        except Fault as error:
            self.forget_last_good(str(error))

    def forget_last_good(self, why: str) -> None:
        """The model before is not kept any longer."""
        if self._last_good is not None:
            _LOG.info("model %.12s is not kept at hand any longer: %s", self._last_good[0].job.model, why)
            self._last_good = None
            if self.is_steady:
                self._tidy()

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
        if holds is not None and holds is not self.active:
            self.swapped = _is_same_job(holds, self.active) and bool(order.past)
            if self.swapped:
                self._last_good = self.active, now_ns() + LAST_GOOD_NS
                self.exchanged = changed(self._bundles, order.bundles)
            self.active = holds
        if holds is not None:
            self._bundles = order.bundles
        wanted, found = self.active, holds
        if order.phase is JobPhase.PREPARE and order.next_job is not None and holds is not None:
            found = self._get(order, order.next_number, order.next_job)
            wanted = found or holds
        if self._last_good is not None and now_ns() >= self._last_good[1]:
            self.forget_last_good("a day has passed")
        if order.phase is JobPhase.PREPARE:  # memory is needed for the next job
            self._beside = self._last_good = None
        if order.phase is JobPhase.STEADY and wanted is self.active:
            self._tidy()
        elif order.phase is not JobPhase.COMMIT:  # then the old job may still be taken back
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

    def _tidy(self) -> None:
        """Let go of what nobody needs. The line works meanwhile: what shares models with others ends beside it."""
        order = self._order
        past = {each.model for each in order.past} if order is not None else set[str]()
        kept = [self.active, self._beside, self.last_good]
        done = [
            made
            for made in self._at_hand
            if made not in kept and not (_is_same_job(made, self.active) and made.job.model in past)
        ]
        apart = [made for made in done if _is_same_job(made, self.active)]
        self._let_go([made for made in done if made not in apart])
        for made in apart:
            self._at_hand.remove(made)
        if apart:
            threading.Thread(target=_closed, args=(apart, list(self._at_hand)), name="closer", daemon=True).start()

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
            # What is asked for is the active job, or the next one, whose bundles lie where the recipe says.
            bundles = order.bundles if (number, job) == (order.number, order.job) else ()
            self._loading = _Loading(self._load, asked, bundles)
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


def _is_same_job(one: Inspector, other: Inspector) -> bool:
    """They differ in a model at most."""
    return one.number == other.number and replace(one.job, model=other.job.model) == other.job


def _closed(done: list[Inspector], others: list[Inspector]) -> None:
    """Close what shares models with others, and let its memory go in this thread: that takes some milliseconds."""
    while done:
        done.pop().close(others)
    others.clear()
