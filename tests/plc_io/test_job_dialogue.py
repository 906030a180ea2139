"""Job change-over, holds and parts that several cameras see: one rule a test."""

from dataclasses import replace

import pytest

from okng.bus.clock import MS, SECOND
from okng.bus.messages import Hold, Job, JobAnswer, JobAsk, JobPhase, JobReport
from okng.bus.part import Delivery, Outcome, Record, Trigger, Why
from okng.plc_io.handshake import Limits
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.job_dialogue import JobKept, JobWanted
from okng.plc_io.signals import Command, FaultCode, Status, WireCode
from okng.plc_io.station import Station

from .test_station import BUFFERED, JOB, RUN, Desk

LID = Job("lid", "ba9876543210", "d" * 64, 20 * MS)
EXEC = RUN | Command.JOB_EXEC
TWO = ("left", "right")


class Cell(Desk):
    """A station with two jobs and the box around it."""

    def __init__(self, command: Command = RUN, *, views: tuple[str, ...] = (), drain_ns: int = 100 * MS) -> None:
        limits = Limits(ack_ns=50 * MS, stuck_ns=40 * MS, peer_ns=60 * SECOND, drain_ns=drain_ns, change_ns=2 * SECOND)
        self.station = Station(
            "cell",
            JOB,
            limits,
            jobs=frozenset({1, 2}),
            participants=frozenset({"inspect", "camera-top"}),
            views=views,
            utc=lambda: "2026-01-01T00:00:00.000Z",
        )
        self.station.allow(())
        self.now = 1000 * MS
        self.words = InImage(self.now)
        self.seen = []
        self.station.receive(self.words)
        self.write(command=command)

    def ask(self, number: int, token: int = 1) -> OutImage:
        """The PLC asks for a job."""
        self.write(job_request=number, job_token=token)
        return self.write(self.words.command | Command.JOB_EXEC)

    def read(self, found: Job | str = LID) -> OutImage:
        """The recipe asked for last is read."""
        self.station.job_read(self.of(JobWanted)[-1].change, found, self.now)
        return self.look()

    def agree(self, *who: str, refusal: str = "") -> OutImage:
        """Answers to the order as it is now."""
        order = self.station.order("run")
        for name in who:
            self.station.job_report(JobReport(name, "run", order.change, order.phase, refusal), self.now)
        return self.look()

    def answer(self) -> JobAnswer:
        """The last answer."""
        return self.of(JobAnswer)[-1]


# -- job change-over -----------------------------------------------------------------------------------------


def test_all_are_ready_for_it_and_then_all_go_by_it() -> None:
    cell = Cell()
    assert cell.ask(2).status == Status.JOB_BUSY
    assert cell.of(JobWanted) == [JobWanted(1, 2)]
    assert cell.station.order("run").phase is JobPhase.STEADY
    cell.read()
    order = cell.station.order("run")
    assert (order.phase, order.number, order.job, order.next_number, order.next_job) == (
        JobPhase.PREPARE,
        1,
        JOB,
        2,
        LID,
    )
    cell.agree("inspect")
    assert cell.station.reasons[0] == "job change to 2, asked by plc: waiting for camera-top to be ready for it"
    assert cell.look().job == 1
    cell.agree("camera-top")
    order = cell.station.order("run")
    assert (order.phase, order.number, order.job, order.next_number) == (JobPhase.COMMIT, 2, LID, 0)
    assert cell.of(JobKept) == [JobKept(2)]
    assert cell.look().status == Status.JOB_BUSY
    cell.agree("inspect")
    image = cell.agree("camera-top")
    assert (image.status, image.job, image.job_token) == (Status.JOB_DONE, 2, 1)
    assert cell.answer() == JobAnswer(2, 1, True, "", "plc")
    assert Status.READY not in cell.write(RUN).status, "nobody has looked at the cameras since"
    cell.station.allow(())
    assert cell.look().status == Status.READY
    trigger = cell.trigger(3)
    assert (trigger.recipe, trigger.deadline_ns - trigger.at_ns) == ("lid", LID.deadline_ns)
    assert Status.RESULT_VALID not in cell.judge(trigger).status, "a verdict of the job before"
    image = cell.judge(trigger, recipe=LID.recipe, revision=LID.revision, model=LID.model)
    assert image.disposition is WireCode.OK


