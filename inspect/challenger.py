"""A model on trial beside the one that decides: in the shadow or as a canary, and dropped when unsound.

    ChallengerOrder (sync) ─► load in a thread: bytes read once and verified, warm, golden pictures ─► ready
    SHADOW   the verdict is out; no frame waits; there is time before the next part ─► look at the same cuts ─► Compared
    CANARY   both before the verdict: OK only if both say so (`canary.py`) ─► Compared

It decides nothing by itself. NaN, another shape, an error, too slow: it is dropped at once and not loaded again under
the same order; `ChallengerState.trouble` says why, and the line goes on by the model it has. A process that has died
twice within ten minutes with it on board does not load it a third time (`bus/carried.py`).

The one in the judge's seat runs it. The standby loads a canary too, where memory allows, so that soon after a take-over
a part needs the word of both, and a swap finds it ready; one in the shadow it leaves alone.
"""

import gc
import logging
import math
import sys
from collections import deque
from pathlib import Path

from ..bus.clock import MS, SECOND, now_ns
from ..bus.ladder import ChallengerOrder, ChallengerState, Compared, Role
from ..bus.messages import FrameReady
from ..bus.part import Outcome, Verdict
from .bench import Bench
from .canary import both, can_pass, silent
from .courtesy import Courtesy
from .inspector import Inspector
from .job import model_of
from .looked import Again, Looked
from .memory import lacks_memory
from .pace import Pace
from .slack import Slack
from .trial import Loading, concerns, is_for
from .trust import Trust
from .way_back import WayBack

_LOG = logging.getLogger(__name__)
STATE_EVERY_NS = 500 * MS
FORGOTTEN_NS = 2 * SECOND
"""An order that was not repeated for so long is not the newest any more: sync has lost its count."""
RESERVE_NS = 5 * MS
"""A canary leaves so much before the deadline for the verdict's way."""
_SWITCH_S = 0.0005
"""While another thread loads, the interpreter is handed back ten times as soon: the judge's thread wants it."""
_CLOSE_S = 5.0


