"""A camera that another program holds, or has set up otherwise: said once with what to do, and taken back by itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from okng.bus.messages import FrameReady, Health
from okng.camera.profiles import Profile
from okng.simline.scene import Scene

from .process_line import Line, reasons


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


def test_a_camera_that_somebody_else_has_set_up_is_set_up_afresh(line: Line) -> None:
    line.start(scripted={"fates": ["ok", "ok", *["small"] * 6], "in_use": 0}, width=64, height=48).ready()
    assert isinstance(line.part(1), FrameReady)
    first = line.states[-1].epoch
    assert reasons([line.part(2)]) == [(2, "wrong size")]
    line.ready(Health.FAULT)
    line.until(lambda: line.states[-1].epoch == first + 1)
    line.ready()
    assert isinstance(line.part(3), FrameReady)
    assert line.log.count("another size or format") == 1
    assert line.end() == 0


def test_a_camera_held_by_another_program_is_taken_when_it_is_free(line: Line) -> None:
    line.start(scripted={"fates": [], "in_use": 6}, width=64, height=48).ready(Health.LOST)
    assert "SN0000 is in use by another program" in line.states[-1].detail
    assert "close that program" in line.states[-1].detail
    assert reasons([line.part(1)]) == [(1, "camera lost")]
    line.ready()
    assert isinstance(line.part(2), FrameReady)
    assert line.log.count("in use by another program") == 1
    assert line.log.count("ready again after") == 1


def test_a_simulated_camera_held_by_another_process_is_taken_when_that_one_ends(
    line: Line, open_rig: Callable[..., Any]
) -> None:
    rig = open_rig(Profile("Mono8", 160, 120))
    line.start().ready(Health.LOST)
    line.until(lambda: "in use by another program" in line.states[-1].detail)
    assert "SN0000" in line.states[-1].detail
    assert line.log.count("camera top lost") == 1
    rig.source.close()
    line.ready()
    assert isinstance(line.part(1), FrameReady)
