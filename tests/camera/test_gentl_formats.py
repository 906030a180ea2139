"""Every pixel format through the real GenTL stack: the bytes as sent, and what is developed of them."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from okng.camera.profiles import Profile
from okng.imaging.develop import Developer
from okng.imaging.formats import FORMATS, PixelFormat
from okng.imaging.plan import DevelopPlan
from okng.imaging.unpack import unpack
from okng.simline.scene import Scene

from .conftest import Picture, Rig

NAMES = get_args(PixelFormat)
PACKED = [name for name in NAMES if FORMATS[name].packing != "plain"]
WIDTH, HEIGHT = 96, 64


def taken(open_rig: Callable[..., Rig], name: PixelFormat) -> bytes:
    rig = open_rig(Profile(name, WIDTH, HEIGHT, trigger="software", exposure_us=100.0))
    grab = rig.shoot()
    assert grab is not None
    assert (grab.width, grab.height, grab.pixel_format) == (WIDTH, HEIGHT, name)
    assert grab.size_bytes == FORMATS[name].payload_bytes(WIDTH, HEIGHT) == rig.profile.size_bytes
    pixels = rig.pixels(grab)
    rig.source.close()
    return pixels


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_every_format_arrives_and_is_developed(
    open_rig: Callable[..., Rig], picture: Picture, name: PixelFormat
) -> None:
    developed = Developer(DevelopPlan()).develop(taken(open_rig, name), WIDTH, HEIGHT, name)
    top, left = (picture.shape[0] - HEIGHT) // 2, (picture.shape[1] - WIDTH) // 2
    shown = picture[top : top + HEIGHT, left : left + WIDTH].astype(int)
    grey = developed if developed.ndim == 2 else developed.mean(axis=2)
    assert developed.shape[:2] == (HEIGHT, WIDTH)
    assert (developed.ndim == 2) == (FORMATS[name].colour == "grey")
    inner = np.s_[2:-2, 2:-2]
    # The picture is grey and wraps at 251: demosaicing smears its jumps, nothing else may be off.
    assert float(np.median(np.abs(grey[inner] - shown[inner]))) <= 2.5


@pytest.mark.parametrize("name", PACKED)
def test_packed_and_unpacked_hold_the_same_samples(open_rig: Callable[..., Rig], name: PixelFormat) -> None:
    fmt = FORMATS[name]
    plain = next(each for each in NAMES if each == name.removesuffix("Packed").removesuffix("p"))
    one = unpack(taken(open_rig, name), WIDTH, HEIGHT, fmt)
    other = unpack(taken(open_rig, plain), WIDTH, HEIGHT, FORMATS[plain])
    assert fmt.depth_bits == FORMATS[plain].depth_bits
    assert np.array_equal(one, other)
    assert int(one.max()) > 255


def test_a_frame_of_another_format_than_asked_for_is_told(open_rig: Callable[..., Rig], scene: Scene) -> None:
    rig = open_rig(Profile("Mono8", WIDTH, HEIGHT, trigger="software", exposure_us=100.0))
    scene.plan("wrong_format")
    grab = rig.shoot()
    assert grab is not None
    assert (grab.pixel_format, grab.size_bytes) != ("Mono8", rig.profile.size_bytes)
    scene.plan("wrong_size")
    grab = rig.shoot()
    assert grab is not None
    assert (grab.width, grab.height) != (WIDTH, HEIGHT)
    good = rig.shoot()
    assert good is not None
    assert (good.pixel_format, good.width, good.height) == ("Mono8", WIDTH, HEIGHT)
