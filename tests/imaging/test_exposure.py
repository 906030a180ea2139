"""The exposure proposal lands in four steps from anywhere, or says why it cannot."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from okng.bus.clock import SECOND
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
from okng.imaging.exposure import ExposureLimits, ExposureTarget, propose
from okng.imaging.histogram import histogram_of
from okng.imaging.picture import Picture
from okng.simline.build import build
from okng.simline.parts import render
from okng.simline.scene import Scene

LIMITS = ExposureLimits(shortest_us=10, longest_us=20_000, lowest_db=0, highest_db=18)
SERIAL = "SN0000"
STEPS = 4


def sensor(exposure_us: float, gain_db: float, per_us: float, seed: int = 0) -> Picture:
    """A linear sensor that clips, looking at a part; per_us: light."""
    scene = np.asarray(render(4, 1, None, 160, 120).picture, np.float32) / 255
    level = scene * exposure_us * per_us * 10 ** (gain_db / 20)
    grain = np.random.default_rng(seed).normal(0, 1.0, level.shape)
    return np.asarray(np.clip(np.rint(level + grain), 0, 255), np.uint8)


def well_exposed(picture: Picture) -> bool:
    """What the target asks for: 95 % at 200 of 255, or as far as highlights allow; less than 0.1 % clipped."""
    channel = histogram_of(picture)[0]
    near = 180 <= channel.level(0.95) <= 215 or channel.level(0.999) >= 235
    return near and channel.high <= 0.001


@pytest.mark.parametrize("start_us", [10, 60, 300, 1500, 6000, 20_000])
@pytest.mark.parametrize("per_us", [0.02, 0.1, 0.6, 2.0])
def test_four_steps_from_any_start(start_us: float, per_us: float) -> None:
    exposure, gain = float(start_us), 0.0
    for step in range(STEPS + 1):
        picture = sensor(exposure, gain, per_us, step)
        proposal = propose(picture, exposure, gain, LIMITS)
        if proposal.reached:
            break
        assert proposal.possible, proposal.words
        exposure, gain = proposal.exposure_us, proposal.gain_db
    assert proposal.reached, proposal.words
    assert well_exposed(picture)
    assert (proposal.exposure_us, proposal.gain_db) == (exposure, gain)


def test_gain_only_where_the_longest_exposure_is_not_enough() -> None:
    dim = propose(sensor(1000, 0, 0.02), 1000, 0, LIMITS)
    assert dim.exposure_us < 20_000
    assert dim.gain_db == 0
    dark = propose(sensor(5000, 0, 0.005), 5000, 0, LIMITS)
    assert dark.exposure_us == 20_000
    assert dark.gain_db > 3
    bright = propose(sensor(20_000, 12, 0.5), 20_000, 12, LIMITS)
    assert (bright.gain_db, bright.possible) == (0, True)


def test_it_says_why_it_cannot() -> None:
    dark = propose(sensor(20_000, 18, 0.0004), 20_000, 18, LIMITS)
    assert not dark.possible
    assert not dark.reached
    assert dark.words.startswith("too dark at the longest exposure of 20000 us and 18 dB gain")
    assert (dark.exposure_us, dark.gain_db) == (20_000, 18)
    bright = propose(sensor(10, 0, 80.0), 10, 0, LIMITS)
    assert not bright.possible
    assert bright.words.startswith("too bright at the shortest exposure of 10 us and 0 dB gain")


def test_highlights_bind_before_the_target() -> None:
    picture = np.full((100, 100), 100, np.uint8)
    picture[:2, :50] = 240
    proposal = propose(picture, 1000, 0, LIMITS)
    assert (proposal.exposure_us, proposal.reached) == (1000, True)
    assert "highlights allow no more" in proposal.words


def test_only_the_box_counts() -> None:
    picture = np.full((100, 100), 255, np.uint8)
    picture[40:60, 40:60] = 50
    inside = propose(picture, 100, 0, LIMITS, box=(40, 40, 20, 20))
    assert inside.exposure_us == pytest.approx(400)
    assert propose(picture, 100, 0, LIMITS).exposure_us < 100


def test_the_brightest_colour_decides() -> None:
    picture = np.full((50, 50, 3), (40, 200, 90), np.uint8)
    assert propose(picture, 700, 0, LIMITS).reached


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the shorter one first"):
        ExposureLimits(shortest_us=100, longest_us=10)
    with pytest.raises(ValueError, match="expected the lower one first"):
        ExposureLimits(lowest_db=3, highest_db=0)
    with pytest.raises(ValueError, match="exposure_us = 0: expected more than 0"):
        propose(np.zeros((4, 4), np.uint8), 0, 0)


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[GentlSource]:
    """The simulated camera before a part that is at 120 of 255 at 1000 us."""
    folder = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))
    monkeypatch.setenv("OKNG_SIM", str(folder))
    try:
        picture = np.asarray(render(4, 1, None, 160, 120).picture // 2, np.uint8)
        with Scene(folder, SERIAL, picture.size) as scene, GentlSource(build()) as source:
            scene.show(picture, 1, noise=2, reference_exposure_us=1000)
            source.open(SERIAL)
            yield source
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(("exposure_us", "gain_db"), [(30.0, 0.0), (15_000.0, 0.0), (400.0, 20.0)])
def test_four_steps_on_the_simulated_camera(camera: GentlSource, exposure_us: float, gain_db: float) -> None:
    profile = Profile("Mono8", 160, 120, trigger="software", exposure_us=exposure_us, gain_db=gain_db)
    taken = []
    for _ in range(STEPS + 1):
        camera.configure(profile)
        camera.start()
        slot = bytearray(profile.size_bytes)
        camera.trigger()
        assert camera.grab(memoryview(slot), 2 * SECOND) is not None
        camera.stop()
        picture = np.frombuffer(slot, np.uint8).reshape(120, 160)
        proposal = propose(picture, profile.exposure_us, profile.gain_db, LIMITS, ExposureTarget())
        taken.append(proposal)
        if proposal.reached:
            break
        profile = replace(profile, exposure_us=proposal.exposure_us, gain_db=proposal.gain_db)
    assert taken[-1].reached, [each.words for each in taken]
    assert well_exposed(picture)
