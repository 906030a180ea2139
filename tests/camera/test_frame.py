"""Whoever reads the ring gets the same picture, by the plan that travels with it, or none."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadPicture, BadRecipe
from okng.bus.messages import FrameReady
from okng.bus.ring import RingShelf, RingWriter
from okng.camera.frame import make_ready, read_frame, read_picture, to_picture
from okng.imaging.correction import reference_png
from okng.imaging.develop import Developer
from okng.imaging.formats import FORMATS
from okng.imaging.plan import DevelopPlan, read_written

WIDTH, HEIGHT = 64, 48


class Camera:
    """Writes pictures and announces them, as the camera process does."""

    def __init__(self, folder: Path, name: str = "top", slots: int = 4) -> None:
        self.folder, self.name = folder, name
        self.ring = RingWriter(folder, name, slots, WIDTH * HEIGHT * 3)
        self.part = 0

    def shoot(self, pixels: bytes, pixel_format: str, develop: str = "") -> FrameReady:
        self.part += 1
        slot, into = self.ring.begin()
        into[: len(pixels)] = pixels
        sequence = self.ring.commit(slot, part=self.part, number=self.part, epoch=1, size=len(pixels))
        return FrameReady(
            part=self.part,
            camera=self.name,
            ring=self.ring.name,
            slot=slot,
            sequence=sequence,
            number=self.part,
            epoch=1,
            width=WIDTH,
            height=HEIGHT,
            pixel_format=pixel_format,
            size_bytes=len(pixels),
            triggered_at_ns=5,
            exposed_at_ns=6,
            device_ns=None,
            received_ns=7,
            ready_ns=8,
            taken_at="2026-01-01T00:00:00Z",
            develop=develop,
        )


def noise(pixel_format: str, seed: int = 0) -> bytes:
    size = FORMATS[pixel_format].payload_bytes(WIDTH, HEIGHT)
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    return Camera(tmp_path)


def read(camera: Camera, ready: FrameReady) -> npt.NDArray[np.uint8] | None:
    return read_picture(RingShelf(camera.folder), ready)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_format_goes_through_the_ring(camera: Camera, pixel_format: str) -> None:
    raw = noise(pixel_format)
    ready = camera.shoot(raw, pixel_format)
    picture = read(camera, ready)
    assert picture is not None
    assert picture.shape[:2] == (HEIGHT, WIDTH)
    assert picture.ndim == (2 if FORMATS[pixel_format].colour == "grey" else 3)
    assert np.array_equal(picture, to_picture(raw, WIDTH, HEIGHT, pixel_format))
    picture[:] = 0  # the reader's own: the ring is mapped for reading, writing to it would be a crash


def test_the_plan_that_travels_with_the_picture_is_the_one_used(camera: Camera) -> None:
    raw = noise("BayerRG12p")
    dark = reference_png([np.full((HEIGHT, WIDTH), 100, np.uint16)], 12)
    plan = DevelopPlan(dark=dark, white_balance=(1.5, 1.0, 2.0), levels=(16, 3000), crop=(8, 4, 40, 32))
    ready = camera.shoot(raw, "BayerRG12p", plan.write(camera.folder))
    picture = read(camera, ready)
    assert picture is not None
    assert picture.shape == (32, 40, 3)
    assert np.array_equal(picture, Developer(plan).develop(raw, WIDTH, HEIGHT, "BayerRG12p"))
    plain = read(camera, replace(ready, develop=""))
    assert plain is not None
    assert plain.shape == (HEIGHT, WIDTH, 3)


def test_what_is_known_of_a_frame_comes_with_it(camera: Camera) -> None:
    plan = DevelopPlan(crop=(0, 0, 16, 16))
    found = read_frame(RingShelf(camera.folder), camera.shoot(noise("Mono8"), "Mono8", plan.write(camera.folder)))
    assert found is not None
    assert found.picture.shape == (16, 16)
    assert (found.part, found.camera, found.number, found.epoch, found.exposed_at_ns) == (1, "top", 1, 1, 6)


def test_an_overwritten_picture_and_a_ring_that_went_are_gone(camera: Camera) -> None:
    first = camera.shoot(noise("Mono8"), "Mono8")
    shelf = RingShelf(camera.folder)
    assert read_picture(shelf, first) is not None
    for seed in range(4):
        last = camera.shoot(noise("Mono8", seed), "Mono8")
    assert read_picture(shelf, first) is None
    assert read_frame(shelf, first) is None
    assert read_picture(shelf, last) is not None
    camera.ring.close()
    assert read_picture(RingShelf(camera.folder), last) is None


def test_a_picture_that_is_overwritten_while_it_is_developed_is_gone(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = camera.shoot(noise("BayerRG8"), "BayerRG8")
    develop = Developer.develop

    def slowly(self: Developer, raw: memoryview, *said: object) -> npt.NDArray[np.uint8]:
        picture = develop(self, raw, *said)  # type: ignore[arg-type]
        for seed in range(4):
            camera.shoot(noise("BayerRG8", seed), "BayerRG8")
        return picture

    monkeypatch.setattr(Developer, "develop", slowly)
    assert read(camera, ready) is None


def test_without_its_plan_a_picture_means_nothing(camera: Camera) -> None:
    name = DevelopPlan(crop=(0, 0, 16, 16)).write(camera.folder)
    ready = camera.shoot(noise("Mono8"), "Mono8", name)
    whole = (camera.folder / name).read_bytes()
    (camera.folder / name).write_bytes(whole[:-2])
    with pytest.raises(BadPicture, match="damaged"):
        read(camera, ready)
    (camera.folder / name).unlink()
    with pytest.raises(BadPicture, match="No such file"):
        read(camera, ready)
    (camera.folder / name).write_bytes(whole)
    assert read(camera, ready) is not None  # and what failed is not remembered


def test_what_does_not_fit_is_no_picture(camera: Camera) -> None:
    ready = camera.shoot(noise("Mono8"), "Mono8", DevelopPlan(crop=(60, 0, 16, 16)).write(camera.folder))
    with pytest.raises(BadPicture, match=r"crop: 16x16 at 60,0: expected to lie inside 64x48"):
        read(camera, ready)
    with pytest.raises(BadPicture, match="expected 6144 bytes, got 3072"):
        read(camera, replace(ready, pixel_format="Mono12", develop=""))
    with pytest.raises(BadPicture, match="pixel format Depth: expected one of Mono8"):
        read(camera, replace(ready, pixel_format="Depth", develop=""))


def test_a_plan_is_read_once_and_two_are_kept_for_each_camera(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(folder: Path, name: str) -> DevelopPlan:
        asked.append(name)
        return read_written(folder, name)

    monkeypatch.setattr("okng.camera.frame.read_written", counted)
    names = [DevelopPlan(crop=(0, at, 16, 16)).write(camera.folder) for at in range(3)]
    other = Camera(camera.folder, "side")
    for _ in range(3):
        for name in names[:2]:
            for each in (camera, other):
                assert read(each, each.shoot(noise("Mono8"), "Mono8", name)) is not None
    assert sorted(asked) == sorted(names[:2] * 2)
    asked.clear()
    for name in (names[2], names[1], names[2], names[0]):  # a third: the oldest goes
        assert read(camera, camera.shoot(noise("Mono8"), "Mono8", name)) is not None
    assert asked == [names[2], names[0]]


def test_the_work_is_done_before_the_first_picture(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = DevelopPlan(levels=(3, 200))
    make_ready(camera.folder, "top", plan, WIDTH, HEIGHT, "Mono8")
    monkeypatch.setattr("okng.camera.frame.read_written", None)  # the file is not even looked at
    assert read(camera, camera.shoot(noise("Mono8"), "Mono8", plan.name)) is not None
    make_ready(camera.folder, "top", DevelopPlan(), WIDTH, HEIGHT, "Mono8")
    with pytest.raises(BadRecipe, match=r"levels: .*expected within"):
        make_ready(camera.folder, "top", DevelopPlan(levels=(0, 300)), WIDTH, HEIGHT, "Mono8")


def test_threads_of_one_process_read_at_once(camera: Camera) -> None:
    plan = DevelopPlan(flat=reference_png([np.full((HEIGHT, WIDTH), 99, np.uint8)], 8), crop=(4, 4, 32, 32))
    name, raw = plan.write(camera.folder), noise("BayerGB8")
    ready = camera.shoot(raw, "BayerGB8", name)
    wanted = Developer(plan).develop(raw, WIDTH, HEIGHT, "BayerGB8")
    right: list[bool] = []

    def work() -> None:
        shelf = RingShelf(camera.folder)
        for _ in range(50):
            picture = read_picture(shelf, ready)
            right.append(picture is not None and np.array_equal(picture, wanted))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 200


WRITER = """
import pathlib, sys, time
from okng.bus.ring import RingWriter
size = 640 * 480 * 3 // 2
ring = RingWriter(pathlib.Path(sys.argv[1]), "top", 2, size)
def put(value):
    slot, pixels = ring.begin()
    pixels[:] = bytes((value & 255, value >> 8 | (value & 15) << 4, value >> 4)) * (size // 3)
    return slot, ring.commit(slot, part=1, number=1, epoch=1, size=size)
print(ring.name, flush=True)
for n, _ in enumerate(sys.stdin):
    value = n * 37 % 4096
    print(*put(value), value, flush=True)
    time.sleep(n % 16 * 0.0003)
    put(4095 - value)
    put(value ^ 2048)  # into the same slot
"""


def test_no_picture_is_developed_of_two_frames(tmp_path: Path) -> None:
    """A writer in another process comes round sooner or later; each frame is of one grey level, and so its picture."""
    plan = DevelopPlan(levels=(0, 4095), crop=(0, 0, 640, 470))
    name, shelf = plan.write(tmp_path), RingShelf(tmp_path)
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdin=pipe, stdout=pipe, text=True)
    right = refused = 0
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        ring = child.stdout.readline().strip()
        known = Camera(tmp_path, "other").shoot(noise("Mono8"), "Mono8")
        for part in range(1, 601):
            child.stdin.write("next\n")
            child.stdin.flush()
            slot, sequence, value = (int(word) for word in child.stdout.readline().split())
            ready = replace(
                known,
                part=part,
                camera="top",
                ring=ring,
                slot=slot,
                sequence=sequence,
                width=640,
                height=480,
                pixel_format="BayerRG12p",
                size_bytes=640 * 480 * 3 // 2,
                develop=name,
            )
            picture = read_picture(shelf, ready)
            if picture is None:
                refused += 1
                continue
            right += 1
            assert picture.shape == (470, 640, 3)
            assert picture.min() == picture.max() == round(value * 255 / 4095)
    finally:
        child.kill()
        child.communicate()
    assert right + refused == 600
    assert right > 0
    assert refused > 0  # the race really took place
