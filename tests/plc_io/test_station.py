"""One rule of the design a test: the station step by step, with a clock that the test turns."""

from dataclasses import replace
from typing import TypeVar

import pytest

from okng.bus.clock import MS
from okng.bus.messages import Job
from okng.bus.part import Action, Delivery, Disposition, HeatMap, Outcome, Record, Trigger, Verdict, Why
from okng.plc_io.handshake import Limits, State
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.signals import Command, FaultCode, Status, WireCode
from okng.plc_io.station import (
    CounterReset,
    Event,
    FaultCleared,
    FaultRaised,
    JobRequest,
    PeerBack,
    PeerLost,
    Station,
)

JOB = Job("cap", "0123456789ab", "f" * 64, 100 * MS)
T = TypeVar("T")
RUN = Command.TRIG_ENABLE
BUFFERED = Command.TRIG_ENABLE | Command.BUFFER_EN


class Desk:
    """A station, its clock and its PLC."""

    def __init__(self, command: Command = RUN, *, job_number: int = 1) -> None:
        limits = Limits(ack_ns=50 * MS, stuck_ns=40 * MS, peer_ns=500 * MS, late_stop=3)
        self.station = Station("cell", JOB, limits, job_number=job_number, utc=lambda: "2026-01-01T00:00:00.000Z")
        self.station.allow(())
        self.now = 1000 * MS
        self.words = InImage(self.now)
        self.seen: list[Event] = []
        self.station.receive(self.words)
        self.write(command=command)

    def write(self, command: Command | None = None, *, beat: bool = True, **more: int) -> OutImage:
        """One write of the PLC."""
        self.now += 1
        chosen = self.words.command if command is None else command
        heartbeat = self.words.heartbeat + beat
        self.words = replace(self.words, at_ns=self.now, command=chosen, heartbeat=heartbeat, **more)
        self.station.receive(self.words)
        return self.look()

    def look(self) -> OutImage:
        """Let the time of now have its effect."""
        image = self.station.tick(self.now)
        self.seen += self.station.events()
        return image

    def wait(self, ns: int) -> OutImage:
        """Turn the clock."""
        self.now += ns
        return self.look()

    def trigger(self, part: int, *, fall: bool = True, exposed: bool = True) -> Trigger:
        """One trigger; return what the station made of it."""
        self.write(self.words.command | Command.TRIGGER, part=part)
        made = self.of(Trigger)[-1]
        if fall:
            self.write(self.words.command & ~Command.TRIGGER)
        if exposed:
            self.station.exposed(made.part, made.at_ns, self.now)
        self.look()
        return made

    def judge(self, trigger: Trigger, outcome: Outcome = Outcome.OK, **change: object) -> OutImage:
        """A verdict of a part."""
        verdict = Verdict(
            part=trigger.part,
            outcome=outcome,
            reasons=() if outcome is Outcome.OK else ("because",),
            defects=(),
            score=0.5,
            threshold=1.0,
            recipe=JOB.recipe,
            revision=JOB.revision,
            model=JOB.model,
            camera="top",
            triggered_at_ns=trigger.at_ns,
            frame=None,
            heat=(),
            started_ns=self.now - 3 * MS,
            done_ns=self.now,
        )
        self.station.submit(replace(verdict, **change), self.now)  # type: ignore[arg-type]
        return self.look()

    def ack(self) -> OutImage:
        """Acknowledge the result shown."""
        return self.write(ack_seq=self.look().seq)

    def of(self, kind: type[T]) -> list[T]:
        """The events of a kind so far."""
        return [event for event in self.seen if isinstance(event, kind)]

    def state(self) -> State:
        """The name of the state."""
        return self.station.state

    def record(self, part: int) -> Record:
        """The one record of a part."""
        (found,) = [r for r in self.of(Record) if r.trigger.part == part]
        return found


# -- one part ------------------------------------------------------------------------------------------------


