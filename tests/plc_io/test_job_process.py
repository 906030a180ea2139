"""The real io process, asked for a job and held by somebody on the bus beside the PLC."""

import pytest

from okng.bus.active_job import kept_job
from okng.bus.channel import Publisher, Subscriber, io_address, opcua_address
from okng.bus.messages import Hold, JobAnswer, JobAsk, JobOrder, JobPhase, StationState
from okng.plc_io.signals import Command, Status

from .conftest import JOB, Line


def test_a_job_is_asked_for_on_the_bus(line: Line) -> None:
    with (
        Publisher(opcua_address(line.run_dir)) as opcua,
        Subscriber([io_address(line.run_dir)], (JobAnswer, JobOrder)) as ear,
    ):
        line.enable()
        answers: list[JobAnswer] = []
        orders: list[JobOrder] = []

        def asked(ask: JobAsk) -> bool:
            opcua.send(ask)
            while (message := ear.receive(0)) is not None:
                (answers if isinstance(message, JobAnswer) else orders).append(message)
            return any(answer.token == ask.token for answer in answers)

        line.until("done", lambda: asked(JobAsk(1, 5, "opcua")))
        assert answers[-1] == JobAnswer(1, 5, True, "", "opcua")
        line.until("refused", lambda: asked(JobAsk(2, 6, "opcua")))
        assert answers[-1] == JobAnswer(2, 6, False, "there is no job 2 in the settings: expected one of 1", "opcua")
        line.until("orders", lambda: asked(JobAsk(2, 6, "opcua")) and len(orders) > 2)
        assert {(order.phase, order.number, order.job) for order in orders} == {(JobPhase.STEADY, 1, JOB)}
        assert kept_job(line.run_dir) is None


@pytest.mark.parametrize("release", ["lets go", "FAULT_RESET after silence"])
def test_somebody_holds_the_line(line: Line, release: str) -> None:
    def reasons() -> tuple[str, ...]:
        states = [state for state in line.box.of(StationState) if isinstance(state, StationState)]
        return states[-1].reasons if states else ()

    with Publisher(opcua_address(line.run_dir)) as opcua:
        line.enable()

        def held() -> bool:
            opcua.send(Hold("opcua", True, "the recipe is being edited"))
            return Status.READY not in line.plc.status()

        line.until("READY drops", held)
        line.until("the reason", lambda: "opcua holds the line: the recipe is being edited" in reasons())
        if release == "lets go":
            opcua.send(Hold("opcua", False, ""))
        else:
            line.during(1.0)
            assert Status.READY not in line.plc.status()
            line.until("silent", lambda: any("it is silent since" in reason for reason in reasons()), 15)
            assert Status.READY not in line.plc.status()
            line.plc.command |= Command.FAULT_RESET
        line.until("READY", lambda: Status.READY in line.plc.status())
