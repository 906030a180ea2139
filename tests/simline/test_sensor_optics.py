"""Lens, lamp, mount and dirt of the world, in numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from okng.simline.optics import Optics
from okng.simline.scene import BadScene, Scene

Picture = npt.NDArray[np.uint8]


def board() -> Picture:
    rows, columns = np.mgrid[0:60, 0:80]
    made: Picture = np.where((rows // 10 + columns // 10) % 2, 200, 50).astype(np.uint8)
    return made


def test_without_anything_the_picture_itself_is_seen() -> None:
    picture = board()
    assert Optics().seen(picture) is picture


@pytest.mark.parametrize("colour", [False, True])
def test_each_part_does_what_it_says(colour: bool) -> None:
    picture = np.repeat(board()[:, :, None], 3, axis=2) if colour else board()
    flat = np.full(picture.shape, 100, np.uint8)

    moved = Optics(shift_x_px=7, shift_y_px=-4).seen(picture, background=9)
    assert np.array_equal(moved[:-4, 7:], picture[4:, :-7])
    assert (moved[:, :7] == 9).all()
    assert (moved[-4:] == 9).all()

    turned = Optics(rotation_deg=180).seen(picture)
    assert np.abs(turned.astype(int) - picture[::-1, ::-1]).max() <= 1

    blurred = Optics(blur_px=3).seen(picture)
    assert blurred.std() < picture.std() * 0.8
    assert abs(blurred.mean() - picture.mean()) < 2

    assert (Optics(brightness=0.5).seen(flat) == 50).all()
    assert (Optics(brightness=9).seen(flat) == 255).all()

    shaded = Optics(shading=0.4).seen(flat)
    assert (shaded[30, 40] == 100).all()
    assert (shaded[0, 0] == 60).all()

    dirty = Optics(dirt=3, dirt_px=5, dirt_darkness=0.6).seen(flat)
    assert dirty.min() < 60
    assert np.median(dirty) == 100
    assert np.array_equal(dirty, Optics(dirt=3, dirt_px=5, dirt_darkness=0.6).seen(flat)), "dirt stays where it is"
    assert not np.array_equal(dirty, Optics(dirt=3, dirt_px=5, dirt_darkness=0.6, dirt_seed=2).seen(flat))
    for each in (moved, turned, blurred, shaded, dirty):
        assert each.dtype == np.uint8
        assert each.shape == picture.shape


@pytest.mark.parametrize(
    ("name", "value"),
    [("blur_px", -1), ("brightness", 11), ("shading", 1.5), ("rotation_deg", 200), ("dirt", -1), ("dirt_px", 0)],
)
def test_a_value_out_of_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        replace(Optics(), **{name: value})


def test_what_is_shown_is_seen_anew_through_other_optics(tmp_path: Path) -> None:
    picture = board()

    def pixels(scene: Scene) -> Picture:
        return np.frombuffer(scene.path.read_bytes(), np.uint8)[4096:].reshape(picture.shape)

    with Scene(tmp_path, "S", picture.size) as scene:
        assert scene.optics == Optics()
        scene.set_optics(Optics(brightness=0.5))
        scene.show(picture, 1)
        assert np.array_equal(pixels(scene), np.rint(picture * 0.5))
        scene.set_optics(Optics())
        assert np.array_equal(pixels(scene), picture)
        scene.set_optics(Optics(rotation_deg=180))
        scene.show(picture, 2)
        assert np.abs(pixels(scene).astype(int) - picture[::-1, ::-1]).max() <= 1
        with pytest.raises(BadScene):
            scene.show(np.zeros((200, 200), np.uint8), 3)
        scene.set_optics(Optics())
        assert np.array_equal(pixels(scene), picture), "what did not fit was never shown"