def test_the_states_of_one_part() -> None:
    desk = Desk()
    assert desk.state() is State.READY
    assert desk.look().status == Status.READY
    image = desk.write(RUN | Command.TRIGGER, part=7)
    assert desk.state() is State.ACQUIRING
    assert image.status == Status.TRIG_ACK | Status.BUSY
    image = desk.write(RUN)
    assert desk.state() is State.INSPECTING
    assert image.status == Status.BUSY
    (trigger,) = desk.of(Trigger)
    image = desk.judge(trigger)
    assert desk.state() is State.RESULT_VALID
    assert image.status == Status.RESULT_VALID | Status.OK
    assert (image.seq, image.part, image.disposition, image.inference_ms) == (1, 7, WireCode.OK, 3)
    image = desk.ack()
    assert desk.state() is State.READY
    assert image.status == Status.READY
    assert (image.seq, image.part) == (1, 7), "the block stays until the next result"
    record = desk.record(7)
    assert record.receipt.delivery is Delivery.DELIVERED
    assert desk.of(Disposition) == [record.disposition]


@pytest.mark.parametrize(
    ("outcome", "code", "bit", "why"),
    [
        (Outcome.OK, WireCode.OK, Status.OK, Why.OK),
        (Outcome.NG, WireCode.NG, Status.NG, Why.NG),
        (Outcome.UNJUDGED, WireCode.UNJUDGED, Status.UNJUDGED, Why.LOST),
    ],
)
def test_what_the_wire_says(outcome: Outcome, code: WireCode, bit: Status, why: Why) -> None:
    desk = Desk()
    image = desk.judge(desk.trigger(3), outcome)
    assert (image.disposition, image.status) == (code, Status.RESULT_VALID | bit)
    desk.ack()
    assert desk.record(3).disposition.why is why


def test_a_verdict_waits_for_trigger_to_fall() -> None:
    desk = Desk()
    trigger = desk.trigger(3, fall=False)
    assert Status.RESULT_VALID not in desk.judge(trigger).status
    assert Status.RESULT_VALID in desk.write(RUN).status


@pytest.mark.parametrize(
    "change",
    [{"recipe": "lid"}, {"revision": "f" * 12}, {"model": "e" * 64}, {"triggered_at_ns": 1}, {"part": 4}],
)
def test_a_foreign_verdict_is_counted_and_dropped(change: dict[str, object]) -> None:
    desk = Desk()
    assert Status.RESULT_VALID not in desk.judge(desk.trigger(3), Outcome.OK, **change).status
    assert desk.station.counters().stale_verdicts == 1
    assert desk.wait(JOB.deadline_ns).disposition is WireCode.LATE


def test_a_second_verdict_changes_nothing() -> None:
    desk = Desk()
    trigger = desk.trigger(3, fall=False)
    desk.judge(trigger, Outcome.NG)
    desk.judge(trigger, Outcome.OK)
    assert desk.write(RUN).disposition is WireCode.NG
    assert desk.judge(trigger, Outcome.OK).disposition is WireCode.NG
    assert desk.station.counters().stale_verdicts == 2


@pytest.mark.parametrize(("early_ns", "code"), [(1, WireCode.OK), (0, WireCode.LATE), (-1, WireCode.LATE)])
def test_at_the_deadline_it_is_late(early_ns: int, code: WireCode) -> None:
    desk = Desk()
    trigger = desk.trigger(3)
    desk.now = trigger.deadline_ns - early_ns
    assert desk.judge(trigger).disposition is code
    desk.ack()
    assert desk.record(3).disposition.action is (Action.PASS if code is WireCode.OK else Action.REJECT)


def test_a_lost_picture_rejects_at_once() -> None:
    desk = Desk()
    trigger = desk.trigger(3)
    desk.station.lost(3, trigger.at_ns - 1, desk.now)
    assert Status.RESULT_VALID not in desk.look().status
    desk.station.lost(3, trigger.at_ns, desk.now, "top", "black")
    assert desk.look().disposition is WireCode.UNJUDGED
    desk.ack()
    record = desk.record(3)
    assert (record.disposition.why, record.verdict, record.lost) == (Why.LOST, None, "no picture: black")


def test_the_core_says_when_it_has_to_be_called() -> None:
    desk = Desk()
    idle = desk.station.next_ns()
    assert idle == desk.words.at_ns + 500 * MS
    trigger = desk.trigger(3, fall=False)
    assert desk.station.next_ns() == trigger.at_ns + 40 * MS
    desk.write(RUN)
    assert desk.station.next_ns() == trigger.deadline_ns


