"""The inspection process: a frame comes in, a verdict goes out. One thread owns the models.

It knows no PLC and no disk. Dead, slow or confused it costs yield: a part without its verdict is rejected by io.
Which job it judges by is io's word (`bench.py`); whether it judges at all, or waits in another one's stead, is told by
the seat (`standby.py`). Beside it a model may be on trial (`challenger.py`), whose work never delays a verdict.
"""

import gc
import logging
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from ..bus.channel import Publisher, Subscriber, camera_address, inspect_address, io_address, sync_address
from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadBundle, Fault
from ..bus.ladder import ChallengerOrder
from ..bus.messages import FrameReady, Health, InspectState, Job, JobOrder
from ..bus.ring import RingShelf
from ..bus.stop import Stop
from .bench import Bench
from .challenger import Challenger
from .inspector import Inspector
from .options import InspectOptions
from .recipe import ActiveRecipe
from .standby import LOOK_MS, Role

log = logging.getLogger(__name__)
STATE_EVERY_NS = 500 * MS
WAITING = 256
"""Frames that may wait; more than that are parts long past their deadline, dropped oldest first."""
IDLE_MS, LOADING_MS = 100, 20
LOAD_NS = 180 * SECOND
"""A first load that takes longer hangs: the process does not say any more that it moves."""
HERALD_NS = SECOND
"""After a take-over the state is said at every turn for so long: who hears it first knows that the line is judged."""
REHEARSE_NS = 5 * SECOND
"""The standby judges a frame to itself this often, where the judge keeps up: memory, maps and code stay warm."""
BEHIND = 2
"""So many frames wait for the judge: it has no time to spare, and an inference at a low priority would take seconds."""


