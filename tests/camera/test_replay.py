"""A folder of pictures as a camera: its formats, its moments, its end, and a recording played again bit for bit."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.clock import MS, now_ns
from okng.bus.errors import BadPicture, BadSettings, CameraLost, StoreLost
from okng.camera.profiles import Profile
from okng.camera.recorder import Recorder
from okng.camera.replay import ReplaySource, Timing
from okng.camera.sensor import pack, sense
from okng.camera.sequence import load_scene, read_sequence
from okng.camera.shutter import EvenPace, RecordedPace, Shutter
from okng.camera.source import Grab
from okng.imaging.develop import Developer
from okng.imaging.formats import FORMATS
from okng.imaging.plan import DevelopPlan
from okng.imaging.unpack import unpack

from .conftest import Rig

FREE = Profile("Mono8", 64, 48, trigger="off", exposure_us=100, frame_rate_hz=200)


def opened(folder: Path, profile: Profile, timing: Timing = "consumed", *, loop: bool = True) -> Rig:
    source = ReplaySource(folder, timing, loop=loop)
    source.open("")
    got = source.configure(profile)
    source.start()
    return Rig(source, got, bytearray(got.size_bytes))


def numbered(folder: Path, count: int) -> Path:
    """Grey pictures of 64x48, each of one level: 10, 20, ..."""
    for number in range(1, count + 1):
        cv2.imwrite(str(folder / f"{number:02d}.png"), np.full((48, 64), 10 * number, np.uint8))
    return folder


def seen(rig: Rig, count: int) -> list[int]:
    """Level of each picture."""
    levels = []
    for _ in range(count):
        assert rig.grab() is not None
        levels.append(rig.slot[0])
    return levels


def colours(depth: type[np.generic] = np.uint8) -> npt.NDArray[Any]:
    """64x48 RGB with every channel different, soft enough to survive a mosaic."""
    rows, columns = np.mgrid[0:48, 0:64]
    top = np.iinfo(depth).max  # type: ignore[type-var]
    planes = [columns / 63 * top, rows / 47 * top, (columns + rows) / 110 * top]
    return np.stack(planes, axis=2).astype(depth)


# ---- formats ----


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_what_unpack_reads(name: str) -> None:
    fmt = FORMATS[name]
    samples = sense(colours(np.uint16), fmt)
    raw = pack(samples, fmt)
    assert len(raw) == fmt.payload_bytes(64, 48)
    assert np.array_equal(unpack(raw, 64, 48, fmt), samples)


@given(
    name=st.sampled_from([name for name, fmt in FORMATS.items() if fmt.packing != "plain"]),
    width=st.integers(1, 13),
    height=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_packing_any_size_is_undone_by_unpack(name: str, width: int, height: int, seed: int) -> None:
    fmt = FORMATS[name]
    samples = np.random.default_rng(seed).integers(0, 1 << fmt.depth_bits, (height, width), np.uint16)
    raw = pack(samples, fmt)
    assert len(raw) == fmt.payload_bytes(width, height)
    assert np.array_equal(unpack(raw, width, height, fmt), samples)


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.colour != "grey"])
def test_every_colour_format_develops_to_the_picture_it_came_from(name: str) -> None:
    fmt, scene = FORMATS[name], colours()
    picture = Developer(DevelopPlan()).develop(pack(sense(scene, fmt), fmt), 64, 48, name)
    inner = np.s_[2:-2, 2:-2]
    worst = np.abs(picture[inner].astype(int) - scene[inner].astype(int)).max()
    assert worst <= (0 if fmt.colour in ("rgb", "bgr") else 6)


@pytest.mark.parametrize("name", ["Mono10", "Mono10p", "Mono12Packed", "Mono16", "BayerGB12p"])
def test_the_depth_of_a_picture_of_16_bits_reaches_the_camera_s_bytes(tmp_path: Path, name: str) -> None:
    scene = (np.arange(64 * 48, dtype=np.uint32) * 21 % 65536).astype(np.uint16).reshape(48, 64)
    cv2.imwrite(str(tmp_path / "deep.tiff"), scene)
    fmt = FORMATS[name]
    with (rig := opened(tmp_path, replace(FREE, pixel_format=name))).source:  # type: ignore[arg-type]
        assert rig.grab() is not None
        assert np.array_equal(unpack(memoryview(rig.slot), 64, 48, fmt), scene >> (16 - fmt.depth_bits))


def test_white_stays_white_at_every_depth() -> None:
    white = np.full((2, 4), 255, np.uint8)
    for fmt in FORMATS.values():
        if fmt.colour == "grey":
            assert (sense(white, fmt) == (1 << fmt.depth_bits) - 1).all()


def test_a_picture_of_another_size_is_cut_or_filled_around_its_centre(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "big.png"), np.arange(100 * 100, dtype=np.uint16).astype(np.uint8).reshape(100, 100))
    whole = load_scene(tmp_path / "big.png")
    with (rig := opened(tmp_path, replace(FREE, offset_x=3, offset_y=5))).source:
        assert rig.grab() is not None
        got = np.frombuffer(rig.slot, np.uint8).reshape(48, 64)
        assert np.array_equal(got, whole[26 + 5 : 26 + 5 + 48, 18 + 3 : 18 + 3 + 64])
    with (rig := opened(tmp_path, replace(FREE, width=120, height=110))).source:
        assert rig.grab() is not None
        got = np.frombuffer(rig.slot, np.uint8).reshape(110, 120)
        assert np.array_equal(got[5:105, 10:110], whole)
        assert not got[:5].any()
        assert not got[:, 110:].any()


def test_a_picture_is_sent_in_strips_to_a_line_scan_profile(tmp_path: Path) -> None:
    scene = np.repeat(np.arange(48, dtype=np.uint8)[:, None], 64, axis=1)
    cv2.imwrite(str(tmp_path / "a.png"), scene)
    profile = replace(FREE, frames=4, trigger="software")
    with (rig := opened(tmp_path, profile)).source:
        rig.source.trigger()
        for number in range(4):
            grab = rig.grab()
            assert grab is not None
            assert (grab.number, grab.height, grab.size_bytes) == (number + 1, 12, profile.frame_bytes)
            assert rig.pixels(grab) == scene[12 * number : 12 * number + 12].tobytes()
        assert rig.grab(0.02) is None


# ---- moments ----


def test_the_pictures_come_in_order_round_and_round(tmp_path: Path) -> None:
    with (rig := opened(numbered(tmp_path, 3), FREE)).source:
        assert seen(rig, 7) == [10, 20, 30, 10, 20, 30, 10]


def test_or_they_end(tmp_path: Path) -> None:
    source = ReplaySource(numbered(tmp_path, 3), "consumed", loop=False)
    source.open("")
    rig = Rig(source, source.configure(FREE), bytearray(FREE.size_bytes))
    source.start()
    ended = []
    for level in (10, 20, 30):
        assert seen(rig, 1) == [level]
        ended.append(source.ended)
    assert ended == [False, False, True]
    begun_ns = now_ns()
    assert rig.grab(0.05) is None
    assert now_ns() - begun_ns >= 50 * MS
    source.close()
    with source:
        source.open("")
        assert source.ended is False


def test_a_trigger_after_the_end_brings_no_picture(tmp_path: Path) -> None:
    with (rig := opened(numbered(tmp_path, 1), replace(FREE, trigger="software"), loop=False)).source:
        assert rig.shoot() is not None
        assert rig.shoot(0.02) is None


def test_a_slow_reader_loses_what_had_no_buffer_and_sees_what_is_there_now(tmp_path: Path) -> None:
    with (rig := opened(numbered(tmp_path, 20), FREE, "rate")).source:
        assert rig.grab() is not None
        until_ns = now_ns() + 200 * MS
        while now_ns() < until_ns:
            assert rig.source.health().delivered == 1
        grabs = [grab for grab in (rig.grab() for _ in range(12)) if grab is not None]
        health = rig.source.health()
    gaps = sum(grab.gap for grab in grabs)
    assert health.underrun >= 20
    assert gaps == health.gaps > 0
    assert [b.number - a.number for a, b in itertools.pairwise(grabs)][:6] == [1] * 6
    for grab in grabs:
        assert grab.gap == 0 or grab.number > 9


def test_a_recording_comes_with_its_own_moments(tmp_path: Path) -> None:
    numbered(tmp_path, 4)
    rows = "01.png,1000\n02.png,1030\n03.png,1035\n04.png,1065\n"
    (tmp_path / "frames.csv").write_text(f"file,at_ms\n{rows}", encoding="utf-8")
    with (rig := opened(tmp_path, FREE, "recorded")).source:
        grabs = [rig.grab() for _ in range(6)]
    moments = [grab.exposed_at_ns for grab in grabs if grab is not None]
    steps = [(later - earlier) / MS for earlier, later in itertools.pairwise(moments)]
    assert steps == pytest.approx([30, 5, 30, 65 / 3, 30], abs=0.01)
    assert all(grab is not None and grab.received_ns >= grab.exposed_at_ns for grab in grabs)


def test_a_stream_that_was_stopped_goes_on_with_the_next_picture_and_its_moment(tmp_path: Path) -> None:
    numbered(tmp_path, 3)
    rows = "01.png,0\n02.png,20\n03.png,50\n"
    (tmp_path / "frames.csv").write_text(f"file,at_ms\n{rows}", encoding="utf-8")
    with (rig := opened(tmp_path, FREE, "recorded")).source:
        assert seen(rig, 1) == [10]
        rig.source.stop()
        rig.source.start()
        first = rig.grab()
        assert rig.slot[0] == 20
        second = rig.grab()
        assert rig.slot[0] == 30
    assert first is not None
    assert second is not None
    assert (first.epoch, first.number, first.gap) == (2, 1, 0)
    assert (second.exposed_at_ns - first.exposed_at_ns) / MS == pytest.approx(30, abs=0.01)


@pytest.mark.parametrize(
    "pace", [EvenPace(7), RecordedPace((0,), 3), RecordedPace((0, 0, 4, 9), 2), RecordedPace((0, 5), 1)]
)
def test_a_pace_counts_what_its_moments_say(pace: EvenPace | RecordedPace) -> None:
    moments = [pace.moment(number) for number in range(200)]
    assert moments == sorted(moments)
    for until_ns in range(-3, moments[-1]):
        assert pace.count(until_ns) == sum(at_ns <= until_ns for at_ns in moments)


@given(
    pictures=st.integers(1, 5),
    loop=st.booleans(),
    strips=st.integers(1, 3),
    turns=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)), max_size=12),
)
def test_the_shutter_does_what_one_exposure_after_the_other_would(
    pictures: int, loop: bool, strips: int, turns: list[tuple[int, int]]
) -> None:
    pace, buffers = EvenPace(10), 4
    shutter = Shutter(pictures, loop=loop)
    shutter.begin(strips, buffers, pace, 100)
    at_ns, begun, waiting, got = 100, 0, list[tuple[int, int, int, int]](), []
    dropped = 0
    for wait_ns, take in turns:
        at_ns += wait_ns
        while 100 + 10 * begun <= at_ns and (loop or begun < pictures * strips):
            begun += 1
            if len(waiting) < buffers:
                at = (begun - 1) % (pictures * strips)
                waiting.append((begun, 100 + 10 * (begun - 1), at // strips, at % strips))
            else:
                dropped += 1
        shutter.catch_up(at_ns)
        for _ in range(min(take, len(waiting))):
            exposure = shutter.waiting.popleft()
            got.append((exposure.number, exposure.at_ns, exposure.picture, exposure.strip))
            assert got[-1] == waiting.pop(0)
        assert len(shutter.waiting) == len(waiting)
        assert shutter.dropped == dropped


# ---- recordings ----


def sent(picture: npt.NDArray[Any], name: str) -> bytes:
    fmt = FORMATS[name]
    return pack(sense(picture, fmt), fmt)


@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_is_played_bit_for_bit(tmp_path: Path, name: str) -> None:
    random = np.random.default_rng(3)
    frames = [sent(random.integers(0, 65536, (48, 64, 3), np.uint16), name) for _ in range(3)]
    with Recorder(tmp_path / "r") as recorder:
        for number, raw in enumerate(frames):
            at_ns = 10**12 + number * 5 * MS + 7
            recorder.add(Grab(number, 1, 64, 48, name, len(raw), at_ns, None, at_ns, "", 0, False), memoryview(raw))
    profile = replace(FREE, pixel_format=name)  # type: ignore[arg-type]
    with (rig := opened(tmp_path / "r", profile, "recorded")).source:
        grabs = []
        for raw in frames:
            grab = rig.grab()
            assert grab is not None
            grabs.append(grab)
            assert rig.pixels(grab) == raw
    assert grabs[2].exposed_at_ns - grabs[0].exposed_at_ns == 10 * MS


def test_a_camera_s_stream_is_recorded_and_played_again(tmp_path: Path, open_rig: Callable[..., Rig]) -> None:
    profile = Profile("BayerRG8", 160, 120, trigger="off", exposure_us=200, frame_rate_hz=50)
    live, raw = open_rig(profile), []
    with Recorder(tmp_path / "r") as recorder:
        for _ in range(5):
            grab = live.grab()
            assert grab is not None
            raw.append((live.pixels(grab), grab.exposed_at_ns))
            recorder.add(grab, memoryview(live.slot))
        assert recorder.frames == 5
    with (rig := opened(tmp_path / "r", profile, "recorded")).source:
        played = [(rig.pixels(grab), grab.exposed_at_ns) for grab in (rig.grab() for _ in range(5)) if grab is not None]
    assert [pixels for pixels, _ in played] == [pixels for pixels, _ in raw]
    for (_, then_ns), (_, now) in zip(raw, played, strict=True):
        assert (now - played[0][1]) - (then_ns - raw[0][1]) == pytest.approx(0, abs=1000)


def test_a_recording_is_played_in_its_own_format_only(tmp_path: Path) -> None:
    raw = sent(colours(), "BayerRG8")
    with Recorder(tmp_path / "r") as recorder:
        recorder.add(Grab(1, 1, 64, 48, "BayerRG8", len(raw), 5, None, 5, "", 0, False), raw)
    with pytest.raises(BadSettings, match="recorded as BayerRG8"):
        opened(tmp_path / "r", replace(FREE, pixel_format="RGB8"))


def test_a_recording_keeps_the_colour_of_each_place_in_a_smaller_region(tmp_path: Path) -> None:
    raw = sent(colours(), "BayerRG8")
    with Recorder(tmp_path / "r") as recorder:
        recorder.add(Grab(1, 1, 64, 48, "BayerRG8", len(raw), 5, None, 5, "", 0, False), raw)
    profile = replace(FREE, pixel_format="BayerRG8", width=30, height=22)
    with (rig := opened(tmp_path / "r", profile)).source:
        assert rig.grab() is not None
        picture = Developer(DevelopPlan()).develop(memoryview(rig.slot), 30, 22, "BayerRG8")
    middle = colours()[14:36, 18:48]
    assert np.abs(picture[2:-2, 2:-2].astype(int) - middle[2:-2, 2:-2]).max() <= 8


def test_a_recording_that_was_cut_off_can_be_played(tmp_path: Path) -> None:
    raw = sent(colours(), "Mono8")
    recorder = Recorder(tmp_path / "r")
    for number in range(2):
        recorder.add(Grab(number, 1, 64, 48, "Mono8", len(raw), number * MS, None, 5, "", 0, False), raw)
    assert [shot.at_ns for shot in read_sequence(tmp_path / "r")] == [0, MS]
    recorder.close()
    recorder.close()


def test_a_recording_goes_into_a_new_folder_only(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"of somebody")
    with pytest.raises(BadSettings, match="not empty"):
        Recorder(tmp_path)
    with pytest.raises(StoreLost, match=r"old\.png"):
        Recorder(tmp_path / "old.png" / "r")


def test_what_is_no_picture_is_not_recorded(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r") as recorder, pytest.raises(BadPicture, match="Coord3D"):
        recorder.add(Grab(1, 1, 4, 4, "Coord3D_C16", 32, 5, None, 5, "", 0, False), bytes(32))


# ---- what is wrong is said ----


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns nothing"),
        ("file\n01.png\n", "expected file, at_ms"),
        ("file,at_ms,frames\n01.png,0,1\n", "columns file, at_ms, frames"),
        ("file,at_ms\n", "no frames"),
        ("file,at_ms\n01.png,soon\n", "line 2.*soon"),
        ("file,at_ms\n01.png,nan\n", "line 2.*nan"),
        ("file,at_ms\n01.png,0\n../../etc/passwd,1\n", "line 3.*a file beside it"),
        ("file,at_ms\n01.png,0,1\n", "line 2.*as many values"),
        ("file,at_ms,pixel_format\n01.png,0\n", "line 2.*as many values"),
        ("file,at_ms,pixel_format\n01.png,0,Mono9\n", "Mono9"),
        ("file,at_ms,trigger\n01.png,0,x\n", "line 2"),
        ("file,at_ms\n01.png,5\n02.png,4\n", "02.png: at_ms is before"),
    ],
)
def test_an_index_that_cannot_be_true_is_refused(tmp_path: Path, text: str, words: str) -> None:
    numbered(tmp_path, 2)
    (tmp_path / "frames.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=words):
        ReplaySource(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no pictures"):
        ReplaySource(tmp_path)
    with pytest.raises(BadSettings, match="no such folder"):
        ReplaySource(tmp_path / "none")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"trigger": "hardware"}, "trigger = hardware"),
        ({"user_set": "UserSet1"}, "user_set"),
        ({"features": (("Gamma", 1.0),)}, "Gamma: .* no such feature"),
        ({"pixel_format": "YUV422_8", "width": 33}, "Width = 33"),
    ],
)
def test_what_a_folder_cannot_do_is_named(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        opened(numbered(tmp_path, 1), replace(FREE, **changed))


def test_a_broken_picture_is_an_incomplete_frame_and_the_next_ones_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbered(tmp_path, 3)
    (tmp_path / "02.png").write_bytes(b"\x89PNG not really")
    with (rig := opened(tmp_path, FREE)).source:
        assert rig.grab() is not None
        assert rig.grab() is None
        assert rig.source.health().incomplete == 1
        assert seen(rig, 2) == [30, 10]
        assert rig.grab() is None
        assert (rig.source.health().incomplete, rig.source.health().gaps) == (2, 1)
    assert sum("02.png" in record.getMessage() for record in caplog.records) == 1


def test_a_folder_that_is_gone_is_a_lost_camera(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    with (rig := opened(numbered(folder, 2), FREE)).source:
        assert rig.grab() is not None
        folder.rename(tmp_path / "moved")
        with pytest.raises(CameraLost, match="folder is gone"):
            rig.source.probe()
        with pytest.raises(CameraLost, match="folder is gone"):
            rig.grab()


def test_a_picture_that_was_changed_is_read_anew(tmp_path: Path) -> None:
    with (rig := opened(numbered(tmp_path, 1), FREE)).source:
        assert seen(rig, 2) == [10, 10]
        cv2.imwrite(str(tmp_path / "01.png"), np.full((48, 64), 77, np.uint8) + np.eye(48, 64, dtype=np.uint8))
        assert seen(rig, 1) == [78]


def test_triggers_that_wait_have_a_bound(tmp_path: Path) -> None:
    with (rig := opened(numbered(tmp_path, 3), replace(FREE, trigger="software"))).source:
        for _ in range(70):
            rig.source.trigger()
        grabs = [grab for grab in (rig.grab(0.02) for _ in range(66)) if grab is not None]
        assert len(grabs) == 64
        assert rig.source.health().underrun == 6
        after = rig.shoot()
    assert after is not None
    assert (after.number, after.gap) == (71, 6)


@pytest.mark.parametrize("name", ["Mono12p", "YUV422_8", "BayerGB8", "RGB8"])
def test_a_recording_says_what_it_is(tmp_path: Path, name: str) -> None:
    raw = sent(colours(), name)
    with Recorder(tmp_path / "r") as recorder:
        recorder.add(Grab(1, 1, 64, 48, name, len(raw), 5, None, 5, "", 0, False), raw)
    with ReplaySource(tmp_path / "r") as source:
        source.open("")
        assert [feature.value for feature in source.features()] == [64, 48, name]
        assert (source.get("Width"), source.get("PixelFormat")) == (64, name)
        source.configure(replace(FREE, width=32, pixel_format=name))  # type: ignore[arg-type]
        assert source.get("Width") == 32
        with pytest.raises(BadSettings, match="Width = 40: the camera does not let it be written"):
            source.set("Width", 40)


def test_a_folder_says_what_its_first_picture_is(tmp_path: Path) -> None:
    with ReplaySource(numbered(tmp_path, 1)) as source:
        with pytest.raises(CameraLost):
            source.features()
        source.open("")
        assert [feature.value for feature in source.features()] == [64, 48, "Mono8"]
        (tmp_path / "01.png").write_bytes(b"no picture")
        with pytest.raises(CameraLost, match=r"01\.png"):
            source.get("Width")


def test_one_camera_at_a_time(tmp_path: Path) -> None:
    with ReplaySource(numbered(tmp_path, 1)) as source:
        for use in (source.probe, source.trigger, source.start):
            with pytest.raises(CameraLost):
                use()
        source.open("")
        assert [camera.free for camera in source.discover()] == [False]
        with pytest.raises(BadSettings, match="open already"):
            source.open("")