def test_the_box_numbers_where_the_plc_does_not() -> None:
    desk = Desk(BUFFERED)
    assert [desk.trigger(0).part for _ in range(3)] == [1, 2, 3]
    desk.trigger(5)
    assert desk.trigger(0).part == 4
    assert desk.trigger(0).part == 6


# -- acknowledgement -----------------------------------------------------------------------------------------


def test_only_the_shown_seq_acknowledges() -> None:
    desk = Desk()
    desk.judge(desk.trigger(3))
    for seq in (2, 0, 65535):
        assert Status.RESULT_VALID in desk.write(ack_seq=seq).status
    assert desk.station.hand.wrong_acks == 2
    assert Status.RESULT_VALID not in desk.write(ack_seq=1).status


def test_result_ack_acts_on_its_edge() -> None:
    desk = Desk(BUFFERED)
    first, second = desk.trigger(3), desk.trigger(4)
    desk.judge(first)
    desk.judge(second, Outcome.NG)
    assert desk.write(BUFFERED | Command.RESULT_ACK).status & Status.RESULT_VALID == Status(0)
    image = desk.write(BUFFERED | Command.RESULT_ACK)
    assert Status.RESULT_VALID not in image.status, "ack has to clear before the next result"
    image = desk.write(BUFFERED)
    assert (image.part, image.disposition) == (4, WireCode.NG)
    assert Status.RESULT_VALID in image.status
    assert Status.RESULT_VALID not in desk.write(BUFFERED | Command.RESULT_ACK).status


def test_result_ack_of_the_result_before_does_not_take_the_next() -> None:
    """ack_seq and RESULT_ACK in two writes of one scan: the PLC has not read the second result yet."""
    desk = Desk(BUFFERED)
    first, second = desk.trigger(3), desk.trigger(4)
    desk.judge(first)
    desk.judge(second)
    assert desk.write(ack_seq=1, seen_seq=1).seq == 2
    image = desk.write(BUFFERED | Command.RESULT_ACK, seen_seq=1)
    assert Status.RESULT_VALID in image.status
    desk.write(BUFFERED, seen_seq=2)
    assert Status.RESULT_VALID not in desk.write(BUFFERED | Command.RESULT_ACK, seen_seq=2).status


def test_a_number_left_in_ack_seq_is_passed_over() -> None:
    desk = Desk()
    desk.write(ack_seq=1)
    image = desk.judge(desk.trigger(3))
    assert image.seq == 2
    assert Status.RESULT_VALID in image.status


def test_seq_goes_round_without_0() -> None:
    desk = Desk()
    desk.station.hand._last_seq = 65534
    assert desk.judge(desk.trigger(3)).seq == 65535
    desk.ack()
    assert desk.judge(desk.trigger(4)).seq == 1


def test_an_ack_after_deadline_and_ack_time_is_late() -> None:
    desk = Desk(BUFFERED)
    trigger = desk.trigger(3)
    desk.judge(trigger)
    desk.now = trigger.deadline_ns + 50 * MS
    desk.write()
    desk.ack()
    assert desk.record(3).receipt.delivery is Delivery.LATE
    assert desk.station.counters().ok == 1


# -- missed triggers -----------------------------------------------------------------------------------------


def test_a_trigger_without_ready_is_a_part_of_its_own() -> None:
    desk = Desk()
    desk.trigger(3)
    image = desk.write(RUN | Command.TRIGGER, part=4)
    assert Status.MISSED_TRIG in image.status
    record = desk.record(4)
    assert record.trigger.missed
    assert record.disposition.published_ns is None
    assert image.missed == 1
    desk.write(RUN)
    assert Status.MISSED_TRIG in desk.judge(desk.of(Trigger)[0]).status
    desk.ack()
    desk.trigger(5)
    assert Status.MISSED_TRIG not in desk.look().status


def test_ready_counts_as_the_plc_saw_it() -> None:
    """Acknowledge and trigger in one write: the PLC has not seen READY, so the trigger is missed."""
    desk = Desk()
    desk.judge(desk.trigger(3))
    desk.write(RUN | Command.TRIGGER, ack_seq=1, part=4)
    assert desk.record(4).trigger.missed


