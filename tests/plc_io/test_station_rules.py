"""The station against a PLC and an inspection that do anything at any time: the invariants of the design hold.

The judge below knows only what it did itself and what it saw in the image and the events; it shares no code with the
station.
"""

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from okng.bus.clock import MS
from okng.bus.messages import Hold, Job, JobAnswer, JobAsk, JobOrder, JobPhase, JobReport
from okng.bus.part import Action, Delivery, Disposition, Outcome, Record, Trigger, Verdict, Why
from okng.bus.shift import LineMode, Mode
from okng.plc_io.changeover import ChangeOver, Step
from okng.plc_io.handshake import Handshake, Limits
from okng.plc_io.holds import Holds
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.job_dialogue import JobDialogue, JobKept, JobWanted
from okng.plc_io.signals import Command, Status, WireCode
from okng.plc_io.station import Event, FaultRaised, PeerLost, Station

JOB = Job("cap", "0123456789ab", "f" * 64, 100 * MS)
JOBS = {
    1: JOB,
    2: Job("cap", "ba9876543210", "d" * 64, 60 * MS),
    3: Job("lid", "0123456789ab", "c" * 64, 100 * MS),
}
"""What the recipes on the disk say; 4 is in the settings and cannot be read, 5 is in nothing."""
NUMBERS = frozenset({1, 2, 3, 4})
OTHERS = ("inspect", "camera-top")
FOREIGN = (
    replace(JOB, recipe="lid"),
    replace(JOB, revision="ffffffffffff"),
    replace(JOB, model="e" * 64),
)
MODELS = ("f" * 64, "1" * 64, "2" * 64)
"""Models that may judge job 1; the first is what its recipe says."""
RESULT = Status.OK | Status.NG | Status.UNJUDGED


def verdict(trigger: Trigger, outcome: Outcome, now: int, job: Job = JOB) -> Verdict:
    reasons = () if outcome is Outcome.OK else ("because",)
    return Verdict(
        part=trigger.part,
        outcome=outcome,
        reasons=reasons,
        defects=(),
        score=0.5,
        threshold=1.0,
        recipe=job.recipe,
        revision=job.revision,
        model=job.model,
        camera="top",
        triggered_at_ns=trigger.at_ns,
        frame=None,
        heat=(),
        started_ns=now,
        done_ns=now,
    )


