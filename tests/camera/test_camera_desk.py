"""A person sets up the simulated camera through its process: live, written and read back, and all as it was after."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import ask_once
from okng.bus.clock import now_ns
from okng.bus.messages import Counters, FrameReady, Health, Job, StationState
from okng.bus.rights import COMMANDS
from okng.simline.scene import Scene

from .process_line import Line, reasons


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


def asked(line: Line, name: str, **body: Any) -> Answer:
    answer = ask_once(line.run_dir, "camera-top", Ask(new_id(), name, "erin", COMMANDS[name].right, "", body), 8000)
    assert answer is not None
    return answer


def done(line: Line, name: str, **body: Any) -> dict[str, Any]:
    answer = asked(line, name, **body)
    assert answer.done, answer.detail
    return answer.body


def value(line: Line, name: str) -> Any:
    (feature,) = done(line, "feature.read", names=[name])["features"]
    return feature["value"]


def say_ready(line: Line) -> None:
    job = Job("recipe", "0123456789ab", "m", 1)
    nothing = Counters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    line.io.send(StationState("eye", "e", "READY", True, (), 0, True, (), job, nothing, now_ns()))


def test_a_session_is_live_and_leaves_everything_as_it_was(line: Line) -> None:
    line.start().ready()
    before = value(line, "ExposureTime")
    assert done(line, "camera.free_run", on=True, seconds=60)["live"] is True
    line.until(lambda: line.states[-1].detail == "being set up by hand")
    assert line.states[-1].health is Health.STARTING
    told = done(line, "feature.write", values=[["ExposureTime", 2500], ["Gain", 3.0]])
    assert {each["name"]: each["value"] for each in told["features"]} == {"ExposureTime": 2500.0, "Gain": 3.0}
    assert [each["name"] for each in told["changed"]] == ["ExposureTime", "Gain"]
    # nobody's frames come, and a part that is triggered meanwhile gets none of them
    pictures = 0
    while pictures < 3:
        message = line.heard.receive(2000)
        pictures += isinstance(message, FrameReady) and message.part == 0
    line.trigger(7)
    assert reasons(line.answers(1)) == [(7, "pairing")]
    done(line, "feature.write", revert=True)
    line.ready()
    assert value(line, "ExposureTime") == before
    assert value(line, "Gain") == 0.0
    assert isinstance(line.part(8), FrameReady)
    assert not list(line.run_dir.glob("camera-top-found.json"))


def test_values_are_applied_until_the_next_set_up(line: Line) -> None:
    line.start().ready()
    done(line, "camera.free_run", on=True, seconds=60)
    done(line, "feature.write", values={"ExposureTime": 2000.0})
    told = done(line, "feature.write", apply=True)
    assert told["live"] is False
    assert told["changed"] == []
    line.ready()
    assert value(line, "ExposureTime") == 2000.0
    assert isinstance(line.part(1), FrameReady)


def test_what_cannot_be_is_refused_in_words(line: Line) -> None:
    line.start().ready()
    assert "live picture on first" in asked(line, "feature.write", values=[["Gain", 1.0]]).detail
    done(line, "camera.free_run", on=True)
    assert "expected" in asked(line, "feature.write", values=[["ExposureTime", -5.0]]).detail
    assert "the recipe says that" in asked(line, "feature.write", values=[["Width", 64]]).detail
    assert "ExposureTime" not in {each["name"] for each in done(line, "feature.read", names=["Gain"])["changed"]}
    assert "1..600" in asked(line, "camera.free_run", on=True, seconds=10_000).detail
    # who bears no right is refused, whatever the web says
    answer = ask_once(line.run_dir, "camera-top", Ask(new_id(), "feature.read", "olaf", "alarm.ack"), 5000)
    assert answer is not None
    assert not answer.done


def test_while_the_line_inspects_it_takes_a_confirmation(line: Line) -> None:
    line.start().ready()
    say_ready(line)
    line.until(lambda: done(line, "feature.read", names=[])["inspecting"] is True)
    say_ready(line)
    assert "the line is inspecting" in asked(line, "camera.free_run", on=True).detail
    say_ready(line)
    assert done(line, "camera.free_run", on=True, confirmed=True)["live"] is True


def test_a_session_nobody_goes_on_with_ends_by_itself(line: Line) -> None:
    line.start().ready()
    done(line, "camera.free_run", on=True, seconds=1)
    done(line, "feature.write", values={"Gain": 2.0})
    line.until(lambda: line.states[-1].health is Health.STARTING)
    line.ready()
    assert value(line, "Gain") == 0.0


def test_a_process_that_dies_in_a_session_leaves_nothing_behind(line: Line) -> None:
    line.start().ready()
    before = value(line, "BlackLevel") if done(line, "feature.read", names=["BlackLevel"])["features"] else None
    done(line, "camera.free_run", on=True)
    values: dict[str, float] = {"Gain": 2.0} if before is None else {"Gain": 2.0, "BlackLevel": before + 1}
    done(line, "feature.write", values=values)
    line.end(9)
    line.start().ready()
    assert value(line, "Gain") == 0.0
    assert before is None or value(line, "BlackLevel") == before


def test_what_was_found_is_kept_or_nothing_is_written_however_often_it_is_asked(line: Line) -> None:
    line.start().ready()
    done(line, "camera.free_run", on=True)
    (line.run_dir / "camera-top-found.draft").mkdir()
    for _ in range(2):
        assert "nothing is written" in asked(line, "feature.write", values={"Gain": 2.0}).detail
    assert value(line, "Gain") == 0.0
    (line.run_dir / "camera-top-found.draft").rmdir()
    done(line, "feature.write", values={"Gain": 2.0})
    assert value(line, "Gain") == 2.0


def test_after_a_restart_the_profile_has_the_last_word(line: Line) -> None:
    """The process died in a session, and the job that runs now has another exposure than the one that was set up."""
    line.start().ready()
    done(line, "camera.free_run", on=True)
    done(line, "feature.write", values={"ExposureTime": 5000.0})
    line.end(9)
    line.start(exposure_us=2000.0).ready()
    assert value(line, "ExposureTime") == 2000.0
    assert not list(line.run_dir.glob("camera-top-found.json"))
