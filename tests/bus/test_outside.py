"""Bytes from outside: bounded, and refused in words. Each case that once was a finding of a fuzzer stays here."""

import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadPicture, BadRecipe, BadSettings
from okng.bus.outside import parsed_json, read_bounded, stated_size, too_large
from okng.bus.yaml_text import MOST_ALIASES, MOST_DEPTH, parsed_yaml
from okng.inspect.recipe import read_recipe
from okng.models.pictures import decode
from okng.settings import read_settings

GREY = np.arange(96, dtype=np.uint8).reshape(8, 12)
BOMB = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 123))


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"1234")
    assert read_bounded(file, 4) == b"1234"
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_bounded(file, 3)
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 3)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_bounded(tmp_path / "pipe")
    file.write_bytes(b"")
    os.truncate(file, 10 << 30)  # sparse: ten gigabytes that are not there
    with pytest.raises(OSError, match="more than"):
        read_bounded(file)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "", "\ufeff[]"])
def test_json_that_nests_without_end_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them, and no other
        parsed_json(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            BOMB,
            b"[" * 5000,
            b"- " * 5000,
            b"a: " + b"9" * 5000,
            b"a: 2001-13-45",
            b"? [a]\n: b",
            b"a: 0x_",
            b"\xff\xfe\x00",
        ),
        b"!!python/object/apply:os.system [x]",
        b"a: !!timestamp x",
    ],
)
def test_yaml_that_grows_nests_or_means_something_else_is_a_value_error(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parsed_yaml(text)
    (tmp_path / "r.yaml").write_bytes(text)
    with pytest.raises(BadRecipe, match="not YAML"):
        read_recipe(tmp_path / "r.yaml")


def test_nesting_costs_no_time() -> None:
    begun = time.monotonic()
    for text in ("[" * 100_000, "[\n" * 50_000, "- " * 100_000, "{a: " * 50_000, "{? " * 50_000):
        with pytest.raises(ValueError, match="nested"):
            parsed_yaml(text)
    assert time.monotonic() - begun < 20
    assert parsed_yaml("[" * MOST_DEPTH + "]" * MOST_DEPTH) != []


def test_a_few_aliases_are_fine() -> None:
    assert parsed_yaml("a: &a [1]\n" + "".join(f"b{n}: *a\n" for n in range(MOST_ALIASES)))["b3"] == [1]


@pytest.mark.parametrize(
    "text", [b"a = " + b"[" * 5000, b"a = " + b"9" * 5000, b"\xff", b"#" * (1 << 20), b"a." * 5000]
)
def test_settings_that_cannot_be_are_refused_in_words(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "okng.toml"
    file.write_bytes(text)
    with pytest.raises(BadSettings, match=r"okng.toml: (not TOML|cannot be read)"):
        read_settings(file)


@pytest.mark.parametrize("kind", [".png", ".jpg", ".bmp", ".tif"])
def test_the_size_is_told_before_anything_is_decoded(kind: str) -> None:
    data = cv2.imencode(kind, GREY)[1].tobytes()
    assert stated_size(data) == (12, 8)
    assert not too_large(data)
    assert too_large(data, 95) == "12x8 pixels: expected at most 95"
    assert (decode(data, "x").shape) == (8, 12)


def _png(width: int, height: int) -> bytes:
    made = bytearray(cv2.imencode(".png", GREY)[1].tobytes())
    made[16:24] = struct.pack(">II", width, height)
    return bytes(made)


def _jpeg(width: int, height: int) -> bytes:
    made = bytearray(cv2.imencode(".jpg", GREY)[1].tobytes())
    at = made.index(b"\xff\xc0")
    made[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(made)


def _tiff(**tags: int) -> bytes:
    numbers = {"width": 256, "height": 257, "samples": 277, "tile": 322}
    made = bytearray(cv2.imencode(".tif", GREY)[1].tobytes())
    (at,) = struct.unpack_from("<I", made, 4)
    (count,) = struct.unpack_from("<H", made, at)
    for n, (name, value) in enumerate(tags.items()):
        for entry in range(count):
            place = at + 2 + 12 * entry
            if struct.unpack_from("<H", made, place)[0] == numbers[name] or (name == "tile" and entry == count - 1 - n):
                struct.pack_into("<HHII", made, place, numbers[name], 4, 1, value)
    return bytes(made)


BOMBS: list[Callable[[], bytes]] = [
    lambda: _png(40_000, 40_000),
    lambda: _jpeg(65_000, 65_000),
    lambda: _jpeg(8, 12) + _jpeg(65_000, 65_000),
    lambda: _tiff(width=100_000, height=100_000),
    lambda: _tiff(tile=1 << 30),
    lambda: _tiff(samples=60_000),
    lambda: b"BM" + bytes(16) + struct.pack("<ii", 70_000, -70_000) + bytes(30),
    # 108 bytes for which OpenCV makes room of 4 GB: the end claims to be that long.
    lambda: cv2.imencode(".png", GREY)[1].tobytes()[:-12] + b"\xff\x20\x10\x00IEND" + bytes(4),
    lambda: cv2.imencode(".webp", GREY)[1].tobytes(),
    lambda: b"P5 60000 60000 255 " + bytes(10),
]


@pytest.mark.parametrize("bomb", range(len(BOMBS)))
def test_pictures_that_would_fill_the_memory_are_not_decoded(bomb: int) -> None:
    data = BOMBS[bomb]()
    if bomb != 2:  # the second picture behind the first: a decoder takes the first
        with pytest.raises(BadPicture):
            decode(data, "x")


def test_all_of_them_in_bounded_memory() -> None:
    """Peak memory of a process of its own that is given all of the above."""
    code = (
        "import resource\nfrom okng.tests.bus.test_outside import BOMBS\nfrom okng.models.pictures import decode\n"
        "from okng.bus.errors import BadPicture\nmade = [bomb() for bomb in BOMBS]\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for data in made:\n try: decode(data, 'x')\n except BadPicture: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert int(done.stdout.split()[-1]) < 100
