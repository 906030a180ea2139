"""A station that is spoken to in lines, with a clock that the test turns: what the PLC reads and what the part gets."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from okng.bus.clock import MS
from okng.bus.messages import Job
from okng.bus.part import Action, Delivery, Disposition, Outcome, Record, Trigger, Verdict, Why
from okng.plc_io.ascii_dialects import BARE, FESTO, OKNG, OMRON, Dialect
from okng.plc_io.ascii_dialogue import Confused, Dialogue, Step
from okng.plc_io.ascii_lines import LineReader, seal, unseal
from okng.plc_io.handshake import Limits
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.signals import FaultCode, Status, WireCode
from okng.plc_io.station import Event, FaultCleared, FaultRaised, PeerLost, Station

JOB = Job("cap", "0123456789ab", "f" * 64, 100 * MS)
T = TypeVar("T")


class Desk:
    """What the process and the link do, without wire and loop."""

    def __init__(
        self, dialect: Dialect = OKNG, *, quiet_ns: int = 0, buffer: bool = True, enable_at_once: bool = False
    ) -> None:
        limits = Limits(ack_ns=50 * MS, stuck_ns=40 * MS, peer_ns=500 * MS, late_stop=3)
        self.station = Station("cell", JOB, limits, utc=lambda: "2026-01-01T00:00:00.000Z")
        self.station.allow(())
        self.talk = Dialogue(dialect, buffer=buffer, quiet_ns=quiet_ns, enable_at_once=enable_at_once)
        self.reader = LineReader(self.talk.counts)
        self.now = 1000 * MS
        self.out = OutImage()
        self.seen: list[Event] = []
        self.sent = b""
        self.beats = 0
        self._flush()
        self.act(self.talk.begin(self.now))
        if dialect.beat:
            self.beat()
            self.beat()
        self.read()

    def _flush(self) -> None:
        image = self.station.tick(self.now)
        self.seen += self.station.events()
        if image != self.out:
            self.talk.show(image)
            self.out = image

    def act(self, steps: Iterator[Step]) -> None:
        """What the link does with what a line means."""
        for step in steps:
            if isinstance(step, InImage):
                self.station.receive(step)
            else:
                self.station.link_lost(step.reason, self.now)
            self._flush()
        if self.talk.owes:
            self.act(self.talk.settle(self.now))
        self.sent += self.talk.lines(self.now)

    def say(self, body: str) -> None:
        """One line of the PLC, with its check sum where the dialect has one."""
        self.raw((seal(body) if self.talk.dialect.crc else body) + "\r\n")

    def raw(self, text: str) -> None:
        """Bytes as they come."""
        for line in self.reader.feed(text.encode()):
            self.now += 1
            self.act(self.talk.hear(line, self.now))

    def beat(self) -> None:
        """The PLC's heartbeat."""
        self.beats += 1
        self.say(f"H,{self.beats}")

    def wait(self, ns: int) -> None:
        """Turn the clock."""
        self.now += ns
        self._flush()
        self.act(iter(()))

    def read(self) -> list[str]:
        """The bodies of what the PLC has got since, check sums tested."""
        text, self.sent = self.sent.decode(), b""
        ending = self.talk.dialect.ending
        assert text == "" or text.endswith(ending)
        lines = text.split(ending)[:-1]
        if not self.talk.dialect.crc:
            return lines
        bodies = [unseal(line) for line in lines]
        assert None not in bodies
        return [str(body) for body in bodies]

    def results(self) -> list[str]:
        """Only the results among them."""
        return [line for line in self.read() if line[0] == "R"]

    def judge(self, part: int, outcome: Outcome = Outcome.OK) -> None:
        """A verdict of the newest trigger with that number."""
        trigger = [t for t in self.of(Trigger) if t.part == part][-1]
        verdict = Verdict(
            part=part,
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
            started_ns=self.now,
            done_ns=self.now,
        )
        self.station.submit(verdict, self.now)
        self._flush()
        self.act(iter(()))

    def of(self, kind: type[T]) -> list[T]:
        """The events of a kind so far."""
        return [event for event in self.seen if isinstance(event, kind)]

    def lose(self) -> None:
        """The connection goes."""
        self.talk.end()
        self.station.link_lost("unplugged", self.now)
        self._flush()
        self.sent = b""


