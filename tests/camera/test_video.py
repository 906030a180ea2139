"""Video cameras: what is new and what is stale, ends and hangs in bounded time, formats, controls of a V4L2 device.

A file is read by OpenCV itself, a stream comes from Debian's RTSP server. There is no V4L2 device in a test: what one
would do is played at the door to OpenCV (`Fake`).
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.errors import BadSettings, CameraLost
from okng.camera import freshness, video
from okng.camera.capture import OpenCvCapture, list_devices, parse_address
from okng.camera.freshness import BEHIND_NS, Freshness
from okng.camera.profiles import Profile
from okng.camera.source import Grab
from okng.camera.video import SILENT_NS, VideoSource
from okng.imaging.develop import Developer
from okng.imaging.picture import Picture
from okng.imaging.plan import DevelopPlan

from .conftest import Rig
from .rtsp import HEIGHT, TRANSFER_NS, WIDTH, RtspCamera, made_ms

FREE = Profile("Mono8", 160, 120, trigger="off", exposure_us=1000, frame_rate_hz=100)
FIRED = replace(FREE, trigger="software")
ROOM = 4_000_000


def opened(source: VideoSource, profile: Profile) -> Rig:
    source.open("")
    got = source.configure(profile)
    source.start()
    return Rig(source, got, bytearray(ROOM))


def gone(rig: Rig, within_s: float) -> tuple[str, float]:
    """Words with which it is lost, and after how many seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < within_s + 5:
        try:
            if rig.grab(0.05) is None:
                rig.source.probe()
        except CameraLost as error:
            return str(error), time.monotonic() - begun
    return "", within_s + 5


# ---- a file ----


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """30 colour pictures of 160x120: left half red, right half of a level that rises."""
    file = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"FFV1"), 25, (160, 120))
    for number in range(30):
        picture = np.full((120, 160, 3), 8 * number, np.uint8)
        picture[:, :80] = (0, 0, 255)
        writer.write(picture)
    writer.release()
    return file


def test_a_film_is_read_at_the_profile_s_rate_and_its_end_is_a_lost_camera(film: Path) -> None:
    with (rig := opened(VideoSource(str(film), 0), FREE)).source:
        grabs = []
        words = ""
        while not words:
            try:
                grabs.append(rig.grab())
            except CameraLost as error:
                words = str(error)
        assert "it has ended" in words
        assert rig.source.health().clock == "host"
    taken = [grab for grab in grabs if grab is not None]
    assert 1 <= len(taken) <= 30
    assert taken[-1].number <= 30
    span_ns = taken[-1].received_ns - taken[0].received_ns
    assert span_ns >= (taken[-1].number - taken[0].number - 1) * 10 * MS


@pytest.mark.parametrize("pixel_format", video.PIXEL_FORMATS)
def test_the_formats_it_gives(film: Path, pixel_format: str) -> None:
    profile = replace(FIRED, pixel_format=pixel_format)  # type: ignore[arg-type]
    with (rig := opened(VideoSource(str(film), 0), profile)).source:
        grab = rig.shoot()
        assert grab is not None
        assert (grab.pixel_format, grab.size_bytes) == (pixel_format, profile.size_bytes)
        picture = Developer(DevelopPlan()).develop(memoryview(rig.slot), 160, 120, pixel_format)
    level = int(picture[60, 120].max())
    assert level % 8 <= 2 or level % 8 >= 6
    if picture.ndim == 3:
        red, green, blue = (int(each) for each in picture[60, 40])
        assert red > 240
        assert max(green, blue) < 15
    else:
        assert abs(int(picture[60, 40]) - 76) <= 3


def test_a_region_is_cut_out_and_one_beyond_the_picture_is_refused(film: Path) -> None:
    profile = replace(FIRED, pixel_format="RGB8", width=40, height=20, offset_x=60, offset_y=100)
    with (rig := opened(VideoSource(str(film), 0), profile)).source:
        assert rig.shoot() is not None
        picture = np.frombuffer(rig.slot, np.uint8, 40 * 20 * 3).reshape(20, 40, 3)
        assert (picture[:, :20] == (255, 0, 0)).all(axis=2).mean() > 0.9
        assert (picture[:, 20:] != (255, 0, 0)).any(axis=2).all()
        rig.source.stop()
        with pytest.raises(BadSettings, match="160x120"):
            rig.source.configure(replace(profile, offset_x=130))