def test_trigger_that_stands_is_no_edge_and_holds_ready_off() -> None:
    desk = Desk(Command(0))
    image = desk.write(RUN | Command.TRIGGER)
    assert len(desk.of(Trigger)) == 1
    assert Status.READY not in image.status
    assert "PLC: TRIGGER is still 1, it has to fall first" in desk.station.reasons
    assert Status.READY in desk.write(RUN).status


# -- faults --------------------------------------------------------------------------------------------------


def test_a_stuck_trigger_is_a_fault_and_only_a_reset_ends_it() -> None:
    desk = Desk()
    desk.trigger(3, fall=False)
    assert Status.FAULT not in desk.wait(40 * MS - 10).status
    image = desk.wait(10)
    assert (image.status, image.fault) == (Status.FAULT, FaultCode.TRIGGER_STUCK)
    assert desk.record(3).disposition.why is Why.FAULT
    assert desk.of(FaultRaised) == [FaultRaised(FaultCode.TRIGGER_STUCK, 3)]
    assert desk.write(RUN).status == Status.FAULT
    assert desk.write(Command(0)).status == Status.FAULT
    assert desk.write(RUN | Command.FAULT_RESET).status == Status.READY
    assert len(desk.of(FaultCleared)) == 1


def test_t_stuck_is_shorter_than_the_deadline() -> None:
    limits = Limits(ack_ns=MS, stuck_ns=10**12, peer_ns=500 * MS)
    assert Station("cell", JOB, limits).hand.limits.stuck_ns < JOB.deadline_ns


def test_without_ack_it_overruns() -> None:
    desk = Desk()
    desk.judge(desk.trigger(3))
    assert Status.RESULT_VALID in desk.wait(50 * MS - 1).status
    image = desk.wait(1)
    assert image.status == Status.FAULT | Status.OVERRUN
    assert (image.seq, image.part, image.disposition) == (0, 0, WireCode.NONE)
    record = desk.record(3)
    assert record.disposition.action is Action.PASS, "frozen when it was shown"
    assert record.receipt.delivery is Delivery.UNCONFIRMED
    assert desk.write(RUN | Command.FAULT_RESET).status == Status.READY


def test_an_open_number_again_is_a_fault() -> None:
    desk = Desk(BUFFERED)
    desk.trigger(3)
    desk.trigger(3)
    assert desk.look().fault == FaultCode.PART_OPEN
    records = desk.of(Record)
    assert [(r.trigger.missed, r.disposition.why) for r in records] == [(False, Why.FAULT), (True, Why.LOST)]


def test_nothing_passes_in_fault() -> None:
    desk = Desk()
    trigger = desk.trigger(3, fall=False)
    desk.wait(40 * MS)
    image = desk.judge(trigger)
    assert image.status == Status.FAULT
    assert all(d.action is Action.REJECT for d in desk.of(Disposition))


# -- several parts -------------------------------------------------------------------------------------------


def test_ready_returns_after_the_exposure() -> None:
    desk = Desk(BUFFERED)
    trigger = desk.trigger(1, exposed=False)
    assert Status.READY not in desk.look().status
    desk.station.exposed(1, trigger.at_ns - 1, desk.now)
    assert Status.READY not in desk.look().status
    desk.station.exposed(1, trigger.at_ns, desk.now)
    assert Status.READY in desk.look().status


def test_without_buffer_ready_waits_for_the_ack() -> None:
    desk = Desk()
    trigger = desk.trigger(1)
    assert Status.READY not in desk.look().status
    assert Status.READY not in desk.judge(trigger).status
    assert Status.READY in desk.ack().status


def test_results_go_out_in_the_order_of_the_triggers() -> None:
    desk = Desk(BUFFERED)
    first, second, third = (desk.trigger(part) for part in (1, 2, 3))
    desk.judge(third)
    assert Status.RESULT_VALID not in desk.judge(second, Outcome.NG).status
    image = desk.judge(first)
    shown = []
    while Status.RESULT_VALID in image.status:
        shown.append((image.part, image.disposition, image.depth))
        image = desk.ack()  # the next one stands there at once
    assert shown == [(1, WireCode.OK, 2), (2, WireCode.NG, 1), (3, WireCode.OK, 0)]


