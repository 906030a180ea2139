"""OPC UA as a mirror of the line: a client nobody here wrote sees what the bus says, and cannot start or stop by it."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from okng.plc_io.part_report import result_id

from .conftest import free_port
from .opcua_peer import AUTO, NODESET, RECIPES, RESULTS, SYSTEM, VISION, Mes, id_of, listens, start_opcua
from .played_line import OTHER, PlayedLine

EVENT_FIELDS = ["EventType", "Message", "Severity", "2:PartId", "2:MeasId", "2:ResultState", "2:ResultContent"]
Scene = tuple[PlayedLine, Mes, "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """The played line, a mirror that may ask for jobs, and a client. The nodeset takes seconds, so once for all."""
    run_dir, port = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp")), free_port()
    process = start_opcua(run_dir, port, jobs=True, results=50, change_s=1.0)
    try:
        with PlayedLine(run_dir) as line:
            line.until("it listens", lambda: listens(process, port), 40)
            mes = Mes(port, line.turn)
            yield line, mes, process
            mes.close()
    finally:
        process.kill()
        process.wait(5)
        shutil.rmtree(run_dir, ignore_errors=True)


def test_the_system_is_what_the_companion_specification_describes(scene: Scene) -> None:
    line, mes, process = scene
    assert mes.do("namespaces")[2:] == [NODESET, "urn:okng:vision"]
    assert mes.names(SYSTEM) == {
        "ConfigurationManagement",
        "RecipeManagement",
        "ResultManagement",
        "SystemState",
        "VisionStateMachine",
    }
    assert mes.names(f"{RECIPES}.Products") == {"cap", "lid"}
    assert mes.names(f"{RESULTS}.Results") == {"LastResult"}
    line.until("the mirror", lambda: mes.state() == ("Operational", "ContinuousExecution"))
    assert mes.read(f"{SYSTEM}.SystemState")["state"] == 1
    assert process.poll() is None


def test_the_line_is_mirrored_and_cannot_be_controlled(scene: Scene) -> None:
    line, mes, _ = scene
    mes.do("subscribe", nodes=[f"{VISION}.CurrentState", f"{AUTO}.CurrentState"], events="i=2253", fields=EVENT_FIELDS)
    for name in ("SelectModeAutomatic", "Halt", "Reset"):
        if name == "SelectModeAutomatic":
            assert mes.call(VISION, name)[0] == "BadNotSupported"
        else:
            assert mes.cause(VISION, name) == "BadNotSupported"
    assert mes.cause(AUTO, "Stop") == mes.cause(AUTO, "Abort") == "BadNotSupported"
    assert mes.begin("StartContinuous")[0] == mes.begin("StartSingleJob")[0] == "BadNotSupported"
    assert mes.call(VISION, "ConfirmAll", {"type": "LocalizedText", "value": {"text": "seen"}})[0] == "Good"
    line.blockers = ("camera-top: lost",)
    line.until("not ready", lambda: mes.state() == ("Operational", "Initialized"))
    assert mes.read(f"{SYSTEM}.SystemState") == {"$type": ANY, "state": 2, "stateDescription": "camera-top: lost"}
    line.blockers = ()
    line.until("ready again", lambda: mes.state() == ("Operational", "ContinuousExecution"))
    line.fault = 3
    line.until("a fault", lambda: mes.state() == ("Error", None))
    assert mes.do("read", node=f"{AUTO}.CurrentState")["status"] == "BadStateNotActive"
    line.fault = 0
    line.until("no fault", lambda: mes.state() == ("Operational", "ContinuousExecution"))
    assert line.hold is None
    found: list[dict[str, Any]] = []

    def states() -> list[str | None]:
        found.extend(mes.do("noticed"))
        return [one["value"] for one in found if one.get("node") == f"{AUTO}.CurrentState"]

    line.until("every change", lambda: len(states()) >= 9)
    assert states() == [
        "ContinuousExecution",
        "Ready",
        "Initialized",
        "Ready",
        "ContinuousExecution",
        None,
        "Initialized",
        "Ready",
        "ContinuousExecution",
    ]
    transitions = [one["event"]["Message"] for one in found if "event" in one]
    assert transitions[:2] == ["ContinuousExecutionToReadyAuto", "ReadyToInitializedAuto"]
    assert "OperationalToErrorAuto" in transitions
    assert "ErrorToOperationalAuto" in transitions


def test_nothing_can_be_written(scene: Scene) -> None:
    _, mes, _ = scene
    with pytest.raises(AssertionError, match="BadUserAccessDenied"):
        mes.do("write", node=f"{VISION}.CurrentState", type="String", value="Operational")


def test_a_result_is_read_whole_with_its_optional_parts(scene: Scene) -> None:
    line, mes, _ = scene
    last = f"{RESULTS}.Results.LastResult"
    good, bad, lost = line.inspect(7), line.inspect(8, ok=False), line.inspect(9, lost=True)
    line.until("the last one", lambda: (mes.read(last) or {}).get("partId", {}).get("id") == "9")
    found = mes.read(last)
    assert (found["resultState"], found["isPartial"], found["isSimulated"]) == (4, False, False)
    assert found["measId"] is None
    assert mes.read(f"{last}.ResultState") == 4
    assert mes.read(f"{last}.PartId")["id"] == "9"
    for record, state in ((good, 1), (bad, 1), (lost, 4)):
        wanted = result_id(record, line.epoch)
        status, (handle, result, error) = mes.call(
            RESULTS, "GetResultById", id_of("ResultId", wanted), {"type": "Int32", "value": 1000}
        )
        assert (status, error, result["resultState"]) == ("Good", 0, state)
        assert result["resultId"]["id"] == wanted
        assert result["jobId"]["id"] == line.epoch
        assert result["internalRecipeId"]["id"] == "cap"
        assert result["internalRecipeId"]["version"] == "0123456789ab"
        assert result["internalConfigurationId"]["hash"] == "f" * 64
        assert result["creationTime"] == "2026-01-02T03:04:05.723Z"
        assert result["processingTimes"]["startTime"] == "2026-01-02T03:04:05.678Z"
        content = result["resultContent"]
        assert content[0] is (record.disposition.action.value == "PASS")
        report = json.loads(content[-1])
        assert report["schema"] == "okng.result/1"
        assert report["part"] == record.trigger.part
        release = {"type": "UInt32", "value": handle}
        assert mes.call(RESULTS, "ReleaseResultHandle", release) == ("Good", [0])
        assert mes.call(RESULTS, "ReleaseResultHandle", release)[0] == "BadNotFound"
    assert result["processingTimes"]["processingDuration"] is None
    status, outputs = mes.call(
        RESULTS,
        "GetResultComponentsById",
        id_of("ResultId", result_id(bad, line.epoch)),
        {"type": "Int32", "value": 1000},
    )
    assert status == "Good"
    assert outputs[4] == 1
    assert outputs[6]["id"] == "8"
    assert outputs[14]["processingDuration"] == pytest.approx(30.0, abs=1.0)
    assert outputs[15][:4] == [False, "REJECT", "ng", "NG"]
    unknown = mes.call(RESULTS, "GetResultById", id_of("ResultId", "nothing"), {"type": "Int32", "value": 0})
    assert unknown == ("BadNotFound", [])


def test_each_result_is_an_event(scene: Scene) -> None:
    line, mes, _ = scene
    mes.do("noticed")
    records = [line.inspect(part, lost=part == 22) for part in range(21, 24)]
    found: list[dict[str, Any]] = []

    def came() -> bool:
        found.extend(one["event"] for one in mes.do("noticed") if "event" in one)
        return len(found) >= 3

    line.until("three events", came)
    assert [event["Message"] for event in found] == [f"result {result_id(one, line.epoch)}" for one in records]
    assert [event["2:PartId"]["id"] for event in found] == ["21", "22", "23"]
    assert [event["2:ResultState"] for event in found] == [1, 4, 1]
    assert [event["2:MeasId"] for event in found] == [None] * 3
    assert [event["2:ResultContent"][0] for event in found] == [True, False, True]


def listed(mes: Mes, *, state: int = 0, part: str = "", most: int = 0, start: int = 0) -> tuple[bool, list[str]]:
    """GetResultListFiltered: whether that was all, and the part numbers."""
    status, (complete, count, _handle, found, error) = mes.call(
        RESULTS,
        "GetResultListFiltered",
        {"type": "Int32", "value": state},
        id_of("MeasId", ""),
        id_of("PartId", part),
        id_of("RecipeIdExternal", ""),
        id_of("RecipeIdInternal", ""),
        id_of("ConfigurationId", ""),
        id_of("ConfigurationId", ""),
        id_of("ProductId", ""),
        id_of("JobId", ""),
        {"type": "UInt32", "value": most},
        {"type": "UInt32", "value": start},
        {"type": "Int32", "value": 1000},
    )
    assert (status, error, count) == ("Good", 0, len(found or []))
    return complete, [result["partId"]["id"] for result in found or []]


def test_results_are_listed_page_by_page_and_the_oldest_are_forgotten(scene: Scene) -> None:
    line, mes, _ = scene
    for part in range(101, 161):
        line.inspect(part, lost=part % 20 == 0)
    line.until("the last one", lambda: listed(mes, part="160") == (True, ["160"]))
    complete, parts = listed(mes)
    assert (complete, parts) == (True, [str(part) for part in range(111, 161)])
    assert listed(mes, most=2, start=48) == (True, ["159", "160"])
    assert listed(mes, most=2) == (False, ["111", "112"])
    assert listed(mes, state=4) == (True, ["120", "140", "160"])
    assert listed(mes, part="101") == (True, [])


def test_a_recipe_is_asked_for_and_io_decides(scene: Scene) -> None:
    line, mes, _ = scene

    def prepare(recipe: str) -> tuple[str, list[object]]:
        return mes.call(RECIPES, "PrepareRecipe", id_of("RecipeIdExternal", recipe), id_of("RecipeIdInternal", ""))

    status, (recipe, completed, error) = prepare("lid")
    assert (status, completed, error) == ("Good", True, 0)
    assert recipe["id"] == "lid"  # type: ignore[index]
    assert recipe["version"] == "ba9876543210"  # type: ignore[index]
    assert (line.number, len(line.asks)) == (2, 1)
    status, (product, error) = mes.call(RECIPES, "PrepareProduct", id_of("ProductId", "cap"))
    assert (status, product["id"], error, line.number) == ("Good", "cap", 0, 1)
    assert prepare("hat")[0] == "BadNotFound"
    assert len(line.asks) == 2
    line.jobs.pop(2)
    assert prepare("lid")[0] == "BadInvalidState"
    line.jobs[2] = OTHER
    line.answers = False
    status, (recipe, completed, _) = prepare("2")
    assert (status, completed) == ("Good", False)
    mes.do("noticed")
    line.answers = True
    line.until("asked again", lambda: line.number == 2)
    events: list[str] = []

    def told() -> bool:
        events.extend(one["event"]["Message"] for one in mes.do("noticed") if "event" in one)
        return "recipe lid is prepared" in events

    line.until("the event", told)
    status, outputs = mes.call(
        RECIPES,
        "GetRecipeListFiltered",
        id_of("RecipeIdExternal", ""),
        id_of("ProductId", ""),
        {"type": "Int32", "value": 1},
        *({"type": "UInt32", "value": 0}, {"type": "UInt32", "value": 0}, {"type": "Int32", "value": 0}),
    )
    assert (status, outputs[0], outputs[1], outputs[3][0]["id"]) == ("Good", True, 1, "lid")
    assert prepare("cap")[0] == "Good"
