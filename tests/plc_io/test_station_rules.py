"""The station against a PLC and an inspection that do anything at any time: the invariants of the design hold.

The judge below knows only what it did itself and what it saw in the image and the events; it shares no code with the
station.
"""

from dataclasses import replace

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from okng.bus.clock import MS
from okng.bus.messages import Job
from okng.bus.part import Action, Delivery, Disposition, Outcome, Record, Trigger, Verdict, Why
from okng.plc_io.handshake import Limits
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.signals import Command, Status, WireCode
from okng.plc_io.station import Event, FaultRaised, PeerLost, Station

JOB = Job("cap", "0123456789ab", "f" * 64, 100 * MS)
FOREIGN = (
    replace(JOB, recipe="lid"),
    replace(JOB, revision="ffffffffffff"),
    replace(JOB, model="e" * 64),
)
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
        limits = Limits(ack_ns=25 * MS, stuck_ns=40 * MS, peer_ns=500 * MS, late_stop=3)
        self.station = Station("cell", JOB, limits, utc=lambda: "2026-01-01T00:00:00.000Z")
        self.station.allow(())
        self.words = InImage(self.now, seen_seq=0)
        self.image = OutImage()
        self.events: list[Event] = []
        self.triggers: list[Trigger] = []
        self.dispositions: list[Disposition] = []
        self.records: list[Record] = []
        self.granted: set[tuple[int, int]] = set()  # parts the inspection really called OK, in time and of this job
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
        self.station.receive(self.words)
        self.settle()

    def settle(self) -> None:
        """Take the image and the events, and let the PLC read."""
        before, self.image = self.image, self.station.tick(self.now)
        for event in self.station.events():
            if isinstance(event, Trigger):
                self.triggers.append(event)
            elif isinstance(event, Disposition):
                self.dispositions.append(event)
            elif isinstance(event, Record):
                self.records.append(event)
            elif isinstance(event, FaultRaised | PeerLost):
                self.events.append(event)
        self.judge_image(before)

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
            if outcome is Outcome.OK and self.now < trigger.deadline_ns and not trigger.missed:
                self.granted.add((trigger.part, trigger.at_ns))
            self.station.submit(verdict(trigger, outcome, self.now), self.now)
            self.settle()

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
            wrong = replace(verdict(trigger, Outcome.OK, self.now), triggered_at_ns=trigger.at_ns + off)
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

    @rule(job=st.integers(1, 2), token=st.integers(1, 3))
    def job_is_asked(self, job: int, token: int) -> None:
        self.write(job_request=job, job_token=token)
        self.write(command=self.words.command | Command.JOB_EXEC)
        self.write(command=self.words.command & ~Command.JOB_EXEC)

    @rule()
    def fault_reset(self) -> None:
        self.now += MS
        self.write(command=self.words.command | Command.FAULT_RESET)
        self.was_fault = False
        self.write(command=self.words.command & ~Command.FAULT_RESET)

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
            self.station.allow(data.draw(st.sampled_from([(), ("camera top does not answer",)])))
            self.settle()
        elif what == "flag":
            flags = [Command.TRIG_ENABLE, Command.BUFFER_EN, Command.RESULT_ACK, Command.JOB_EXEC]
            self.write(command=self.words.command ^ data.draw(st.sampled_from(flags)))

    @rule(buffer=st.booleans())
    def set_right(self, buffer: bool) -> None:
        """An operator who puts all of it in order again."""
        self.station.allow(())
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
            if outcome is Outcome.OK and self.now < trigger.deadline_ns and not trigger.missed:
                self.granted.add((trigger.part, trigger.at_ns))
            self.station.submit(verdict(trigger, outcome, self.now), self.now)
            self.settle()

    @precondition(lambda self: Status.READY in self.image.status)
    @rule(outcome=st.sampled_from([Outcome.OK, Outcome.OK, Outcome.NG]), ack=st.sampled_from([True, True, False]))
    def a_good_cycle(self, outcome: Outcome, ack: bool) -> None:
        """One part as it should go, so that the machine does not spend its life in faults."""
        self.number += 1
        part = 10_000 + self.number
        self.write(part=part, command=self.words.command | Command.TRIGGER)
        assert Status.TRIG_ACK in self.image.status
        self.write(command=self.words.command & ~Command.TRIGGER)
        trigger = self.triggers[-1]
        assert (trigger.part, trigger.missed) == (part, False)
        self.now += 5 * MS
        self.station.exposed(part, trigger.at_ns, self.now)
        if outcome is Outcome.OK and self.now < trigger.deadline_ns:
            self.granted.add((part, trigger.at_ns))
        self.station.submit(verdict(trigger, outcome, self.now), self.now)
        self.settle()
        for _ in range(20):
            if Status.RESULT_VALID not in self.image.status or self.image.part == part:
                break
            self.plc_reads_and_acks()
        if self.image.part == part and Status.RESULT_VALID in self.image.status:
            expected = WireCode.OK if outcome is Outcome.OK else WireCode.NG
            assert self.image.disposition is expected, "I6: a timely verdict was not obeyed"
            if not ack:
                return
            self.plc_reads_and_acks()
            assert self.records[-1].receipt.delivery is Delivery.DELIVERED

    # -- what must hold at every moment ------------------------------------------------------------------------------

    @invariant()
    def counters_balance(self) -> None:
        c = self.station.counters()
        assert c.triggers == len(self.triggers) == c.ok + c.ng + c.unjudged + c.in_flight, "I11"
        assert c.missed == sum(t.missed for t in self.triggers)
        assert c.ordered == c.ng + c.unjudged
        assert 0 <= c.ordered - c.confirmed - c.unconfirmed <= 1
        assert len(self.dispositions) == c.ok + c.ng + c.unjudged
        assert c.triggers <= self.edges
        i = self.image
        assert i.triggers == i.ok + i.ng + i.unjudged + i.missed + c.in_flight, "I11 on the wire"
        if not self.resets:
            assert (i.triggers, i.ok, i.ng, i.missed, i.confirmed) == (
                c.triggers,
                c.ok,
                c.ng,
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
            if trigger.missed:
                assert (made.action, made.why, made.published_ns) == (Action.REJECT, Why.LOST, None)

    @invariant()
    def the_plc_passes_only_granted_parts(self) -> None:
        granted = {part for part, _ in self.granted}
        assert {part for _, part in self.passed} <= granted
        frozen = {d.part for d in self.dispositions if d.action is Action.PASS}
        assert {part for _, part in self.passed} <= frozen

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


TestAnyLine = AnyLine.TestCase
TestAnyLine.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
