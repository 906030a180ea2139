"""The real camera process over the real bus: each trigger gets its own picture, or is told that there is none."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from okng.bus.channel import Publisher, Subscriber, camera_address, io_address
from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.heartbeat import Pulse
from okng.bus.messages import CameraState, FrameLost, FrameReady, Health
from okng.bus.part import Trigger
from okng.bus.ring import RingShelf
from okng.camera.frame import read_frame, read_picture
from okng.simline.scene import Scene

SCRIPT = Path(__file__).with_name("run_camera.py")
Answer = FrameReady | FrameLost


class Line:
    """io's and a reader's side of the bus, and the camera process between them."""

    def __init__(self, run_dir: Path, producer: Path) -> None:
        self.run_dir, self.producer = run_dir, producer
        self.io = Publisher(io_address(run_dir))
        self.heard = Subscriber([camera_address(run_dir, "top")], (FrameReady, FrameLost, CameraState))
        self.shelf, self.pulse = RingShelf(run_dir), Pulse(run_dir)
        self.states: list[CameraState] = []
        self.log_file = run_dir.parent / "camera.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **said: Any) -> "Line":
        options = {"producer": str(self.producer), "serial": "SN0000", "margin_ms": 400} | said.pop("options", {})
        profile = {"pixel_format": "Mono8", "width": 160, "height": 120, "exposure_us": 1000.0} | said
        text = json.dumps({"options": options, "profile": profile})
        self.states.clear()
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen([sys.executable, str(SCRIPT), str(self.run_dir), text], stderr=log)
        return self

    def ready(self, health: Health = Health.READY) -> "Line":
        """Wait until the camera says so."""
        self.until(lambda: bool(self.states) and self.states[-1].health is health)
        return self

    def until(self, done: Callable[[], bool], limit_s: float = 20.0) -> None:
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, f"waited {limit_s} s; last state: {self.states[-1:]}"
            self._hear(50)

    def _hear(self, wait_ms: int) -> Answer | None:
        message = self.heard.receive(wait_ms)
        if isinstance(message, CameraState):
            self.states.append(message)
            return None
        assert message is None or isinstance(message, FrameReady | FrameLost)
        return message

    def trigger(self, part: int, deadline_ms: int = 3000, missed: bool = False, at_ns: int = 0) -> Trigger:
        at_ns = at_ns or now_ns()
        trigger = Trigger(part, "eye", at_ns, None, at_ns + deadline_ms * MS, "recipe", missed)
        self.io.send(trigger)
        return trigger

    def answers(self, count: int, limit_s: float = 15.0) -> list[Answer]:
        """The next answers about parts; frames that are nobody's are left out."""
        found: list[Answer] = []
        end = time.monotonic() + limit_s
        while len(found) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} answers: {found}"
            message = self._hear(50)
            if message is not None and message.part:
                found.append(message)
        return found

    def part(self, part: int, **more: Any) -> Answer:
        """Trigger one part and return its answer."""
        self.trigger(part, **more)
        (answer,) = self.answers(1)
        assert answer.part == part
        return answer

    def silence(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self._hear(20)
            assert message is None or message.part == 0, message

    def end(self, number: int | None = signal.SIGTERM) -> int:
        assert self.process is not None
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(15)
        self.process = None
        return code

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for each in (self.io, self.heard, self.shelf, self.pulse):
            each.close()


@pytest.fixture
def line(short_path: Path, scene: Scene, producer: Path) -> Iterator[Line]:
    run_dir = short_path / "run"
    run_dir.mkdir()
    made = Line(run_dir, producer)
    yield made
    made.close()


def reasons(answers: list[Answer]) -> list[tuple[int, str]]:
    return [(each.part, each.reason if isinstance(each, FrameLost) else "ready") for each in answers]


def numbered(number: int) -> Any:
    """A picture that says which it is."""
    return np.full((120, 160), number, np.uint8)


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


def test_missed_triggers_are_ignored_and_old_ones_too_late(line: Line, scene: Scene) -> None:
    line.start().ready()
    before = scene.exposures
    line.trigger(1, missed=True)
    line.silence(0.3)
    assert reasons([line.part(2, at_ns=now_ns() - 10 * SECOND)]) == [(2, "too late")]
    assert scene.exposures == before


def test_unplugged_while_idle_ends_the_process_and_a_new_one_begins_afresh(line: Line, scene: Scene) -> None:
    line.start().ready()
    first = line.part(1)
    scene.fault("unplug")
    line.ready(Health.LOST)
    assert line.end(None) == 75
    assert line.log.count("camera top lost") == 1
    assert line.start().end(None) == 75  # still unplugged
    scene.fault("unplug", 0)
    line.start().ready()
    again = line.part(2)
    assert isinstance(first, FrameReady)
    assert isinstance(again, FrameReady)
    assert again.epoch > first.epoch
    assert again.ring != first.ring
    assert read_picture(line.shelf, again) is not None
    assert line.states[-1].reconnects == 2


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


def test_a_missing_producer_is_refused_and_a_missing_camera_is_lost(line: Line) -> None:
    assert line.start(options={"producer": "/nowhere.cti"}).end(None) == 78
    assert "no such file" in line.log
    line.start(options={"serial": "SN4711"}).ready(Health.LOST)
    assert "SN4711: not found" in line.states[-1].detail
    assert line.end(None) == 75


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


WIDE = {"pair_before_ms": 100, "pair_after_ms": 80}
"""A busy machine hears the eye late; parts in these tests are further apart than this."""


def pulse(line: Line, scene: Scene, part: int, link_ms: int = 4) -> None:
    """The eye fires the camera; a little later the box hears of it."""
    at_ns = now_ns()
    assert scene.pulse_line0()
    time.sleep(link_ms / 1000)
    line.trigger(part, at_ns=at_ns + link_ms * MS)


def test_line0_pairs_by_time(line: Line, scene: Scene) -> None:
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


def test_line0_loses_exactly_the_dropped_and_the_missed(line: Line, scene: Scene) -> None:
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


def test_line0_edges_without_a_trigger_and_triggers_without_an_edge(line: Line, scene: Scene) -> None:
    line.start(trigger="hardware", options=WIDE).ready()
    assert scene.pulse_line0()
    line.silence(0.5)
    assert reasons([line.part(1)]) == [(1, "timeout")]
    time.sleep(0.2)
    pulse(line, scene, 2)
    assert reasons(line.answers(1)) == [(2, "ready")]


def test_line0_a_trigger_missed_by_the_box_uses_its_frame_up(line: Line, scene: Scene) -> None:
    line.start(trigger="hardware", options=WIDE).ready()
    assert scene.pulse_line0()
    line.trigger(1, missed=True)
    line.silence(0.3)
    pulse(line, scene, 2)
    (answer,) = line.answers(1)
    assert reasons([answer]) == [(2, "ready")]
    assert isinstance(answer, FrameReady)
    assert answer.number == 2


def test_a_folder_is_a_camera_too(line: Line, tmp_path: Path) -> None:
    import cv2

    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), numbered(number * 40))
    line.start(options={"driver": "folder", "folder": str(tmp_path), "producer": None, "serial": ""}).ready()
    shown = []
    for part in range(1, 5):
        answer = line.part(part)
        assert isinstance(answer, FrameReady)
        picture = read_picture(line.shelf, answer)
        assert picture is not None
        shown.append(int(picture[0, 0]))
    assert shown == [80, 40, 80, 40]  # the first one was the test shot
