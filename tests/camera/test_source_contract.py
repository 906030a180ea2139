"""What every driver keeps, on every kind of camera: the promises of `FrameSource`, one by one."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.errors import BadSettings, CameraLost
from okng.camera.profiles import Profile
from okng.camera.source import FrameSource, Grab, Source
from okng.simline.scene import Scene

from .fake_gige import FakeGige
from .rtsp import RtspCamera
from .subjects import Subject, aravis, replay, rtsp_stream, simulated, video_file, viky

SUBJECTS = ("simulated", "viky", "replay", "video file", "rtsp", "aravis")


@pytest.fixture(scope="module", autouse=True)
def quick_streams() -> Iterator[None]:
    """FFmpeg studies a stream for up to a second before it gives the first frame: here it need not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|analyzeduration;50000")
        yield


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    def fixture(name: str) -> object:
        return request.getfixturevalue(name)

    if request.param == "simulated":
        scene, producer = fixture("scene"), fixture("producer")
        assert isinstance(scene, Scene)
        assert isinstance(producer, Path)
        return simulated(producer, scene)
    if request.param == "viky":
        producer = fixture("viky")
        assert isinstance(producer, Path)
        return viky(producer)
    if request.param == "replay":
        return replay(tmp_path)
    if request.param == "video file":
        return video_file(tmp_path / "video.avi")
    if request.param == "rtsp":
        stream = fixture("rtsp")
        assert isinstance(stream, RtspCamera)
        return rtsp_stream(stream)
    camera = fixture("gige")
    assert isinstance(camera, FakeGige)
    return aravis(camera)


@pytest.fixture
def source(subject: Subject) -> Iterator[Source]:
    with subject.make() as made:
        yield made


@pytest.fixture
def streaming(source: Source, subject: Subject) -> Source:
    source.open(subject.serial)
    source.configure(subject.free_run)
    source.start()
    return source


def slot_of(profile: Profile) -> memoryview:
    return memoryview(bytearray(profile.size_bytes))


def frames(source: Source, profile: Profile, count: int) -> list[Grab]:
    """That many frames; the test fails where they do not come."""
    grabbed: list[Grab] = []
    slot, until_ns = slot_of(profile), now_ns() + 20 * SECOND
    while len(grabbed) < count:
        grab = source.grab(slot, SECOND)
        if grab is not None:
            grabbed.append(grab)
        assert now_ns() < until_ns, f"{len(grabbed)} of {count} frames"
    return grabbed


def fire(source: Source, subject: Subject, slot: memoryview) -> tuple[int, Grab | None]:
    """One software trigger, and its frame."""
    fired_ns = source.trigger()
    return fired_ns, source.grab(slot, SECOND + subject.latency_ns)


def lost(source: Source, profile: Profile, within_ns: int) -> str:
    """Grab and probe until the camera is said to be lost; return the words."""
    slot, until_ns = slot_of(profile), now_ns() + within_ns + SECOND
    try:
        while now_ns() < until_ns:
            if source.grab(slot, 50 * MS) is None:
                source.probe()
    except CameraLost as error:
        return str(error)
    return ""


# ---- finding and opening ----


def test_it_is_a_frame_source(source: Source) -> None:
    checked: FrameSource = source
    assert checked.health().delivered == 0


def test_cameras_are_listed_with_serials_and_none_is_opened_by_looking(source: Source, subject: Subject) -> None:
    for _ in range(2):
        cameras = source.discover()
        assert cameras
        assert all(camera.serial and camera.model and camera.producer and camera.free for camera in cameras)
    source.open(subject.serial)


def test_closing_twice_and_before_opening_is_harmless(source: Source, subject: Subject) -> None:
    source.close()
    source.close()
    source.open(subject.serial)
    source.close()
    source.close()


def test_it_is_opened_again_after_closing(source: Source, subject: Subject) -> None:
    for _ in range(2):
        source.open(subject.serial)
        source.configure(subject.free_run)
        source.start()
        assert frames(source, subject.free_run, 2)
        source.close()
    assert source.health().epochs == 2


def test_a_second_open_is_refused_and_the_stream_goes_on(streaming: Source, subject: Subject) -> None:
    with pytest.raises(BadSettings, match="open already"):
        streaming.open(subject.serial)
    assert frames(streaming, subject.free_run, 1)


