"""The real io process is asked for another model while a PLC goes on: READY stays, and each part has its own model."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import Subscriber, ask_once, io_address
from okng.bus.clock import now_ns
from okng.bus.ladder import ChallengerState, Role
from okng.bus.messages import Counters, Job, JobOrder, StationState
from okng.bus.part import Outcome, Trigger
from okng.plc_io.signals import Command, Status, WireCode

from .conftest import JOB, Line, verdict_of

NEW = "1" * 64
SWAPPED = replace(JOB, model=NEW)


class Swapping:
    """A line whose inspect has two models at hand."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.at_hand: tuple[str, ...] = (JOB.model, NEW)
        self.orders: list[JobOrder] = []
        self.slow = False
        """inspect has not loaded what is ordered yet."""
        self.ear = Subscriber([io_address(line.run_dir)], (JobOrder,))

    def turn(self) -> bool:
        """inspect says what it has at hand, and goes by what io orders."""
        said = ChallengerState(1, NEW, Role.SHADOW, True, "", 0, 0, revision=JOB.revision, at_hand=self.at_hand)
        self.line.box.inspect.send(said)
        while (order := self.ear.receive(0)) is not None:
            self.orders.append(order)
        if self.orders and not self.slow:
            self.line.box.job = self.orders[-1].job
        return True

    def ask(self, old: str, new: str, **more: object) -> Answer:
        """Ask as sync does, in a thread, while everybody moves."""
        body: dict[str, Any] = {"job": 1, "recipe": JOB.revision, "from_model": old, "to_model": new, "folder": "/new"}
        ask = Ask(new_id(), "model.swap", "sync", "", "", body | more)
        found: list[Answer | None] = []
        thread = threading.Thread(target=lambda: found.append(ask_once(self.line.run_dir, "io", ask)))
        thread.start()
        self.line.until("an answer", lambda: self.turn() and found)
        thread.join(5)
        assert found[0] is not None
        return found[0]

    def model_of(self, trigger: Trigger) -> str:
        """What has to judge that part, by the order that holds."""
        order = self.orders[-1]
        return next((past.model for past in order.past if trigger.at_ns < past.until_ns), order.job.model)

    def part(self, number: int, model: str = "") -> tuple[Trigger, list[int]]:
        """A part that inspect calls OK by a model; return it and the result block."""
        trigger = self.line.trigger(number)
        self.turn()
        job: Job = replace(JOB, model=model or self.model_of(trigger))
        self.line.box.inspect.send(verdict_of(trigger, Outcome.OK, job))
        block = self.line.result()
        self.line.until("READY", lambda: self.turn() and Status.READY in self.line.plc.status())
        return trigger, block


@contextmanager
def swapping(line: Line) -> Iterator[Swapping]:
    made = Swapping(line)
    line.enable(Command.BUFFER_EN)
    line.until("the order", lambda: made.turn() and made.orders)
    try:
        yield made
    finally:
        made.ear.close()


def test_models_are_swapped_back_and_forth_while_parts_come(line: Line) -> None:
    with swapping(line) as box:
        models, number = [JOB.model, NEW], 0
        for turn in range(6):
            old, new = models[turn % 2], models[1 - turn % 2]
            before = len(line.box.of(StationState))
            answer = box.ask(old, new)
            assert answer.done, answer.detail
            line.until("the order", lambda new=new: box.turn() and box.orders[-1].job.model == new)
            assert box.orders[-1].since_ns == answer.body["since_ns"] > now_ns() - 10**9
            number += 1
            trigger, block = box.part(number)
            assert block[6] == WireCode.OK, (turn, trigger.at_ns - answer.body["since_ns"])
            line.until("its moment", lambda at=answer.body["since_ns"]: now_ns() > at)
            number += 1
            trigger, block = box.part(number, new)
            assert trigger.at_ns >= answer.body["since_ns"]
            assert block[6] == WireCode.OK
            states = [each for each in line.box.of(StationState)[before:] if isinstance(each, StationState)]
            assert all("another job" not in reason for state in states for reason in state.reasons)

        def sums() -> Counters:
            return [each for each in line.box.of(StationState) if isinstance(each, StationState)][-1].counters

        line.until("all counted", lambda: box.turn() and sums().triggers == number)
        assert (sums().ok, sums().missed, sums().stale_verdicts) == (number, 0, 0)


def test_after_the_moment_the_model_before_lets_nothing_pass(line: Line) -> None:
    with swapping(line) as box:
        answer = box.ask(JOB.model, NEW)
        line.until("its moment", lambda: box.turn() and now_ns() > answer.body["since_ns"])
        trigger = line.trigger(7)
        line.box.inspect.send(verdict_of(trigger, Outcome.OK, JOB))
        block = line.result()
        assert block[6] == WireCode.LATE
        assert line.record(7).verdict is None
        again = box.ask(JOB.model, NEW)
        assert (again.done, again.body["since_ns"]) == (True, answer.body["since_ns"])


def test_what_inspect_has_not_got_ready_is_refused(line: Line) -> None:
    with swapping(line) as box:
        box.at_hand = (JOB.model,)
        line.during(0.2)
        box.turn()
        line.until("heard", lambda: box.turn())
        answer = box.ask(JOB.model, NEW)
        assert not answer.done
        assert answer.detail.startswith("model.swap: inspect is not ready with model 111111111111: it has ffffffffffff")
        assert box.orders[-1].job == JOB
        assert Status.READY in line.plc.status()

        # One that must not judge on gives way all the same, and READY is off until inspect has the other one.
        box.slow = True
        assert box.ask(JOB.model, NEW, wait=True).done
        line.until("READY off", lambda: box.turn() and Status.READY not in line.plc.status(), 0.5)
        line.during(0.3)
        states = [each for each in line.box.of(StationState) if isinstance(each, StationState)]
        assert any(each.reasons[0].startswith("inspect has another job than io") for each in states if each.reasons)
        box.slow = False
        line.until("READY", lambda: box.turn() and Status.READY in line.plc.status())
        assert box.orders[-1].job == SWAPPED
