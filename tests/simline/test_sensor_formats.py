"""Every pixel format of the simulated camera, as harvesters fetches it, against the same picture packed here."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from harvesters.util import pfnc

from okng.simline.genapi import FORMATS
from okng.simline.scene import Scene

from .sensor_rig import QUICK, SERIAL, Bytes, Rig, opened

Words = npt.NDArray[np.uint16]
ROWS, COLUMNS = 32, 48
NAMES = [name for name, _ in FORMATS]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, Rig]]:
    folder = tmp_path_factory.mktemp("formats")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OKNG_SIM", str(folder))
        with Scene(folder, SERIAL, ROWS * COLUMNS * 3) as scene:
            scene.show(colours(), 1)
            with opened() as rig:
                rig.set(Width=COLUMNS, Height=ROWS, **QUICK)
                yield scene, rig


def colours() -> Bytes:
    return np.random.default_rng(3).integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)


def tile(name: str) -> list[tuple[int, int, int]]:
    """Row, column and colour of the four filters."""
    where = {"R": 0, "G": 1, "B": 2}
    first, second = name[5], name[6]
    other = {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[first + second]
    return [(0, 0, where[first]), (0, 1, where[second]), (1, 0, where[other[0]]), (1, 1, where[other[1]])]


def samples(picture: Bytes, name: str) -> Bytes:
    """Levels of 8 bits, one for each pixel of the sensor."""
    if name.startswith("Mono"):
        wide = picture.astype(np.uint32)
        grey: Bytes = ((77 * wide[..., 0] + 150 * wide[..., 1] + 29 * wide[..., 2] + 128) >> 8).astype(np.uint8)
        return grey
    made = np.zeros(picture.shape[:2], np.uint8)
    for row, column, colour in tile(name):
        made[row::2, column::2] = picture[row::2, column::2, colour]
    return made


def end_to_end(levels: Words, depth: int) -> Bytes:
    """Each level's bits, the lowest first, one after the other."""
    bits = levels.reshape(-1, 1) >> np.arange(depth, dtype=np.uint16) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little")


def in_pairs(levels: Words, depth: int) -> Bytes:
    low = depth - 8
    first, second = levels.reshape(-1)[0::2], levels.reshape(-1)[1::2]
    middle = (first & ((1 << low) - 1)) | (second & ((1 << low) - 1)) << 4
    return np.stack([first >> low, middle, second >> low], axis=1).astype(np.uint8).reshape(-1)


def yuv(picture: Bytes, name: str) -> npt.NDArray[np.float64]:
    """ITU-R BT.601 of full range, in the order of the bytes; not rounded."""
    red, green, blue = (picture[..., at].astype(float) for at in range(3))
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = (blue - y) / 1.772 + 128, (red - y) / 1.402 + 128
    pairs = [(y[:, 0::2]), (u[:, 0::2] + u[:, 1::2]) / 2, (y[:, 1::2]), (v[:, 0::2] + v[:, 1::2]) / 2]
    order = (0, 1, 2, 3) if name == "YUV422_8" else (1, 0, 3, 2)
    return np.clip(np.stack([pairs[at] for at in order], axis=2), 0, 255).reshape(-1)


def depth_of(name: str) -> int:
    return int("".join(letter for letter in name if letter.isdigit()))


def sent(picture: Bytes, name: str) -> Bytes:
    """The bytes of a grey or Bayer format."""
    levels, depth = samples(picture, name), depth_of(name)
    if depth == 8:
        return levels.reshape(-1)
    wide = (levels.astype(np.uint32) * 257 >> 16 - depth).astype(np.uint16)
    if name.endswith("Packed"):
        return in_pairs(wide, depth)
    return end_to_end(wide, depth) if name.endswith("p") else wide.astype("<u2").reshape(-1).view(np.uint8)


