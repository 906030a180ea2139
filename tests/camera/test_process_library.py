"""A camera's library that crashes or hangs, and a clock that is set: the process is ended and started afresh."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.messages import FrameReady, Health
from okng.simline.scene import Scene

from .process_line import Line


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


def test_a_clock_that_is_set_is_a_new_start(line: Line, scene: Scene) -> None:
    line.supervise().ready()
    assert isinstance(line.part(1), FrameReady)
    epoch = line.states[-1].epoch
    scene.plan("clock_jump", at=1, value=5_000_000_000)
    (answer,) = [line.part(2)]
    assert not isinstance(answer, FrameReady)
    line.until(lambda: line.states[-1].epoch > epoch and line.states[-1].health is Health.READY)
    assert "jumped" in line.log
    assert isinstance(line.part(3), FrameReady)


@pytest.mark.parametrize("at", [1, 2])
def test_a_producer_that_crashes_costs_its_part_and_comes_back(line: Line, scene: Scene, at: int) -> None:
    line.supervise().ready()
    scene.plan("crash", at=at)
    for part in range(1, at):
        assert isinstance(line.part(part), FrameReady)
    line.trigger(at)
    line.until(lambda: line.child is not None and line.child.restarts == 1)
    line.states.clear()
    line.ready()
    assert isinstance(line.part(at + 1), FrameReady)


@pytest.mark.parametrize("kind", ["hang_delivery", "hang_register"])
def test_a_producer_that_hangs_while_it_streams_is_ended_and_comes_back(line: Line, scene: Scene, kind: str) -> None:
    line.supervise().ready()
    assert isinstance(line.part(1), FrameReady)
    scene.plan(kind, at=1)
    line.trigger(2)
    line.until(lambda: line.child is not None and line.child.restarts == 1)
    line.states.clear()
    line.ready()
    assert isinstance(line.part(3), FrameReady)


def test_a_producer_that_hangs_while_it_is_opened_is_ended_and_comes_back(line: Line, scene: Scene) -> None:
    scene.plan("hang_register", at=30)
    line.supervise(opening_s=2.0)
    line.until(lambda: line.child is not None and line.child.restarts == 1)
    assert not any(state.health is Health.READY for state in line.states)
    line.states.clear()
    line.ready()
    assert isinstance(line.part(1), FrameReady)


def test_a_camera_without_a_clock_is_told_by_its_state_and_judged(line: Line, scene: Scene) -> None:
    scene.set_clock(False)
    line.start().ready()
    for part in range(1, 4):
        assert isinstance(line.part(part), FrameReady)
    assert line.states[-1].clock == "host"