def test_a_camera_with_another_serial_is_lost(source: Source, subject: Subject) -> None:
    if subject.serial == "" and subject.dated:
        pytest.skip("a folder is whatever camera it is taken for")
    with pytest.raises(CameraLost, match="SN4711"):
        source.open("SN4711")
    source.open(subject.serial)  # the failure has left nothing behind


def test_nothing_works_before_it_is_open(source: Source, subject: Subject) -> None:
    for use in (
        lambda: source.configure(subject.free_run),
        source.start,
        source.probe,
        source.trigger,
        source.features,
    ):
        with pytest.raises(CameraLost):
            use()


# ---- setting up ----


def test_what_was_read_back_is_what_was_wanted(source: Source, subject: Subject) -> None:
    source.open(subject.serial)
    for wanted in (subject.free_run, *([subject.triggered] if subject.triggered else [])):
        got = source.configure(wanted)
        assert (got.width, got.height, got.pixel_format) == (wanted.width, wanted.height, wanted.pixel_format)
        assert got.trigger == wanted.trigger
        assert got.exposure_us == pytest.approx(wanted.exposure_us, rel=0.02)


def test_set_up_while_streaming_is_refused(streaming: Source, subject: Subject) -> None:
    with pytest.raises(ValueError, match="streaming"):
        streaming.configure(subject.free_run)


def test_a_trigger_line_that_is_missing_is_said(source: Source, subject: Subject) -> None:
    source.open(subject.serial)
    wanted = replace(subject.free_run, trigger="hardware")
    if subject.hardware:
        assert source.configure(wanted).trigger == "hardware"
        return
    with pytest.raises(BadSettings, match="trigger = hardware"):
        source.configure(wanted)


def test_an_unknown_feature_is_named(streaming: Source) -> None:
    for ask in (streaming.get, streaming.describe, streaming.execute):
        with pytest.raises(BadSettings, match="Nonsense"):
            ask("Nonsense")
    with pytest.raises(BadSettings, match="Nonsense"):
        streaming.set("Nonsense", 1)


def test_features_are_listed_and_each_can_be_described(source: Source, subject: Subject) -> None:
    source.open(subject.serial)
    for feature in source.features():
        again = source.describe(feature.name)
        assert (again.name, again.kind) == (feature.name, feature.kind)
        if feature.readable and feature.kind not in ("command", "other"):
            assert source.get(feature.name) is not None


def test_a_refused_value_names_feature_and_value(source: Source, subject: Subject) -> None:
    if subject.beyond is None:
        pytest.skip("this camera has no features")
    name, value = subject.beyond
    source.open(subject.serial)
    before = source.get(name)
    with pytest.raises(BadSettings, match=f"{name} = {value}"):
        source.set(name, value)
    assert source.get(name) == before


# ---- the stream ----


def test_frames_are_numbered_dated_and_of_the_profile(streaming: Source, subject: Subject) -> None:
    begun_ns = now_ns()
    grabs = frames(streaming, subject.free_run, 10)
    for earlier, later in itertools.pairwise(grabs):
        assert later.number > earlier.number
        assert later.exposed_at_ns > earlier.exposed_at_ns
        assert later.received_ns > earlier.received_ns
        assert later.gap == later.number - earlier.number - 1
        assert not later.repeated
    wanted = subject.free_run
    for grab in grabs:
        assert (grab.width, grab.height, grab.pixel_format) == (wanted.width, wanted.height, "Mono8")
        assert grab.size_bytes == wanted.size_bytes
        assert begun_ns - SECOND < grab.exposed_at_ns <= grab.received_ns <= now_ns()
        assert (grab.device_ns is not None) == subject.dated
        assert grab.epoch == 1


def test_health_counts_what_was_seen(streaming: Source, subject: Subject) -> None:
    assert streaming.health().last_frame_age_ns is None
    grabs = frames(streaming, subject.free_run, 8)
    health = streaming.health()
    assert health.delivered == len(grabs)
    assert health.gaps == sum(grab.gap for grab in grabs)
    assert (health.duplicates, health.incomplete, health.epochs) == (0, 0, 1)
    assert health.clock == subject.clock
    assert health.last_frame_age_ns is not None
    assert 0 <= health.last_frame_age_ns < 5 * SECOND


@pytest.mark.parametrize("timeout_ns", [0, -1])
def test_a_wait_without_end_is_refused(source: Source, subject: Subject, timeout_ns: int) -> None:
    source.open(subject.serial)
    source.configure(subject.free_run)
    source.start()
    with pytest.raises(ValueError, match="timeout_ns"):
        source.grab(slot_of(subject.free_run), timeout_ns)


