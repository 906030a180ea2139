"""One station, pure: which parts are open, what becomes of each, and what the PLC is shown. Clock and wire are outside.

Only a verdict of an open part (same number *and* same trigger moment), of the active job, with outcome OK, before the
deadline, becomes PASS. The disposition is frozen when it goes into the result block; until then a deadline that passes
turns it into LATE. Results go out in the order of the triggers, one for each accepted trigger. A fault, a silent PLC or
a lost connection rejects every open part; nothing old is shown afterwards.
"""

from collections.abc import Callable
from dataclasses import replace

from ..bus.clock import utc_now
from ..bus.messages import Counters, Hold, Job, JobAnswer, JobAsk, JobOrder, JobReport
from ..bus.part import LAST_PART, Action, Delivery, Disposition, Outcome, Receipt, Record, Trigger, Verdict, Why
from ..bus.shift import LineMode, Mode
from .changeover import Wish
from .events import CounterReset, Event, FaultCleared, FaultRaised, JobRequest, PeerBack, PeerLost
from .handshake import Handshake, Limits, State
from .holds import Holds
from .images import InImage, OutImage
from .job_dialogue import PLC, JobDialogue
from .line_mode import APART, LineModes
from .open_part import EMPTY, OpenPart, block_of
from .signals import Command, FaultCode, Status, WireCode
from .tally import Tally
from .views import Views, no_picture

__all__ = [
    "CounterReset",
    "Event",
    "FaultCleared",
    "FaultRaised",
    "JobRequest",
    "PeerBack",
    "PeerLost",
    "Station",
]
_RESULT_BITS = {WireCode.OK: Status.OK, WireCode.NG: Status.NG}


