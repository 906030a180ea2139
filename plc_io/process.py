"""The process `io`: the PLC's link, the station, the bus. One event loop in one thread; nothing in it waits.

A write of the PLC is handled inside its own callback: the Trigger is on the bus before the write is answered. Verdicts
come by the file descriptor of the bus; deadlines by a timer that is set to the next one.
"""

import asyncio
import logging
import signal
import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..bus.channel import (
    AskDoor,
    EntrySender,
    Publisher,
    Subscriber,
    ask_address,
    camera_address,
    inspect_addresses,
    io_address,
    opcua_address,
    records_address,
    shift_address,
)
from ..bus.clock import MS, SECOND, boot_id, now_ns
from ..bus.degraded import DegradedWatch
from ..bus.errors import BadSettings
from ..bus.heartbeat import Heartbeat, Pulse
from ..bus.ladder import ChallengerState
from ..bus.messages import (
    CameraState,
    FrameLost,
    FrameReady,
    Health,
    Hold,
    InspectState,
    Job,
    JobAnswer,
    JobAsk,
    JobReport,
    StationState,
)
from ..bus.part import Disposition, Record, Trigger, Verdict
from ..bus.shift import LineMode
from .belt_station import BeltStation
from .belt_station import Event as BeltEvent
from .fence import Fence
from .forces import FORCIBLE, Forces
from .hand_desk import hand_desk
from .images import InImage, OutImage
from .job_desk import JobDesk, JobTable
from .job_dialogue import JobKept, JobWanted
from .journal import Journal
from .link import Link
from .links import belt_station, open_gates, open_link
from .options import PlcOptions
from .readiness import Readiness, Watch
from .realtime import Collection, claim
from .signal_table import SignalTable
from .station import (
    CounterReset,
    Event,
    FaultCleared,
    FaultRaised,
    JobRequest,
    PeerBack,
    PeerLost,
    Station,
)
from .swap_desk import AtHand, swap_handler
from .tracker import LineFault, LineReset

if TYPE_CHECKING:
    from .gates_link import GatesLink

_LOG = logging.getLogger(__name__)
TURN_S = 0.02
STATE_NS = 250 * MS
COUNTERS_NS = 5 * SECOND
FLUSH_NS = 2 * SECOND
MOST_ASKS = 4
"""Asks of people answered in one turn: the line comes first."""
MOST_ASKED = 16 << 10
"""Bytes of one of them: to unpack more takes longer than a part may have."""
EXIT_REFUSED = 78
"""Exit status for settings that a person has to change (EX_CONFIG)."""


