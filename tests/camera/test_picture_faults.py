"""Black, white and frozen pictures are told from dark fields, bright fields and still scenes."""

from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.clock import MS, SECOND
from okng.bus.messages import Health
from okng.camera.condition import Condition
from okng.camera.frozen import PROOF, FrozenWatch
from okng.camera.options import CameraOptions
from okng.camera.picture_faults import ADVICE, LOST_AS, Limits, PictureFaults, grid_of, high_bytes
from okng.camera.picture_faults import light_of as light_of_grid
from okng.camera.profiles import Profile
from okng.camera.source import Grab
from okng.imaging.formats import FORMATS, PixelFormat

Bytes = npt.NDArray[np.uint8]
LIMITS = Limits(2, 254)
NOISE = np.random.default_rng(7)
WIDTH, HEIGHT = 320, 240


def light_of(pixels: Bytes, name: str, limits: Limits = LIMITS) -> str:
    return light_of_grid(pixels, FORMATS[name], limits, grid_of(pixels, FORMATS[name]))


def packed(samples: npt.NDArray[np.uint16], name: str) -> Bytes:
    """Samples of the format's depth as its bytes, an even number of pixels; a reference with no cleverness."""
    of = FORMATS[name]
    if of.packing == "packed":
        shift = of.depth_bits - 8
        one, two = samples[0::2], samples[1::2]
        low = (one & (1 << shift) - 1) | (two & (1 << shift) - 1) << 4
        return np.stack([one >> shift, low, two >> shift], axis=1).astype(np.uint8).reshape(-1)
    if of.packing == "p":
        bits = (samples[:, None] >> np.arange(of.depth_bits)) & 1
        return np.packbits(bits.reshape(-1).astype(np.uint8), bitorder="little")
    if of.depth_bits > 8:
        return samples.astype("<u2").view(np.uint8)
    return np.repeat(samples.astype(np.uint8), of.bits_per_pixel // 8)


@pytest.mark.parametrize("name", get_args(PixelFormat))
def test_in_every_format_black_is_black_and_white_is_white(name: str) -> None:
    top = (1 << FORMATS[name].depth_bits) - 1
    for level, found in ((0, "black"), (top, "overexposed"), (top // 2, "")):
        pixels = packed(np.full(WIDTH * HEIGHT, level, np.uint16), name)
        assert pixels.size == FORMATS[name].payload_bytes(WIDTH, HEIGHT)
        assert light_of(pixels, name) == found, level


@pytest.mark.parametrize("name", ["Mono8", "Mono10", "Mono10p", "Mono10Packed", "Mono12p", "Mono12Packed", "Mono16"])
def test_the_high_bytes_are_the_high_bits(name: str) -> None:
    depth = FORMATS[name].depth_bits
    samples = NOISE.integers(0, 1 << depth, 1024, np.uint16)
    found = high_bytes(packed(samples, name), FORMATS[name])
    assert set(found.tolist()) <= set((samples >> depth - 8).tolist())
    assert found.size >= 256


def test_a_dark_field_with_one_bright_speck_is_a_picture() -> None:
    picture = np.zeros((HEIGHT * 4, WIDTH * 4), np.uint8)
    assert light_of(picture.reshape(-1), "Mono8") == "black"
    picture[401:405, 803:807] = 90
    assert light_of(picture.reshape(-1), "Mono8") == "", "16 pixels of 1.2 million"
    picture[:] = 0
    picture[401, 803:807] = 255
    assert light_of(picture.reshape(-1), "Mono8") == "black", "four hot pixels are no light"


def test_a_bright_field_with_one_dark_part_is_a_picture() -> None:
    picture = np.full((HEIGHT * 4, WIDTH * 4), 255, np.uint8)
    assert light_of(picture.reshape(-1), "Mono8") == "overexposed"
    picture[401:405, 803:807] = 90
    assert light_of(picture.reshape(-1), "Mono8") == ""


def test_the_limits_can_be_switched_off() -> None:
    black, white = np.zeros(10_000, np.uint8), np.full(10_000, 255, np.uint8)
    off = Limits(-1, 256)
    assert light_of(black, "Mono8", off) == light_of(white, "Mono8", off) == ""


def scene(at: int = 0, noise: float = 0.0) -> Bytes:
    """A part at that place before a still background, with a sensor's noise."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = 60.0 + 20 * np.sin(columns / 17) + 10 * np.cos(rows / 11)
    picture[80:160, at : at + 60] = 180
    if noise:
        picture = picture + NOISE.normal(0, noise, picture.shape)
    return np.asarray(np.clip(picture, 0, 255), np.uint8).reshape(-1)


def looks(watch: FrozenWatch, pictures: list[Bytes]) -> list[bool]:
    return [watch.is_frozen(picture, picture) for picture in pictures]


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0])
def test_a_noisy_sensor_that_freezes_is_seen_at_its_first_frozen_frame(noise: float) -> None:
    watch = FrozenWatch("auto")
    assert not any(looks(watch, [scene(at % 200, noise) for at in range(0, 10 * PROOF, 7)]))
    assert watch.armed
    last = scene(50, noise)
    assert looks(watch, [last, last.copy(), last.copy()]) == [False, True, True]
    assert looks(watch, [scene(50, noise)]) == [False]


@pytest.mark.parametrize("step", [0, 1, 13])
def test_without_noise_it_is_never_a_fault(step: int) -> None:
    watch = FrozenWatch("auto")
    moving = [scene(at * step % 200) for at in range(120)]
    assert not any(looks(watch, [each for picture in moving for each in (picture, picture)]))
    assert not any(looks(watch, moving))
    assert not watch.armed


@pytest.mark.parametrize("step", [1, 3])
def test_a_line_without_noise_that_stops_after_long_is_no_fault(step: int) -> None:
    watch = FrozenWatch("auto")
    moving = [scene(at * step) for at in range(4 * PROOF)]
    assert not any(looks(watch, moving))
    assert not watch.armed, "the background stood still"
    assert looks(watch, [moving[-1]] * 3) == [False] * 3


def test_a_replay_of_a_few_noisy_pictures_is_never_a_fault() -> None:
    watch = FrozenWatch("auto")
    folder = [scene(30, 2.0) for _ in range(PROOF - 4)]
    assert not any(looks(watch, folder * 10))
    assert not any(looks(watch, [folder[0], folder[0]]))


def test_a_replay_that_has_come_round_disarms_what_its_noise_has_armed() -> None:
    watch = FrozenWatch("auto")
    folder = [scene(30, 2.0) for _ in range(3 * PROOF)]
    assert not any(looks(watch, folder * 2))
    assert not watch.armed
    assert looks(watch, [folder[3], folder[3]]) == [False, False]


def test_it_can_be_decided() -> None:
    still = [scene()] * 3
    assert looks(FrozenWatch("on"), still) == [False, True, True]
    assert looks(FrozenWatch("off"), still) == [False, False, False]
    assert CameraOptions(must_differ=True).must_differ == "on"  # type: ignore[arg-type]
    assert CameraOptions(must_differ=False).must_differ == "off"  # type: ignore[arg-type]
    assert CameraOptions().must_differ == "auto"


GRAB = Grab(1, 1, WIDTH, HEIGHT // 4, "Mono8", WIDTH * HEIGHT // 4, 0, None, 0, "", 0, False)


def test_the_measures_are_those_of_one_frame_of_the_profile() -> None:
    profile = Profile("Mono8", WIDTH, HEIGHT, frames=4)
    faults = PictureFaults(profile, CameraOptions(), FrozenWatch("auto"))
    assert faults.of_frame(GRAB) == ""
    wrong = (replace(GRAB, width=WIDTH + 4), replace(GRAB, pixel_format="Mono16"), replace(GRAB, size_bytes=0))
    assert [faults.of_frame(each) for each in wrong] == ["wrong size"] * 3
    assert faults.of_frame(replace(GRAB, repeated=True)) == "repeated"
    assert faults.of_pixels(memoryview(bytes(WIDTH * HEIGHT))) == "black"
    assert faults.of_pixels(memoryview(scene().tobytes())) == ""


def test_each_fault_says_what_to_do() -> None:
    assert all(": " in advice and advice[0].islower() for advice in ADVICE.values())
    assert set(LOST_AS) <= set(ADVICE)


def how(condition: Condition) -> Health:
    return condition.health


def test_a_condition_is_earned_back_by_a_good_picture() -> None:
    condition = Condition(self_testing=True)
    assert how(condition) is Health.STARTING
    condition.passed(0)
    assert (how(condition), condition.detail) == (Health.READY, "")
    condition.blame("black", SECOND)
    assert (how(condition), condition.detail) == (Health.FAULT, ADVICE["black"])
    condition.turn(100 * SECOND)
    assert how(condition) is Health.FAULT, "it can be tested, so it is not tried on a part"
    assert not condition.wants_setup, "no set-up lights a lamp"
    condition.passed(101 * SECOND)
    assert how(condition) is Health.READY


def test_what_cannot_be_tested_is_tried_on_a_part_more_and_more_seldom() -> None:
    condition = Condition(self_testing=False)
    assert how(condition) is Health.READY
    waits, at_ns = [], 0
    for _ in range(4):
        condition.blame("black", at_ns)
        begun = at_ns
        while how(condition) is Health.FAULT:
            at_ns += 100 * MS
            condition.turn(at_ns)
        waits.append(round((at_ns - begun) / SECOND))
    assert waits == [2, 4, 8, 16]


def test_bad_pictures_in_a_row_ask_for_a_set_up_less_and_less_often() -> None:
    condition = Condition(self_testing=True)
    asked = []
    for at in range(1, 50):
        for frame in range(3):
            condition.blame("wrong size", at * SECOND + frame)
        if condition.wants_setup:
            asked.append(at)
            condition.set_up_again(at * SECOND)
    assert asked == [5, 15, 35]
    assert how(condition) is Health.FAULT


def test_parts_without_a_picture_in_a_row_are_a_fault_one_is_not() -> None:
    condition = Condition(self_testing=True)
    condition.passed(0)
    for at in range(4):
        condition.missing(at)
    assert how(condition) is Health.READY
    condition.missing(5)
    assert (how(condition), condition.detail) == (Health.FAULT, ADVICE["silent"])
    assert not condition.wants_setup
    for at in range(1, 5):
        condition.missing(at * SECOND)
    assert condition.wants_setup, "somebody may have set its trigger otherwise"


def test_after_pictures_nobody_asked_for_none_is_believed_for_a_while() -> None:
    condition = Condition(self_testing=True)
    condition.passed(0)
    condition.unasked(10 * MS, 2)
    assert not condition.distrusts(11 * MS)
    condition.unasked(20 * MS, 2)
    assert how(condition) is Health.FAULT
    assert condition.distrusts(500 * MS)
    condition.passed(500 * MS)
    assert how(condition) is Health.FAULT
    condition.passed(600 * MS)
    assert how(condition) is Health.READY
    condition.unasked(5 * SECOND, 2)
    assert how(condition) is Health.READY, "one alone"