def test_a_stuck_trigger_is_found_before_the_shorter_deadline_of_the_new_job() -> None:
    cell = Cell()
    cell.ask(2)
    cell.read()
    cell.agree("inspect", "camera-top")
    cell.agree("inspect", "camera-top")
    cell.write(RUN)
    cell.station.allow(())
    cell.look()
    cell.trigger(3, fall=False)
    cell.wait(LID.deadline_ns - 1)
    assert cell.look().fault == FaultCode.TRIGGER_STUCK


@pytest.mark.parametrize("step", ["read", "prepare", "commit"])
@pytest.mark.parametrize("how", ["refusal", "time", "withdrawn", "connection", "silence"])
def test_whatever_goes_wrong_the_old_job_is_active(step: str, how: str) -> None:
    cell = Cell()
    cell.ask(2)
    if step != "read":
        cell.read()
    if step == "commit":
        cell.agree("inspect", "camera-top")
        assert cell.agree("camera-top").job == 2
    if how == "refusal" and step == "read":
        cell.read("lid.yaml: no such file")
    elif how == "refusal":
        cell.agree("inspect", refusal="the golden pictures do not score as stored")
    elif how == "time":
        for _ in range(20):
            cell.now += 100 * MS
            cell.write()
    elif how == "withdrawn":
        cell.write(RUN)
    elif how == "connection":
        cell.station.link_lost("closed", cell.now)
    else:
        cell.wait(60 * SECOND)
    image = cell.look()
    order = cell.station.order("run")
    assert (image.job, order.number, order.job, order.phase) == (1, 1, JOB, JobPhase.STEADY)
    answer = cell.answer()
    assert (answer.done, answer.number, answer.token, bool(answer.detail)) == (False, 2, 1, True)
    assert cell.of(JobKept) == ([JobKept(2), JobKept(1)] if step == "commit" else [])
    if how in ("refusal", "time"):
        assert image.status == Status.JOB_FAIL
        assert f"job change refused: {answer.detail}" in cell.station.reasons
        assert cell.write(RUN).status & (Status.JOB_FAIL | Status.JOB_BUSY) == Status(0)
    # An answer that comes now changes nothing.
    cell.read()
    cell.station.job_report(JobReport("inspect", "run", 1, JobPhase.COMMIT, ""), cell.now)
    assert cell.look().job == 1


def test_a_time_out_names_who_did_not_answer() -> None:
    cell = Cell()
    cell.ask(2)
    cell.read()
    cell.agree("camera-top")
    cell.wait(2 * SECOND)
    assert cell.answer().detail == (
        "not within 2 s: job change to 2, asked by plc: waiting for inspect to be ready for it"
    )


def test_parts_under_way_are_finished_and_then_rejected() -> None:
    cell = Cell(BUFFERED)
    first, second = cell.trigger(1), cell.trigger(2)
    cell.ask(2)
    cell.judge(first)
    cell.ack()
    assert cell.record(1).disposition.why is Why.OK
    assert cell.of(JobWanted) == []
    assert cell.station.reasons[0] == "job change to 2, asked by plc: parts under way are finished first"
    cell.wait(100 * MS)
    record = cell.record(2)
    assert (record.disposition.why in (Why.FAULT, Why.LATE), record.receipt.delivery) == (True, Delivery.UNCONFIRMED)
    assert len(cell.of(JobWanted)) == 1
    assert cell.look().status == Status.JOB_BUSY
    assert cell.judge(second).status == Status.JOB_BUSY


def test_without_time_to_drain_parts_are_rejected_at_once() -> None:
    cell = Cell(BUFFERED, drain_ns=0)
    cell.trigger(1)
    cell.ask(2)
    assert cell.record(1).disposition.why is Why.FAULT
    assert len(cell.of(JobWanted)) == 1