def test_what_is_no_video_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    with VideoSource(str(tmp_path / "text.mp4"), 0) as source, pytest.raises(BadSettings, match="not a video"):
        source.open("")
    with VideoSource(str(tmp_path / "none.mp4"), 0) as source, pytest.raises(CameraLost, match="no such file"):
        source.open("")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"trigger": "hardware"}, "trigger = hardware"),
        ({"pixel_format": "Mono12"}, "PixelFormat = Mono12"),
        ({"gain_db": 3.0}, "Gain = 3.0"),
        ({"user_set": "UserSet1"}, "user_set"),
        ({"frames": 2}, "frames = 2"),
        ({"overlap": "readout"}, "overlap"),
        ({"pixel_format": "YUV422_8", "width": 33}, "Width = 33"),
        ({"features": (("Brightness", 3),)}, "Brightness: .* no such feature"),
        ({"features": (("Width", 3),)}, "Width = 3: the camera does not let it be written"),
    ],
)
def test_what_a_video_cannot_do_is_named(film: Path, changed: dict[str, Any], words: str) -> None:
    with VideoSource(str(film), 0) as source:
        source.open("")
        with pytest.raises(BadSettings, match=words):
            source.configure(replace(FREE, **changed))


# ---- addresses ----


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("/dev/video0", "device", "/dev/video0"),
        ("rtsp://admin:geheim@10.0.0.9:554/ch1?token=geheim", "stream", "rtsp://10.0.0.9:554/ch1"),
        ("http://cam/video.mjpg", "stream", "http://cam/video.mjpg"),
        ("films/a.mp4", "file", "films/a.mp4"),
    ],
)
def test_an_address_is_shown_without_its_password(text: str, kind: str, name: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.name, address.text) == (kind, name, text)


@pytest.mark.parametrize("text", ["", "gopher://cam/1", "rtsp:///ch1", "ftp://u:geheim@cam/x"])
def test_an_address_that_is_none_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(BadSettings, match="expected") as caught:
        parse_address(text)
    assert "geheim" not in str(caught.value)


def test_devices_of_this_machine_are_listed(tmp_path: Path) -> None:
    for number, name in enumerate(("HD Webcam", "Capture Card")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}" / "name").write_text(f"{name}\n", encoding="utf-8")
    assert list_devices(tmp_path) == [("/dev/video0", "HD Webcam"), ("/dev/video1", "Capture Card")]
    assert list_devices(tmp_path / "none") == []


# ---- a stream ----

STREAM = replace(FIRED, width=WIDTH, height=HEIGHT)


def seen_ms(rig: Rig) -> int:
    return made_ms(np.frombuffer(rig.slot, np.uint8, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH))


def test_the_frame_of_a_trigger_was_made_after_it(rtsp: RtspCamera) -> None:
    with (rig := opened(VideoSource(rtsp.url, TRANSFER_NS), STREAM)).source:
        for pause_s in (0.0, 0.3, 0.05, 0.0):
            time.sleep(pause_s)
            fired_ms = now_ns() // MS
            grab = rig.shoot(3.0)
            assert grab is not None
            assert 0 <= seen_ms(rig) - fired_ms < 1000
        assert rig.source.health().gaps == 0


def test_a_stream_that_was_stopped_for_a_while_does_not_begin_with_what_is_old(rtsp: RtspCamera) -> None:
    with (rig := opened(VideoSource(rtsp.url, TRANSFER_NS), replace(STREAM, trigger="off"))).source:
        assert rig.grab(3.0) is not None
        rig.source.stop()
        time.sleep(1.0)
        started_ms = now_ns() // MS
        rig.source.start()
        assert rig.grab(3.0) is not None
        assert seen_ms(rig) >= started_ms - 20
        time.sleep(0.5)
        asked_ms = now_ns() // MS
        assert rig.grab(3.0) is not None
        assert seen_ms(rig) >= asked_ms - TRANSFER_NS // MS - 100, "the newest frame, not the oldest"
        assert rig.source.health().underrun > 5


def test_a_stream_that_stops_coming_is_lost_and_comes_back(rtsp: RtspCamera) -> None:
    with (rig := opened(VideoSource(rtsp.url, TRANSFER_NS), replace(STREAM, trigger="off"))).source:
        assert rig.grab(3.0) is not None
        rtsp.send(signal.SIGSTOP)
        begun_ns = now_ns()
        assert rig.grab(0.3) is None or rig.grab(0.3) is None
        assert now_ns() - begun_ns < 2 * SECOND
        words, after_s = gone(rig, SILENT_NS / SECOND)
        assert words
        assert after_s < SILENT_NS / SECOND + 2
        with pytest.raises(CameraLost):
            rig.source.trigger()
        rtsp.send(signal.SIGCONT)
    with (rig := opened(VideoSource(rtsp.url, TRANSFER_NS), STREAM)).source:
        assert rig.shoot(3.0) is not None


