"""Picture files become pixels, or an error that names the file."""

import re
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadPicture
from okng.models.pictures import decode, encode_png, files_in, read, with_channels


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3)])
def test_png_gives_the_same_pixels_back(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(decode(encode_png(picture), "x"), picture)


def test_colour_is_rgb_and_transparency_goes(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 4), np.uint8)
    red[..., 2] = red[..., 3] = 255
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]


def test_what_does_not_decode_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(encode_png(np.zeros((4, 4), np.uint8))[:30])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.bmp").write_bytes(b"hello")
    for path in files_in(tmp_path):
        with pytest.raises(BadPicture, match=re.escape(path.name)):
            read(path)
    with pytest.raises(BadPicture, match=r"none\.png"):
        read(tmp_path / "none.png")


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.png"), np.zeros((4, 4), np.uint16))
    with pytest.raises(BadPicture, match=r"deep\.png.*8 bits"):
        read(tmp_path / "deep.png")


def test_a_bomb_is_refused_by_its_header() -> None:
    png = bytearray(encode_png(np.zeros((4, 4), np.uint8)))
    png[16:24] = struct.pack(">II", 100_000, 100_000)
    with pytest.raises(BadPicture, match="100000x100000"):
        decode(bytes(png), "bomb.png")


def test_folders_without_pictures_are_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(BadPicture, match="no picture in it"):
        files_in(tmp_path)
    with pytest.raises(BadPicture, match="no such folder"):
        files_in(tmp_path / "none")


def test_channels_change_both_ways() -> None:
    grey = np.full((2, 2), 90, np.uint8)
    colour = with_channels(grey, 3)
    assert colour.shape == (2, 2, 3)
    assert np.array_equal(with_channels(colour, 1), grey)
    assert with_channels(grey, 1) is grey
