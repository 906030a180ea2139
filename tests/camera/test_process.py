"""The real camera process over the real bus: each trigger gets its own picture, or is told that there is none."""

import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.messages import FrameReady, Health
from okng.camera.frame import read_frame, read_picture
from okng.simline.scene import Scene

from .process_line import Answer, Line, numbered, reasons


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


def test_each_part_gets_its_own_picture(line: Line, scene: Scene) -> None:
    line.start().ready()
    for part in range(1, 21):
        scene.show(numbered(part * 10), part)
        trigger = line.trigger(part)
        (ready,) = line.answers(1)
        assert isinstance(ready, FrameReady)
        assert (ready.part, ready.camera, ready.triggered_at_ns) == (part, "top", trigger.at_ns)
        assert trigger.at_ns <= ready.exposed_at_ns + MS
        assert ready.exposed_at_ns <= ready.received_ns <= ready.ready_ns <= now_ns()
        assert (ready.width, ready.height, ready.pixel_format, ready.size_bytes) == (160, 120, "Mono8", 19200)
        picture = read_picture(line.shelf, ready)
        assert picture is not None
        assert np.array_equal(picture, numbered(part * 10))
        frame = read_frame(line.shelf, ready)
        assert frame is not None
        assert (frame.part, frame.number, frame.epoch, frame.taken_at) == (part, ready.number, 1, ready.taken_at)
    line.until(lambda: line.states[-1].delivered == 20)
    assert (line.states[-1].missed, line.states[-1].incomplete, line.states[-1].gaps) == (0, 0, 0)
    assert line.states[-1].clock == "latch"
    assert line.states[-1].clock_error_ns > 0


def test_a_picture_that_was_overwritten_is_gone(line: Line) -> None:
    line.start(options={"ring_slots": 4}).ready()
    old = line.part(1)
    for part in range(2, 6):
        line.part(part)
    assert isinstance(old, FrameReady)
    assert read_picture(line.shelf, old) is None


def test_triggers_that_come_at_once_are_served_in_turn(line: Line) -> None:
    line.start().ready()
    for part in range(1, 9):
        line.trigger(part)
    answers = line.answers(8)
    assert reasons(answers) == [(part, "ready") for part in range(1, 9)]
    numbers = [answer.number for answer in answers if isinstance(answer, FrameReady)]
    assert numbers == list(range(numbers[0], numbers[0] + 8))


def test_more_triggers_than_may_wait_are_answered_at_once(line: Line) -> None:
    line.start(exposure_us=200_000.0, options={"queue": 2}).ready()
    for part in range(1, 7):
        line.trigger(part)
    answers = reasons(line.answers(6))
    # One is exposed while two wait; which ones depends on how many were read before the first was fired.
    taken = [part for part, reason in answers if reason == "ready"]
    refused = [part for part, reason in answers if reason == "too late"]
    assert sorted(taken + refused) == [1, 2, 3, 4, 5, 6]
    assert taken[:2] == [1, 2]
    assert len(taken) <= 3
    # Each refusal is said before the second picture could be there.
    assert [part for part, _ in answers].index(2) > len(refused)


def test_missed_triggers_are_ignored_and_old_ones_too_late(line: Line, scene: Scene) -> None:
    line.start().ready()
    before = scene.exposures
    line.trigger(1, missed=True)
    line.silence(0.3)
    assert reasons([line.part(2, at_ns=now_ns() - 10 * SECOND)]) == [(2, "too late")]
    assert scene.exposures == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_stops_cleanly(line: Line, number: int) -> None:
    line.start().ready()
    assert line.pulse.beats()["camera-top"].health is Health.READY
    assert line.end(number) == 0
    assert list(line.run_dir.glob("ring-top-*")) == []
    assert line.pulse.beats()["camera-top"].health is Health.LOST
    assert "Traceback" not in line.log


def test_settings_the_camera_cannot_keep_are_refused(line: Line) -> None:
    assert line.start(width=5000).end(None) == 78
    assert "Width = 5000: expected 16..4096 in steps of 4" in line.log
    assert "Traceback" not in line.log


def test_idle_it_turns_but_burns_no_time(line: Line) -> None:
    process = line.start().ready().process
    assert process is not None
    seen = psutil.Process(process.pid)
    before, turned = sum(seen.cpu_times()[:2]), line.pulse.beats()["camera-top"].turned_ns
    line.silence(2.0)
    assert sum(seen.cpu_times()[:2]) - before < 0.4
    assert line.pulse.beats()["camera-top"].turned_ns > turned
    assert line.pulse.beats()["camera-top"].has_moved(now_ns(), SECOND, SECOND)


def test_free_run_is_nobodys_and_a_trigger_is_told_so(line: Line) -> None:
    line.start(trigger="off", frame_rate_hz=50.0).ready()
    frames: list[Answer] = []
    end = time.monotonic() + 20
    while len(frames) < 10 and time.monotonic() < end:
        if (message := line._hear(50)) is not None:
            frames.append(message)
    assert len(frames) == 10
    assert all(isinstance(frame, FrameReady) and frame.part == frame.triggered_at_ns == 0 for frame in frames)
    assert reasons([line.part(1)]) == [(1, "pairing")]


def test_a_folder_is_a_camera_too(line: Line, tmp_path: Path) -> None:
    import cv2

    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), numbered(number * 40))
    line.start(options={"driver": "replay", "folder": str(tmp_path), "producer": None, "serial": ""}).ready()
    shown = []
    for part in range(1, 5):
        answer = line.part(part)
        assert isinstance(answer, FrameReady)
        picture = read_picture(line.shelf, answer)
        assert picture is not None
        shown.append(int(picture[0, 0]))
    assert shown == [80, 40, 80, 40]  # the first one was the test shot


def test_each_picture_names_how_it_is_developed(line: Line) -> None:
    line.start(plan={"crop": [8, 4, 32, 16]}).ready()
    ready = line.part(1)
    assert isinstance(ready, FrameReady)
    assert ready.develop.startswith("develop-")
    assert (line.run_dir / ready.develop).exists()
    picture = read_picture(line.shelf, ready)
    assert picture is not None
    assert picture.shape == (16, 32)


def test_in_free_run_too_a_line_scan_is_put_together(line: Line) -> None:
    line.start(trigger="off", frames=4, frame_rate_hz=200.0).ready()
    frames: list[Answer] = []
    end = time.monotonic() + 20
    while len(frames) < 5 and time.monotonic() < end:
        if (message := line._hear(50)) is not None:
            frames.append(message)
    assert len(frames) == 5
    for frame in frames:
        assert isinstance(frame, FrameReady)
        assert (frame.part, frame.height, frame.size_bytes) == (0, 120, 19200)
    numbers = [frame.number for frame in frames if isinstance(frame, FrameReady)]
    # A frame that a busy machine loses ends its picture, the next one begins at the next frame: none shares one.
    assert all(later - earlier >= 4 for earlier, later in itertools.pairwise(numbers))
