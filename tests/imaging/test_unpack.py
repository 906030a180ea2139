"""Packed pixels are unpacked byte for byte: against bytes worked out by hand, a slow reference, and harvesters."""

import mmap
from pathlib import Path
from random import Random

import numpy as np
import pytest
from harvesters.util.pfnc import Dictionary
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.bus.errors import BadPicture
from okng.imaging.formats import FORMATS, Format
from okng.imaging.unpack import high_bits, unpack, unpack8

PACKED = [name for name, fmt in FORMATS.items() if fmt.packing != "plain"]
PLAIN_GREY = [name for name, fmt in FORMATS.items() if fmt.packing == "plain" and fmt.colour in ("grey", "bayer")]
BY_HAND = [
    ("Mono8", "00 7F FF", [0x00, 0x7F, 0xFF]),
    ("Mono10", "A7 02 01 00", [0x2A7, 0x001]),
    ("Mono12", "34 02 FF 0F", [0x234, 0xFFF]),
    ("Mono16", "34 12 FF FF", [0x1234, 0xFFFF]),
    # 10p: bits end to end. 0x3FF | 0 << 10 | 0x155 << 20 | 0x2AA << 30 = 0xAA955003FF
    ("Mono10p", "FF 03 50 95 AA", [0x3FF, 0x000, 0x155, 0x2AA]),
    # 1 | 2 << 10 | 3 << 20 | 4 << 30 = 0x100300801
    ("BayerRG10p", "01 08 30 00 01", [1, 2, 3, 4]),
    ("BayerBG10p", "01 08 30", [1, 2]),
    # 12p: 0x123 | 0x456 << 12 = 0x456123
    ("Mono12p", "23 61 45", [0x123, 0x456]),
    ("BayerGR12p", "23 61 45 FF 0F", [0x123, 0x456, 0xFFF]),
    # Packed: high bits, low bits of both (the first pixel's in the low half), high bits
    ("Mono12Packed", "12 63 45", [0x123, 0x456]),
    ("BayerGB12Packed", "AB 0C", [0xABC]),
    ("Mono10Packed", "A9 13 4F", [0x2A7, 0x13D]),
    ("BayerBG10Packed", "FF 03", [0x3FF]),
]


def slowly(raw: bytes, pixels: int, fmt: Format) -> list[int]:
    """One pixel after the other, in whole numbers."""
    if fmt.packing == "p":
        bits = int.from_bytes(raw, "little")
        return [bits >> (at * fmt.depth_bits) & ((1 << fmt.depth_bits) - 1) for at in range(pixels)]
    low_bits = fmt.depth_bits - 8
    found = []
    for at in range(pixels):
        low = raw[at // 2 * 3 + 1] >> (at % 2 * 4) & ((1 << low_bits) - 1)
        found.append(raw[at // 2 * 3 + at % 2 * 2] << low_bits | low)
    return found


@pytest.mark.parametrize(("name", "raw", "wanted"), BY_HAND)
def test_bytes_worked_out_by_hand(name: str, raw: str, wanted: list[int]) -> None:
    fmt = FORMATS[name]
    found = unpack(bytes.fromhex(raw), len(wanted), 1, fmt)
    assert found.shape == (1, len(wanted))
    assert found.dtype == (np.uint8 if fmt.depth_bits == 8 else np.uint16)
    assert found[0].tolist() == wanted
    assert unpack8(bytes.fromhex(raw), len(wanted), 1, fmt)[0].tolist() == [v >> (fmt.depth_bits - 8) for v in wanted]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PACKED), st.integers(1, 37), st.integers(1, 5), st.randoms(use_true_random=False))
def test_any_size_against_a_slow_reference(name: str, width: int, height: int, chance: Random) -> None:
    fmt = FORMATS[name]
    raw = bytes(chance.getrandbits(8) for _ in range(fmt.payload_bytes(width, height)))
    wanted = slowly(raw + b"\0\0", width * height, fmt)
    assert unpack(raw, width, height, fmt).reshape(-1).tolist() == wanted
    assert unpack8(raw, width, height, fmt).reshape(-1).tolist() == [v >> (fmt.depth_bits - 8) for v in wanted]


@pytest.mark.parametrize("name", PACKED)
def test_harvesters_expands_the_same_bytes_to_the_same_samples(name: str) -> None:
    """Larger than one piece, and not a whole number of pieces."""
    fmt, width, height = FORMATS[name], 1204, 1000
    raw = np.random.default_rng(4).integers(0, 256, fmt.payload_bytes(width, height), np.uint8)
    peer = Dictionary.get_proxy(symbolic=name).expand(raw).reshape(height, width)
    assert np.array_equal(unpack(raw.tobytes(), width, height, fmt), peer)
    assert np.array_equal(unpack8(raw.tobytes(), width, height, fmt), peer >> (fmt.depth_bits - 8))


@pytest.mark.parametrize("name", PLAIN_GREY)
def test_harvesters_reads_plain_formats_the_same(name: str) -> None:
    fmt, width, height = FORMATS[name], 66, 10
    raw = np.random.default_rng(5).integers(0, 256, fmt.payload_bytes(width, height), np.uint8)
    peer = Dictionary.get_proxy(symbolic=name).expand(raw).reshape(height, width)
    assert np.array_equal(unpack(raw.tobytes(), width, height, fmt), peer)


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_the_high_bits_of_every_value(depth: int) -> None:
    every = np.arange(1 << depth, dtype=np.uint16).reshape(16, -1)
    assert np.array_equal(high_bits(every, depth), every >> (depth - 8))


def test_what_is_beyond_the_depth_is_white_not_dark() -> None:
    assert unpack8(b"\x00\x10\xff\xff", 2, 1, FORMATS["Mono12"])[0].tolist() == [255, 255]


@pytest.mark.parametrize("name", FORMATS)
def test_too_few_bytes_are_no_picture(name: str) -> None:
    need = FORMATS[name].payload_bytes(64, 48)
    assert unpack(bytes(need), 64, 48, FORMATS[name]).shape[:2] == (48, 64)
    for make in (unpack, unpack8):
        with pytest.raises(BadPicture, match=f"64x48 {name}: expected {need} bytes, got {need - 1}"):
            make(bytes(need - 1), 64, 48, FORMATS[name])


def test_plain_pixels_are_not_copied_and_not_written_to() -> None:
    raw = bytearray(range(24))
    samples = unpack(memoryview(raw).toreadonly(), 6, 4, FORMATS["Mono8"])
    raw[7] = 99
    assert samples[1, 1] == 99
    with pytest.raises(ValueError, match="read-only"):
        samples[0, 0] = 1


@pytest.mark.parametrize("name", ["Mono10p", "Mono12Packed", "BayerRG12p"])
def test_a_file_mapped_for_reading_is_enough_and_nothing_is_read_beyond_it(tmp_path: Path, name: str) -> None:
    """The picture ends with the last byte of the last page: one byte more is a crash."""
    fmt = FORMATS[name]
    raw = np.random.default_rng(6).integers(0, 256, 15 * 4096, np.uint8).tobytes()
    (tmp_path / "pixels").write_bytes(raw)
    pixels = len(raw) * 8 // fmt.bits_per_pixel
    with (tmp_path / "pixels").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        assert unpack(view, pixels, 1, fmt)[0].tolist() == slowly(raw, pixels, fmt)
        view.release()