def test_a_stream_that_nobody_sends_is_lost_at_once_and_in_words(rtsp: RtspCamera) -> None:
    address = rtsp.url.replace("rtsp://", "rtsp://admin:geheim@")
    rtsp.send(signal.SIGKILL)
    begun = time.monotonic()
    with VideoSource(address, TRANSFER_NS) as source, pytest.raises(CameraLost, match="no stream") as caught:
        source.open("")
    assert time.monotonic() - begun < 8
    assert "geheim" not in str(caught.value)


# ---- a device, played ----


class Fake:
    """What a V4L2 device would do. One frame each period, of the level that counts them."""

    def __init__(self, period_s: float = 0.01) -> None:
        self.period_s = period_s
        self.controls: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: 160,
            cv2.CAP_PROP_FRAME_HEIGHT: 120,
            cv2.CAP_PROP_FPS: 100,
            cv2.CAP_PROP_AUTO_EXPOSURE: 3,
            cv2.CAP_PROP_EXPOSURE: 156,
            cv2.CAP_PROP_GAIN: 10,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
        }
        self.taken: dict[int, Callable[[float], float]] = {}
        """What the driver makes of a value."""
        self.frames = 0
        self.plugged = True
        self.hang = threading.Event()
        self.hang.set()
        self.broken = False
        self.old_ns = 0
        """Frames have waited in the kernel for so long."""
        self.backlog = 0
        """So many frames are there already."""
        self.dates = True
        self.shown: list[int] = []
        """How many others lay behind each frame that was looked at."""
        self.closed = False
        self.users: set[str] = set()

    def grab(self) -> bool:
        self.users.add(threading.current_thread().name)
        self.hang.wait()
        if self.backlog:
            self.backlog -= 1
        else:
            time.sleep(self.period_s)
        self.frames += 1
        return self.plugged

    def retrieve(self) -> Picture | None:
        self.shown.append(self.backlog)
        return None if self.broken else np.full((120, 160, 3), self.frames % 256, np.uint8)

    def stamp_ns(self) -> int | None:
        return now_ns() - self.old_ns if self.dates else None

    def get(self, prop: int) -> float:
        self.users.add(threading.current_thread().name)
        return self.controls.get(prop, -1.0)

    def set(self, prop: int, value: float) -> bool:
        if prop not in self.controls:
            return False
        taken = self.taken.get(prop)
        self.controls[prop] = value if taken is None else taken(value)
        return True

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    yield made
    made.hang.set()


def device(fake: Fake, profile: Profile = FIRED, transfer_ns: int = 0) -> Rig:
    return opened(VideoSource("/dev/video7", transfer_ns, lambda _: fake), profile)


def test_a_device_is_set_up_and_read_back(fake: Fake) -> None:
    fake.taken[cv2.CAP_PROP_EXPOSURE] = lambda asked: asked + 1
    profile = replace(FIRED, exposure_us=20_000, features=(("FourCC", "MJPG"), ("GainRaw", 40)))
    with (rig := device(fake, profile)).source:
        assert rig.profile.exposure_us == 20_100
        assert fake.controls[cv2.CAP_PROP_AUTO_EXPOSURE] == 1
        assert fake.controls[cv2.CAP_PROP_GAIN] == 40
        assert rig.source.get("FourCC") == "MJPG"
        assert rig.source.get("ExposureTime") == 20_100
        names = [feature.name for feature in rig.source.features()]
        assert names == ["Width", "Height", "AcquisitionFrameRate", "FourCC", "ExposureAuto", "ExposureTime", "GainRaw"]
        assert rig.shoot() is not None
    assert fake.closed
    assert len(fake.users) == 1, "OpenCV is asked by one thread"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ExposureTime", 90_000.0, "ExposureTime = 90000.0: the camera keeps 50000"),
        ("ExposureTime", "long", "expected a number"),
        ("ExposureAuto", "Sometimes", "one of Off, Continuous"),
        ("FourCC", "MJPEG", "four letters"),
        ("Sharpness", 3, "Sharpness: /dev/video7 has no such feature"),
        ("GainRaw", True, "expected a number"),
    ],
)
def test_a_value_the_device_does_not_keep_is_refused(fake: Fake, name: str, value: Any, words: str) -> None:
    fake.taken[cv2.CAP_PROP_EXPOSURE] = lambda asked: min(asked, 500)
    with (rig := device(fake)).source, pytest.raises(BadSettings, match=words):
        rig.source.set(name, value)