def test_nothing_is_grabbed_before_the_start(source: Source, subject: Subject) -> None:
    with pytest.raises(ValueError, match="start"):
        source.grab(slot_of(subject.free_run), SECOND)


def test_each_start_is_a_new_epoch(streaming: Source, subject: Subject) -> None:
    (first,) = frames(streaming, subject.free_run, 1)
    streaming.stop()
    streaming.stop()
    stopped_ns = now_ns()
    streaming.start()
    (second,) = frames(streaming, subject.free_run, 1)
    assert (first.epoch, second.epoch) == (1, 2)
    assert (second.gap, second.repeated) == (0, False)
    assert second.received_ns >= stopped_ns, "a frame of the epoch before"


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


def test_of_a_larger_slot_only_the_payload_is_written(streaming: Source, subject: Subject) -> None:
    size = subject.free_run.size_bytes
    slot = bytearray(b"\xa5" * (size + 4096))
    grab = streaming.grab(memoryview(slot), SECOND)
    assert grab is not None
    assert grab.size_bytes == size
    assert slot[size:] == b"\xa5" * 4096
    assert slot[:size] != b"\xa5" * size


def test_a_slow_reader_hears_of_every_frame_it_did_not_get(streaming: Source, subject: Subject) -> None:
    frames(streaming, subject.free_run, 2)
    until_ns = now_ns() + 400 * MS
    while now_ns() < until_ns:
        streaming.probe()
    grabs = frames(streaming, subject.free_run, 12)
    missing = sum(later.number - earlier.number - 1 for earlier, later in itertools.pairwise(grabs))
    assert sum(grab.gap for grab in grabs[1:]) == missing
    assert streaming.health().gaps >= missing
    assert streaming.health().delivered == 14


def test_a_probe_of_a_healthy_camera_is_silent(streaming: Source, subject: Subject) -> None:
    streaming.probe()
    frames(streaming, subject.free_run, 1)
    streaming.probe()


# ---- triggers ----


def test_one_trigger_one_frame(source: Source, subject: Subject) -> None:
    if subject.triggered is None:
        pytest.skip("this camera has no trigger")
    source.open(subject.serial)
    source.configure(subject.triggered)
    source.start()
    slot, seen = slot_of(subject.triggered), []
    begun_ns = now_ns()
    assert source.grab(slot, 50 * MS) is None, "a frame that nobody fired"
    assert 45 * MS <= now_ns() - begun_ns < 2 * SECOND
    for _ in range(5):
        fired_ns, grab = fire(source, subject, slot)
        assert grab is not None
        assert -subject.window_ns < grab.exposed_at_ns - fired_ns < SECOND + subject.latency_ns
        assert not grab.gap
        assert not grab.repeated
        seen.append(grab.number)
    assert seen == list(range(seen[0], seen[0] + 5))
    assert source.grab(slot, 50 * MS) is None, "a second frame of the last trigger"
    assert source.health().delivered == 5


def test_a_trigger_of_the_epoch_before_brings_no_frame(source: Source, subject: Subject) -> None:
    if subject.triggered is None or not subject.forgets:
        pytest.skip("this camera has no trigger, or keeps it over a stop")
    source.open(subject.serial)
    source.configure(subject.triggered)
    source.start()
    source.trigger()
    source.stop()
    source.start()
    slot = slot_of(subject.triggered)
    assert source.grab(slot, 50 * MS + subject.latency_ns) is None
    _, grab = fire(source, subject, slot)
    assert grab is not None
    assert (grab.epoch, grab.gap) == (2, 0)


# ---- losing it ----


def test_an_unplugged_camera_is_lost_in_time_and_found_again(subject: Subject) -> None:
    if subject.lose is None:
        pytest.skip("this camera cannot be unplugged")
    with subject.make() as source:
        source.open(subject.serial)
        source.configure(subject.free_run)
        source.start()
        frames(source, subject.free_run, 2)
        subject.lose()
        assert lost(source, subject.free_run, subject.lost_within_ns)
        with pytest.raises(CameraLost):
            source.probe()
        delivered = source.health().delivered
        source.close()
        source.close()
        assert source.health().delivered == delivered
    subject.find_again()
    with subject.make() as source:
        source.open(subject.serial)
        source.configure(subject.free_run)
        source.start()
        assert frames(source, subject.free_run, 2)