def test_a_verdict_that_waits_past_its_deadline_is_late() -> None:
    desk = Desk(BUFFERED)
    first, second = desk.trigger(1), desk.trigger(2)
    desk.judge(first)
    desk.judge(second)
    assert desk.look().depth == 1
    desk.now = second.deadline_ns - 1
    desk.write()
    assert desk.wait(0).depth == 1
    desk.now = second.deadline_ns
    image = desk.ack()
    assert (image.part, image.disposition) == (2, WireCode.LATE)
    desk.ack()
    record = desk.record(2)
    assert (record.disposition.action, record.disposition.why) == (Action.REJECT, Why.LATE)
    assert record.verdict is not None
    assert record.verdict.outcome is Outcome.OK


def test_a_ninth_waiting_result_overruns() -> None:
    desk = Desk(BUFFERED)
    triggers = [desk.trigger(part) for part in range(1, 11)]
    for trigger in triggers[:9]:
        image = desk.judge(trigger)
    assert image.depth == 8
    assert Status.READY not in image.status
    assert Status.FAULT not in image.status
    image = desk.judge(triggers[9])
    assert image.status == Status.FAULT | Status.OVERRUN
    assert image.fault == FaultCode.QUEUE_FULL
    assert len(desk.of(Record)) == 10
    assert {r.receipt.delivery for r in desk.of(Record)} == {Delivery.UNCONFIRMED}


def test_three_late_in_a_row_ask_for_a_stop() -> None:
    desk = Desk(BUFFERED)
    for part in (1, 2, 3):
        desk.trigger(part)
        assert Status.LINE_STOP_REQ not in desk.look().status
        desk.wait(JOB.deadline_ns)
        desk.ack()
    assert Status.LINE_STOP_REQ in desk.look().status
    image = desk.judge(desk.trigger(4))
    assert Status.LINE_STOP_REQ not in image.status


# -- the PLC goes and comes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["silence", "connection"])
def test_a_lost_plc_rejects_all_and_nothing_is_replayed(how: str) -> None:
    desk = Desk(BUFFERED)
    first, second, third = (desk.trigger(part) for part in (1, 2, 3))
    desk.judge(first)
    desk.now = desk.words.at_ns + 10
    if how == "silence":
        image = desk.wait(500 * MS)
    else:
        desk.station.link_lost("closed", desk.now)
        image = desk.look()
    assert image.status == Status(0)
    assert (image.seq, image.part, image.disposition) == (0, 0, WireCode.NONE)
    assert desk.state() is State.OFFLINE
    assert desk.station.open == 0
    whys = [desk.record(part).disposition.why for part in (1, 2, 3)]
    assert whys[2] in (Why.FAULT, Why.LATE)
    assert all(r.receipt.delivery is Delivery.UNCONFIRMED for r in desk.of(Record))
    assert len(desk.of(PeerLost)) == 1
    for trigger in (second, third):
        assert desk.judge(trigger).status == Status(0)
    if how == "connection":
        desk.words = replace(desk.words, command=Command(0), heartbeat=0)
        desk.write(Command(0))
        assert desk.look().status == Status(0)
    image = desk.write(BUFFERED)
    assert image.status == Status.READY
    assert len(desk.of(PeerBack)) == 2
    assert desk.judge(desk.trigger(9)).part == 9


def test_the_first_write_after_a_new_connection_has_no_edges() -> None:
    desk = Desk()
    desk.station.link_lost("closed", desk.now)
    desk.write(RUN | Command.TRIGGER | Command.FAULT_RESET | Command.COUNTER_RESET)
    assert desk.of(Trigger) == []
    assert desk.of(CounterReset) == []


def test_ready_needs_a_moving_heartbeat_and_the_rest_of_the_box() -> None:
    desk = Desk()
    desk.station.allow(("camera top does not answer",))
    assert Status.READY not in desk.look().status
    assert desk.station.reasons == ("camera top does not answer",)
    desk.station.allow((), degraded=True)
    assert desk.look().status == Status.READY | Status.DEGRADED
    for _ in range(5):
        desk.now += 99 * MS
        image = desk.write(beat=False)
    assert Status.READY in image.status
    desk.now += 10 * MS
    assert Status.READY not in desk.write(beat=False).status
    assert desk.station.reasons == ("PLC: its heartbeat does not change",)
    assert Status.READY in desk.write(desk.words.command | Command.PLC_HB, beat=False).status