# -- okng ------------------------------------------------------------------------------------------------------------


def test_one_part_from_trigger_to_receipt() -> None:
    desk = Desk()
    assert Status.READY in desk.out.status
    desk.say("T,7")
    assert desk.of(Trigger)[-1].part == 7
    assert not desk.of(Trigger)[-1].missed
    assert desk.read() == ["S,0006,0"], "READY fell: told at once, TRIG_ACK and BUSY in it"
    desk.judge(7)
    assert desk.results() == ["R,7,OK"]
    desk.say("A,7")
    (record,) = desk.of(Record)
    assert record.receipt.delivery is Delivery.DELIVERED
    assert record.disposition.action is Action.PASS
    assert Status.READY in desk.out.status


@pytest.mark.parametrize(("outcome", "word"), [(Outcome.NG, "NG"), (Outcome.UNJUDGED, "UN")])
def test_the_other_words(outcome: Outcome, word: str) -> None:
    desk = Desk()
    desk.say("T,7")
    desk.judge(7, outcome)
    assert desk.results() == [f"R,7,{word}"]


def test_a_late_part_is_told_as_unjudged() -> None:
    desk = Desk()
    desk.say("T,7")
    desk.wait(100 * MS)
    assert desk.results() == ["R,7,UN"]
    assert desk.of(Disposition)[0].why is Why.LATE


def test_a_result_is_said_once() -> None:
    desk = Desk()
    desk.say("T,7")
    desk.judge(7)
    desk.station.beat()
    desk.wait(1)
    for _ in range(5):
        desk.beat()
        desk.wait(10 * MS)
    desk.say("A,7")
    desk.say("A,7")
    assert desk.results() == ["R,7,OK"]
    assert desk.talk.counts.refused == 1, "the second acknowledgement is of nothing"
    assert len(desk.of(Record)) == 1


def test_nothing_old_after_a_reconnect() -> None:
    desk = Desk()
    desk.say("T,7")
    desk.judge(7)
    desk.say("T,8")
    desk.lose()
    desk.act(desk.talk.begin(desk.now))
    for _ in range(3):
        desk.beat()
    assert desk.results() == []
    assert {r.trigger.part: r.disposition.action for r in desk.of(Record)} == {7: Action.PASS, 8: Action.REJECT}
    assert desk.of(Record)[0].receipt.delivery is Delivery.UNCONFIRMED
    desk.say("T,9")
    desk.judge(9)
    assert desk.results() == ["R,9,OK"]


def test_a_result_that_comes_while_the_wire_is_gone_is_never_said() -> None:
    desk = Desk()
    desk.say("T,7")
    desk.talk.end()  # the wire is gone, the station not told yet
    desk.judge(7)
    assert desk.results() == []
    desk.station.link_lost("unplugged", desk.now)
    desk._flush()
    desk.act(desk.talk.begin(desk.now))
    desk.beat()
    desk.beat()
    assert desk.results() == []


def test_a_result_that_stands_when_the_connection_comes_is_not_said_in_it() -> None:
    talk = Dialogue(OKNG)
    shown = OutImage(Status.RESULT_VALID | Status.OK, seq=5, part=7, disposition=WireCode.OK)
    talk.show(shown)
    list(talk.begin(1))
    talk.show(replace(shown, heartbeat=1))
    assert b"R," not in talk.lines(2)
    talk.show(replace(shown, heartbeat=1, seq=6, part=8))
    assert b"R,8,OK" in talk.lines(3)