def test_a_size_the_device_does_not_have_is_refused(fake: Fake) -> None:
    fake.taken[cv2.CAP_PROP_FRAME_WIDTH] = lambda _: 320
    with pytest.raises(BadSettings, match="Width = 160: the camera keeps 320"):
        device(fake)


def test_a_device_without_control_of_its_exposure_keeps_the_recipe_s_for_its_dates(fake: Fake) -> None:
    del fake.controls[cv2.CAP_PROP_EXPOSURE], fake.controls[cv2.CAP_PROP_AUTO_EXPOSURE]
    with (rig := device(fake, replace(FIRED, exposure_us=7000))).source:
        assert rig.profile.exposure_us == 7000
        grab = rig.shoot()
        assert grab is not None
        assert grab.received_ns - grab.exposed_at_ns == 7 * MS


def fired(rig: Rig) -> tuple[int, Grab]:
    fired_ns = rig.source.trigger()
    grab = rig.grab(3.0)
    assert grab is not None
    return fired_ns, grab


def test_a_frame_that_began_before_the_trigger_is_not_its_frame(fake: Fake) -> None:
    fake.period_s = 0.02
    profile = replace(FIRED, exposure_us=50_000)
    with (rig := device(fake, profile, transfer_ns=100 * MS)).source:
        for _ in range(3):
            fired_ns, grab = fired(rig)
            assert grab.received_ns - fired_ns >= 150 * MS


def test_frames_that_waited_in_the_kernel_are_dated_by_it(fake: Fake) -> None:
    fake.old_ns = 200 * MS
    with (rig := device(fake)).source:
        fired_ns, grab = fired(rig)
        assert grab.received_ns >= fired_ns
        assert now_ns() - fired_ns >= 200 * MS


