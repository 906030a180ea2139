"""A broken file is named with its reason, all of them at once, and never skipped silently."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadData
from okng.training.data.manifest import read_manifest, write_manifest
from okng.training.data.sources import SourceOptions, open_dataset
from okng.training.data.wholeness import jpeg_size, trouble_of, turned


def jpeg(width: int = 64, height: int = 48) -> bytes:
    pixels = cv2.GaussianBlur(np.random.default_rng(0).normal(128, 60, (height, width)), (0, 0), 2)
    return cv2.imencode(".jpg", np.clip(pixels, 0, 255).astype(np.uint8))[1].tobytes()


def turned_jpeg(orientation: int) -> bytes:
    tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + tag + b"\0\0\0\0"
    return jpeg()[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg()[2:]


def bomb() -> bytes:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def png(*, deep: bool = False) -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (48, 64))
    pixels = noise.astype(np.uint16) if deep else noise.astype(np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


BROKEN = {
    "empty.png": (b"", "empty file (0 bytes)"),
    "text.png": (b"hello, I am a text", "no PNG, JPEG, BMP or TIFF: begins with b'hello"),
    "half.jpg": (jpeg()[:900], "without its end"),
    "half.png": (png()[:900], "truncated: a PNG of 900 bytes without its end"),
    "bit.png": (flipped(png(), 500), "damaged: checksum of PNG chunk IDAT"),
    "deep.png": (png(deep=True), "pixels of uint16: expected 8 bits a channel"),
    "huge.png": (bomb(), "60000x60000 pixels: expected at most"),
    "lfs.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
    "other.webp": (b"RIFF....WEBP", "ending .webp: expected .bmp"),
}


@pytest.fixture
def broken(mvtec: Path) -> Path:
    for name, (data, _) in BROKEN.items():
        (mvtec / "train/good" / name).write_bytes(data)
    (mvtec / "train/good/link.png").symlink_to(mvtec / "nowhere.png")
    return mvtec


def test_all_broken_files_are_named_at_once(broken: Path) -> None:
    with pytest.raises(BadData) as caught:
        open_dataset(broken)
    said = {line.split(":")[0].rsplit("/", 1)[-1]: line for line in str(caught.value).splitlines()[1:]}
    for name, (_, reason) in BROKEN.items():
        assert reason in said[name]
    assert set(said) >= set(BROKEN)


def test_a_link_to_nowhere_is_named(broken: Path) -> None:
    with pytest.raises(BadData, match=r"link\.png: missing"):
        open_dataset(broken)


def test_left_out_files_are_listed_in_the_manifest(broken: Path) -> None:
    found = open_dataset(broken, SourceOptions(leave_out_broken=True))
    assert len(found.samples) == 7
    write_manifest(found, broken / "set.json")
    again = read_manifest(broken / "set.json")
    assert {Path(one.file).name for one in again.left_out} == {*BROKEN, "link.png"}


def test_half_a_jpeg_decodes_and_is_refused_all_the_same() -> None:
    """The reason for looking at the ending: the decoder makes a grey lower half of it."""
    half = jpeg()[:900]
    assert trouble_of(half).startswith("truncated")
    assert trouble_of(jpeg()) == ""
    assert trouble_of(jpeg() + b"\0" * 30) == ""


def test_the_size_of_a_jpeg_is_known_before_it_is_decoded() -> None:
    assert jpeg_size(jpeg(64, 48)) == (64, 48)
    giant = jpeg().replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 60_000, 60_000), 1)
    assert trouble_of(giant).startswith("60000x60000 pixels")


def test_a_turned_picture_is_refused_where_something_is_drawn(mvtec: Path) -> None:
    assert turned(turned_jpeg(6)) == 6
    assert turned(jpeg()) == 1
    path = mvtec / "test/scratch/002.jpg"
    path.write_bytes(turned_jpeg(6))
    assert len(open_dataset(mvtec).samples) == 8
    cv2.imwrite(str(mvtec / "ground_truth/scratch/002_mask.png"), np.full((48, 64), 255, np.uint8))
    with pytest.raises(BadData, match=r"its EXIF turns it \(orientation 6\)"):
        open_dataset(mvtec)


def test_a_mask_of_another_size_or_without_a_picture_is_named(mvtec: Path) -> None:
    cv2.imwrite(str(mvtec / "ground_truth/scratch/000_mask.png"), np.zeros((30, 41), np.uint8))
    cv2.imwrite(str(mvtec / "ground_truth/scratch/077_mask.png"), np.zeros((30, 40), np.uint8))
    with pytest.raises(BadData) as caught:
        open_dataset(mvtec)
    assert "000_mask.png: 41x30 pixels: its picture has 40x30" in str(caught.value)
    assert "077_mask.png: a mask without its picture" in str(caught.value)