def test_the_numbers_are_those_of_the_naming_convention() -> None:
    known = {str(name): int(code) for code, name in pfnc.dict_by_ints.items()}
    assert {name: known[name] for name in NAMES} == dict(FORMATS)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("Mono", "Bayer"))])
def test_each_bit_lies_where_the_convention_says(world: tuple[Scene, Rig], name: str) -> None:
    scene, rig = world
    scene.show(colours(), 1)
    rig.start(PixelFormat=name)
    shot = rig.shoot()
    expected = sent(colours(), name)
    assert (shot.width, shot.height, shot.pixel_format) == (COLUMNS, ROWS, dict(FORMATS)[name])
    assert shot.data.size == expected.size == rig.get("PayloadSize")
    assert np.array_equal(shot.data, expected)


@pytest.mark.parametrize("name", ["RGB8", "BGR8"])
def test_colours_come_in_their_order(world: tuple[Scene, Rig], name: str) -> None:
    scene, rig = world
    scene.show(colours(), 1)
    rig.start(PixelFormat=name)
    found = rig.shoot().data.reshape(ROWS, COLUMNS, 3)
    assert np.array_equal(found if name == "RGB8" else found[..., ::-1], colours())


@pytest.mark.parametrize("name", ["YUV422_8", "YUV422_8_UYVY"])
def test_yuv_is_of_full_range(world: tuple[Scene, Rig], name: str) -> None:
    scene, rig = world
    scene.show(colours(), 1)
    rig.start(PixelFormat=name)
    found, expected = rig.shoot().data, yuv(colours(), name)
    assert found.size == expected.size == ROWS * COLUMNS * 2
    assert np.abs(found - expected).max() <= 1.0


def unpacked(data: Bytes, name: str) -> list[int]:
    """The levels of a packed frame, one by one."""
    depth = depth_of(name)
    if name.endswith("p"):
        whole = int.from_bytes(data.tobytes(), "little")
        return [whole >> depth * at & (1 << depth) - 1 for at in range(ROWS * COLUMNS)]
    low = depth - 8
    found = []
    for first, middle, second in data.reshape(-1, 3).astype(int):
        found += [first << low | middle & (1 << low) - 1, second << low | middle >> 4]
    return found


@pytest.mark.parametrize("colour", ["Mono", "BayerGB"])
@pytest.mark.parametrize("depth", [10, 12])
def test_packed_and_unpacked_of_one_depth_hold_the_same_levels_noise_and_all(
    world: tuple[Scene, Rig], colour: str, depth: int
) -> None:
    scene, rig = world
    scene.show(np.full((ROWS, COLUMNS), 100, np.uint8), 2, noise=6, reference_exposure_us=100.0)
    taken = {}
    for ending in ("", "p", "Packed"):
        rig.start(PixelFormat=f"{colour}{depth}{ending}")
        taken[ending] = rig.shoot().data
    levels = taken[""].view("<u2").astype(int)
    assert levels.tolist() == unpacked(taken["p"], f"{colour}{depth}p")
    assert levels.tolist() == unpacked(taken["Packed"], f"{colour}{depth}Packed")
    assert len(np.unique(levels % (1 << depth - 8))) == 1 << depth - 8, "the low bits are real"
    assert levels.max() < 1 << depth
    assert abs(levels.mean() / (1 << depth - 8) - 100) < 1.5


def test_brightness_counts_before_the_levels_are_cut_to_their_depth(world: tuple[Scene, Rig]) -> None:
    scene, rig = world
    scene.show(
        np.arange(ROWS * COLUMNS, dtype=np.uint32).astype(np.uint8).reshape(ROWS, COLUMNS), 1, 0, 0, 40, 0, 200.0
    )
    rig.start(PixelFormat="Mono16", ExposureTime=50.0)
    levels = rig.shoot().data.view("<u2").astype(int)
    expected = np.floor(np.arange(ROWS * COLUMNS) % 256 * 0.25 * 257 + 0.5)
    assert np.array_equal(levels, expected)
    rig.set(ExposureTime=100.0)