class Challenger:
    """The model on trial of one inspection process. One thread: its loop."""

    def __init__(self, bench: Bench, run_dir: Path, cameras: int) -> None:
        """cameras: pictures of one part."""
        self._bench, self._run_dir = bench, run_dir
        self._slack = Slack(cameras)
        self.courtesy = Courtesy()
        """Who loads gives way to the judge, which says here how it stands."""
        self._order: ChallengerOrder | None = None
        self._heard_ns = 0
        self._loading: Loading | None = None
        self._made: Inspector | None = None
        self._base: Inspector | None = None
        self._pace = Pace(0, 0)
        self._dropped = 0  # number of the order under which it was dropped
        self._trouble = ""
        self._waits: deque[tuple[FrameReady, Looked]] = deque(maxlen=16)
        self._trust = Trust(run_dir)
        self._parts = self._skipped = self._disagreed = self._last_part = 0
        self._said: tuple[object, ...] = ()
        self._due_ns = 0
        self._way_back = WayBack(bench, run_dir)
        self._switch_s = sys.getswitchinterval()
        self._compared: list[Compared] = []

    # -- what comes in -------------------------------------------------------------------------------------------------

    def follow(self, order: ChallengerOrder) -> None:
        """Take an order; `turn` does what it asks. An older one is passed over as long as the newer is repeated."""
        before, at_ns = self._order, now_ns()
        if before is not None and order.number < before.number and at_ns - self._heard_ns < FORGOTTEN_NS:
            return
        self._heard_ns = at_ns
        if before is None or order.number != before.number:
            self._trouble = ""
            if before is None or order.bundle != before.bundle:
                self._parts = self._skipped = self._disagreed = 0
        self._order = order

    def heard(self, frame: FrameReady) -> None:
        """A picture has come: it goes first, and what was not looked at by now is left."""
        if self._slack.heard(frame):
            self._leave()

    # -- its way -------------------------------------------------------------------------------------------------------

    @property
    def looks(self) -> bool:
        """It is to see what the judge sees."""
        return self._made is not None

    @property
    def waits(self) -> bool:
        """Something is to be looked at as soon as there is time."""
        return bool(self._waits) and self._slack.is_whole

    def turn(self, *, judges: bool) -> None:
        """Load, take over or let go, as the order and the active job ask for. Never waits."""
        at_ns = now_ns()
        self._collect()
        self._trust.turn(at_ns, self._bench.active, self._made)
        order, active = self._order, self._bench.active
        wanted = order if order is not None and concerns(order, active) else None
        if self._made is not None and (
            wanted is None or self._base is not active or wanted.bundle not in self._made.digests
        ):
            self._let_go()
        self._way_back.turn(at_ns)
        if self._loading is not None or not self._bench.is_steady:
            return
        if judges and (missing := self._way_back.missing(at_ns)) is not None:
            self._load(active, missing)
            return
        if wanted is None or self._made is not None or wanted.number == self._dropped:
            return
        if judges or wanted.role is Role.CANARY:
            self._get(wanted, active)

    def before(self, frame: FrameReady, verdict: Verdict, looked: Looked | None) -> Verdict:
        """What goes out for a view that the judge has made a verdict of: as a canary it may take an OK away."""
        made, order = self._made, self._order
        if made is None or order is None or order.role is not Role.CANARY or looked is None or not can_pass(verdict):
            return verdict
        begun_ns = now_ns()
        left_ns = frame.triggered_at_ns + made.job.deadline_ns - RESERVE_NS - begun_ns
        if left_ns < self._pace.typical_ns:
            self._pace.had_no_time()
            self._skipped += 1
            self._drop_if_slow()
            return silent(verdict, "there was no time for it")
        again = self._look(frame, looked, made, order)
        took_ns = now_ns() - begun_ns
        if again is None:
            return verdict
        if isinstance(again, str):
            return silent(verdict, again)
        if took_ns > min(left_ns, self._pace.budget_ns):
            late = f"it took {took_ns / MS:.1f} ms"
            self._drop(f"as a canary {late} for a picture, expected {self._pace.budget_ns / MS:.1f} ms at most")
            return silent(verdict, late)
        self._drop_if_slow()
        return both(verdict, again)

    def after(self, frame: FrameReady, verdict: Verdict, looked: Looked | None) -> None:
        """The verdict is out: what it has not looked at yet waits until there is time."""
        self.courtesy.idle(self._slack.due_ns)
        order = self._order
        if self._made is None or order is None or looked is None:
            return
        if order.role is Role.SHADOW or not can_pass(verdict):
            self._waits.append((frame, looked))

    def spare(self) -> None:
        """No frame waits: look at one that does, if there is time for it before the next part."""
        made, order = self._made, self._order
        if not self._waits or made is None or order is None or not self._slack.is_whole:
            return
        if self._slack.left_ns(now_ns()) < self._pace.need_ns:
            self._leave()
            return
        frame, looked = self._waits.popleft()
        self._look(frame, looked, made, order)
        self._drop_if_slow()

    def end(self) -> None:
        """The process ends by its own will: nobody has died of anything."""
        self._trust.end()

    def close(self) -> None:
        """Wait a little for what is being loaded: a runtime that is torn down while it loads may crash."""
        if self._loading is not None:
            self._loading.join(_CLOSE_S)

    # -- what it says --------------------------------------------------------------------------------------------------

    def compared(self) -> list[Compared]:
        """What the two have said since the last call."""
        found, self._compared = self._compared, []
        return found

    def state(self, judge_ns: int) -> ChallengerState | None:
        """How far it is, if that is to be said now: at each change, and every 500 ms."""
        order, made, at_ns, active = self._order, self._made, now_ns(), self._bench.active
        is_of = order is not None and is_for(order, active)
        judges = is_of and order is not None and order.bundle in active.digests and not concerns(order, active)
        said = (order, made is not None, self._trouble, active.job, self._bench.models, judge_ns)
        if said == self._said and at_ns < self._due_ns:
            return None
        self._said, self._due_ns = said, at_ns + STATE_EVERY_NS
        ready = made or (active if judges else None)
        return ChallengerState(
            number=order.number if order is not None else 0,
            bundle=order.bundle if order is not None else "",
            role=order.role if order is not None and made is not None else Role.NONE,
            ready=ready is not None,
            trouble=self._trouble,
            parts=self._parts,
            skipped=self._skipped,
            job=order.job if order is not None else 0,
            model=ready.job.model if ready is not None else "",
            folder=order.folder if order is not None else "",
            revision=active.job.revision,
            at_hand=self._bench.models,
            disagreed=self._disagreed,
            typical_ms=self._pace.typical_ns / MS if made is not None and self._parts else 0.0,
            slowest_ms=self._pace.slowest_ns / MS if made is not None else 0.0,
            budget_ms=self._pace.budget_ns / MS if made is not None else 0.0,
            judge_ns=judge_ns,
        )

    # -- inside --------------------------------------------------------------------------------------------------------

    def _load(self, active: Inspector, order: ChallengerOrder) -> None:
        sys.setswitchinterval(_SWITCH_S)
        self._loading = Loading(active, order, self._run_dir, self.courtesy.give_way)
        self._loading.start()

    def _get(self, order: ChallengerOrder, active: Inspector) -> None:
        """Take what is at hand already, as the last good one may be, or load it."""
        digests = [order.bundle if each == order.replaces else each for each in active.models.digests.values()]
        made = self._bench.has(model_of(digests))
        if made is not None:
            self._begin(made, active, order)
        elif why := lacks_memory():
            self._drop(f"there is no room for a second model: {why}")
        else:
            _LOG.info("loading model %.12s beside %.12s of job %d", order.bundle, order.replaces, order.job)
            self._load(active, order)

    def _collect(self) -> None:
        done = self._loading
        if done is None or done.is_alive():
            return
        self._loading = None
        sys.setswitchinterval(self._switch_s)
        if done.order.role is Role.NONE:
            self._way_back.loaded(done)
            return
        self._trust.carries(done.order.bundle)
        if done.refusal:
            _LOG.error("model %.12s on trial is refused: %s", done.order.bundle, done.refusal)
            self._drop(done.refusal, done.order)
        elif done.made is not None and done.base is self._bench.active:
            gc.freeze()  # it stays: no collection is to walk through it. Collecting first would take too long here.
            self._begin(done.made, done.base, done.order)

    def _begin(self, made: Inspector, base: Inspector, order: ChallengerOrder) -> None:
        self._made, self._base = made, base
        self._pace = Pace(made.budget_ns(order.bundle), made.proved_ns(order.bundle))
        self._bench.put_beside(made)
        _LOG.info("model %.12s is ready on trial: %s", order.bundle, order.role)

    def _look(self, frame: FrameReady, looked: Looked, made: Inspector, order: ChallengerOrder) -> Again | str | None:
        """Let it look; what is no sound answer ends its trial, and is the text that is returned. None: not its view."""
        begun_ns = now_ns()
        try:
            again = made.again(looked, order.bundle)
        except Exception as error:  # noqa: BLE001 - whatever a model on trial does, the judge goes on
            _LOG.exception("model %.12s on trial", order.bundle)
            trouble = f"{type(error).__name__}: {error}"
            self._drop(f"it failed: {trouble}")
            return trouble
        if again is None:
            return None
        took_ns = now_ns() - begun_ns
        self._pace.took(took_ns)
        outcome = Outcome.UNJUDGED if again.trouble else again.judged.outcome
        self._count(frame, again.other is outcome)
        self._compared.append(
            Compared(
                part=frame.part,
                at_ns=frame.triggered_at_ns,
                camera=frame.camera,
                champion=order.replaces,
                challenger=order.bundle,
                champion_outcome=again.other.value,
                challenger_outcome=outcome.value,
                champion_score=_finite(again.other_share),
                challenger_score=_finite(again.share),
                took_ns=took_ns,
                role=order.role,
            )
        )
        if again.trouble:
            self._drop(again.trouble)
            return again.trouble
        return again

    def _count(self, frame: FrameReady, agrees: bool) -> None:
        if frame.triggered_at_ns != self._last_part:
            self._parts, self._last_part = self._parts + 1, frame.triggered_at_ns
        self._disagreed += not agrees

    def _leave(self) -> None:
        """What waits will not be looked at."""
        if self._waits:
            self._skipped += len({frame.triggered_at_ns for frame, _ in self._waits})
            self._pace.waited()
            self._waits.clear()

    def _drop_if_slow(self) -> None:
        if self._made is not None and self._pace.is_too_slow:
            budget = f"{self._pace.budget_ns / MS:.1f} ms"
            self._drop(f"it is too slow: 99.9 % of its pictures took more than the {budget} it has")

    def _drop(self, why: str, order: ChallengerOrder | None = None) -> None:
        """End its trial for good under this order."""
        order = order or self._order
        if order is None or self._order is None or order.number != self._order.number:
            return  # what was ordered meanwhile is another matter
        _LOG.error("model %.12s on trial is dropped: %s", order.bundle, why)
        self._dropped, self._trouble = order.number, why
        self._let_go()

    def _let_go(self) -> None:
        self._waits.clear()
        self._made = self._base = None
        self._bench.take_away()


def _finite(share: float) -> float:
    return share if math.isfinite(share) else 0.0
