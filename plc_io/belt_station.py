"""The core of a box that fires its gates itself: eyes and encoder instead of a PLC's TRIGGER. Pure.

It has the face of `Station` towards the process and the bus. The tracker decides; this adds what a box has around it:
the active job and its change-over, holds, what keeps READY off, and the reset switch.
"""

from collections.abc import Callable
from dataclasses import replace

from ..bus.clock import utc_now
from ..bus.messages import Counters, Hold, Job, JobAnswer, JobAsk, JobOrder, JobReport
from ..bus.part import Disposition, Record, Trigger, Verdict
from ..bus.shift import LineMode, Mode
from .belt_options import EDGE_MS, BeltOptions
from .handshake import Limits, State
from .holds import Holds
from .images import InImage, OutImage
from .job_dialogue import JobDialogue, JobKept, JobWanted
from .line_mode import LineModes
from .signals import NO_STATUS, FaultCode, Status
from .tracker import LineFault, LineReset, Outputs, Tracker

Event = Trigger | Disposition | Record | LineFault | LineReset | JobWanted | JobKept | JobAnswer


class BeltStation:
    """One belt with its eyes and gates. Calls as `Station`, and `edge`, `move`, `outputs` for the machine's side."""

    def __init__(
        self,
        name: str,
        job: Job,
        limits: Limits,
        options: BeltOptions,
        encoder_bits: int,
        *,
        edge_ms: float = EDGE_MS,
        job_number: int = 1,
        jobs: frozenset[int] = frozenset(),
        participants: frozenset[str] = frozenset(),
        views: tuple[str, ...] = (),
        awaits: tuple[str, ...] = (),
        utc: Callable[[], str] = utc_now,
    ) -> None:
        """As `Station`. edge_ms: how late an edge may be told. ValueError: distances that do not fit."""
        self.name = name
        self.jobs = JobDialogue(job_number, job, limits, jobs, participants)
        self._options = options
        self._lane_of = {gate.eye: gate.lane for gate in options.gate}
        self._second = {gate.second_eye: gate.name for gate in options.gate if gate.second_eye is not None}
        self._confirm = {gate.confirm_eye: gate.name for gate in options.gate if gate.confirm_eye is not None}
        self._bins = {gate.bin_full: gate.name for gate in options.gate if gate.bin_full is not None}
        self._tracker = Tracker(
            options.belt(encoder_bits, edge_ms),
            options.stop.rules(),
            views=views or ("top",),
            deadline_ns=job.deadline_ns,
            station=name,
            recipe=job.recipe,
            utc=utc,
        )
        self._tracker.agreements = job.agreements
        self._tracker.accepts = False
        self._fitted = job
        self.tally = self._tracker.tally
        self._holds = Holds(awaits)
        self._modes = LineModes(awaited=bool(awaits))
        self._events: list[Event] = []
        self._blockers: tuple[str, ...] = ("io: starting",)
        self._degraded = False
        self._stopped = False
        self._enabled = options.enable is None
        self._beats = 0
        self._now = 0
        self._outputs = Outputs(frozenset(), True, "io: starting")

    # -- the machine's side ------------------------------------------------------------------------------------------

    def edge(self, name: str, active: bool, counts: int, at_ns: int, now_ns: int) -> None:
        """Take a change of an input. counts: latched at the edge. at_ns: when; now_ns: when we are told."""
        tracker = self._tracker
        if name in self._bins:
            tracker.bin_full(self._bins[name], active, now_ns)
        if name == self._options.enable:
            self._enabled = active
        if active:
            if name in self._lane_of:
                self._advance(now_ns)
                tracker.mode = self._modes.at(at_ns)
                tracker.eye(self._lane_of[name], counts, at_ns)
            if name in self._second:
                tracker.gate_eye(self._second[name], counts, now_ns)
            if name in self._confirm:
                tracker.confirm_eye(self._confirm[name], counts, now_ns)
            if name == self._options.reset:
                tracker.reset(now_ns)
                self._holds.reset(now_ns)
        self._advance(now_ns)

    def levels(self, active: frozenset[str], now_ns: int) -> None:
        """Take the levels of the inputs as they stand when the machine is connected: no edge will tell them."""
        self._enabled = self._options.enable is None or self._options.enable in active
        for name, gate in self._bins.items():
            self._tracker.bin_full(gate, name in active, now_ns)
        self._advance(now_ns)

    def move(self, counts: int, now_ns: int) -> None:
        """Take a sample of the encoder."""
        self._tracker.move(counts, now_ns)

    def outputs(self, now_ns: int) -> Outputs:
        """Let time pass and return what gates and line are to do. To be asked every tick."""
        self._outputs = self._tracker.tick(now_ns)
        self._advance(now_ns)
        return self._outputs

    # -- as Station --------------------------------------------------------------------------------------------------

    def receive(self, image: InImage) -> None:
        """There is no PLC that writes."""
        raise NotImplementedError("a belt is told of edges, not of images")

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        """Take a verdict. One that is late, foreign, double, of another job or of no open part is only counted."""
        job = self.job
        model = self.jobs.model_at(verdict.triggered_at_ns)
        if (verdict.recipe, verdict.revision, verdict.model) != (job.recipe, job.revision, model):
            self.tally.stale += 1
            return
        if len(self._tracker.views) == 1:
            verdict = replace(verdict, camera=self._tracker.views[0])
        self._tracker.submit(verdict, now_ns)

    def exposed(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "") -> None:
        """A picture is taken. Parts come by the belt, nobody waits for it."""

    def lost(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "", reason: str = "") -> None:
        """There will be no picture of a part by that camera: it is rejected."""
        self._tracker.lost(part, triggered_at_ns, now_ns, camera if len(self._tracker.views) > 1 else "", reason)

    def ask_job(self, ask: JobAsk, now_ns: int) -> None:
        """Somebody asks for a job; the answer is an event."""
        self.jobs.ask_by_bus(ask, now_ns, plc_asks=False)
        self._advance(now_ns)

    def job_read(self, change: int, found: Job | str, now_ns: int) -> None:
        """Answer a `JobWanted`."""
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
        """As `Station`."""
        self._advance(now_ns)
        refusal = "io is stopping" if self._stopped else self.jobs.swap(revision, from_model, to_model, now_ns)
        if not refusal:
            self._fitted = self.job
        return refusal

    def order(self, epoch: str) -> JobOrder:
        """What the cameras and inspect are to go by."""
        return self.jobs.order(epoch)

    def hold(self, hold: Hold, now_ns: int) -> None:
        """Somebody holds READY off, or lets go."""
        self._holds.take(hold, now_ns)
        self._advance(now_ns)

    def line_mode(self, said: LineMode, now_ns: int) -> None:
        """What the parts are that come from now on."""
        self._modes.take(said)
        self._advance(now_ns)

    def link_lost(self, reason: str, now_ns: int) -> None:
        """Pins or encoder are gone: nobody knows what passes, all open parts are rejected, and a person has to look."""
        self._tracker.trip(f"the machine's wires are lost: {reason}", now_ns)
        self._advance(now_ns)

    def allow(self, blockers: tuple[str, ...], *, degraded: bool = False) -> None:
        """Say why the rest of the box is not ready, in words; empty: it is."""
        self._blockers, self._degraded = blockers, degraded

    def beat(self) -> None:
        """One beat of the box's own heartbeat."""
        self._beats = (self._beats + 1) & 0xFFFF

    def stop(self, now_ns: int) -> None:
        """READY off for good, all open parts rejected."""
        self._stopped = True
        self.jobs.fail("io is stopping", now_ns)
        self._tracker.trip("io is stopping", now_ns)
        self._advance(now_ns)

    def tick(self, now_ns: int) -> OutImage:
        """Return the state as a PLC would see it; the signals of the pins come from its bits."""
        self._advance(now_ns)
        sums, bits = self.tally.shown(), NO_STATUS
        for flag, holds in (
            (Status.READY, self.ready),
            (Status.BUSY, bool(self._tracker.open)),
            (Status.FAULT, bool(self._tracker.fault)),
            (Status.HB, bool(self._beats & 1)),
            (Status.JOB_BUSY, self.jobs.change is not None),
            (Status.LINE_STOP_REQ, self._outputs.line_stop),
            (Status.DEGRADED, self._degraded),
        ):
            if holds:
                bits |= flag
        return OutImage(
            status=bits,
            heartbeat=self._beats,
            job=self.job_number,
            fault=self.fault_code,
            depth=self._tracker.open,
            triggers=sums.triggers,
            ok=sums.ok,
            ng=sums.ng,
            unjudged=sums.unjudged - sums.missed,
            missed=sums.missed,
            confirmed=sums.confirmed,
        )

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events = [*self._events, *self._tracker.events()]
        self._events = []
        return events

    def next_ns(self) -> int | None:
        """When `tick` must be called at the latest; None: nothing is waiting."""
        due = [moment for moment in (self._tracker.next_ns(), self.jobs.next_ns()) if moment is not None]
        return min(due, default=None)

    @property
    def job(self) -> Job:
        """The active job."""
        return self.jobs.job

    @property
    def job_number(self) -> int:
        """Its number."""
        return self.jobs.number

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why no part would be let pass, the first thing to mend first."""
        if self._stopped:
            return ("io: stopping",)
        stands = (f"line: {self._outputs.why}; mend it, then reset",) if self._outputs.line_stop else ()
        enable = () if self._enabled else (f"machine: input {self._options.enable} is not active",)
        held = self._holds.reasons(self._now) or self._modes.reasons
        return (*self.jobs.reasons(), *self._blockers, *stands, *enable, *held)

    @property
    def ready(self) -> bool:
        """The next part will be inspected."""
        return not self.reasons

    @property
    def open(self) -> int:
        """Parts without a disposition."""
        return self._tracker.open

    @property
    def state(self) -> State:
        """Where the line stands."""
        if self._tracker.fault:
            return State.FAULT
        if self._tracker.open:
            return State.INSPECTING
        return State.READY if self.ready else State.OFFLINE

    @property
    def mode(self) -> Mode:
        """What a part that comes now is."""
        return self._modes.at(self._now)

    @property
    def fault_code(self) -> int:
        """What stands in the register of the fault; 0: none."""
        return FaultCode.LINE.value if self._tracker.fault else 0

    @property
    def peer_alive(self) -> bool:
        """The machine's wires are there."""
        return not self._tracker.fault

    def counters(self) -> Counters:
        """The totals of this run."""
        return self._tracker.counters()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _advance(self, now_ns: int) -> None:
        self._now = now_ns
        if self.jobs.advance(now_ns, open_parts=self._tracker.open):
            self._tracker.reject_open(now_ns)
            self.jobs.advance(now_ns, open_parts=0)
        self._events += self.jobs.events()
        tracker, job = self._tracker, self.job
        if job is not self._fitted:
            self._fitted = job
            tracker.recipe, tracker.deadline_ns, tracker.agreements = job.recipe, job.deadline_ns, job.agreements
            self._blockers = ("io: the job has changed, cameras and inspect have not been looked at since",)
        tracker.accepts = self.ready or (bool(tracker.fault) and not self._stopped)
