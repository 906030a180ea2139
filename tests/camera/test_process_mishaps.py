"""What a camera sends that is no picture, by the simulated producer: each costs its part, is said, and heals."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

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
    ("kind", "value", "reason", "words"),
    [
        ("wrong_size", None, "wrong size", "another size or format"),
        ("wrong_format", None, "wrong size", "another size or format"),
        ("black", None, "black", "all black"),
        ("bright", 100, "overexposed", "all white"),
        ("repeat", None, "repeated", "repeats its pictures"),
    ],
)
@pytest.mark.parametrize("at", [1, 3])
def test_a_bad_frame_costs_its_part_and_is_said_until_a_good_one(
    line: Line, scene: Scene, kind: str, value: int | None, reason: str, words: str, at: int
) -> None:
    scene.show(numbered(90), 1, noise=2)
    line.start().ready()
    scene.plan(kind, at=at, value=value)
    found = [line.part(part) for part in range(1, at + 1)]
    assert reasons(found) == [*((part, "ready") for part in range(1, at)), (at, reason)]
    line.ready(Health.FAULT)
    assert words in line.states[-1].detail
    line.ready()
    assert isinstance(line.part(at + 1), FrameReady)
    line.until(lambda: line.states[-1].delivered == at)
    state = line.states[-1]
    assert (state.triggers, state.missed, state.incomplete) == (at + 1, 1, 0)
    assert line.log.count(words) == 1


def test_frames_that_nobody_asked_for_are_said_and_no_part_passes_meanwhile(line: Line, scene: Scene) -> None:
    line.start().ready()
    assert isinstance(line.part(1), FrameReady)
    scene.plan("burst", at=1, value=12)
    line.trigger(2)
    line.answers(1)
    line.ready(Health.FAULT)
    assert "nobody asked for" in line.states[-1].detail
    assert not isinstance(line.part(3), FrameReady)
    line.ready()
    assert isinstance(line.part(4), FrameReady)
    line.until(lambda: line.states[-1].strays >= 2)


def test_a_line_scan_picture_is_put_together_byte_for_byte(line: Line, scene: Scene) -> None:
    picture = np.random.default_rng(3).integers(20, 230, (120, 160), np.uint8)
    scene.show(picture, 1)
    line.start(frames=4, frame_rate_hz=200.0, features=[["SimLineScan", "On"]]).ready()
    for part in range(1, 6):
        ready = line.part(part)
        assert isinstance(ready, FrameReady), ready
        assert (ready.height, ready.size_bytes) == (120, 19200)
        found = read_picture(line.shelf, ready)
        assert found is not None
        assert np.array_equal(found, picture)
    scene.plan("drop", at=3)
    assert reasons([line.part(6)]) == [(6, "gap")]
    scene.plan("incomplete", at=2)
    assert reasons([line.part(7)]) == [(7, "incomplete")]
    ready = line.part(8)
    assert isinstance(ready, FrameReady)
    found = read_picture(line.shelf, ready)
    assert found is not None
    assert np.array_equal(found, picture)