def test_results_wait_for_their_acknowledgement_in_the_order_of_the_triggers() -> None:
    desk = Desk()
    for part in (7, 8, 9):
        desk.say(f"T,{part}")
        desk.judge(part, Outcome.OK if part != 8 else Outcome.NG)
    assert desk.results() == ["R,7,OK"]
    desk.say("A,8")
    assert desk.results() == [], "8 is not shown yet: its acknowledgement is of nothing"
    assert desk.talk.counts.refused == 1
    desk.say("A,7")
    assert desk.results() == ["R,8,NG"]
    desk.say("A,8")
    desk.say("A,9")
    assert desk.results() == ["R,9,OK"]
    desk.wait(60 * MS)
    assert desk.of(FaultRaised) == []


def test_without_buffer_a_missing_acknowledgement_is_a_fault_and_a_line_resets_it() -> None:
    desk = Desk(buffer=False)
    desk.say("T,7")
    desk.judge(7)
    desk.read()
    desk.wait(50 * MS)
    assert desk.of(FaultRaised)[0].code is FaultCode.ACK_MISSING
    assert desk.read()[-1].endswith(",2"), "the status line names the fault"
    desk.say("F,3")
    assert desk.of(FaultCleared) == []
    desk.say("F,2")
    assert len(desk.of(FaultCleared)) == 1
    assert Status.READY in desk.out.status


def test_a_part_number_that_is_still_open_is_a_fault() -> None:
    desk = Desk()
    desk.say("T,7")
    desk.judge(7)
    desk.say("T,7")
    assert desk.of(FaultRaised)[0].code is FaultCode.PART_OPEN
    assert all(r.disposition.action is Action.REJECT for r in desk.of(Record) if r.trigger.missed)


def test_a_trigger_that_is_missed_is_told_and_counted() -> None:
    desk = Desk()
    desk.station.allow(("inspect: not ready",))
    desk.wait(1)
    desk.read()
    for part in (7, 8):
        desk.say(f"T,{part}")
        (told,) = desk.read()
        assert Status.MISSED_TRIG in Status(int(told.split(",")[1], 16)), "each of them is told"
    assert desk.station.counters().missed == 2


def test_a_bad_check_sum_changes_nothing() -> None:
    desk = Desk()
    before = desk.out
    for text in ("T,7,0000\r", "T,7\r", "A,7,ABCD\r", "J,2,2,1234\r", "H,9,9999\r", "T,7,\r"):
        desk.raw(text)
    assert desk.of(Trigger) == []
    assert desk.out == before
    assert desk.talk.counts.bad_crc == 6


def test_the_heartbeat_of_the_box_goes_out_as_it_beats_and_no_other_time() -> None:
    desk = Desk()
    told = []
    for _ in range(20):
        desk.station.beat()
        desk.wait(20 * MS)
        desk.beat()
        told += desk.read()
    beats = [int(line[2:]) for line in told if line[0] == "H"]
    assert len(beats) == 20
    assert {(b - a) & 0xFFFF for a, b in pairwise(beats)} <= {1, 0x8001}
    assert len([line for line in told if line[0] == "S"]) == 2, "and the status with every tenth"
    desk.wait(20 * MS)
    assert desk.read() == []


def test_a_plc_that_repeats_one_number_is_silent() -> None:
    desk = Desk()
    for _ in range(6):
        desk.say(f"H,{desk.beats}")
        desk.wait(100 * MS)
    assert len(desk.of(PeerLost)) == 1


def test_no_ready_before_the_first_heartbeat() -> None:
    desk = Desk()
    desk.lose()
    desk.act(desk.talk.begin(desk.now))
    desk.say("T,1")
    assert desk.of(Trigger)[-1].missed
    desk.beat()
    assert Status.READY in desk.out.status


def test_a_job_line_is_answered_and_its_request_falls_by_itself() -> None:
    desk = Desk()
    desk.say("J,1,77")
    assert "J,1,77,DONE" in desk.read()
    assert Status.READY in desk.out.status
    desk.say("J,1,77")
    assert "J,1,77,DONE" in desk.read(), "the same token again repeats the answer"
    desk.say("J,9,78")
    assert "J,1,78,FAIL" in desk.read(), "the old job stays"
    assert Status.READY in desk.out.status


