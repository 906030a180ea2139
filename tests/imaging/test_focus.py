"""The focus meter rises to the sharpest picture, holds it as the peak, and says when the person has turned too far."""

import cv2
import numpy as np
import pytest

from okng.imaging.focus import FocusMeter
from okng.imaging.picture import Picture
from okng.imaging.sharpness import noise_energy, sharpness
from okng.simline.parts import render


def through(sigma: float, seed: int = 1, light: float = 1.0, noise: float = 1.5) -> Picture:
    """A part through a lens that is out of focus by so many px."""
    seen = np.asarray(render(1, 3, None, 320, 240).picture, np.float32) * np.float32(light)
    if sigma:
        seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), sigma), np.float32)
    grain = np.random.default_rng(seed).normal(0, noise, seen.shape)
    return np.asarray(np.clip(np.rint(seen + grain), 0, 255), np.uint8)


def test_turning_through_the_best_focus_and_past_it() -> None:
    meter = FocusMeter((20, 10, 280, 220))
    way = [8.0, 6.0, 4.5, 3.0, 2.0, 1.2, 0.6, 0.0, 0.8, 1.5, 2.5, 4.0]
    read = [meter.add(through(sigma, at)) for at, sigma in enumerate(way)]
    values = [each.value for each in read]
    best = way.index(0.0)
    assert values[: best + 1] == sorted(values[: best + 1])
    assert max(values) == values[best]
    assert [each.trend for each in read[1 : best + 1]] == ["rising"] * best
    assert read[best].share == 1.0
    assert [each.peak for each in read[best:]] == [values[best]] * (len(way) - best)
    assert {each.trend for each in read[best + 1 :]} == {"past the peak"}
    assert read[-1].share < 0.5


def test_a_still_lens_reads_steady_whatever_the_noise() -> None:
    meter = FocusMeter()
    read = [meter.add(through(1.0, seed)) for seed in range(8)]
    assert {each.trend for each in read} == {"steady"}
    assert min(each.share for each in read) > 0.97


def test_a_reset_forgets_the_peak() -> None:
    meter = FocusMeter()
    sharp = meter.add(through(0))
    assert meter.add(through(3)).peak == sharp.peak
    meter.reset()
    blurred = meter.add(through(3))
    assert blurred.peak == blurred.value < sharp.value
    assert blurred.trend == "steady"


def test_a_picture_with_nothing_in_it_is_not_sharp() -> None:
    reading = FocusMeter().add(np.full((100, 100), 80, np.uint8))
    assert (reading.value, reading.peak, reading.share) == (0.0, 0.0, 0.0)


def test_a_box_that_is_too_small_or_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 20 or more each way"):
        FocusMeter((0, 0, 10, 50))
    with pytest.raises(ValueError, match="expected to lie inside the picture of 320x240"):
        FocusMeter((300, 0, 40, 40)).add(through(0))


@pytest.mark.parametrize(("light", "noise"), [(0.7, 1.5), (1.15, 1.5), (1.0, 4.0)])
def test_sharpness_follows_neither_the_lamp_nor_the_noise(light: float, noise: float) -> None:
    still, changed = (
        sharpness(seen, np.sqrt(noise_energy(seen[:40, :60]))) for seen in (through(0.5), through(0.5, 2, light, noise))
    )
    assert changed == pytest.approx(still, rel=0.06)
    assert sharpness(through(1.5), 1.5) < 0.75 * still