class AnyLine(RuleBasedStateMachine):
    """Rules are what the PLC, the inspection, the cameras, the network and time do."""

    @initialize(buffer=st.booleans(), enabled=st.booleans())
    def begin(self, buffer: bool, enabled: bool) -> None:
        self.now = 1_000_000
        limits = Limits(
            ack_ns=25 * MS, stuck_ns=40 * MS, peer_ns=500 * MS, late_stop=3, drain_ns=30 * MS, change_ns=80 * MS
        )
        self.station = Station(
            "cell",
            JOB,
            limits,
            jobs=NUMBERS,
            participants=frozenset(OTHERS),
            utc=lambda: "2026-01-01T00:00:00.000Z",
        )
        self.station.allow(())
        self.judges = [(0, JOB.model)]  # models of the active job, and from when on each judges
        self.goes_by = dict.fromkeys(OTHERS, 1)  # what the cameras and inspect really go by
        self.agreed: set[tuple[str, int, JobPhase]] = set()  # who really said yes to which step
        self.kept = self.steady = 1
        self.job_at: dict[tuple[int, int], int] = {}  # the job that was echoed when a part was triggered
        self.wanted: list[JobWanted] = []
        self.answers: list[JobAnswer] = []
        self.asked: list[JobAsk] = []
        self.token = 0
        self.held: set[str] = set()
        self.at_exec = 0, 0  # what was asked when JOB_EXEC rose
        self.job_at_exec: int | None = None  # the active job then; None: somebody else was changing it
        self.words = InImage(self.now, seen_seq=0)
        self.image = OutImage()
        self.events: list[Event] = []
        self.triggers: list[Trigger] = []
        self.dispositions: list[Disposition] = []
        self.records: list[Record] = []
        self.granted: set[tuple[int, int]] = set()  # parts the inspection really called OK, in time and of this job
        self.mode = LineMode(Mode.PRODUCTION, "", "", 0)
        self.mode_at: dict[tuple[int, int], Mode] = {}  # what the line was doing when a part was triggered
        self.passed: list[tuple[int, int]] = []  # (seq, part) the PLC read as OK
        self.shown: tuple[int, int, int] | None = None
        self.edges = 0
        self.resets = 0
        self.number = 1
        self.was_fault = False
        self.write()
        self.write(command=(Command.TRIG_ENABLE if enabled else 0) | (Command.BUFFER_EN if buffer else 0))

    # -- what the test does to the station ---------------------------------------------------------------------------

    def write(self, **change: int) -> None:
        """One write of the PLC; its heartbeat moves with it."""
        self.now += 1
        before = self.words.command
        command = Command(change.pop("command", int(before)))
        self.words = replace(
            self.words,
            at_ns=self.now,
            heartbeat=(self.words.heartbeat + 1) & 0xFFFF,
            command=command,
            **change,
        )
        self.edges += Command.TRIGGER in command & ~before
        if Command.JOB_EXEC in command & ~before:
            self.at_exec = self.words.job_request, self.words.job_token
            self.job_at_exec = self.image.job if self.station.jobs.change is None else None
        self.station.receive(self.words)
        self.settle()

    def settle(self) -> None:
        """Take the image and the events, and let the PLC read."""
        before, self.image = self.image, self.station.tick(self.now)
        for event in self.station.events():
            if isinstance(event, Trigger):
                self.triggers.append(event)
                self.job_at[event.part, event.at_ns] = before.job
                over = 0 < self.mode.until_ns <= event.at_ns
                self.mode_at[event.part, event.at_ns] = Mode.PRODUCTION if over else self.mode.mode
            elif isinstance(event, Disposition):
                self.dispositions.append(event)
            elif isinstance(event, Record):
                self.records.append(event)
            elif isinstance(event, FaultRaised | PeerLost):
                self.events.append(event)
            elif isinstance(event, JobWanted):
                self.wanted.append(event)
            elif isinstance(event, JobKept):
                self.kept = event.number
            elif isinstance(event, JobAnswer):
                self.answers.append(event)
                self.judge_answer(event)
        self.judge_image(before)
        self.judge_job(before)

    def judge_job(self, before: OutImage) -> None:
        """What may be seen of a job change."""
        image, order = self.image, self.station.order("run")
        if order.job.model != self.judges[-1][1]:  # nobody has swapped it
            assert Status.READY not in image.status, "READY was given for the model before"
            self.judges = [(0, order.job.model)]
        bits = image.status & (Status.JOB_BUSY | Status.JOB_DONE | Status.JOB_FAIL)
        assert bits in (Status(0), Status.JOB_BUSY, Status.JOB_DONE, Status.JOB_FAIL)
        if bits:
            assert Command.JOB_EXEC in self.words.command
            assert Status.READY not in image.status
        if order.phase is not JobPhase.STEADY:
            assert Status.READY not in image.status
            assert len(self.records) == len(self.triggers), "a part is under way while the job is changed"
        if image.job != before.job:
            assert Status.READY not in image.status, "READY was given for the job before"
            assert self.kept == image.job, "whoever starts again would come up with another job"
        fresh = bits and bits != before.status & bits
        if fresh and bits == Status.JOB_DONE:
            assert (image.job, image.job_token) == self.at_exec
        if fresh and bits == Status.JOB_FAIL:
            change = self.station.jobs.change  # another's may go on: the PLC was refused because of it
            assert change is None or change.wish.who == "mes"
            assert self.job_at_exec in (None, image.job), "refused, and yet another job is active"
        if Status.READY in image.status:
            assert not self.held, "READY though somebody holds the line"

    def judge_answer(self, answer: JobAnswer) -> None:
        """Another job is active only by the word of all, said in each of the two steps."""
        order = self.station.order("run")
        if answer.done and answer.number != self.steady:
            steps = JobPhase.PREPARE, JobPhase.COMMIT
            missing = {(who, order.change, step) for who in OTHERS for step in steps} - self.agreed
            assert not missing, "done without the word of all"
        if answer.done:
            self.steady = answer.number

    def current(self, trigger: Trigger) -> Job:
        """The job inspect really judges that part by."""
        job = JOBS[self.goes_by["inspect"]]
        return replace(job, model=self.model_of(trigger)) if self.goes_by["inspect"] == self.image.job else job

    def model_of(self, trigger: Trigger) -> str:
        """What has to judge a part of the active job."""
        return next(model for since, model in reversed(self.judges) if trigger.at_ns >= since)

    def swap(self, model: str, *, revision: str = "", known: str = "") -> str:
        """Ask for another model of the active job; return why not, empty: it judges what is triggered from now on."""
        self.settle()
        job, ready = self.station.job, self.image.status & Status.READY
        asked = (revision or job.revision, known or job.model, model)
        refusal = self.station.swap_model(*asked, self.now)
        self.settle_swap(model, refusal)
        assert self.image.status & Status.READY == ready, "a swap is no reason for READY to change"
        return refusal

    def settle_swap(self, model: str, refusal: str) -> None:
        order = self.station.order("run")
        if not refusal and model != self.judges[-1][1]:
            assert order.since_ns > self.now, "what is triggered already is not judged otherwise"
            self.judges.append((order.since_ns, model))
        assert order.job.model == self.judges[-1][1]
        self.settle()

    def grant(self, trigger: Trigger, outcome: Outcome) -> None:
        """Note down that inspect really called this part OK, in time and by the job it was triggered under."""
        job = self.job_at[trigger.part, trigger.at_ns]
        timely = self.now < trigger.deadline_ns and not trigger.missed
        production = self.mode_at[trigger.part, trigger.at_ns] is Mode.PRODUCTION
        if outcome is Outcome.OK and timely and production and self.goes_by["inspect"] == job:
            self.granted.add((trigger.part, trigger.at_ns))

    def hear(self, who: str) -> JobReport:
        """A camera or inspect takes the order as it is now, and does what it says."""
        order = self.station.order("run")
        if order.phase is not JobPhase.PREPARE or who != "inspect":
            self.goes_by[who] = order.number if order.phase is not JobPhase.PREPARE else order.next_number
        self.agreed.add((who, order.change, order.phase))
        return JobReport(who, "run", order.change, order.phase, "")

    def look_at_box(self) -> None:
        """io looks at the others: not ready while one goes by another job than it."""
        number = self.station.order("run").number
        wrong = tuple(f"{who} has another job" for who in OTHERS if self.goes_by[who] != number)
        self.station.allow(wrong)
        self.settle()

    def change_over(self) -> None:
        """Everybody does what he should until the change-over ends."""
        for _ in range(8):
            if self.station.jobs.change is None:
                break
            self.read_recipe(good=True)
            for who in OTHERS:
                self.station.job_report(self.hear(who), self.now)
                self.settle()
        for who in OTHERS:
            self.hear(who)
        self.look_at_box()

    def read_recipe(self, *, good: bool) -> None:
        if self.wanted:
            wanted = self.wanted.pop()
            found: Job | str = JOBS.get(wanted.number, "the recipe cannot be read") if good else "damaged"
            self.station.job_read(wanted.change, found, self.now)
            self.settle()

    def judge_image(self, before: OutImage) -> None:
        image = self.image
        if Status.RESULT_VALID in image.status:
            now_shown = (image.seq, image.part, int(image.disposition))
            if Status.RESULT_VALID in before.status and before.seq == image.seq:
                assert now_shown == (before.seq, before.part, int(before.disposition)), "I8: a frozen result changed"
            bits = image.status & RESULT
            assert bits == {1: Status.OK, 2: Status.NG}.get(int(image.disposition), Status.UNJUDGED)
            if image.disposition is WireCode.OK:
                self.passed.append((image.seq, image.part))
        else:
            assert not image.status & RESULT
        if Status.FAULT in image.status:
            assert not image.status & (Status.READY | Status.RESULT_VALID | Status.TRIG_ACK | Status.BUSY), "I10"
            assert (image.seq, image.part, image.disposition) == (0, 0, 0)

    def pick(self, data: st.DataObject) -> Trigger | None:
        return data.draw(st.sampled_from(self.triggers[-6:])) if self.triggers else None

    # -- rules -------------------------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 1, 2, 5, 10, 30, 60]))
    def time_passes(self, ms: int) -> None:
        self.now += ms * MS
        self.write()

    @rule(own=st.booleans(), together=st.booleans())
    def trigger_rises(self, own: bool, together: bool) -> None:
        self.now += MS
        self.number += 1
        part = 0 if own else 10_000 + self.number
        if together:
            self.write(part=part, command=self.words.command | Command.TRIGGER)
        else:
            self.write(part=part)
            self.write(command=self.words.command | Command.TRIGGER)

    @rule()
    def trigger_falls(self) -> None:
        self.now += MS
        self.write(command=self.words.command & ~Command.TRIGGER)

    @rule(data=st.data())
    def part_number_again(self, data: st.DataObject) -> None:
        trigger = self.pick(data)
        if trigger is not None:
            self.write(part=trigger.part)
            self.write(command=self.words.command & ~Command.TRIGGER)
            self.write(command=self.words.command | Command.TRIGGER)

    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def verdict_comes(self, data: st.DataObject, outcome: Outcome) -> None:
        trigger = self.pick(data)
        if trigger is not None:
            self.now += MS
            self.grant(trigger, outcome)
            self.station.submit(verdict(trigger, outcome, self.now, self.current(trigger)), self.now)
            self.settle()

    @rule(data=st.data(), model=st.sampled_from(MODELS))
    def verdict_of_another_model(self, data: st.DataObject, model: str) -> None:
        trigger = self.pick(data)
        if trigger is not None and model != self.model_of(trigger):
            wrong = verdict(trigger, Outcome.OK, self.now, replace(self.current(trigger), model=model))
            self.station.submit(wrong, self.now)
            self.settle()

    @rule(model=st.sampled_from(MODELS), wrong=st.sampled_from(["", "", "", "revision", "model"]))
    def a_model_is_swapped(self, model: str, wrong: str) -> None:
        before = self.station.job
        refusal = self.swap(
            model,
            revision="ffffffffffff" if wrong == "revision" else "",
            known="3" * 64 if wrong == "model" else "",
        )
        busy = self.station.jobs.change is not None
        if busy or wrong == "revision" or (wrong and model != before.model):
            assert refusal
            assert self.station.job == before
        elif refusal:
            assert "in the last moments" in refusal
        else:
            assert self.station.job == replace(before, model=model)

    @rule(data=st.data(), job=st.sampled_from(FOREIGN))
    def foreign_verdict(self, data: st.DataObject, job: Job) -> None:
        trigger = self.pick(data)
        if trigger is not None:
            self.station.submit(verdict(trigger, Outcome.OK, self.now, job), self.now)
            self.settle()

    @rule(data=st.data(), off=st.sampled_from([-1, 1, MS]))
    def verdict_of_another_trigger(self, data: st.DataObject, off: int) -> None:
        trigger = self.pick(data)
        if trigger is not None:
            wrong = replace(
                verdict(trigger, Outcome.OK, self.now, self.current(trigger)), triggered_at_ns=trigger.at_ns + off
            )
            self.station.submit(wrong, self.now)
            self.settle()

    @rule(data=st.data())
    def picture_taken(self, data: st.DataObject) -> None:
        trigger = self.pick(data)
        if trigger is not None:
            self.station.exposed(trigger.part, trigger.at_ns, self.now)
            self.settle()

    @rule(data=st.data())
    def picture_lost(self, data: st.DataObject) -> None:
        trigger = self.pick(data)
        if trigger is not None:
            self.station.lost(trigger.part, trigger.at_ns, self.now)
            self.settle()

    @rule()
    def plc_reads_and_acks(self) -> None:
        self.now += MS
        seq = self.image.seq
        self.write(seen_seq=seq, ack_seq=seq)

    @rule(seq=st.integers(0, 12))
    def any_ack(self, seq: int) -> None:
        self.write(ack_seq=seq)

    @rule(read=st.booleans())
    def ack_bit(self, read: bool) -> None:
        self.now += MS
        if read:
            self.words = replace(self.words, seen_seq=self.image.seq)
        self.write(command=self.words.command | Command.RESULT_ACK)
        self.write(command=self.words.command & ~Command.RESULT_ACK)

    @rule(job=st.integers(1, 5), again=st.sampled_from([False, False, True]))
    def job_is_asked(self, job: int, again: bool) -> None:
        self.token += not again
        rises = Command.JOB_EXEC not in self.words.command
        last = next((place for place in reversed(range(len(self.answers))) if self.answers[place].who == "plc"), None)
        said, known = None if last is None else self.answers[last], len(self.answers)
        self.write(job_request=job, job_token=self.token)
        self.write(command=self.words.command | Command.JOB_EXEC)
        if said is None or not rises or said.token != self.token:
            return
        if not said.done or not any(one.done for one in self.answers[self.answers.index(said) + 1 :]):
            bit = Status.JOB_DONE if said.done and said.number == job else Status.JOB_FAIL
            assert bit in self.image.status, "the same token repeats the last answer"
            assert len(self.answers) == known, "and does nothing"

    @rule()
    def job_exec_falls(self) -> None:
        self.write(command=self.words.command & ~Command.JOB_EXEC)
        assert not self.image.status & (Status.JOB_BUSY | Status.JOB_DONE | Status.JOB_FAIL)

    @rule(job=st.integers(1, 5), again=st.sampled_from([False, False, True]))
    def job_is_asked_by_the_bus(self, job: int, again: bool) -> None:
        if again and self.asked:
            ask = self.asked[-1]
        else:
            self.token += 1
            ask = JobAsk(job, self.token, "mes")
        self.asked.append(ask)
        self.station.ask_job(ask, self.now)
        self.settle()

    @rule(good=st.sampled_from([True, True, True, False]))
    def recipe_is_read(self, good: bool) -> None:
        self.read_recipe(good=good)

    @rule(who=st.sampled_from(OTHERS), how=st.sampled_from(["yes"] * 6 + ["no", "old", "stranger", "killed"]))
    def others_hear(self, who: str, how: str) -> None:
        order: JobOrder = self.station.order("run")
        if how == "killed":
            self.goes_by[who] = self.kept
            self.station.allow((f"{who} does not answer",))
        elif how == "no":
            self.station.job_report(JobReport(who, "run", order.change, order.phase, "no"), self.now)
        elif how == "old":
            self.station.job_report(JobReport(who, "run", order.change - 1, order.phase, ""), self.now)
        elif how == "stranger":
            self.station.job_report(JobReport("camera-side", "run", order.change, order.phase, ""), self.now)
        else:
            self.station.job_report(self.hear(who), self.now)
        self.settle()

    @rule()
    def the_box_is_looked_at(self) -> None:
        self.look_at_box()

    @rule(who=st.sampled_from(["opcua", "mes"]), held=st.sampled_from([True, False, False, False]))
    def somebody_holds(self, who: str, held: bool) -> None:
        (self.held.add if held else self.held.discard)(who)
        self.station.hold(Hold(who, held, "a recipe is being edited" if held else ""), self.now)
        self.settle()

    @precondition(lambda self: Status.READY in self.image.status)
    @rule(job=st.sampled_from([1, 2, 3, 3, 4]), bus=st.booleans())
    def a_good_change(self, job: int, bus: bool) -> None:
        """A job change as it should go; job 4 cannot be read."""
        before = self.image.job
        self.token += 1
        if bus:
            self.asked.append(JobAsk(job, self.token, "mes"))
            self.station.ask_job(self.asked[-1], self.now)
            self.settle()
        else:
            self.write(job_request=job, job_token=self.token)
            self.write(command=self.words.command | Command.JOB_EXEC)
            assert Status.JOB_BUSY in self.image.status
        assert Status.READY not in self.image.status
        self.now += 30 * MS  # longer than parts under way are waited for
        self.write()
        self.change_over()
        assert (self.answers[-1].token, self.answers[-1].done) == (self.token, job != 4)
        assert self.image.job == (before if job == 4 else job)
        if not bus:
            assert (Status.JOB_FAIL if job == 4 else Status.JOB_DONE) in self.image.status
            assert self.image.job_token == self.token
            self.write(command=self.words.command & ~Command.JOB_EXEC)
        self.write()

    @precondition(lambda self: Status.READY in self.image.status)
    @rule(
        job=st.sampled_from([1, 2, 3]),
        committed=st.booleans(),
        how=st.sampled_from(["no", "late", "withdrawn", "drop", "silence"]),
    )
    def a_change_that_breaks(self, job: int, committed: bool, how: str) -> None:
        """A job change that is ended in the middle: the old job is active, and said to be."""
        before = self.image.job
        if job == before:
            return
        self.token += 1
        self.write(job_request=job, job_token=self.token)
        self.write(command=self.words.command | Command.JOB_EXEC)
        self.now += 30 * MS
        self.write()
        self.read_recipe(good=True)
        self.station.job_report(self.hear("camera-top"), self.now)
        if committed:
            self.station.job_report(self.hear("inspect"), self.now)
            self.settle()
            assert self.image.job == job
            self.station.job_report(self.hear("inspect"), self.now)
        order = self.station.order("run")
        if how == "no":
            self.station.job_report(JobReport("camera-top", "run", order.change, order.phase, "no"), self.now)
        elif how == "late":
            self.now += 80 * MS
            self.write()
        elif how == "withdrawn":
            self.write(command=self.words.command & ~Command.JOB_EXEC)
        elif how == "drop":
            self.station.link_lost("closed", self.now)
            self.words = replace(self.words, command=Command(0), part=0, ack_seq=0, at_ns=self.now)
            self.station.receive(self.words)
        else:
            self.now += 500 * MS
        self.settle()
        assert (self.image.job, self.answers[-1].done) == (before, False)
        assert self.station.order("run").phase is JobPhase.STEADY
        if how in ("no", "late", "silence"):
            assert Status.JOB_FAIL in self.image.status
            assert self.image.job_token == self.token

    @rule()
    def fault_reset(self) -> None:
        self.now += MS
        self.write(command=self.words.command | Command.FAULT_RESET)
        self.was_fault = False
        self.write(command=self.words.command & ~Command.FAULT_RESET)

    @rule(mode=st.sampled_from([*Mode, Mode.PRODUCTION, Mode.PRODUCTION]), left_ms=st.sampled_from([0, 5, 100]))
    def shift_says(self, mode: Mode, left_ms: int) -> None:
        """Test parts, a bypass, or production again; a bypass may end by itself."""
        self.mode = LineMode(mode, "ann", "because", self.now + left_ms * MS if left_ms and mode is Mode.BYPASS else 0)
        self.station.line_mode(self.mode, self.now)
        self.settle()

    @rule()
    def counters_reset(self) -> None:
        self.resets += 1
        self.write(command=self.words.command | Command.COUNTER_RESET)
        self.write(command=self.words.command & ~Command.COUNTER_RESET)

    @rule(what=st.sampled_from(["drop", "silence", "blockers", "flag"] + ["nothing"] * 6), data=st.data())
    def trouble(self, what: str, data: st.DataObject) -> None:
        """What breaks a line, rare enough that parts get through in between."""
        self.now += MS
        if what == "drop":
            self.station.link_lost("closed", self.now)
            self.settle()
            # The registers are empty; the PLC's first write is only where edges start from.
            self.words = replace(self.words, command=Command(0), part=0, ack_seq=0, at_ns=self.now)
            self.station.receive(self.words)
            self.settle()
        elif what == "silence":
            self.now += data.draw(st.sampled_from([100, 499, 500, 800])) * MS
            self.settle()
        elif what == "blockers":
            self.station.allow(("camera top does not answer",))
            self.settle()
        elif what == "flag":
            flags = [Command.TRIG_ENABLE, Command.BUFFER_EN, Command.RESULT_ACK, Command.JOB_EXEC]
            self.write(command=self.words.command ^ data.draw(st.sampled_from(flags)))

    @rule(buffer=st.booleans())
    def set_right(self, buffer: bool) -> None:
        """An operator who puts all of it in order again."""
        for who in sorted(self.held):
            self.station.hold(Hold(who, False, ""), self.now)
        self.held.clear()
        self.now += 30 * MS
        self.write(command=self.words.command & ~Command.JOB_EXEC)
        self.change_over()
        mode = Command.BUFFER_EN if buffer else Command(0)
        self.write(command=Command.TRIG_ENABLE | mode)
        self.write(command=Command.TRIG_ENABLE | mode | Command.FAULT_RESET)
        self.was_fault = False
        self.write(command=Command.TRIG_ENABLE | mode)
        for _ in range(3):
            if Status.RESULT_VALID in self.image.status:
                self.plc_reads_and_acks()

    @precondition(lambda self: Command.BUFFER_EN in self.words.command)
    @rule(count=st.integers(1, 12), ms=st.sampled_from([0, 1, 5, 12]), outcome=st.sampled_from(Outcome))
    def burst(self, count: int, ms: int, outcome: Outcome) -> None:
        """Parts one behind the other, results not yet acknowledged; verdicts come at the end."""
        started = len(self.triggers)
        for _ in range(count):
            self.number += 1
            self.write(part=10_000 + self.number, command=self.words.command | Command.TRIGGER)
            self.write(command=self.words.command & ~Command.TRIGGER)
            self.now += ms * MS
            self.station.exposed(self.triggers[-1].part, self.triggers[-1].at_ns, self.now)
            self.settle()
        for trigger in self.triggers[started:]:
            self.grant(trigger, outcome)
            self.station.submit(verdict(trigger, outcome, self.now, self.current(trigger)), self.now)
            self.settle()

    @precondition(lambda self: Status.READY in self.image.status)
    @rule(
        outcome=st.sampled_from([Outcome.OK, Outcome.OK, Outcome.NG]),
        ack=st.sampled_from([True, True, False]),
        swaps=st.lists(st.sampled_from(MODELS), max_size=2),
        wait_ms=st.sampled_from([0, 0, 49, 51]),
    )
    def a_good_cycle(self, outcome: Outcome, ack: bool, swaps: list[str], wait_ms: int) -> None:
        """One part as it should go, so that the machine does not spend its life in faults."""
        self.number += 1
        part = 10_000 + self.number
        if swaps:
            self.swap(swaps[0])
            self.now += wait_ms * MS
            self.write()
        if Status.READY not in self.image.status:
            return  # a result that nobody took, or a silent PLC
        self.write(part=part, command=self.words.command | Command.TRIGGER)
        assert Status.TRIG_ACK in self.image.status
        self.write(command=self.words.command & ~Command.TRIGGER)
        trigger = self.triggers[-1]
        assert (trigger.part, trigger.missed) == (part, False)
        self.now += 5 * MS
        self.station.exposed(part, trigger.at_ns, self.now)
        self.grant(trigger, outcome)
        assert self.goes_by["inspect"] == self.image.job, "READY though inspect has another job"
        if swaps[1:]:
            self.swap(swaps[1])
        stale = self.station.counters().stale_verdicts
        self.station.submit(verdict(trigger, outcome, self.now, self.current(trigger)), self.now)
        assert self.station.counters().stale_verdicts == stale, "the word of the model that has to judge was dropped"
        self.settle()
        for _ in range(20):
            if Status.RESULT_VALID not in self.image.status or self.image.part == part:
                break
            self.plc_reads_and_acks()
        if self.image.part == part and Status.RESULT_VALID in self.image.status:
            judged = WireCode.OK if outcome is Outcome.OK else WireCode.NG
            mode = self.mode_at[part, trigger.at_ns]
            expected = {Mode.CHALLENGE: WireCode.NG, Mode.BYPASS: WireCode.UNJUDGED}.get(mode, judged)
            assert self.image.disposition is expected, "I6: a timely verdict was not obeyed"
            if not ack:
                return
            self.plc_reads_and_acks()
            assert self.records[-1].receipt.delivery is Delivery.DELIVERED

    # -- what must hold at every moment ------------------------------------------------------------------------------

    @invariant()
    def counters_balance(self) -> None:
        c = self.station.counters()
        decided = c.ok + c.ng + c.unjudged + c.challenge + c.bypass
        assert c.triggers == len(self.triggers) == decided + c.in_flight, "I11"
        assert c.missed == sum(t.missed for t in self.triggers)
        assert c.ordered == decided - c.ok
        assert 0 <= c.ordered - c.confirmed - c.unconfirmed <= 1
        assert len(self.dispositions) == decided
        assert c.triggers <= self.edges
        i = self.image
        assert i.triggers == i.ok + i.ng + i.unjudged + i.missed + c.in_flight, "I11 on the wire"
        if not self.resets:
            assert (i.triggers, i.ok, i.ng, i.missed, i.confirmed) == (
                c.triggers,
                c.ok,
                c.ng + c.challenge,
                c.missed,
                c.confirmed,
            )

    @invariant()
    def each_part_has_one_disposition(self) -> None:
        keys = [(r.trigger.part, r.trigger.at_ns, r.trigger.missed) for r in self.records]
        assert len(keys) == len(set(keys)), "I1: two records"
        assert set(keys) <= {(t.part, t.at_ns, t.missed) for t in self.triggers}, "I1: a phantom"
        assert 0 <= len(self.dispositions) - len(self.records) <= 1

    @invariant()
    def only_granted_parts_pass(self) -> None:
        for record in self.records:
            trigger, made = record.trigger, record.disposition
            if made.action is Action.PASS:
                assert (trigger.part, trigger.at_ns) in self.granted, "I3"
                assert made.published_ns is not None
                assert made.published_ns < trigger.deadline_ns, "I3: late"
            mode = self.mode_at[trigger.part, trigger.at_ns]
            if mode is not Mode.PRODUCTION and not trigger.missed:
                assert (made.action, made.why) == (Action.REJECT, Why(mode.value))
            if trigger.missed:
                assert (made.action, made.why, made.published_ns) == (Action.REJECT, Why.LOST, None)

    @invariant()
    def the_plc_passes_only_granted_parts(self) -> None:
        granted = {part for part, _ in self.granted}
        assert {part for _, part in self.passed} <= granted
        frozen = {d.part for d in self.dispositions if d.action is Action.PASS}
        assert {part for _, part in self.passed} <= frozen

    @invariant()
    def each_request_has_one_answer(self) -> None:
        by_bus = [answer for answer in self.answers if answer.who == "mes"]
        for answer in by_bus:
            same = [one for one in by_bus if one.token == answer.token]
            assert {one.number for one in same} == {answer.number}
        for one, following in itertools.pairwise(by_bus):
            if one.token == following.token and not one.done:
                assert not following.done, "the same token repeats the last answer"
        change = self.station.jobs.change
        pending = set() if change is None else {change.wish.token}
        assert {ask.token for ask in self.asked} <= {answer.token for answer in by_bus} | pending
        for answer in self.answers:
            assert bool(answer.detail) != answer.done

    @invariant()
    def a_job_holds_only_when_all_agreed(self) -> None:
        order = self.station.order("run")
        if order.phase is JobPhase.COMMIT:
            assert {(who, order.change, JobPhase.PREPARE) for who in OTHERS} <= self.agreed
        assert self.image.job in JOBS

    @invariant()
    def a_fault_stays_until_reset(self) -> None:
        is_fault = Status.FAULT in self.image.status
        assert is_fault or not self.was_fault, "I10: FAULT was left without FAULT_RESET"
        self.was_fault = is_fault

    def teardown(self) -> None:
        if not hasattr(self, "station"):
            return
        self.station.stop(self.now)
        self.settle()
        assert not self.image.status & (Status.READY | Status.RESULT_VALID)
        assert len(self.records) == len(self.triggers) == len(self.dispositions)
        assert {id(r.disposition) for r in self.records} == {id(d) for d in self.dispositions}
        c = self.station.counters()
        assert c.in_flight == 0
        assert c.ordered == c.confirmed + c.unconfirmed
        # Each accepted trigger whose result was shown was shown in the order of the triggers.
        shown = [d for d in self.dispositions if d.published_ns is not None]
        order = {id(r.disposition): r.trigger.at_ns for r in self.records}
        moments = [order[id(d)] for d in shown]
        assert moments == sorted(moments)