class _Io:
    """All that the process holds."""

    def __init__(
        self,
        options: PlcOptions,
        station: str,
        cameras: tuple[str, ...],
        job: Job,
        run_dir: Path,
        jobs: JobTable | None,
        awaits: tuple[str, ...],
    ) -> None:
        self.epoch = uuid.uuid4().hex[:16]
        self._gates: GatesLink | None = None
        self.station, self.link = self._core(station, job, options, cameras, jobs, awaits)
        bits = frozenset(FORCIBLE) if options.role not in ("ascii", "gates") else frozenset()
        belt = options.belt if options.role == "gates" else None
        valves = frozenset(() if belt is None else (gate.name for gate in belt.gate))
        self._forces, self._table = Forces(bits, valves), SignalTable()
        self._journal = Journal(self.epoch, boot_id())
        self._options = options
        self._fence = Fence()
        self._watch = Watch(cameras, self.station.job_number, job)
        self._desk = JobDesk(jobs, run_dir)
        self._ready = Readiness(("io: starting",), (), moves=False)
        self._out = OutImage()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns: int | None = None
        self._said: tuple[object, ...] = ()
        self._said_ns = 0
        self._beat_ns = 0
        self._counted_ns = now_ns()
        self._lost_ns: int | None = None
        self._lost_entries = 0
        self._pumping = False
        self._collection: Collection | None = None
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        run_dir.mkdir(parents=True, exist_ok=True)
        self._pulse, self._degraded = Pulse(run_dir), DegradedWatch(run_dir)
        self._heart = Heartbeat(run_dir, "io")
        self._speaker = Publisher(io_address(run_dir))
        addresses = [*inspect_addresses(run_dir), *(camera_address(run_dir, name) for name in cameras)]
        addresses.append(opcua_address(run_dir))
        addresses.append(shift_address(run_dir))
        judge = (Verdict, InspectState, JobReport, ChallengerState)
        kinds = (*judge, FrameReady, FrameLost, CameraState, JobAsk, Hold, LineMode)
        self._listener = Subscriber(addresses, kinds)
        self._entries = EntrySender(records_address(run_dir))
        self._asked = AskDoor(ask_address(run_dir, "io"), MOST_ASKED)
        self._hand = hand_desk(
            self._forces,
            self._table,
            options.check,
            busy=self._busy,
            revision=lambda: self.station.job.revision,
            levels=lambda: {} if self._gates is None else self._gates.levels(),
            wire=self._wire,
            more={"model.swap": swap_handler(self.station, self._desk, self._at_hand, self._swapped)},
        )

    def _busy(self) -> bool:
        """Parts are under way while READY."""
        return self.station.open > 0 and self.station.ready

    def _wire(self) -> dict[str, object]:
        """What the link to the machine is, and how it does."""
        told: dict[str, object] = {"role": self._options.role, "place": self.link.place}
        told["connected"] = self.link.connected
        return told | {name: count for name, count in asdict(self.link.health).items() if not name.endswith("_ns")}

    def _at_hand(self, job: Job, at: int) -> AtHand:
        return AtHand(*self._watch.at_hand(job, at))

    def _swapped(self, at: int, ready: bool) -> None:
        job = self.station.job
        if not ready:
            self._watch.follow(self.station.job_number, job)
            self._look(at)  # READY is off until inspect has it
        _LOG.info("model %.12s judges what is triggered from now on: %s %s", job.model, job.recipe, job.revision)
        self._flush(at)

    def _core(
        self,
        name: str,
        job: Job,
        options: PlcOptions,
        cameras: tuple[str, ...],
        jobs: JobTable | None,
        awaits: tuple[str, ...],
    ) -> tuple[Station | BeltStation, Link]:
        """What decides, and the wire to the world. BadSettings: they do not fit together."""
        number = options.job_number if jobs is None else jobs.number
        numbers: frozenset[int] = frozenset() if jobs is None else jobs.numbers
        participants = frozenset(("inspect", *(f"camera-{camera}" for camera in cameras)))
        if options.role == "gates":
            belt = belt_station(
                name,
                job,
                options,
                job_number=number,
                jobs=numbers,
                participants=participants,
                views=cameras,
                awaits=awaits,
            )
            self._gates = open_gates(options, belt, self._flush, self._on_link_lost)
            return belt, self._gates
        station = Station(
            name,
            job,
            options.limits(),
            job_number=number,
            jobs=numbers,
            participants=participants,
            views=cameras,
            awaits=awaits,
        )
        return station, open_link(options, self._on_image, self._on_link_lost)

    async def serve(self) -> None:
        """Run until a signal asks for the end. BadSettings: the PLC's address cannot be had."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        try:
            await self.link.open()
            _LOG.info("the PLC is looked for on %s", self.link.place)
            self._loop.add_reader(self._listener.socket.fileno(), self._hear)
            self._loop.add_reader(self._entries.socket.fileno(), self._pump)
            if self._options.realtime:
                self._settle()
            self._heart.health = Health.READY
            while not self._stop.is_set():
                self._turn()
                try:
                    await asyncio.wait_for(self._stop.wait(), TURN_S)
                except TimeoutError:
                    continue
            await self._end()
        finally:
            await self._close()

    def _settle(self) -> None:
        refused = claim(self._options.priority)
        if refused:
            _LOG.warning("no real time on this machine (%s): answers may be some ms late", "; ".join(refused))
        self._collection = Collection(now_ns())

    # -- the PLC's side ----------------------------------------------------------------------------------------------

    def _on_image(self, image: InImage) -> None:
        self.station.receive(image)
        self._flush(image.at_ns)
        self._table.came(image)  # after the PLC has its answer

    def _on_link_lost(self, reason: str) -> None:
        at = now_ns()
        self.station.link_lost(reason, at)
        self._flush(at)

    # -- the bus -----------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        heard = False
        for message in self._listener.drain():
            heard = True
            self._take(message, now_ns())
        if heard:
            self._flush(now_ns())

    def _take(self, message: object, at: int) -> None:
        if isinstance(message, Verdict):
            if self._fence.admits(message.judge_ns, at):
                self.station.submit(message, at)
            else:
                self.station.tally.stale += 1
        elif isinstance(message, FrameReady):
            self.station.exposed(message.part, message.triggered_at_ns, at, message.camera)
        elif isinstance(message, FrameLost):
            self.station.lost(message.part, message.triggered_at_ns, at, message.camera, message.reason)
        elif isinstance(message, CameraState):
            self._watch.camera(message, at)
        elif isinstance(message, InspectState):
            if self._fence.admits(message.judge_ns, at):
                self._watch.inspect(message, at)
        elif isinstance(message, ChallengerState):
            if self._fence.admits(message.judge_ns, at):
                self._watch.challenger(message, at)
        elif isinstance(message, JobReport):
            if message.epoch == self.epoch and (message.who != "inspect" or self._fence.admits(message.judge_ns, at)):
                self.station.job_report(message, at)
        elif isinstance(message, JobAsk):
            _LOG.info("%s asks for job %d (token %d)", message.who, message.number, message.token)
            self.station.ask_job(message, at)
        elif isinstance(message, Hold):
            self.station.hold(message, at)
        elif isinstance(message, LineMode):
            self.station.line_mode(message, at)

    def _pump(self) -> None:
        self._pumping = False
        at = now_ns()
        while (stored := self._entries.receive()) is not None:
            self._journal.stored(stored, at)
        self._journal.pump(self._entries.send, at)

    # -- time --------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """One turn of the loop: look at the others, beat, say how things stand."""
        at = now_ns()
        self._hear()
        self._asked.serve(self._hand, most=MOST_ASKS)
        self._look(at)
        if at >= self._beat_ns:
            if self._ready.moves:
                self.station.beat()
            self._beat_ns = max(self._beat_ns + self._options.heartbeat_ms * MS, at)
        if at - self._counted_ns >= COUNTERS_NS:
            self._journal.counters(self.station.counters())
            self._counted_ns = at
        self._flush(at)
        self._pump()
        self._say(at)
        self._heart.turn()
        if self._collection is not None:
            self._collection.idle(at, self.station.open)

    def _look(self, at: int) -> None:
        changing = self.station.jobs.change is not None
        beats = self._pulse.beats()
        self._ready = self._watch.look(beats, at, changing=changing)
        self._desk.look(at)
        blockers = (*self._ready.blockers, *self._desk.blockers(self.station.job_number, self.station.job))
        if not self.link.connected:
            blockers = (f"PLC: nothing is connected to {self.link.place}", *blockers)
        self.station.allow(blockers, degraded=self._journal.lost > 0 or bool(self._degraded.standing(beats, at)))
        if self._journal.lost and not self._lost_entries:
            _LOG.error("records does not answer: the journal is full, entries of the ledger are lost from now on")
        self._lost_entries = self._journal.lost

    def _due(self) -> None:
        self._timer = self._timer_ns = None
        self._flush(now_ns())

    def _arm(self) -> None:
        due = self.station.next_ns()
        if due == self._timer_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = due
        self._timer = None if due is None else self._loop.call_at(due / SECOND, self._due)

    # -- what goes out -----------------------------------------------------------------------------------------------

    def _flush(self, at: int) -> None:
        """Show the PLC and tell the bus what has changed."""
        entries = self._journal.waiting
        self._forces.turn(at, busy=self._busy())
        if self._gates is not None:
            self._gates.forced = self._forces.valves
        image = self.station.tick(at)
        while events := self.station.events():
            for event in events:
                self._tell(event, at)
            # A job that cannot be kept is taken back before the PLC sees anything of it.
            image = self.station.tick(at)
        if self._order(at):
            image = self.station.tick(at)
        if self._forces.status:
            image = replace(image, status=image.status | self._forces.status)
        if image != self._out:
            self.link.publish(image)
            self._out = image
            self._table.sent(image, at)
        if self._journal.waiting != entries and not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)  # after the PLC has its answer
        self._arm()

    def _tell(self, event: Event | BeltEvent, at: int) -> None:
        match event:
            case Trigger():
                self._speaker.send(event)
                self._journal.trigger(event)
            case Record():
                self._speaker.send(event)
                self._journal.record(event)
            case Disposition():
                self._speaker.send(event)
            case PeerLost(reason, rejected):
                self._lost_ns = at
                _LOG.warning("PLC lost: %s; %d open parts rejected", reason, rejected)
            case LineFault(reason, rejected):
                _LOG.error("FAULT: %s; %d open parts rejected", reason, rejected)
            case LineReset():
                _LOG.info("the line was reset")
            case PeerBack():
                took = "" if self._lost_ns is None else f" after {(at - self._lost_ns) / SECOND:.1f} s"
                _LOG.info("PLC heartbeat moves%s", took)
            case FaultRaised(code, part):
                _LOG.error("FAULT %d at part %d: %s", code, part, code.words)
            case FaultCleared():
                _LOG.info("the PLC reset the fault")
            case CounterReset(counters):
                _LOG.info("the PLC reset its counters at %s", counters)
            case JobRequest(number, token):
                _LOG.info("the PLC asks for job %d (token %d)", number, token)
            case JobWanted(change, number):
                self._desk.read(change, number, self._job_read)
            case JobKept(number):
                refusal = self._desk.keep(number)
                if refusal:
                    self.station.job_failed(refusal, at)
            case JobAnswer():
                self._speaker.send(event)
                if event.done:
                    _LOG.info("job %d is active, asked by %s", event.number, event.who)
                else:
                    _LOG.error(
                        "job %d, asked by %s, refused: %s; job %d stays active",
                        event.number,
                        event.who,
                        event.detail,
                        self.station.job_number,
                    )

    def _order(self, at: int) -> bool:
        """Tell cameras and inspect which job holds: at each change, and again and again for who missed it.

        Returns True when the job is another one than before.
        """
        order = self._desk.with_bundles(self.station.order(self.epoch))
        if not self._desk.is_due(order, at, changing=self.station.jobs.change is not None):
            return False
        self._speaker.send(order)
        if self._watch.goes_by(order.number, order.job):
            return False
        if self._watch.differs_in_model(order.number, order.job) and order.past:
            self._watch.swap(order.job, order.since_ns)
        else:
            self._watch.follow(order.number, order.job)
            self._look(at)  # what was ready for the job before says nothing of this one
        return True

    def _job_read(self, change: int, found: Job | str) -> None:
        at = now_ns()
        self.station.job_read(change, found, at)
        self._flush(at)

    def _say(self, at: int) -> None:
        """Publish the StationState every 250 ms and, at most once a turn, when it has changed."""
        station = self.station
        reasons = station.reasons
        if self._journal.lost:
            lost = f"records does not answer: {self._journal.lost} entries of the ledger are lost"
            reasons = (*reasons, lost)
        forced = self._forces.shown(at)
        said = (
            station.state,
            station.ready,
            reasons,
            station.fault_code,
            station.peer_alive,
            self._ready.moving,
            station.mode,
            forced,
        )
        if said == self._said and at - self._said_ns < STATE_NS:
            return
        self._said, self._said_ns = said, at
        self._speaker.send(
            StationState(
                station=station.name,
                epoch=self.epoch,
                state=station.state.value,
                ready=station.ready,
                reasons=reasons,
                fault=station.fault_code,
                plc_alive=station.peer_alive,
                moving=self._ready.moving,
                job=station.job,
                counters=station.counters(),
                at_ns=at,
                job_number=station.job_number,
                mode=station.mode.value,
                forced=forced,
            )
        )

    # -- the end -----------------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        """READY off and the reject state first; then the ledger gets what it is owed, for two seconds at most."""
        at = now_ns()
        self.station.stop(at)
        self._flush(at)
        self._journal.counters(self.station.counters(), last=True)
        self._say(at)
        while self._journal.waiting and now_ns() - at < FLUSH_NS:
            self._pump()
            self._heart.turn()
            await asyncio.sleep(TURN_S / 4)
        if self._journal.waiting:
            _LOG.error("stopped with %d entries that records did not take", self._journal.waiting)
        _LOG.info("stopped: %s", self.station.counters())

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for held in (self._listener, self._entries):
            self._loop.remove_reader(held.socket.fileno())
        await self.link.close()
        for socket in (self._speaker, self._listener, self._entries, self._asked):
            socket.close()
        self._heart.close()
        self._pulse.close()


def run(
    options: PlcOptions,
    station: str,
    cameras: tuple[str, ...],
    job: Job,
    run_dir: Path,
    jobs: JobTable | None = None,
    awaits: tuple[str, ...] = (),
) -> int:
    """Run the io process until SIGTERM or SIGINT. Return 0, 78 for settings to be changed, 1 for anything else.

    job: the one to begin with. jobs: what there is to change to; None: nothing. awaits: who has to have spoken before
    the line may be READY, for example `shift`.
    """

    async def main() -> None:
        await _Io(options, station, cameras, job, run_dir, jobs, awaits).serve()

    try:
        asyncio.run(main())
    except BadSettings as error:
        _LOG.error("%s", error)
        return EXIT_REFUSED
    except Exception:  # noqa: BLE001 - outermost frame: connections are closed, so the PLC sees the heartbeat end
        _LOG.exception("io ended by an error")
        return 1
    return 0
