"""What every driver keeps: the simulated camera, a producer nobody here wrote, and a folder of pictures."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.errors import BadSettings, CameraLost
from okng.camera.folder import FolderSource
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
from okng.camera.source import FrameSource, Source
from okng.simline.scene import Scene


@dataclass
class Subject:
    """A driver under test and what its camera can do."""

    make: Callable[[], Source]
    serial: str
    free_run: Profile
    triggered: Profile | None
    dated: bool
    """It dates frames by the device's clock."""


def simulated(producer: Path) -> Subject:
    profile = Profile("Mono8", 160, 120, trigger="off", exposure_us=200, frame_rate_hz=100)
    return Subject(lambda: GentlSource(producer), "SN0000", profile, replace(profile, trigger="software"), True)


def peer(viky: Path) -> Subject:
    profile = Profile("Mono8", 400, 400, trigger="off", exposure_us=200, frame_rate_hz=100)
    return Subject(lambda: GentlSource(viky), "red", profile, None, False)


def folder(pictures: Path) -> Subject:
    profile = Profile("Mono8", 160, 120, trigger="off", exposure_us=200, frame_rate_hz=100)
    return Subject(lambda: FolderSource(pictures), "any", profile, replace(profile, trigger="software"), True)


@pytest.fixture(params=["simulated", "viky", "folder"])
def subject(request: pytest.FixtureRequest, scene: Scene, producer: Path, viky: Path, tmp_path: Path) -> Subject:
    if request.param == "simulated":
        return simulated(producer)
    if request.param == "viky":
        return peer(viky)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((100, 100), 50 * number + 20, np.uint8))
    return folder(tmp_path)


@pytest.fixture
def source(subject: Subject) -> Iterator[Source]:
    with subject.make() as made:
        yield made


@pytest.fixture
def streaming(source: Source, subject: Subject) -> Source:
    source.open(subject.serial if subject.serial != "red" else source.discover()[0].serial)
    source.configure(subject.free_run)
    source.start()
    return source


def slot_of(profile: Profile) -> memoryview:
    return memoryview(bytearray(profile.size_bytes))


def frames(source: Source, profile: Profile, count: int) -> list[object]:
    grabbed: list[object] = []
    slot = slot_of(profile)
    until = time.monotonic() + 20
    while len(grabbed) < count and time.monotonic() < until:
        grab = source.grab(slot, SECOND)
        if grab is not None:
            grabbed.append(grab)
    return grabbed


def test_it_is_a_frame_source(source: Source) -> None:
    checked: FrameSource = source
    assert checked.health().delivered == 0


def test_cameras_are_listed_with_serials(source: Source) -> None:
    cameras = source.discover()
    assert cameras
    assert all(camera.serial and camera.model and camera.producer and camera.free for camera in cameras)


def test_frames_are_numbered_dated_and_of_the_profile(streaming: Source, subject: Subject) -> None:
    slot, begun = slot_of(subject.free_run), now_ns()
    grabs = [grab for grab in (streaming.grab(slot, SECOND) for _ in range(10)) if grab is not None]
    assert len(grabs) >= 8
    for earlier, later in itertools.pairwise(grabs):
        assert later.number > earlier.number
        assert later.exposed_at_ns > earlier.exposed_at_ns
        assert later.received_ns > earlier.received_ns
        assert later.gap == later.number - earlier.number - 1
        assert not later.repeated
    for grab in grabs:
        wanted = subject.free_run
        assert (grab.width, grab.height, grab.pixel_format) == (wanted.width, wanted.height, "Mono8")
        assert grab.size_bytes == wanted.size_bytes
        assert begun - SECOND < grab.exposed_at_ns <= grab.received_ns <= now_ns()
        assert (grab.device_ns is not None) == subject.dated
        assert grab.epoch == 1
    health = streaming.health()
    assert health.delivered == len(grabs)
    assert health.clock == ("latch" if subject.dated else "host")
    assert health.last_frame_age_ns is not None
    assert health.last_frame_age_ns >= 0