def _foreign_passes(station: Station, verdict: Verdict, now_ns: int) -> None:
    job = station.job
    own = replace(verdict, recipe=job.recipe, revision=job.revision, model=job.model)
    SUBMIT(station, own, now_ns)


def _newest_judges_all(dialogue: JobDialogue, at_ns: int) -> str:
    return dialogue.job.model


def _any_model_counts(station: Station, verdict: Verdict, now_ns: int) -> None:
    if verdict.model in MODELS:
        verdict = replace(verdict, model=station.jobs.model_at(verdict.triggered_at_ns))
    SUBMIT(station, verdict, now_ns)


def _looked_at_anew(station: Station, revision: str, old: str, new: str, now_ns: int) -> str:
    return station.jobs.swap(revision, old, new, now_ns)


def _no_way_back(dialogue: JobDialogue, reason: str, now_ns: int) -> None:
    if dialogue.change is not None:
        dialogue.change.step = Step.DRAIN
    FAIL(dialogue, reason, now_ns)


def _forgets(hand: Handshake, *, done: bool) -> None:
    ANSWER(hand, done=done)
    hand._answered = None


SUBMIT, FAIL, ANSWER = Station.submit, JobDialogue.fail, Handshake.answer_job
BREAKS: dict[str, tuple[type, str, object]] = {
    "a verdict of another job counts": (Station, "submit", _foreign_passes),
    "the newest model judges what was triggered before": (JobDialogue, "model_at", _newest_judges_all),
    "a verdict of any model of the job counts": (Station, "submit", _any_model_counts),
    "READY drops at a swap": (Station, "swap_model", _looked_at_anew),
    "nobody is waited for": (ChangeOver, "missing", property(lambda _: ())),
    "a job that failed stays": (JobDialogue, "fail", _no_way_back),
    "parts under way are not waited for": (Station, "open", property(lambda _: 0)),
    "holds are not obeyed": (Holds, "reasons", lambda *_: ()),
    "the token is not looked at": (Handshake, "answer_job", _forgets),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_judge_objects_to_a_broken_change_over(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, broken = BREAKS[name]
    monkeypatch.setattr(where, what, broken)
    many = settings(TestAnyLine.settings, max_examples=400, database=None, derandomize=True, verbosity=Verbosity.quiet)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(AnyLine, settings=many)


TestAnyLine = AnyLine.TestCase
TestAnyLine.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