def test_a_job_waits_for_the_parts_that_are_open() -> None:
    desk = Desk()
    desk.say("T,7")
    desk.say("J,1,5")
    desk.say("J,1,5")
    assert not any("DONE" in line for line in desk.read())
    desk.judge(7)
    desk.say("A,7")
    assert [line for line in desk.read() if line[0] == "J"] == ["J,1,5,DONE"]


# -- echoes ----------------------------------------------------------------------------------------------------------


def test_a_wire_that_gives_everything_back_does_not_keep_a_dead_plc_alive() -> None:
    desk = Desk()
    for _ in range(20):
        desk.station.beat()
        desk.wait(50 * MS)
        back, desk.sent = desk.sent.decode(), b""
        desk.raw(back)
    assert len(desk.of(PeerLost)) == 1
    assert desk.talk.counts.echoes >= 20
    assert not desk.station.hand.alive


def test_on_a_wire_that_gives_back_a_part_goes_its_way() -> None:
    desk = Desk()

    def echoed() -> list[str]:
        back = desk.sent.decode()
        bodies = desk.read()
        desk.raw(back)
        return bodies

    echoed()
    for part in range(1, 6):
        desk.station.beat()
        desk.beat()
        desk.say(f"T,{part}")
        echoed()
        desk.judge(part)
        assert f"R,{part},OK" in echoed()
        desk.say(f"A,{part}")
        echoed()
    assert desk.talk.counts.unknown == 0
    assert [r.receipt.delivery for r in desk.of(Record)] == [Delivery.DELIVERED] * 5


def test_what_was_known_of_one_wire_is_not_believed_of_the_next() -> None:
    desk = Desk()
    desk.station.beat()
    desk.wait(1)
    (beat,) = [line for line in desk.read() if line[0] == "H"]
    desk.say("S,0001,0")
    assert desk.talk.counts.echoes == 1, "it gives back"
    desk.lose()
    desk.act(desk.talk.begin(desk.now))
    before = desk.talk.counts.lines
    desk.say(beat)
    assert desk.talk.counts.lines == before + 1


@pytest.mark.parametrize("lag", [-3, -1, 0, 1, 2, 5])
def test_a_plc_that_counts_along_with_the_box_stays_alive(lag: int) -> None:
    desk = Desk()
    for turn in range(10, 40):
        desk.station._beats = turn
        desk.wait(100 * MS)
        desk.say(f"H,{turn - lag}")
    assert desk.of(PeerLost) == []


# -- without numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "line", "good", "bad"),
    [(FESTO, "TRG", "TRGP", "TRGF"), (OMRON, "M", "OK", "ER"), (BARE, "T", "OK", "NG")],
)
def test_one_answer_for_each_trigger(dialect: Dialect, line: str, good: str, bad: str) -> None:
    desk = Desk(dialect)
    assert Status.READY in desk.out.status, "the connection is the sign of life"
    for number, outcome in enumerate((Outcome.OK, Outcome.NG, Outcome.UNJUDGED, Outcome.OK), 1):
        desk.say(line)
        assert desk.read() == []
        desk.judge(number, outcome)
        assert desk.read() == [good if outcome is Outcome.OK else bad]
    desk.say(line)
    desk.wait(100 * MS)
    assert desk.read() == [bad], "late"
    assert [r.disposition.action for r in desk.of(Record)].count(Action.PASS) == 2
    assert desk.station.counters().triggers == 5


def test_a_second_trigger_before_the_answer_rejects_both() -> None:
    desk = Desk(FESTO)
    desk.say("TRG")
    desk.say("TRG")
    assert desk.read() == ["TRGF", "TRGF"]
    assert [r.disposition.action for r in desk.of(Record)] == [Action.REJECT, Action.REJECT]
    desk.judge(1)
    assert desk.read() == [], "the verdict of the first comes to nothing"
    desk.say("TRG")
    desk.judge(desk.of(Trigger)[-1].part)
    assert desk.read() == ["TRGP"], "and the next part is alone again"
    assert desk.station.counters().triggers == 3