@pytest.fixture
def undated(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Without dates; no preemption of a busy machine is taken for a wait."""
    monkeypatch.setattr(freshness, "_MOST_WAIT_NS", 200 * MS)
    fake.dates, fake.controls[cv2.CAP_PROP_FPS] = False, 0
    fake.period_s = 0.22
    return fake


def test_frames_nobody_had_to_wait_for_answer_no_trigger(undated: Fake) -> None:
    with (rig := device(undated)).source:
        fired(rig)
        undated.backlog = 20_000
        while undated.backlog == 20_000:
            time.sleep(0)
        fired(rig)
    assert undated.shown
    assert not any(undated.shown)


def test_a_device_read_too_slowly_is_lost_not_believed(undated: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "BEHIND_NS", 500 * MS)
    with (rig := device(undated)).source:
        fired(rig)
        undated.backlog = 10**9
        words, after_s = gone(rig, 0.5)
    assert "as fast as they come" in words
    assert after_s < 3


def test_an_unplugged_device_is_lost_at_once(fake: Fake) -> None:
    with (rig := device(fake, FREE)).source:
        assert rig.grab() is not None
        fake.plugged = False
        words, after_s = gone(rig, 0)
        assert "unplugged" in words
        assert after_s < 1
        with pytest.raises(CameraLost):
            rig.source.get("GainRaw")


def test_a_device_that_hangs_holds_nobody_up(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "SILENT_NS", 300 * MS)
    with (rig := device(fake, FREE)).source:
        assert rig.grab() is not None
        fake.hang.clear()
        time.sleep(0.05)
        begun = time.monotonic()
        rig.grab(0.01)
        rig.grab(0.01)
        assert time.monotonic() - begun < 1
        words, after_s = gone(rig, 0.3)
        assert "no frame for" in words
        assert after_s < 2
        begun = time.monotonic()
        rig.source.close()
        assert time.monotonic() - begun < 3


def test_a_stream_that_is_started_again_and_again_does_not_hide_a_hang(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "SILENT_NS", 300 * MS)
    with (rig := device(fake)).source:
        fired(rig)
        fake.hang.clear()
        begun, words = time.monotonic(), ""
        while not words and time.monotonic() - begun < 5:  # as the loop does after each part without a picture
            try:
                rig.source.trigger()
                rig.grab(0.05)
                rig.source.stop()
                rig.source.start()
            except CameraLost as error:
                words = str(error)
        assert "no frame for" in words


def test_a_question_to_a_device_that_hangs_is_given_up(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "SILENT_NS", 300 * MS)
    with (rig := device(fake, FREE)).source:
        fake.hang.clear()
        time.sleep(0.05)
        begun = time.monotonic()
        with pytest.raises(CameraLost, match=r"hangs|no frame"):
            rig.source.get("GainRaw")
        assert time.monotonic() - begun < 2


def test_a_device_that_does_not_open_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "_OPEN_NS", 100 * MS)
    go = threading.Event()

    def never(_: object) -> Fake:
        go.wait(20)
        raise CameraLost("too late")

    source = VideoSource("/dev/video7", 0, never)
    with source, pytest.raises(CameraLost, match="does not open"):
        source.open("")
    go.set()


def test_a_broken_frame_is_counted_and_the_next_one_comes(fake: Fake) -> None:
    with (rig := device(fake)).source:
        fake.broken = True
        assert rig.shoot() is None
        assert rig.source.health().incomplete == 1
        fake.broken = False
        after = rig.shoot()
        assert after is not None
        assert (after.number, after.gap) == (2, 0)


def test_triggers_each_have_a_frame_of_their_own_up_to_a_bound(fake: Fake) -> None:
    fake.period_s = 0.002
    with (rig := device(fake)).source:
        for _ in range(5):
            rig.source.trigger()
        five = [rig.grab() for _ in range(5)]
        assert [grab.number for grab in five if grab is not None] == [1, 2, 3, 4, 5]
        levels = {grab.received_ns for grab in five if grab is not None}
        assert len(levels) == 5
        fake.hang.clear()
        for _ in range(70):
            rig.source.trigger()
        assert rig.source.health().underrun >= 5
        fake.hang.set()


def test_a_mistake_in_its_thread_loses_the_camera(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake() -> Picture:
        raise ZeroDivisionError("a mistake")

    with (rig := device(fake)).source:
        monkeypatch.setattr(fake, "retrieve", mistake)
        rig.source.trigger()
        words, _ = gone(rig, 1)
        assert "a mistake" in words


def test_a_device_that_is_not_there_is_lost_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraLost, match="/dev/video99: no such device"):
        OpenCvCapture(parse_address("/dev/video99"))
    with pytest.raises(BadSettings, match="in use by another program, or is no camera"):
        OpenCvCapture(parse_address("/dev/null"))


# ---- freshness ----


@pytest.fixture
def settled() -> tuple[Freshness, int]:
    """Frames of a stream that runs, and the moment of the last one; the stream's clock is 77 s behind."""
    fresh, at_ns = Freshness(30 * MS), SECOND
    for _ in range(20):
        at_ns += 30 * MS
        fresh.held_ns(0, at_ns, at_ns - 77 * SECOND)
    return fresh, at_ns


def test_how_long_a_frame_was_held_up_is_told_against_the_quickest(settled: tuple[Freshness, int]) -> None:
    fresh, at_ns = settled
    held = []
    for late_ms in (0, 3, 300, 2, 0):
        at_ns += 400 * MS
        held.append(fresh.held_ns(0, at_ns, at_ns - (77 * SECOND + late_ms * MS)))
    assert held == [0, 3 * MS, 300 * MS, 2 * MS, 0]
    assert fresh.fault(at_ns, BEHIND_NS) == ""
    assert "late" in fresh.fault(at_ns, BEHIND_NS + 1)


def test_what_lay_in_buffers_when_the_stream_was_opened_is_of_any_age() -> None:
    fresh, at_ns, held = Freshness(33 * MS), SECOND, []
    for number in range(30):  # a second of frames, each quicker than the one before
        at_ns += 1 * MS
        held.append(fresh.held_ns(20 * MS, at_ns, number * 33 * MS))
    assert held == [None] * 30
    for number in range(30, 45):  # then as they come
        at_ns += 33 * MS
        held.append(fresh.held_ns(0, at_ns, number * 33 * MS))
    assert held[30:37] == [None] * 7
    assert held[-1] == 0


def test_clocks_that_drift_apart_hold_nothing_up() -> None:
    for drift in (500e-6, -500e-6):
        fresh, worst = Freshness(33 * MS), 0
        for number in range(30, 30 * 600):
            at_ns = number * SECOND // 30
            held = fresh.held_ns(0, at_ns, round(at_ns * (1 - drift)))
            worst = max(worst, held or 0)
            assert held is not None or number < 60
        assert worst < 15 * MS


def test_without_dates_only_a_frame_that_was_waited_for_is_new() -> None:
    fresh = Freshness(32 * MS)
    assert fresh.held_ns(8 * MS, SECOND, None) == 0
    assert fresh.held_ns(7 * MS, SECOND, None) is None
    assert Freshness(0).held_ns(9 * MS, SECOND, None) is None
    assert "as fast as they come" in fresh.fault(SECOND + BEHIND_NS + 1, None)
    assert fresh.fault(SECOND + BEHIND_NS, None) == ""
