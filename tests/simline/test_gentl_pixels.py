"""The simulated camera's pixels, byte for byte, against the same picture made here with numpy."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.clock import SECOND
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
from okng.simline.build import build
from okng.simline.scene import Scene

Picture = npt.NDArray[np.uint8]
BACKGROUND = 40
FORMATS = ["Mono8", "BayerRG8", "RGB8"]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    with Scene(tmp_path, "SN0000", 200 * 200 * 3) as made:
        yield made


@pytest.fixture
def shoot(scene: Scene) -> Iterator[Callable[..., Picture]]:
    """profile -> the pixels the camera sends for it, as rows x columns (x 3)."""
    source = GentlSource(build())
    source.open("SN0000")

    def take(profile: Profile, **features: Any) -> Picture:
        source.stop()
        source.configure(profile)
        for name, value in features.items():
            source.set(name, value)
        source.start()
        slot = bytearray(profile.size_bytes)
        source.trigger()
        grab = source.grab(memoryview(slot), 2 * SECOND)
        assert grab is not None
        assert grab.size_bytes == profile.size_bytes
        depth = (3,) if profile.pixel_format == "RGB8" else ()
        return np.frombuffer(bytes(slot), np.uint8).reshape(profile.height, profile.width, *depth)

    yield take
    source.close()


def colours(rows: int, columns: int) -> Picture:
    return np.random.default_rng(7).integers(0, 256, (rows, columns, 3), np.uint8)


def sensor(picture: Picture, pixel_format: str) -> Picture:
    """What a sensor of that format makes of a picture of its own size."""
    if pixel_format == "RGB8":
        return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    if picture.ndim == 2:
        return picture
    wide = picture.astype(np.uint32)
    if pixel_format == "Mono8":
        grey: Picture = ((77 * wide[..., 0] + 150 * wide[..., 1] + 29 * wide[..., 2] + 128) >> 8).astype(np.uint8)
        return grey
    bayer = picture[:, :, 1].copy()
    bayer[0::2, 0::2] = picture[0::2, 0::2, 0]
    bayer[1::2, 1::2] = picture[1::2, 1::2, 2]
    return bayer


def placed(picture: Picture, height: int, width: int, down: int = 0, right: int = 0) -> Picture:
    """The picture centred on a field of background, then moved."""
    field = np.full((height + 800, width + 800, *picture.shape[2:]), BACKGROUND, np.uint8)
    top = 400 + int((height - picture.shape[0]) / 2) + down
    left = 400 + int((width - picture.shape[1]) / 2) + right
    field[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return field[400 : 400 + height, 400 : 400 + width]


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("colour", [False, True])
def test_formats(scene: Scene, shoot: Callable[..., Picture], pixel_format: Any, colour: bool) -> None:
    picture = colours(64, 96)
    shown = picture if colour else picture[:, :, 0].copy()
    scene.show(shown, 1, background=BACKGROUND)
    assert np.array_equal(shoot(Profile(pixel_format, 96, 64)), sensor(shown, pixel_format))


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize(("rows", "columns"), [(64, 96), (40, 50), (101, 133), (64, 51), (63, 200)])
def test_smaller_and_larger_pictures_are_centred(
    scene: Scene, shoot: Callable[..., Picture], pixel_format: Any, rows: int, columns: int
) -> None:
    picture = colours(rows, columns)
    scene.show(picture, 1, background=BACKGROUND)
    expected = sensor(placed(picture, 64, 96), pixel_format)
    found = shoot(Profile(pixel_format, 96, 64))
    if pixel_format == "Mono8":  # the background is a grey level, not a colour that is weighed
        expected = placed(sensor(picture, "Mono8"), 64, 96)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("encoder", "origin", "px_per_count", "right"),
    [
        (100, 100, 0.5, 0),
        (120, 100, 0.5, 10),
        (80, 100, 0.5, -10),
        (120, 100, -1.0, -20),
        (9, 0, 0.0, 0),
        (101, 100, 0.5, 1),
    ],
)
def test_the_belt_moves_the_picture(
    scene: Scene, shoot: Callable[..., Picture], encoder: int, origin: int, px_per_count: float, right: int
) -> None:
    picture = colours(40, 48)[:, :, 0].copy()
    scene.show(picture, 1, origin=origin, px_per_count=px_per_count, background=BACKGROUND)
    scene.set_encoder(encoder)
    assert np.array_equal(shoot(Profile("Mono8", 96, 64)), placed(picture, 64, 96, right=right))


@pytest.mark.parametrize("encoder", [10**6, -(10**6), 10**15])
def test_a_part_far_away_is_out_of_sight(scene: Scene, shoot: Callable[..., Picture], encoder: int) -> None:
    scene.show(colours(40, 48), 1, px_per_count=1.0, background=BACKGROUND)
    scene.set_encoder(encoder)
    assert np.all(shoot(Profile("RGB8", 96, 64)) == BACKGROUND)


def test_offsets_move_the_region_over_the_picture(scene: Scene, shoot: Callable[..., Picture]) -> None:
    picture = colours(64, 96)
    scene.show(picture, 1, background=BACKGROUND)
    found = shoot(Profile("RGB8", 96, 64, offset_x=8, offset_y=6))
    assert np.array_equal(found, placed(picture, 64, 96, down=-6, right=-8))
    assert np.array_equal(shoot(Profile("RGB8", 96, 64)), picture)


@pytest.mark.parametrize(
    ("exposure_us", "gain_db", "factor"),
    [(1000.0, 0.0, 1.0), (500.0, 0.0, 0.5), (1000.0, 6.0, 10**0.3), (250.0, 12.0, 10**0.6 / 4)],
)
def test_exposure_and_gain_change_brightness(
    scene: Scene, shoot: Callable[..., Picture], exposure_us: float, gain_db: float, factor: float
) -> None:
    picture = colours(64, 96)
    scene.show(picture, 1, reference_exposure_us=1000.0)
    found = shoot(Profile("RGB8", 96, 64, exposure_us=exposure_us, gain_db=gain_db))
    assert np.array_equal(found, np.minimum(255, np.floor(picture * factor + 0.5)).astype(np.uint8))


def test_without_a_reference_they_change_nothing(scene: Scene, shoot: Callable[..., Picture]) -> None:
    picture = colours(64, 96)
    scene.show(picture, 1)
    assert np.array_equal(shoot(Profile("RGB8", 96, 64, exposure_us=3000, gain_db=20)), picture)


def test_noise_has_its_amplitude_grows_with_gain_and_is_repeatable(scene: Scene, shoot: Callable[..., Picture]) -> None:
    flat = np.full((64, 96), 120, np.uint8)
    scene.show(flat, 5, noise=4, reference_exposure_us=1000.0)
    first = shoot(Profile("Mono8", 96, 64)).astype(int) - 120
    assert (first.min(), first.max()) == (-4, 4)
    assert abs(first.mean()) < 0.3
    assert np.array_equal(shoot(Profile("Mono8", 96, 64)).astype(int) - 120, first)  # frame 1 of scene 5 again
    scene.show(flat, 6, noise=4, reference_exposure_us=1000.0)
    assert not np.array_equal(shoot(Profile("Mono8", 96, 64)).astype(int) - 120, first)
    loud = shoot(Profile("Mono8", 96, 64, exposure_us=250.0, gain_db=12.0)).astype(int)
    assert loud.max() - loud.min() >= 28


def test_a_scene_that_grows_while_it_is_looked_at_is_seen_whole(
    scene: Scene, shoot: Callable[..., Picture], tmp_path: Path
) -> None:
    scene.show(colours(64, 96), 1)
    shoot(Profile("RGB8", 96, 64))
    big = colours(400, 600)
    with Scene(tmp_path, "SN0000", 400 * 600 * 3) as grown:
        grown.show(big, 2)
        assert np.array_equal(shoot(Profile("RGB8", 600, 400)), big)


def test_a_writer_stuck_in_the_middle_does_not_stop_the_camera(
    scene: Scene, shoot: Callable[..., Picture], tmp_path: Path
) -> None:
    scene.show(colours(64, 96), 1)
    with (tmp_path / "SN0000.scene").open("r+b") as file:
        file.seek(12)
        file.write((1).to_bytes(4, "little"))
    assert shoot(Profile("RGB8", 96, 64)).shape == (64, 96, 3)


def test_the_size_of_the_scene_is_the_size_at_power_up(scene: Scene, tmp_path: Path) -> None:
    scene.show(colours(63, 98), 1, reference_exposure_us=777.0)
    with GentlSource(build()) as source:
        source.open("SN0000")
        assert [source.get(name) for name in ("Width", "Height", "PixelFormat")] == [96, 62, "RGB8"]
        assert source.get("ExposureTime") == 777.0
        assert source.get("PayloadSize") == 96 * 62 * 3


def test_without_a_world_there_is_one_camera_with_a_test_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OKNG_SIM", raising=False)
    profile = Profile("Mono8", 1280, 1024)
    with GentlSource(build()) as source:
        assert [camera.serial for camera in source.discover()] == ["SN0000"]
        source.open("")
        source.configure(replace(profile, trigger="off"))
        source.start()
        slot = bytearray(profile.size_bytes)
        assert source.grab(memoryview(slot), 2 * SECOND) is not None
    pattern = np.frombuffer(bytes(slot), np.uint8).reshape(1024, 1280)
    assert pattern[:, 1000].mean() > pattern[:, 100].mean() > 10


def test_a_folder_without_scenes_has_no_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    (tmp_path / "notes.txt").write_text("no camera")
    (tmp_path / "broken.scene").write_bytes(b"not a scene" * 1000)
    (tmp_path / ".scene").write_bytes(b"")
    assert GentlSource(build()).discover() == []


def test_there_are_as_many_cameras_as_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    serials = [f"CAM{number:02}" for number in (7, 1, 3, 12)]
    scenes = [Scene(tmp_path, serial, 64) for serial in serials]
    source = GentlSource(build())
    assert [camera.serial for camera in source.discover()] == sorted(serials)
    scenes[0].fault("unplug")
    assert [camera.serial for camera in source.discover()] == sorted(serials[1:])
    for each in scenes:
        each.close()
