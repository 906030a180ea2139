"""A camera that goes and comes back: no part passes meanwhile, and nothing of before is believed."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.clock import SECOND, now_ns
from okng.bus.messages import FrameReady, Health
from okng.camera.frame import read_picture
from okng.simline.scene import Scene

from .process_line import Line, reasons


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


def test_unplugged_while_idle_ends_the_process_and_a_new_one_waits_for_it(line: Line, scene: Scene) -> None:
    line.start().ready()
    first = line.part(1)
    scene.fault("unplug")
    line.ready(Health.LOST)
    assert line.end(None) == 75
    assert line.log.count("camera top lost") == 1
    line.start().ready(Health.LOST)
    line.until(lambda: "SN0000: not found" in line.states[-1].detail)
    assert "check its cable, power and network" in line.states[-1].detail
    assert line.pulse.beats()["camera-top"].health is Health.STARTING
    assert reasons([line.part(2), line.part(3)]) == [(2, "camera lost"), (3, "camera lost")]
    line.silence(1.0)
    state, turned = line.states[-1], line.pulse.beats()["camera-top"].turned_ns
    assert (state.health, state.triggers, state.missed) == (Health.LOST, 2, 2)
    assert now_ns() - turned < SECOND, "its heartbeat turns while it waits"
    scene.fault("unplug", 0)
    line.ready()
    again = line.part(4)
    assert isinstance(first, FrameReady)
    assert isinstance(again, FrameReady)
    assert again.epoch > first.epoch
    assert again.ring != first.ring
    assert read_picture(line.shelf, again) is not None
    assert "lost" not in line.log, "a loss is logged once, by the process that saw it"
    assert line.log.count("camera top: ready again after") == 1


def test_twelve_times_pulled_and_put_back_under_the_supervisor(tmp_path: Path) -> None:
    """The long form is `bench/reconnect.py` with 1000 cycles; the same figures are held to the same limits."""
    script = Path(__file__).parents[2] / "bench" / "reconnect.py"
    said = tmp_path / "said.json"
    command = [sys.executable, str(script), "--cycles", "12", "--json", str(said)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=58)
    assert said.exists(), done.stderr
    found = json.loads(said.read_text(encoding="utf-8"))
    assert found["cycles"] == found["delivered_after"] == 12, done.stderr
    assert found["delivered_while_off"] == 0
    assert found["lost_while_off"] + found["unanswered_while_off"] == found["parts_while_off"] == 24
    assert (found["side_delivered"], found["side_restarts"]) == (found["side_triggers"], 0), "the other is untouched"
    assert found["reconnect"]["max_s"] < 10


def test_told_to_stop_while_it_waits_it_stops(line: Line, scene: Scene) -> None:
    scene.fault("unplug")
    line.start().ready(Health.LOST)
    line.silence(1.0)
    assert line.log.count("camera top lost") == 1
    assert len(line.log.splitlines()) < 20, "what the producer says at each loading is not repeated"
    assert line.end() == 0
    assert list(line.run_dir.glob("ring-top-*")) == []


def test_unplugged_in_the_middle_every_waiting_part_is_told(line: Line, scene: Scene) -> None:
    line.start(exposure_us=100_000.0).ready()
    for part in range(1, 6):
        line.trigger(part)
    assert reasons(line.answers(1)) == [(1, "ready")]
    scene.fault("unplug")
    answers = line.answers(4)
    assert [each.part for each in answers] == [2, 3, 4, 5]
    assert {reason for _, reason in reasons(answers)} <= {"camera lost", "timeout"}
    assert reasons(answers)[-1] == (5, "camera lost")
    assert line.end(None) == 75


def test_killed_and_started_again(line: Line) -> None:
    line.start().ready()
    first = line.part(1)
    line.end(signal.SIGKILL)
    line.start().ready()
    second = line.part(2)
    assert isinstance(first, FrameReady)
    assert isinstance(second, FrameReady)
    assert second.epoch > first.epoch
    assert read_picture(line.shelf, second) is not None
    assert len(list(line.run_dir.glob("ring-top-*"))) == 1


def test_a_missing_producer_is_refused_and_a_missing_camera_is_lost(line: Line) -> None:
    assert line.start(options={"producer": "/nowhere.cti"}).end(None) == 78
    assert "no such file" in line.log
    line.start(options={"serial": "SN4711"}).ready(Health.LOST)
    assert "SN4711: not found" in line.states[-1].detail
    assert line.end() == 0
