"""The histogram counts every pixel once, and says what lies at the ends of the scale."""

import numpy as np
import pytest

from okng.imaging.histogram import histogram_of


def test_levels_and_ends_of_a_grey_picture() -> None:
    picture = np.full((10, 20), 100, np.uint8)
    picture[0] = 0
    picture[1:3] = 255
    (channel,) = histogram_of(picture)
    assert channel.name == "grey"
    assert (channel.counts[0], channel.counts[100], channel.counts[255]) == (20, 140, 40)
    assert (channel.low, channel.high) == (0.1, 0.2)
    assert channel.mean == pytest.approx((140 * 100 + 40 * 255) / 200)
    assert [channel.level(share) for share in (0.0, 0.1, 0.11, 0.8, 0.81, 1.0)] == [0, 0, 100, 100, 255, 255]


def test_a_colour_picture_has_its_channels_in_the_order_red_green_blue() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:] = (10, 255, 0)
    red, green, blue = histogram_of(picture)
    assert (red.name, green.name, blue.name) == ("red", "green", "blue")
    assert (red.mean, green.high, blue.low) == (10.0, 1.0, 1.0)


def test_only_the_box_counts() -> None:
    picture = np.zeros((40, 40), np.uint8)
    picture[10:20, 5:15] = 77
    (channel,) = histogram_of(picture, (5, 10, 10, 10))
    assert channel.counts[77] == 100
    assert sum(channel.counts) == 100
    with pytest.raises(ValueError, match="expected to lie inside the picture of 40x40"):
        histogram_of(picture, (35, 0, 10, 10))


def test_a_share_outside_0_to_1_is_refused() -> None:
    (channel,) = histogram_of(np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"share 1.5: expected 0\.\.1"):
        channel.level(1.5)