def test_the_active_job_again_is_done_unless_its_recipe_was_changed() -> None:
    cell = Cell()
    cell.ask(1)
    assert cell.read(JOB).status == Status.JOB_DONE
    cell.write(RUN)
    cell.ask(1, token=2)
    assert cell.read(replace(JOB, revision="ffffffffffff")).status == Status.JOB_BUSY
    cell.agree("inspect", "camera-top")
    assert cell.agree("inspect", "camera-top").status == Status.JOB_DONE
    assert cell.station.job.revision == "ffffffffffff"


def test_a_used_token_under_another_number_is_refused() -> None:
    cell = Cell()
    cell.ask(1)
    cell.read(JOB)
    cell.write(RUN)
    assert cell.ask(2, token=1).status == Status.JOB_FAIL
    assert len(cell.of(JobWanted)) == 1
    cell.write(RUN)
    assert cell.ask(1, token=1).status == Status.JOB_DONE
    assert len(cell.of(JobWanted)) == 1


def test_the_bus_asks_by_the_same_rules_and_the_plc_comes_first() -> None:
    cell = Cell()
    cell.ask(2)
    cell.station.ask_job(JobAsk(2, 9, "opcua"), cell.now)
    cell.look()
    assert cell.answer() == JobAnswer(2, 9, False, "a request of the PLC is not over: JOB_EXEC is 1", "opcua")
    cell.read("damaged")
    cell.write(RUN)
    cell.station.ask_job(JobAsk(2, 10, "opcua"), cell.now)
    assert cell.look().status == Status(0), "READY is off, and the PLC has asked for nothing"
    assert cell.ask(2, token=2).status == Status.JOB_FAIL
    assert cell.answer().detail == "a job change to 2, asked by opcua is under way"
    cell.write(RUN)
    cell.read()
    cell.agree("inspect", "camera-top")
    cell.agree("inspect", "camera-top")
    assert cell.answer() == JobAnswer(2, 10, True, "", "opcua")
    count = len(cell.of(JobAnswer))
    cell.station.ask_job(JobAsk(2, 10, "opcua"), cell.now)
    cell.look()
    assert cell.of(JobAnswer)[count:] == [JobAnswer(2, 10, True, "", "opcua")], "the same token, the same answer"
    for ask, why in (
        (JobAsk(1, 10, "opcua"), "token 10 was used for job 2"),
        (JobAsk(7, 11, "mes"), "there is no job 7 in the settings: expected one of 1, 2"),
        (JobAsk(1, 12, "plc"), "plc is the PLC's own name"),
    ):
        cell.station.ask_job(ask, cell.now)
        cell.look()
        assert (cell.answer().done, cell.answer().detail) == (False, why)


def test_a_job_that_cannot_be_kept_is_taken_back() -> None:
    cell = Cell()
    cell.ask(2)
    cell.read()
    cell.agree("inspect", "camera-top")
    cell.station.job_failed("the disk is full", cell.now)
    assert cell.look().status == Status.JOB_FAIL
    assert cell.look().job == 1


# -- holds ---------------------------------------------------------------------------------------------------


def test_a_hold_ends_when_its_holder_lets_go() -> None:
    cell = Cell()
    cell.station.hold(Hold("opcua", True, "recipe is being edited"), cell.now)
    assert Status.READY not in cell.look().status
    assert cell.station.reasons == ("opcua holds the line: recipe is being edited",)
    cell.station.hold(Hold("mes", True, ""), cell.now)
    cell.station.hold(Hold("opcua", False, ""), cell.now)
    assert Status.READY not in cell.look().status
    cell.station.hold(Hold("mes", False, ""), cell.now)
    assert Status.READY in cell.look().status


