"""The eye is wired to the camera: each frame finds its own trigger, by time and by count."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
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


def test_hardware_a_trigger_during_an_exposure_is_named_and_counted(line: Line, scene: Scene) -> None:
    line.start(trigger="hardware", exposure_us=500_000.0, options=WIDE | {"margin_ms": 900}).ready()
    pulse(line, scene, 1)
    time.sleep(0.25)
    pulse(line, scene, 2)
    time.sleep(0.4)
    pulse(line, scene, 3)
    answers = line.answers(3)
    assert sorted(reasons(answers)) == [(1, "ready"), (2, "missed trigger"), (3, "ready")]
    numbers = {each.part: each.number for each in answers if isinstance(each, FrameReady)}
    assert numbers[3] == numbers[1] + 1, "no number was skipped, only a count"
    line.until(lambda: line.states[-1].delivered == 2)
    state = line.states[-1]
    assert (state.triggers, state.missed, state.early, state.gaps, state.strays) == (3, 1, 1, 0, 0)


def test_hardware_a_line_scan_finds_its_trigger_and_a_lost_frame_shifts_nothing(line: Line, scene: Scene) -> None:
    pictures = [np.random.default_rng(seed).integers(20, 230, (120, 160), np.uint8) for seed in range(5)]
    profile: dict[str, Any] = {"frames": 4, "frame_rate_hz": 200.0, "features": [["SimLineScan", "On"]]}
    line.start(trigger="hardware", options=WIDE, **profile).ready()
    found = []
    for part, picture in enumerate(pictures, 1):
        scene.show(picture, part)
        if part == 3:
            scene.plan("drop", at=2)
        pulse(line, scene, part)
        (answer,) = line.answers(1)
        found.append(reasons([answer])[0])
        if isinstance(answer, FrameReady):
            shown = read_picture(line.shelf, answer)
            assert shown is not None
            assert np.array_equal(shown, picture)
        time.sleep(0.25)
    assert found == [(1, "ready"), (2, "ready"), (3, "gap"), (4, "ready"), (5, "ready")]