class Station:
    """The core. Every call that can change something is followed by `tick`, which returns what to show."""

    def __init__(
        self,
        name: str,
        job: Job,
        limits: Limits,
        *,
        job_number: int = 1,
        jobs: frozenset[int] = frozenset(),
        participants: frozenset[str] = frozenset(),
        views: tuple[str, ...] = (),
        awaits: tuple[str, ...] = (),
        utc: Callable[[], str] = utc_now,
    ) -> None:
        """job_number: what the PLC calls the active job. utc: the wall clock, for people only.

        jobs: numbers there are to change to. participants: who has to agree to a change, by heartbeat.
        views: cameras that each part is seen by; up to one: whatever camera it is.
        awaits: holders that READY waits for until they have spoken once.
        """
        self.name = name
        if job.deadline_ns < 2:
            raise ValueError(f"deadline {job.deadline_ns} ns: expected 2 or more")
        self.jobs = JobDialogue(job_number, job, limits, jobs, participants)
        self._limits, self._views = limits, views if len(views) > 1 else ("",)
        self.hand = Handshake(limits)
        self._fit_limits()
        self._holds = Holds(awaits)
        self._modes = LineModes(awaited=bool(awaits))
        self._refusal = ""  # why the PLC's last job change was refused
        self._now = 0
        self.tally = Tally()
        self.links_lost = 0
        self._utc = utc
        self._parts: dict[int, OpenPart] = {}  # by number, in the order of the triggers; the shown one is not here
        self._shown: OpenPart | None = None
        self._newest: OpenPart | None = None
        self._block = EMPTY
        self._events: list[Event] = []
        self._blockers: tuple[str, ...] = ("io: starting",)
        self._degraded = False
        self._stopped = False
        self._ready = False
        self._beats = 0
        self._number = 0
        self._late_in_row = 0
        self._line_stop = False

    # -- what comes in ---------------------------------------------------------------------------------------------

    def receive(self, image: InImage) -> None:
        """Take one write of the PLC."""
        now = image.at_ns
        was_ready = self._ready
        said = self.hand.receive(image)
        if said.peer_back:
            self._events.append(PeerBack())
        if said.counter_reset:
            self._events.append(CounterReset(self.tally.counters()))
            self.tally.reset()
        if said.acked and self._shown is not None:
            self._close(self._shown, now)
            self._shown = None
        if said.fault_reset:
            self._holds.reset(now)
        if said.fault_reset and self.hand.fault:
            self.hand.reset()
            self._line_stop, self._late_in_row = False, 0
            self._events.append(FaultCleared())
        if said.job_withdrawn and self._plc_changes:
            self.jobs.fail("JOB_EXEC fell before the answer", now)
        if said.job:
            self._events.append(JobRequest(image.job_request, image.job_token))
            self.jobs.ask(Wish(image.job_request, image.job_token, PLC), now)
        if said.trigger:
            self._trigger(image, was_ready)
        self._advance(now)

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        """Take a verdict. One that is late, foreign, double or of no open part is counted and dropped."""
        self._advance(now_ns)
        part = self._parts.get(verdict.part)
        if part is None or part.why is not None or part.trigger.at_ns != verdict.triggered_at_ns:
            self.tally.stale += 1
            return
        job = self.job
        model = self.jobs.model_at(verdict.triggered_at_ns)
        if (verdict.recipe, verdict.revision, verdict.model) != (job.recipe, job.revision, model):
            self.tally.stale += 1
            return
        if part.views is not None and verdict.camera not in part.views.open:
            self.tally.stale += 1
            return
        part.expose(verdict.camera)
        whole = verdict if part.views is None else part.views.add(verdict)
        if whole is not None:
            part.verdict = whole
            self._decide(part, {Outcome.OK: Why.OK, Outcome.NG: Why.NG}.get(whole.outcome, Why.LOST), now_ns)
        self._advance(now_ns)

    def exposed(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "") -> None:
        """A picture of a part is taken. With BUFFER_EN the next trigger may come when all of them are."""
        found = self._find(part, triggered_at_ns)
        if found is not None:
            found.expose(camera)
            self._advance(now_ns)

    def lost(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "", reason: str = "") -> None:
        """There will be no picture of a part by that camera: it is rejected without waiting for its deadline."""
        self._advance(now_ns)
        found = self._find(part, triggered_at_ns)
        if found is None:
            return
        found.expose(camera)
        if found.why is None and (found.views is None or camera in found.views.open):
            found.lost = no_picture(reason)
            found.verdict = None if found.views is None else found.views.lost(camera, found.lost)
            self._decide(found, Why.LOST, now_ns)
        self._advance(now_ns)

    def ask_job(self, ask: JobAsk, now_ns: int) -> None:
        """Somebody beside the PLC asks for a job; the answer is an event."""
        self.jobs.ask_by_bus(ask, now_ns, plc_asks=Command.JOB_EXEC in self.hand.command)
        self._advance(now_ns)

    def job_read(self, change: int, found: Job | str, now_ns: int) -> None:
        """Answer a `JobWanted`: the job as its recipe says, or why it cannot be had."""
        self.jobs.read(change, found, now_ns)
        self._advance(now_ns)

    def job_report(self, report: JobReport, now_ns: int) -> None:
        """Take the answer of a camera or of inspect to the order."""
        self.jobs.report(report, now_ns)
        self._advance(now_ns)

    def job_failed(self, reason: str, now_ns: int) -> None:
        """A change-over cannot go on; without one, nothing."""
        self.jobs.fail(reason, now_ns)
        self._advance(now_ns)

    def swap_model(self, revision: str, from_model: str, to_model: str, now_ns: int) -> str:
        """Another model judges what is triggered from now on; as `JobDialogue.swap`. Return why not, empty: it does."""
        self._advance(now_ns)
        refusal = "io is stopping" if self._stopped else self.jobs.swap(revision, from_model, to_model, now_ns)
        if not refusal:
            self._fitted = self.job  # nothing but the model is another one: nobody has to be looked at anew
        return refusal

    def order(self, epoch: str) -> JobOrder:
        """What the cameras and inspect are to go by. epoch: names this run of io."""
        return self.jobs.order(epoch)

    def hold(self, hold: Hold, now_ns: int) -> None:
        """Somebody beside the PLC holds READY off, or lets go."""
        self._holds.take(hold, now_ns)
        self._advance(now_ns)

    def line_mode(self, said: LineMode, now_ns: int) -> None:
        """What the parts are that are triggered from now on."""
        self._modes.take(said)
        self._advance(now_ns)

    def link_lost(self, reason: str, now_ns: int) -> None:
        """The PLC's connection is gone, or another took its place: all open parts are rejected."""
        self._lose_peer(reason, now_ns, link=True)

    def allow(self, blockers: tuple[str, ...], *, degraded: bool = False) -> None:
        """Say why the rest of the box is not ready, in words; empty: it is."""
        self._blockers, self._degraded = blockers, degraded

    def beat(self) -> None:
        """One beat of the box's own heartbeat. Only to be called while all that is needed has moved."""
        self._beats = (self._beats + 1) & 0xFFFF

    def stop(self, now_ns: int) -> None:
        """READY off for good, all open parts rejected."""
        self._stopped = True
        self.jobs.fail("io is stopping", now_ns)
        self._reject_open(now_ns)

    # -- what goes out ---------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> OutImage:
        """Let time pass and return what the PLC is to see."""
        self._advance(now_ns)
        return self._image()

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def next_ns(self) -> int | None:
        """When `tick` must be called at the latest; None: nothing is waiting."""
        due = [part.trigger.deadline_ns for part in self._parts.values() if part.why is not Why.LATE]
        if self._newest is not None and self._exposing:
            due.append(self._newest.trigger.deadline_ns)
        hand = self.hand.next_ns()
        due += [moment for moment in (hand, self.jobs.next_ns()) if moment is not None]
        return min(due, default=None)

    @property
    def job(self) -> Job:
        """The active job."""
        return self.jobs.job

    @property
    def job_number(self) -> int:
        """What the PLC calls it."""
        return self.jobs.number

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why no trigger would be accepted, the first thing to mend first. A part under way is no reason."""
        if self._stopped:
            return ("io: stopping",)
        stands = ("PLC: TRIGGER is still 1, it has to fall first",) if self.hand.trigger_stands else ()
        refused = (f"job change refused: {self._refusal}",) if self._refusal and self.hand.job_refused else ()
        changing = self.jobs.reasons() + refused
        held = self._holds.reasons(self._now) or self._modes.reasons
        return changing + self._blockers + self.hand.reasons() + held + stands

    @property
    def ready(self) -> bool:
        """The READY bit as last shown."""
        return self._ready

    @property
    def open(self) -> int:
        """Accepted parts whose record is not made yet."""
        return len(self._parts) + (self._shown is not None)

    @property
    def state(self) -> State:
        """Where the handshake stands."""
        if self.hand.fault:
            return State.FAULT
        if self.hand.acquiring:
            return State.ACQUIRING
        if self._shown is not None:
            return State.RESULT_VALID
        if self._parts:
            return State.INSPECTING
        return State.READY if self._ready else State.OFFLINE

    @property
    def mode(self) -> Mode:
        """What a part that is triggered now is."""
        return self._modes.at(self._now)

    @property
    def fault_code(self) -> int:
        """What stands in the register of the fault; 0: none."""
        return self.hand.fault.value

    @property
    def peer_alive(self) -> bool:
        """The PLC's heartbeat moves."""
        return self.hand.alive

    def counters(self) -> Counters:
        """The totals of this run."""
        return self.tally.counters()

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _plc_changes(self) -> bool:
        return self.jobs.change is not None and self.jobs.change.wish.who == PLC

    def _fit_limits(self) -> None:
        self._fitted = self.job
        # A stuck TRIGGER has to be found before the part is late.
        self.hand.limits = replace(self._limits, stuck_ns=min(self._limits.stuck_ns, self.job.deadline_ns - 1))

    @property
    def _exposing(self) -> bool:
        """A camera still owes its picture of the newest part: the next one must not come before it."""
        return self._newest is not None and self._newest.is_exposing(self._now)

    def _find(self, part: int, triggered_at_ns: int) -> OpenPart | None:
        found = self._parts.get(part)
        newest = self._newest
        if found is None and newest is not None and newest.trigger.part == part:
            found = newest  # decided by one camera while another has not taken its picture yet
        return found if found is not None and found.trigger.at_ns == triggered_at_ns else None

    def _is_open(self, number: int) -> bool:
        return number in self._parts or (self._shown is not None and self._shown.trigger.part == number)

    def _next_number(self) -> int:
        while True:
            self._number = self._number % LAST_PART + 1
            if not self._is_open(self._number):
                return self._number

    def _trigger(self, image: InImage, was_ready: bool) -> None:
        number = image.part or self._next_number()
        accepted = was_ready and self._may_accept()
        if accepted and self._is_open(number):
            self._trip(FaultCode.PART_OPEN, image.at_ns, number)
            accepted = False
        part = OpenPart(
            Trigger(
                part=number,
                station=self.name,
                at_ns=image.at_ns,
                encoder=image.encoder,
                deadline_ns=image.at_ns + self.job.deadline_ns,
                recipe=self.job.recipe,
                missed=not accepted,
            ),
            self._utc(),
            set(self._views),
            Views(self._views, self.job.agreements) if len(self._views) > 1 else None,
            self._modes.at(image.at_ns),
        )
        self.tally.trigger(missed=not accepted)
        self._events.append(part.trigger)
        if accepted:
            self.hand.accept(image.at_ns)
            self._parts[number] = self._newest = part
        else:
            self.hand.miss()
            self._reject(part, Why.LOST, image.at_ns)

    def _decide(self, part: OpenPart, why: Why, now_ns: int) -> None:
        part.why, part.committed_ns = why, now_ns

    def _advance(self, now_ns: int) -> None:
        """Do all that has become due: nothing waits for the next tick."""
        self._now = now_ns
        if self.hand.silent(now_ns):
            self._lose_peer("its heartbeat stopped", now_ns, link=False)
        for part in self._parts.values():
            if part.why is not Why.LATE and now_ns >= part.trigger.deadline_ns:
                self._decide(part, Why.LATE, now_ns)
        code = self.hand.overdue(now_ns)
        if code:
            culprit = self._newest if code is FaultCode.TRIGGER_STUCK else self._shown
            self._trip(code, now_ns, culprit.trigger.part if culprit is not None else 0)
        self._show(now_ns)
        if self._waiting() > self.hand.limits.queue:
            self._trip(FaultCode.QUEUE_FULL, now_ns, next(iter(self._parts)))
        self._advance_job(now_ns)
        self._ready = not self.hand.trigger_stands and self._may_accept()

    def _advance_job(self, now_ns: int) -> None:
        if self.jobs.advance(now_ns, open_parts=self.open):
            self._reject_open(now_ns)
            self.jobs.advance(now_ns, open_parts=0)
        for event in self.jobs.events():
            self._events.append(event)
            if isinstance(event, JobAnswer) and event.who == PLC:
                self.hand.answer_job(done=event.done)
                self._refusal = event.detail
            elif isinstance(event, JobAnswer) and event.done:
                self.hand.forget_job()
        if self.job is not self._fitted:
            self._fit_limits()
            self._blockers = ("io: the job has changed, cameras and inspect have not been looked at since",)

    def _waiting(self) -> int:
        return sum(part.why is not None for part in self._parts.values())

    def _may_accept(self) -> bool:
        if self._stopped or self._blockers or self.hand.reasons() or self.hand.acquiring:
            return False
        if self.jobs.change is not None or self._holds.reasons(self._now) or self._modes.reasons:
            return False
        if Command.BUFFER_EN not in self.hand.command:
            return not self.open and not self._exposing
        limit = self.hand.limits.queue
        return not self._exposing and self._waiting() < limit and len(self._parts) < 2 * limit

    def _show(self, now_ns: int) -> None:
        """Put the oldest decided part into the result block: from here on it is frozen."""
        if not self._parts or not self.hand.may_show:
            return
        number, part = next(iter(self._parts.items()))
        if part.why is None or (part is self._newest and self.hand.acquiring):
            return
        del self._parts[number]
        why = part.ground(part.why)
        seq = self.hand.show(now_ns)
        self._freeze(part, why, now_ns, seq)
        self._shown = part
        self._block = block_of(part, why, seq, now_ns)
        self._count_late(why)

    def _count_late(self, why: Why) -> None:
        if why in APART:
            return
        self._late_in_row = self._late_in_row + 1 if why is Why.LATE else 0
        limit = self.hand.limits.late_stop
        if limit and self._late_in_row >= limit:
            self._line_stop = True
        elif self._late_in_row == 0:
            self._line_stop = False

    def _freeze(self, part: OpenPart, why: Why, now_ns: int, seq: int) -> None:
        part.disposition = Disposition(
            part=part.trigger.part,
            action=Action.PASS if why is Why.OK else Action.REJECT,
            why=why,
            committed_ns=part.committed_ns or now_ns,
            published_ns=now_ns if seq else None,
            sequence=seq,
        )
        self.tally.decide(why)
        self._events.append(part.disposition)

    def _close(self, part: OpenPart, acked_ns: int | None) -> None:
        """Make the record: the part has its one disposition and its receipt."""
        disposition = part.disposition
        if disposition is None:  # pragma: no cover - closed only after it was frozen
            raise RuntimeError(f"part {part.trigger.part} has no disposition")
        if acked_ns is None:
            delivery = Delivery.UNCONFIRMED
        elif acked_ns < part.trigger.deadline_ns + self.hand.limits.ack_ns:
            delivery = Delivery.DELIVERED
        else:
            delivery = Delivery.LATE
        if disposition.action is Action.REJECT:
            self.tally.receipt(confirmed=acked_ns is not None)
        verdict = part.verdict if part.verdict is None else replace(part.verdict, heat=())
        receipt = Receipt(part.trigger.part, delivery, acked_ns)
        self._events.append(Record(part.trigger, verdict, disposition, receipt, part.taken_at, part.lost))
        if part is self._newest and not part.unexposed:
            self._newest = None

    def _reject(self, part: OpenPart, why: Why, now_ns: int) -> None:
        """Reject a part that is not shown to the PLC."""
        part.committed_ns = now_ns
        self._freeze(part, part.ground(why), now_ns, 0)
        self._close(part, None)

    def _reject_open(self, now_ns: int) -> int:
        """Reject all that is open and empty the result block; return how many parts that were."""
        rejected = self.open
        if self._shown is not None:
            self._close(self._shown, None)
            self._shown = None
        for part in self._parts.values():
            self._reject(part, Why.FAULT, now_ns)
        self._parts.clear()
        self._newest = None
        self._block = EMPTY
        self.hand.clear()
        self._ready = False
        return rejected

    def _trip(self, code: FaultCode, now_ns: int, part: int) -> None:
        self.hand.trip(code)
        self._events.append(FaultRaised(code, part))
        self._reject_open(now_ns)

    def _lose_peer(self, reason: str, now_ns: int, *, link: bool) -> None:
        self.hand.lose_peer(link=link)
        self.links_lost += 1
        if self._plc_changes:
            self.jobs.fail(f"the PLC is lost: {reason}", now_ns)
        rejected = self._reject_open(now_ns)
        self._events.append(PeerLost(reason, rejected))

    def _image(self) -> OutImage:
        block, sums = self._block, self.tally.shown()
        busy = any(part.why is None for part in self._parts.values())
        status = self.hand.status(ready=self._ready, busy=busy)
        if Status.RESULT_VALID in status:
            status |= _RESULT_BITS.get(block.disposition, Status.UNJUDGED)
        if self._beats & 1:
            status |= Status.HB
        if self._degraded:
            status |= Status.DEGRADED
        if self._line_stop:
            status |= Status.LINE_STOP_REQ
        return OutImage(
            status=status,
            heartbeat=self._beats,
            seq=block.seq,
            part=block.part,
            disposition=block.disposition,
            defect=block.defect,
            score_milli=block.score_milli,
            inference_ms=block.inference_ms,
            latency_ms=block.latency_ms,
            job=self.job_number,
            job_token=self.hand.job_token,
            fault=self.hand.fault.value,
            depth=self._waiting(),
            triggers=sums.triggers,
            ok=sums.ok,
            ng=sums.ng,
            unjudged=sums.unjudged - sums.missed,
            missed=sums.missed,
            confirmed=sums.confirmed,
        )