@pytest.mark.parametrize("timeout_ns", [0, -1])
def test_a_wait_without_end_is_refused(streaming: Source, subject: Subject, timeout_ns: int) -> None:
    with pytest.raises(ValueError, match="timeout_ns"):
        streaming.grab(slot_of(subject.free_run), timeout_ns)


def test_nothing_is_grabbed_before_the_start(source: Source, subject: Subject) -> None:
    with pytest.raises(ValueError, match="start"):
        source.grab(slot_of(subject.free_run), SECOND)


def test_each_start_is_a_new_epoch(streaming: Source, subject: Subject) -> None:
    slot = slot_of(subject.free_run)
    first = streaming.grab(slot, SECOND)
    streaming.stop()
    streaming.stop()
    streaming.start()
    second = streaming.grab(slot, SECOND)
    assert first is not None
    assert second is not None
    assert (first.epoch, second.epoch) == (1, 2)
    assert (second.gap, second.repeated) == (0, False)


def test_too_few_buffers_are_refused(streaming: Source) -> None:
    streaming.stop()
    with pytest.raises(ValueError, match="8 or more"):
        streaming.start(3)


def test_a_slot_too_small_is_not_overrun(streaming: Source, subject: Subject) -> None:
    guard = bytearray(b"\xa5" * 4096)
    grab = streaming.grab(memoryview(guard)[:1024], SECOND)
    assert grab is not None
    assert grab.size_bytes == 0
    assert grab.width == subject.free_run.width
    assert guard == bytearray(b"\xa5" * 4096)


def test_a_probe_of_a_healthy_camera_is_silent(streaming: Source) -> None:
    streaming.probe()


def test_closing_twice_and_before_opening_is_harmless(source: Source) -> None:
    source.close()
    source.close()


def test_set_up_while_streaming_is_refused(streaming: Source, subject: Subject) -> None:
    with pytest.raises(ValueError, match="streaming"):
        streaming.configure(subject.free_run)


def test_an_unknown_feature_is_named(streaming: Source) -> None:
    for ask in (streaming.get, streaming.describe, streaming.execute):
        with pytest.raises(BadSettings, match="Nonsense"):
            ask("Nonsense")
    with pytest.raises(BadSettings, match="Nonsense"):
        streaming.set("Nonsense", 1)


def test_a_second_open_is_refused(streaming: Source, subject: Subject) -> None:
    with pytest.raises(BadSettings, match="open already"):
        streaming.open(subject.serial)


def test_line_or_software_trigger_that_is_missing_is_said(source: Source, subject: Subject) -> None:
    source.open(source.discover()[0].serial)
    wanted = replace(subject.free_run, trigger="hardware")
    if subject.serial == "SN0000":
        assert source.configure(wanted).trigger == "hardware"
        return
    with pytest.raises(BadSettings, match="trigger = hardware"):
        source.configure(wanted)


def test_one_trigger_one_frame(source: Source, subject: Subject) -> None:
    if subject.triggered is None:
        pytest.skip("this camera has no trigger")
    source.open(subject.serial)
    source.configure(subject.triggered)
    source.start()
    slot, numbers = slot_of(subject.triggered), []
    for _ in range(10):
        fired_ns = source.trigger()
        grab = source.grab(slot, SECOND)
        assert grab is not None
        assert -MS < grab.exposed_at_ns - fired_ns < SECOND
        numbers.append(grab.number)
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    begun = now_ns()
    assert source.grab(slot, 50 * MS) is None
    assert now_ns() - begun >= 45 * MS


def test_a_camera_that_is_not_there_is_lost(producer: Path, viky: Path, scene: Scene) -> None:
    for cti in (producer, viky):
        with GentlSource(cti) as source, pytest.raises(CameraLost, match="SN4711"):
            source.open("SN4711")
