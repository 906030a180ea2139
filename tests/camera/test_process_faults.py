"""Each fault of a camera costs exactly its parts, is said once with what to do, and heals by itself."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from okng.bus.clock import SECOND, now_ns
from okng.bus.messages import FrameReady, Health
from okng.camera.frame import read_picture
from okng.simline.scene import Scene

from .process_line import Line, numbered, reasons


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fault", "reason"), [("drop", "timeout"), ("incomplete", "incomplete"), ("repeat", "repeated")]
)
def test_a_fault_costs_exactly_its_part(line: Line, scene: Scene, fault: str, reason: str) -> None:
    line.start().ready()
    assert isinstance(line.part(1), FrameReady)
    scene.fault(fault)
    begun = now_ns()
    assert reasons([line.part(2)]) == [(2, reason)]
    assert now_ns() - begun < 2 * SECOND
    scene.show(numbered(77), 3)
    after = line.part(3)
    assert isinstance(after, FrameReady)
    picture = read_picture(line.shelf, after)
    assert picture is not None
    assert np.array_equal(picture, numbered(77))
    line.until(lambda: line.states[-1].delivered == 2)
    state = line.states[-1]
    assert state.delivered + state.missed + state.incomplete == 3
    assert state.gaps == (0 if fault == "repeat" else 1)
    assert state.duplicates == (1 if fault == "repeat" else 0)


def test_a_gap_of_three_costs_three(line: Line, scene: Scene) -> None:
    line.start().ready()
    scene.fault("drop", 3)
    for part in range(1, 6):
        line.trigger(part)
    answers = line.answers(5)
    assert reasons(answers) == [(1, "timeout"), (2, "timeout"), (3, "timeout"), (4, "ready"), (5, "ready")]
    line.until(lambda: line.states[-1].gaps == 3)


def test_a_late_picture_is_not_the_next_parts(line: Line, scene: Scene) -> None:
    line.start(options={"margin_ms": 30}).ready()
    scene.show(numbered(11), 1)
    scene.fault("late", 150_000)
    assert reasons([line.part(1)]) == [(1, "timeout")]
    scene.show(numbered(22), 2)
    answers = [line.part(part) for part in range(2, 8)]
    pictures = [read_picture(line.shelf, each) for each in answers if isinstance(each, FrameReady)]
    assert pictures
    assert all(picture is not None and picture[0, 0] == 22 for picture in pictures)


def test_a_repeating_camera_is_not_ready_until_a_picture_passes(line: Line, scene: Scene) -> None:
    line.start().ready()
    scene.fault("repeat", 3)
    assert reasons([line.part(1)]) == [(1, "repeated")]
    line.ready(Health.FAULT)
    assert "repeats" in line.states[-1].detail
    line.ready()  # by its own test shots: io sends nothing to a camera that is not ready
    assert scene.pending("repeat") == 0
    assert isinstance(line.part(2), FrameReady)


def test_a_frozen_camera_is_seen_where_pictures_must_differ(line: Line, scene: Scene) -> None:
    scene.show(numbered(100), 1, noise=3)
    line.start(options={"must_differ": True}).ready()
    assert isinstance(line.part(1), FrameReady)
    assert isinstance(line.part(2), FrameReady)
    scene.fault("freeze")
    assert reasons([line.part(3)]) == [(3, "repeated")]
    line.ready(Health.FAULT)
    scene.fault("freeze", 0)
    line.ready()
    assert isinstance(line.part(4), FrameReady)


def test_equal_parts_without_noise_are_no_false_alarm(line: Line) -> None:
    line.start().ready()
    assert all(isinstance(line.part(part), FrameReady) for part in range(1, 6))


@pytest.mark.parametrize(("level", "reason", "words"), [(0, "black", "all black"), (255, "overexposed", "all white")])
def test_a_picture_without_light_or_with_nothing_else_is_said_once(
    line: Line, scene: Scene, level: int, reason: str, words: str
) -> None:
    line.start().ready()
    assert isinstance(line.part(1), FrameReady)
    scene.show(numbered(level), 2)
    assert reasons([line.part(2)]) == [(2, reason)]
    line.ready(Health.FAULT)
    assert words in line.states[-1].detail
    assert "check" in line.states[-1].detail
    line.silence(1.2)
    assert line.states[-1].health is Health.FAULT, "its own test shots are as bad"
    assert reasons([line.part(3)]) == [(3, reason)]
    scene.show(numbered(90), 4)
    line.ready()
    assert isinstance(line.part(4), FrameReady)
    line.until(lambda: line.states[-1].delivered == 2)
    assert (line.states[-1].triggers, line.states[-1].missed) == (4, 2)
    assert line.log.count(words) == 1


def test_a_frozen_sensor_is_found_without_being_asked_for(line: Line, scene: Scene) -> None:
    scene.show(numbered(100), 1, noise=3)
    line.start().ready()
    for part in range(1, 21):
        assert isinstance(line.part(part), FrameReady)
    scene.fault("freeze")
    assert reasons([line.part(21)]) == [(21, "repeated")]
    line.ready(Health.FAULT)
    assert "frozen" in line.states[-1].detail
    line.silence(1.0)
    assert line.states[-1].health is Health.FAULT
    scene.fault("freeze", 0)
    line.ready()
    assert isinstance(line.part(22), FrameReady)


def test_a_camera_that_answers_but_sends_nothing_is_said_and_heals(line: Line, scene: Scene) -> None:
    line.start(options={"margin_ms": 30}).ready()
    scene.fault("drop", 8)
    for part in range(1, 6):
        assert reasons([line.part(part)]) == [(part, "timeout")]
    line.ready(Health.FAULT)
    assert "no picture comes although the camera answers" in line.states[-1].detail
    line.ready()
    assert scene.pending("drop") == 0
    assert isinstance(line.part(6), FrameReady)
