"""The eye is wired to the camera: each frame finds its own trigger, by time and by count."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.clock import MS, now_ns
from okng.bus.messages import FrameReady
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


WIDE = {"pair_before_ms": 100, "pair_after_ms": 80}
"""A busy machine hears the eye late; parts in these tests are further apart than this."""


def pulse(line: Line, scene: Scene, part: int, link_ms: int = 4) -> None:
    """The eye fires the camera; a little later the box hears of it."""
    at_ns = now_ns()
    assert scene.pulse_line0()
    time.sleep(link_ms / 1000)
    line.trigger(part, at_ns=at_ns + link_ms * MS)


def test_hardware_pairs_by_time(line: Line, scene: Scene) -> None:
    line.start(trigger="hardware", options=WIDE).ready()
    for part in range(1, 8):
        scene.show(numbered(part * 10), part)
        pulse(line, scene, part)
        (answer,) = line.answers(1)
        assert isinstance(answer, FrameReady), answer
        picture = read_picture(line.shelf, answer)
        assert answer.part == part
        assert picture is not None
        assert picture[0, 0] == part * 10
        time.sleep(0.2)


def test_hardware_loses_exactly_the_dropped_and_the_missed(line: Line, scene: Scene) -> None:
    line.start(trigger="hardware", exposure_us=500_000.0, options=WIDE).ready()
    pulse(line, scene, 1)
    time.sleep(0.25)
    assert scene.pulse_line0()  # during the exposure of part 1: the camera does not see it
    line.trigger(2)
    answers = line.answers(2)
    assert sorted(reasons(answers)) == [(1, "ready"), (2, "timeout")]
    assert scene.line0_missed == 1
    scene.fault("drop")
    for part in (3, 4):
        pulse(line, scene, part)
        time.sleep(0.6)
    assert sorted(reasons(line.answers(2))) in ([(3, "gap"), (4, "ready")], [(3, "timeout"), (4, "ready")])
    line.until(lambda: line.states[-1].gaps == 1)


def test_hardware_edges_without_a_trigger_and_triggers_without_an_edge(line: Line, scene: Scene) -> None:
    line.start(trigger="hardware", options=WIDE).ready()
    assert scene.pulse_line0()
    line.silence(0.5)
    assert reasons([line.part(1)]) == [(1, "timeout")]
    time.sleep(0.2)
    pulse(line, scene, 2)
    assert reasons(line.answers(1)) == [(2, "ready")]


def test_hardware_a_trigger_missed_by_the_box_uses_its_frame_up(line: Line, scene: Scene) -> None:
    line.start(trigger="hardware", options=WIDE).ready()
    assert scene.pulse_line0()
    line.trigger(1, missed=True)
    line.silence(0.3)
    pulse(line, scene, 2)
    (answer,) = line.answers(1)
    assert reasons([answer]) == [(2, "ready")]
    assert isinstance(answer, FrameReady)
    assert answer.number == 2