def test_a_holder_that_dies_does_not_let_go() -> None:
    cell = Cell()
    cell.station.hold(Hold("opcua", True, "lamp is changed"), cell.now)
    for _ in range(40):
        cell.now += SECOND
        cell.write()
    assert Status.READY not in cell.look().status
    assert cell.station.reasons == (
        "opcua holds the line: lamp is changed; it is silent since: start it again, or set FAULT_RESET",
    )
    cell.station.hold(Hold("opcua", True, "lamp is changed"), cell.now)
    cell.write(RUN | Command.FAULT_RESET)
    assert Status.READY not in cell.write(RUN).status, "a holder that is alive holds on"
    cell.now += 5 * SECOND
    assert Status.READY in cell.write(RUN | Command.FAULT_RESET).status


def test_holders_are_bounded() -> None:
    cell = Cell()
    for number in range(40):
        cell.station.hold(Hold(f"holder-{number}", True, ""), cell.now)
    assert len(cell.station.reasons) == 17
    for number in range(40):
        cell.station.hold(Hold(f"holder-{number}", False, ""), cell.now)
    assert cell.station.reasons == ("others holds the line: more than 16 hold the line at once",)
    cell.now += 5 * SECOND
    assert Status.READY in cell.write(RUN | Command.FAULT_RESET).status


# -- several views -------------------------------------------------------------------------------------------


def test_a_part_passes_by_all_its_views() -> None:
    cell = Cell(views=TWO)
    trigger = cell.trigger(1)
    assert cell.judge(trigger, camera="left").status == Status.BUSY
    assert cell.judge(trigger, camera="left").status == Status.BUSY, "the same view twice is not two views"
    assert cell.judge(trigger, camera="top").status == Status.BUSY, "a stranger's"
    assert cell.station.counters().stale_verdicts == 2
    assert cell.judge(trigger, camera="right").disposition is WireCode.OK


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ((Outcome.OK, Outcome.NG), WireCode.NG),
        ((Outcome.NG, Outcome.OK), WireCode.NG),
        ((Outcome.OK, Outcome.UNJUDGED), WireCode.UNJUDGED),
        ((Outcome.OK, None), WireCode.UNJUDGED),
        ((None, Outcome.OK), WireCode.UNJUDGED),
        ((None, None), WireCode.UNJUDGED),
    ],
)
def test_one_view_that_is_not_ok_rejects(said: tuple[Outcome | None, ...], code: WireCode) -> None:
    cell = Cell(views=TWO)
    trigger = cell.trigger(1)
    for camera, outcome in zip(TWO, said, strict=True):
        if outcome is None:
            cell.station.lost(1, trigger.at_ns, cell.now, camera)
        else:
            cell.judge(trigger, outcome, camera=camera)
    assert cell.look().disposition is code
    cell.ack()
    assert len(cell.of(Record)) == 1


def test_a_view_that_says_nothing_is_late() -> None:
    cell = Cell(views=TWO)
    cell.judge(cell.trigger(1), camera="right")
    assert cell.wait(JOB.deadline_ns).disposition is WireCode.LATE


@pytest.mark.parametrize("decided", [False, True])
def test_the_next_part_waits_for_the_picture_of_every_camera(decided: bool) -> None:
    cell = Cell(BUFFERED, views=TWO)
    trigger: Trigger = cell.trigger(1, exposed=False)
    cell.station.exposed(1, trigger.at_ns, cell.now, "left")
    if decided:
        cell.judge(trigger, Outcome.NG, camera="left")
        cell.ack()
    assert Status.READY not in cell.look().status
    assert cell.station.next_ns() == trigger.deadline_ns
    cell.station.exposed(1, trigger.at_ns, cell.now, "right")
    assert Status.READY in cell.look().status


def test_a_camera_that_takes_no_picture_holds_the_line_no_longer_than_the_part_lasts() -> None:
    cell = Cell(BUFFERED, views=TWO)
    trigger = cell.trigger(1, exposed=False)
    cell.judge(trigger, Outcome.NG, camera="left")
    cell.ack()
    assert Status.READY not in cell.wait(JOB.deadline_ns - 10).status
    assert Status.READY in cell.wait(20).status