def test_the_box_beats_when_told() -> None:
    desk = Desk()
    assert desk.look().heartbeat == 0
    desk.station.beat()
    image = desk.look()
    assert image.heartbeat == 1
    assert Status.HB in image.status
    desk.station.beat()
    assert Status.HB not in desk.look().status


def test_stop_rejects_and_stays_off() -> None:
    desk = Desk()
    trigger = desk.trigger(3)
    desk.station.stop(desk.now)
    assert desk.look().status == Status(0)
    assert desk.record(3).disposition.why is Why.FAULT
    assert desk.judge(trigger).status == Status(0)
    assert desk.write(RUN).status == Status(0)


# -- job and counters ----------------------------------------------------------------------------------------


def test_job_change_to_the_active_one_is_done_and_to_another_refused() -> None:
    desk = Desk(job_number=7)
    desk.write(job_request=7, job_token=41)
    image = desk.write(RUN | Command.JOB_EXEC)
    assert image.status == Status.JOB_DONE
    assert (image.job, image.job_token) == (7, 41)
    assert desk.of(JobRequest) == [JobRequest(7, 41)]
    assert desk.write(RUN).status == Status.READY
    desk.write(job_request=8, job_token=42)
    image = desk.write(RUN | Command.JOB_EXEC)
    assert image.status == Status.JOB_FAIL
    assert (image.job, image.job_token) == (7, 42)
    desk.write(RUN)
    desk.write(job_request=7)
    image = desk.write(RUN | Command.JOB_EXEC)
    assert image.status == Status.JOB_FAIL, "the same token repeats the last answer"
    assert len(desk.of(JobRequest)) == 2


def test_job_change_waits_for_open_parts_and_misses_triggers() -> None:
    desk = Desk(BUFFERED)
    trigger = desk.trigger(3)
    desk.write(job_request=1, job_token=5)
    assert desk.write(BUFFERED | Command.JOB_EXEC).status == Status.BUSY | Status.JOB_BUSY
    desk.write(BUFFERED | Command.JOB_EXEC | Command.TRIGGER, part=4)
    assert desk.record(4).trigger.missed
    desk.write(BUFFERED | Command.JOB_EXEC)
    desk.judge(trigger)
    assert Status.JOB_DONE in desk.ack().status


def test_counter_reset_is_for_the_plc_only() -> None:
    desk = Desk(BUFFERED)
    desk.judge(desk.trigger(1))
    desk.ack()
    open_ = desk.trigger(2)
    image = desk.write(BUFFERED | Command.COUNTER_RESET)
    assert (image.triggers, image.ok) == (1, 0), "the part in flight stays"
    image = desk.write(BUFFERED | Command.COUNTER_RESET)
    desk.judge(open_, Outcome.NG)
    image = desk.ack()
    assert (image.triggers, image.ok, image.ng, image.confirmed) == (1, 0, 1, 1)
    assert desk.station.counters().triggers == 2
    assert [e.counters.triggers for e in desk.of(CounterReset)] == [2]


def test_counters_say_what_was_late_and_what_in_a_row() -> None:
    desk = Desk(BUFFERED)
    for part in (1, 2):
        desk.judge(desk.trigger(part), Outcome.NG)
        desk.ack()
    desk.trigger(3)
    desk.wait(JOB.deadline_ns)
    desk.ack()
    counters = desk.station.counters()
    assert (counters.ng, counters.unjudged, counters.late, counters.consecutive_ng) == (2, 1, 1, 2)
    assert desk.look().unjudged == 1
    desk.judge(desk.trigger(4))
    assert desk.station.counters().consecutive_ng == 0


def test_the_record_carries_no_heat() -> None:
    desk = Desk()
    trigger = desk.trigger(3)
    desk.judge(trigger, heat=(HeatMap(0, 0, 8, 8, 1, 1, b"x"),))
    desk.ack()
    verdict = desk.record(3).verdict
    assert verdict is not None
    assert verdict.heat == ()
