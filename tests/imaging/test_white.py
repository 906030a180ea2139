"""A grey sheet is grey afterwards, and what cannot tell the colour of the light is refused."""

import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadPicture
from okng.imaging.develop import Developer
from okng.imaging.plan import DevelopPlan
from okng.imaging.white import Factors, propose_white_balance

WIDTH, HEIGHT = 64, 48
BOX = (8, 8, 40, 32)


def lit(colour: tuple[int, int, int], noise: float = 2.0) -> npt.NDArray[np.uint8]:
    """A grey sheet by a light of that colour."""
    spread = np.random.default_rng(1).normal(0, noise, (HEIGHT, WIDTH, 3))
    return np.clip(np.array(colour) + spread, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", [(180, 120, 60), (60, 110, 90), (100, 100, 100)])
def test_a_grey_sheet_is_grey_afterwards_and_none_gets_darker(colour: tuple[int, int, int]) -> None:
    raw = lit(colour)
    factors = propose_white_balance(raw, BOX)
    assert min(factors) == 1.0
    picture = Developer(DevelopPlan(white_balance=factors)).develop(raw.tobytes(), WIDTH, HEIGHT, "RGB8")
    x, y, w, h = BOX
    means = picture[y : y + h, x : x + w].mean(axis=(0, 1))
    assert np.ptp(means) < 1.5
    assert means.mean() == pytest.approx(max(colour), abs=2)
    assert propose_white_balance(picture, BOX, factors) == pytest.approx(factors, rel=0.02)  # and it stays so


def test_a_factor_is_told_from_the_picture_as_it_is_developed() -> None:
    present: Factors = (2.0, 1.0, 1.0)
    assert propose_white_balance(lit((120, 60, 30), 0.0), BOX, present) == (1.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("picture", "box", "said"),
    [
        (np.zeros((HEIGHT, WIDTH), np.uint8), BOX, "grey picture"),
        (lit((100, 100, 100)), (30, 0, 40, 10), r"40x10 at 30,0: expected 64 pixels or more inside 64x48"),
        (lit((100, 100, 100)), (0, 0, 7, 9), r"7x9 at 0,0"),
        (lit((100, 100, 8), 0.0), BOX, r"100, 100, 8"),
        (lit((252, 200, 200), 0.0), BOX, r"252, 200, 200"),
        (lit((244, 200, 200), 8.0), BOX, r"\d+% clipped"),
        (lit((240, 240, 240), 0.0), (-1, 0, 20, 20), "at -1,0"),
    ],
)
def test_what_tells_nothing_is_refused(
    picture: npt.NDArray[np.uint8], box: tuple[int, int, int, int], said: str
) -> None:
    with pytest.raises(BadPicture, match=said):
        propose_white_balance(picture, box)


def test_factors_that_no_recipe_holds_are_refused() -> None:
    with pytest.raises(BadPicture, match=r"factor 2\d\.\d: expected up to 16"):
        propose_white_balance(lit((30, 200, 200), 0.0), BOX, (4.0, 1.0, 1.0))
