"""OPC UA over the real io: a client nobody here wrote lets the line go, and it is io and the PLC that show it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.part import Outcome
from okng.plc_io.signals import Command, Status

from .conftest import JOB, Box, Line, Plc, free_port, start_io, verdict_of
from .opcua_peer import RECIPES, RESULTS, Mes, id_of, listens, start_opcua


@pytest.fixture
def held_line(run_dir: Path) -> Iterator[tuple[Line, int, "subprocess.Popen[bytes]"]]:
    """A PLC, io and the rest of the box, and an opcua process that holds the line; its port."""
    port, ours = free_port(), free_port()
    opcua = start_opcua(run_dir, ours, holds=True, jobs=True, change_s=5.0)
    process = start_io(run_dir, port)
    box, plc = Box(run_dir), Plc(port)
    line = Line(port, run_dir, box, plc, process)
    try:
        line.until("opcua listens", lambda: listens(opcua, ours), 40)
        yield line, ours, opcua
    finally:
        plc.client.close()
        box.close()
        for one in (process, opcua):
            one.kill()
            one.wait(5)


def test_io_is_ready_only_for_what_a_client_has_started(
    held_line: tuple[Line, int, "subprocess.Popen[bytes]"],
) -> None:
    line, port, opcua = held_line
    mes = Mes(port, line.turn)
    try:
        line.plc.command = int(Command.TRIG_ENABLE)
        assert mes.call("ns=3;s=VisionSystem.VisionStateMachine", "SelectModeAutomatic")[0] == "Good"
        line.until("Ready", lambda: mes.state() == ("Operational", "Ready"), 15)
        assert Status.READY not in line.plc.status()

        status, outputs = mes.call(
            RECIPES, "PrepareRecipe", id_of("RecipeIdExternal", "cap"), id_of("RecipeIdInternal", "")
        )
        assert (status, outputs[0]["id"], outputs[0]["version"]) == ("Good", JOB.recipe, JOB.revision)
        assert outputs[1:] == [True, 0]
        refused = mes.call(RECIPES, "PrepareProduct", id_of("ProductId", "lid"))
        assert refused == ("BadInvalidState", [])  # io has no job 2
        line.until("Ready still", lambda: mes.state() == ("Operational", "Ready"), 15)

        status, job = mes.begin("StartSingleJob", meas="lot 7")
        assert status == "Good"
        line.until("READY for one part", lambda: Status.READY in line.plc.status())
        trigger = line.trigger(4711)
        line.box.inspect.send(verdict_of(trigger, Outcome.OK))
        assert line.result()[6] == 1
        line.record(4711)
        line.until("Ready again", lambda: mes.state() == ("Operational", "Ready"), 15)
        line.during(0.5)
        assert Status.READY not in line.plc.status()

        last = mes.read(f"{RESULTS}.Results.LastResult")
        assert (last["partId"]["id"], last["jobId"]["id"], last["measId"]["id"]) == ("4711", job, "lot 7")
        assert last["resultState"] == 1

        assert mes.begin("StartContinuous")[0] == "Good"
        line.until("READY", lambda: Status.READY in line.plc.status())
        opcua.kill()  # a line that runs is not stopped by it
        line.during(1.0)
        assert Status.READY in line.plc.status()
    finally:
        mes.close()