def run(
    number: int,
    read: Callable[[int], ActiveRecipe],
    options: InspectOptions,
    cameras: tuple[str, ...],
    run_dir: Path,
    role: Role | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; return the exit code.

    number: the job to come up with. read: reads the recipe of a job afresh (BadSettings: there is none, BadRecipe).
    role: as it was taken before; None: it is taken here.
    BadBundle or BadSettings before READY if the bundle is damaged, scores otherwise than stored, or the provider is
    missing. A golden picture that scores wrong later, or a model that failed and cannot be loaded again, is a FAULT:
    READY drops, and the process ends with code 70.
    """
    stop = Stop()
    role = role or Role(run_dir, cameras)
    publisher = Publisher(inspect_address(run_dir, role.seat.desk))
    addresses = [camera_address(run_dir, name) for name in cameras]
    addresses += [io_address(run_dir), sync_address(run_dir)]
    frames = Subscriber(addresses, (FrameReady, JobOrder, ChallengerOrder))
    shelf = RingShelf(run_dir)

    def load(wanted_number: int, wanted: Job | None, folders: Mapping[str, Path]) -> Inspector:
        return Inspector(wanted_number, read(wanted_number), options, cameras, run_dir, wanted, folders)

    try:
        role.wait_for_the_judge(stop.asked.is_set)
        inspector = None if stop.asked.is_set() else _loaded(lambda: load(number, None, {}), role, stop)
        if inspector is None:
            return 0
        freeze()
        job, says = inspector.job, "ready" if role.judges else "standing by"
        log.info("%s: recipe %s, model %.12s on %s", says, job.recipe, job.model, inspector.provider)
        role.heartbeat.health = Health.READY
        bench = Bench(inspector, load)
        challenger = Challenger(bench, run_dir, len(cameras))
        try:
            code = _Loop(bench, options, role, publisher, frames, shelf, challenger).go(stop)
            if code == 0:
                challenger.end()
            return code
        finally:
            role.close()  # the other one goes on while this one waits for what it was loading
            challenger.close()
            bench.close()
    finally:
        for held in (role, publisher, frames, shelf):
            held.close()


def _loaded(load: Callable[[], Inspector], role: Role, stop: Stop) -> Inspector | None:
    """Load beside this thread, which goes on turning and takes the seat when it falls free. None: told to stop.

    Raises what the loading raises.
    """
    begun_ns = now_ns()
    with ThreadPoolExecutor(1, "loader") as loader:
        making = loader.submit(load)
        while not making.done():
            role.turn()
            if stop.asked.is_set():
                return None
            if now_ns() - begun_ns < LOAD_NS:
                role.heartbeat.turn()
            wait([making], LOOK_MS / 1000)
        return making.result()


def freeze() -> None:
    """What a model loaded stays; collecting it over and over costs milliseconds in the path of a part."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class _SeatFree(Exception):
    """The judge has died while its standby proved itself."""


class _Loop:
    """What the loop holds between two turns."""

    def __init__(
        self,
        bench: Bench,
        options: InspectOptions,
        role: Role,
        publisher: Publisher,
        frames: Subscriber,
        shelf: RingShelf,
        challenger: Challenger,
    ) -> None:
        self._challenger = challenger
        self._bench, self._options, self._role, self._heartbeat = bench, options, role, role.heartbeat
        self._publisher, self._frames, self._shelf = publisher, frames, shelf
        self._waiting: deque[FrameReady] = deque(maxlen=WAITING)
        self._judged, self._state_due, self._idle_since = 0, 0, now_ns()
        self._herald_ns, self._rehearsed_ns = 0, now_ns()
        self._alarms: tuple[str, ...] = ()
        self._trouble = ""

    def go(self, stop: Stop) -> int:
        """Turn until told to stop; return the exit code."""
        while not stop.asked.is_set():
            if not self._role.judges or not (self._waiting or self._challenger.waits):
                self._frames.wait(self._wait_ms())
            self._try_seat()
            self._listen()
            self._follow()
            self._challenger.turn(judges=self._role.judges)
            if not self._role.judges:
                if not self._stand_by():
                    return 70
                continue
            if self._bench.active.trouble and self._role.other_is_fit():
                log.error("a model failed, and the standby is fit: the seat is its own. %s", self._bench.active.trouble)
                return 70
            self._heartbeat.turn(oldest_ns=self._waiting[0].ready_ns if self._waiting else 0)
            if self._herald_ns:
                self._herald()
            if self._waiting:
                self._judge(self._waiting.popleft())
            elif self._challenger.waits:
                self._challenger.spare()
            elif not self._keep() or (
                now_ns() - self._idle_since > self._options.golden_every_s * SECOND and not self._prove()
            ):
                return 70
            if now_ns() >= self._state_due or self._trouble != self._bench.active.trouble:
                if self._role.seat.is_gone():
                    log.critical("the seat of the judge was taken away from under this process: it ends")
                    return 70
                self._say_how_it_is()
            self._say_of_the_trial()
        return 0

    def _judge(self, frame: FrameReady) -> None:
        """Answer one frame, unless the judge before this one did."""
        if not self._role.seat.is_left_to_us(frame):
            return
        self._challenger.courtesy.busy()
        judge, looked = self._bench.judge_of(frame.triggered_at_ns), None
        if self._challenger.looks:
            verdict, looked = judge.looked(frame, self._shelf)
            verdict = self._challenger.before(frame, verdict, looked)
        else:
            verdict = judge.verdict(frame, self._shelf)
        self._role.seat.answered(frame)
        self._publisher.send(replace(verdict, judge_ns=self._role.seat.judge_ns))
        self._challenger.after(frame, verdict, looked)
        self._judged += 1
        self._heartbeat.turn(done=1)

    def _say_of_the_trial(self) -> None:
        judge_ns = self._role.seat.judge_ns
        for compared in self._challenger.compared():
            self._publisher.send(compared)
        if (state := self._challenger.state(judge_ns)) is not None:
            self._publisher.send(state)

    def _herald(self) -> None:
        """Say again and again that the line has its judge, for a second: nobody is to wait for the next word."""
        self._say_how_it_is()
        if now_ns() >= self._herald_ns:
            self._herald_ns = 0

    def _stand_by(self) -> bool:
        """One turn without the seat: forget what is too old, stay warm and proved. False: this one is unfit."""
        if self._role.seat.is_gone():
            log.critical("the seat of the judge was taken away: a standby of nobody ends")
            return False
        at_ns = now_ns()
        self._heartbeat.turn()
        limit_ns = self._bench.active.job.deadline_ns
        while self._waiting and at_ns >= self._waiting[0].triggered_at_ns + limit_ns:
            self._waiting.popleft()
        if not self._keep():
            return False
        if self._bench.unfit:
            # The seat is worth nothing without the job of the line. One that starts anew has memory of its own again.
            log.error("this standby cannot have the job of the line, and ends: %s", self._bench.unfit)
            return False
        # Who is called READY here is who would go on at once: by the job of the line, with a model at hand.
        fit = not self._bench.active.trouble and not self._bench.lacking
        self._heartbeat.health = Health.READY if fit else Health.STARTING
        if not fit or self._role.seat.open(self._waiting) >= BEHIND:
            return True
        if self._waiting and at_ns - self._rehearsed_ns > REHEARSE_NS:
            self._rehearsed_ns = at_ns
            self._bench.active.verdict(self._waiting[-1], self._shelf)
        if at_ns - self._idle_since > self._options.golden_every_s * SECOND:
            return self._prove()
        return True

    def _between(self) -> None:
        """Between two golden pictures: this process moves, and a seat that fell free is worth more than the rest."""
        self._heartbeat.turn()
        if self._try_seat():
            raise _SeatFree

    def _try_seat(self) -> bool:
        """True in the one turn in which this process becomes the judge."""
        if not self._role.turn():
            return False
        self._heartbeat.health = Health.READY
        self._idle_since = now_ns()
        self._herald_ns = self._idle_since + HERALD_NS
        return True

    def _wait_ms(self) -> int:
        """How long to wait for a frame: a job or a model that is being loaded is looked for."""
        wait_ns = self._bench.active.wait_ns()
        most = LOADING_MS if self._bench.loading or self._herald_ns else IDLE_MS
        most = most if self._role.judges else LOOK_MS
        return most if wait_ns is None else min(most, max(1, wait_ns // MS))

    def _keep(self) -> bool:
        """Keep the models fit while nothing is to be judged. False: one failed and cannot be had any more."""
        try:
            self._bench.active.turn()
            self._bench.keep_warm()
        except Fault as error:
            log.exception("a model cannot be had any more")
            self._heartbeat.health = Health.FAULT
            self._say(Health.FAULT, str(error))
            return False
        return True

    def _say_how_it_is(self) -> None:
        """READY; not while a model that failed is being loaded again: its regions are UNJUDGED."""
        self._trouble = self._bench.active.trouble
        if self._trouble:
            self._say(Health.STARTING, f"a model failed and is loaded again: {self._trouble}")
        else:
            self._say(Health.READY, "")

    def _listen(self) -> None:
        while (message := self._frames.receive(0)) is not None:
            if isinstance(message, JobOrder):
                self._bench.follow(message)
            elif isinstance(message, ChallengerOrder):
                self._challenger.follow(message)
            else:
                if message.part:
                    self._challenger.heard(message)
                if self._role.judges:
                    self._idle_since = now_ns()
                if message.part:
                    self._waiting.append(message)

    def _follow(self) -> None:
        """Go by the job that io orders. Frames that wait are of parts that io has closed before it ordered another."""
        before = self._bench.active
        report = self._bench.turn()
        if self._bench.active is not before:
            job = self._bench.active.job
            log.info("job %d: recipe %s, model %.12s", self._bench.active.number, job.recipe, job.model)
            self._say_how_it_is()
            if self._bench.swapped:
                gc.freeze()  # the line works: what waits is judged by the model of its trigger
            else:
                self._waiting.clear()
                freeze()
        if report is not None and self._role.judges:
            self._publisher.send(replace(report, judge_ns=self._role.seat.judge_ns))

    def _prove(self) -> bool:
        """Score the golden pictures while nothing is to be judged. False: they do not score as stored any more."""
        try:
            self._bench.active.prove(self._between)
        except _SeatFree:
            return True
        except BadBundle:
            log.exception("a golden picture no longer scores as stored")
            self._heartbeat.health = Health.FAULT
            self._say(Health.FAULT, "golden picture scores wrong")
            return False
        self._idle_since = now_ns()
        return True

    def _say(self, health: Health, detail: str) -> None:
        if not self._role.judges:
            return
        self._state_due = now_ns() + STATE_EVERY_NS
        active = self._bench.active
        alarms = active.alarms
        if alarms != self._alarms:
            for words in alarms:
                if words.split(": ")[:2] not in [known.split(": ")[:2] for known in self._alarms]:
                    log.warning("the pictures have drifted: %s", words)
            self._alarms = alarms
        judge_ns, limits = self._role.seat.judge_ns, active.image_limits
        self._publisher.send(
            InspectState(health, active.job, active.provider, self._judged, detail, alarms, limits, judge_ns)
        )