def test_a_trigger_while_the_box_is_not_ready_is_answered_by_the_bad_word() -> None:
    desk = Desk(BARE)
    desk.station.allow(("inspect: not ready",))
    desk.wait(1)
    desk.say("T")
    assert desk.read() == ["NG"]
    assert desk.station.counters().missed == 1


def test_a_part_that_the_box_gives_up_is_answered_too() -> None:
    desk = Desk(BARE)
    desk.say("T")
    desk.station.stop(desk.now)
    desk.wait(1)
    assert desk.read() == ["NG"]


def test_a_plc_that_may_not_be_quiet() -> None:
    desk = Desk(BARE, quiet_ns=1000 * MS)
    for _ in range(19):
        desk.wait(50 * MS)
        desk.act(desk.talk.beat(desk.now))
    assert desk.of(PeerLost) == []
    for _ in range(12):
        desk.wait(50 * MS)
        desk.act(desk.talk.beat(desk.now))
    assert len(desk.of(PeerLost)) == 1
    desk.say("T")
    assert desk.read() == ["NG"]
    desk.act(desk.talk.beat(desk.now))
    assert Status.READY in desk.out.status


def test_confusion_is_a_step_of_its_own() -> None:
    talk = Dialogue(BARE)
    list(talk.begin(1))
    talk.show(OutImage(Status.READY))
    steps = talk.hear("T", 2)
    next(steps)
    talk.show(OutImage(Status.TRIG_ACK | Status.BUSY))
    list(steps)
    talk.show(OutImage(Status.BUSY))
    assert any(isinstance(step, Confused) for step in talk.hear("T", 3))


# -- anything --------------------------------------------------------------------------------------------------------

SAID = st.one_of(
    st.sampled_from(["T", "M", "TRG", "\r", "H,1,0000\r", "\xff", "OK\r\n"]),
    st.builds(seal, st.sampled_from(["T,0", "T,1", "T,2", "A,1", "A,2", "J,1,1", "J,2,2", "F,2", "F,4", "H,1", "H,2"])),
    st.text("TAJHFRS,0123456789\r\n", max_size=8),
)
DONE = st.one_of(
    SAID.map(lambda text: ("say", text)),
    st.sampled_from([("judge", "ok"), ("judge", "ng"), ("wait", "20"), ("wait", "120"), ("lose", ""), ("beat", "")]),
)


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(DONE, max_size=40), st.sampled_from([OKNG, FESTO, BARE]))
def test_whatever_is_said_each_trigger_gets_one_record_and_a_pass_is_said_once(
    done: list[tuple[str, str]], dialect: Dialect
) -> None:
    desk = Desk(dialect)
    passed = "R,{},OK" if dialect is OKNG else dialect.result.replace("{word}", dialect.passed)
    told: list[str] = []
    for what, detail in done:
        match what:
            case "say":
                desk.raw(detail + "\r\n")
            case "judge":
                for trigger in [t for t in desk.of(Trigger) if not t.missed][-2:]:
                    desk.judge(trigger.part, Outcome.OK if detail == "ok" else Outcome.NG)
            case "wait":
                desk.wait(int(detail) * MS)
            case "beat":
                if dialect.beat:
                    desk.beat()
                desk.act(desk.talk.beat(desk.now))
            case "lose":
                told += desk.read()
                desk.lose()
                desk.act(desk.talk.begin(desk.now))
    told += desk.read()
    desk.station.stop(desk.now)
    desk._flush()
    triggers, records = desk.of(Trigger), desk.of(Record)
    assert sorted((t.part, t.at_ns) for t in triggers) == sorted((r.trigger.part, r.trigger.at_ns) for r in records)
    passes = [r for r in records if r.disposition.action is Action.PASS]
    said = [line for line in told if line == passed or (dialect is OKNG and line[0] == "R" and line.endswith(",OK"))]
    assert len(said) <= len(passes)
    if dialect is OKNG:
        assert sorted(said) == sorted(f"R,{r.trigger.part},OK" for r in passes)
