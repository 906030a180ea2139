"""One way from a picture to a model's input."""

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadPicture
from okng.models.box import Box
from okng.models.crop import crop_and_resize
from okng.models.pictures import Picture, with_channels


def scene(height: int, width: int, channels: int) -> Picture:
    rng = np.random.default_rng(height * width)
    small = rng.integers(0, 256, (height // 20 + 2, width // 20 + 2, 3), dtype=np.uint8)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large[..., 0] if channels == 1 else large, np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1200, 1920), (512, 512), (255, 257), (100, 600), (31, 33), (256, 256)])
def test_shape_and_content(size: tuple[int, int], channels: int) -> None:
    picture = scene(*size, channels)
    cut = crop_and_resize(picture, Box(0, 0, size[1], size[0]), 256)
    assert cut.shape == (1, 256, 256, channels)
    assert cut.dtype == np.uint8
    assert cut.flags.c_contiguous
    area = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA).reshape(256, 256, channels)
    assert np.abs(cut[0].astype(int) - area.astype(int)).mean() < 3.0


def test_the_very_size_is_handed_on_untouched() -> None:
    picture = scene(300, 400, 3)
    cut = crop_and_resize(picture, Box(10, 20, 128, 64), (64, 128))
    assert np.array_equal(cut[0], picture[20:84, 10:138])
    whole = scene(64, 64, 1)
    assert np.shares_memory(crop_and_resize(whole, Box(0, 0, 64, 64), 64), whole)


def test_exact_halvings_are_block_means() -> None:
    picture = scene(512, 512, 1)
    cut = crop_and_resize(picture, Box(0, 0, 512, 512), 256)[0, ..., 0]
    means = picture.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    assert np.abs(cut - means).max() <= 0.5


def test_halving_takes_the_thin_lines_along() -> None:
    # A line of one pixel may fall between the samples of a plain linear shrink by eight.
    picture = np.zeros((1024, 1024), np.uint8)
    picture[:, 101] = 255
    assert crop_and_resize(picture, Box(0, 0, 1024, 1024), 128).max() > 20


def test_grey_and_colour_of_the_same_grey_agree() -> None:
    grey = scene(500, 700, 1)
    colour = with_channels(grey, 3)
    box = Box(3, 5, 601, 433)
    assert np.array_equal(np.repeat(crop_and_resize(grey, box, 128), 3, axis=3), crop_and_resize(colour, box, 128))


@pytest.mark.parametrize("box", [(-1, 0, 2, 2), (0, 0, 0, 2), (0, 0, 2, 0)])
def test_a_box_checks_itself(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Box(*box)


def test_a_box_outside_is_refused() -> None:
    with pytest.raises(BadPicture, match="8x8 at 1,0 is not inside the picture of 8x8"):
        crop_and_resize(np.zeros((8, 8), np.uint8), Box(1, 0, 8, 8), 8)
