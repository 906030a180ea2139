"""A reference picture means the same when it is read as when it was made, and makes an even sheet look even."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadPicture
from okng.imaging.correction import correction_of, reference_png
from okng.imaging.develop import Developer
from okng.imaging.formats import FORMATS
from okng.imaging.plan import DevelopPlan

WIDTH, HEIGHT = 160, 120


def sensor(light: float, depth: int, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """What a sensor with an offset, a warm corner, falling light and noise sends of an evenly lit sheet."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    top = (1 << depth) - 1
    fall = 1 - 0.5 * (((rows - 60) / 100) ** 2 + ((columns - 80) / 130) ** 2)
    warm = top * (0.02 + 0.03 * (rows / HEIGHT) * (columns / WIDTH))
    noise = rng.normal(0, top / 400, (HEIGHT, WIDTH))
    seen: npt.NDArray[np.uint16] = np.clip(np.rint(warm + light * top * fall + noise), 0, top).astype(np.uint16)
    return seen


@pytest.mark.parametrize(("name", "depth"), [("Mono8", 8), ("Mono12", 12), ("BayerRG10", 10), ("Mono16", 16)])
def test_an_uneven_light_becomes_even(name: str, depth: int) -> None:
    rng = np.random.default_rng(9)
    dark = reference_png((sensor(0, depth, rng) for _ in range(32)), depth)
    flat = reference_png((sensor(0.8, depth, rng) for _ in range(32)), depth)
    kind = np.uint8 if depth == 8 else np.uint16
    raw = np.mean([sensor(0.5, depth, rng) for _ in range(32)], axis=0).astype(kind).tobytes()
    before = Developer(DevelopPlan()).develop(raw, WIDTH, HEIGHT, name)
    after = Developer(DevelopPlan(dark=dark, flat=flat)).develop(raw, WIDTH, HEIGHT, name)
    assert np.ptp(cv2.blur(before, (9, 9))) > 40
    assert np.ptp(cv2.blur(after, (9, 9))) <= 3


def test_a_reference_keeps_what_is_below_a_level() -> None:
    frames = [np.full((HEIGHT, WIDTH), level, np.uint8) for level in (2, 2, 3)]
    found = correction_of(reference_png(frames, 8), b"", WIDTH, HEIGHT, FORMATS["Mono8"])
    assert found.dark is not None
    assert found.dark == pytest.approx(7 / 3, abs=1 / 256)
    assert found.gain is None
    deep = correction_of(
        reference_png([np.full((HEIGHT, WIDTH), 4095, np.uint16)], 12), b"", WIDTH, HEIGHT, FORMATS["Mono12"]
    )
    assert deep.dark is not None
    assert (deep.dark == 4095).all()


def test_the_colours_of_a_flat_picture_stay_the_white_balances_business() -> None:
    flat = np.full((HEIGHT, WIDTH), 100, np.uint8)
    flat[0::2, 0::2], flat[1::2, 1::2] = 50, 200  # reddish dark, bluish bright
    gain = correction_of(b"", reference_png([flat], 8), WIDTH, HEIGHT, FORMATS["BayerRG8"]).gain
    assert gain is not None
    assert (gain == 1).all()
    grey = correction_of(b"", reference_png([flat], 8), WIDTH, HEIGHT, FORMATS["Mono8"]).gain
    assert grey is not None
    assert grey.max() > 2


def test_no_reference_is_made_of_nothing_or_of_what_does_not_belong_together() -> None:
    with pytest.raises(BadPicture, match="no frames"):
        reference_png([], 8)
    with pytest.raises(BadPicture, match=r"\(4, 5\): expected rows x columns of one size"):
        reference_png([np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)], 8)
    with pytest.raises(BadPicture, match=r"\(4, 4, 3\)"):
        reference_png([np.zeros((4, 4, 3), np.uint8)], 8)
