"""The picture is what a slow reference in floating point makes of the same bytes, to one grey level: every format."""

import threading
from collections.abc import Iterator
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadPicture, BadRecipe
from okng.imaging.correction import MOST_GAIN, reference_png
from okng.imaging.develop import Developer, check_plan
from okng.imaging.formats import FORMATS, Format
from okng.imaging.plan import DevelopPlan
from okng.imaging.unpack import unpack

WIDTH, HEIGHT = 92, 61
SENSOR = [name for name, fmt in FORMATS.items() if fmt.colour in ("grey", "bayer")]
BAYER = [name for name, fmt in FORMATS.items() if fmt.colour == "bayer"]
COLOURS = [name for name in FORMATS if name not in SENSOR]
Floats = npt.NDArray[np.float64]


def noise(name: str, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Bytes of a picture whose samples are all over the range."""
    fmt = FORMATS[name]
    if fmt.packing == "plain" and fmt.depth_bits > 8:
        samples = np.random.default_rng(1).integers(0, 1 << fmt.depth_bits, (height, width), np.uint16)
        return samples.tobytes()
    return np.random.default_rng(1).integers(0, 256, fmt.payload_bytes(width, height), np.uint8).tobytes()


def develop(name: str, plan: DevelopPlan, raw: bytes | None = None) -> npt.NDArray[np.uint8]:
    return Developer(plan).develop(raw or noise(name), WIDTH, HEIGHT, name)


def around(values: Floats, weights: tuple[float, float, float]) -> Floats:
    """Sum of the nine neighbours: weights of the middle, of an edge, of a corner. The rim is of no use."""
    made = values * weights[0]
    for down, right in product((-1, 0, 1), repeat=2):
        if down or right:
            made = made + np.roll(values, (down, right), (0, 1)) * weights[1 + abs(down * right)]
    return made


def reference(samples: Floats, fmt: Format, plan: DevelopPlan, dark: Floats | float, gain: Floats | float) -> Floats:
    """Each step by itself, in the order of the recipe's page, without rounding until the end."""
    light = np.maximum((samples - dark) * gain, 0)
    colours = light
    if fmt.colour == "bayer":
        quad = np.array(list(fmt.quad)).reshape(2, 2)
        of = np.tile(quad, (HEIGHT // 2 + 1, WIDTH // 2 + 1))[:HEIGHT, :WIDTH]
        red, blue = (around(light * (of == one), (1, 0.5, 0.25)) for one in "RB")
        colours = np.dstack([red, around(light * (of == "G"), (1, 0.25, 0)), blue]) * plan.white_balance
    if plan.levels is None:
        return np.clip(np.floor(colours / (1 << (fmt.depth_bits - 8))), 0, 255)
    low, high = plan.levels
    return np.clip(np.rint((colours - low) * 255 / (high - low)), 0, 255)


def differs(found: npt.NDArray[np.uint8], wanted: Floats) -> float:
    """Largest difference, the rim of two pixels left out."""
    assert found.shape == wanted.shape
    return float(np.abs(found[2:-2, 2:-2] - wanted[2:-2, 2:-2]).max())


def plans(fmt: Format) -> Iterator[tuple[DevelopPlan, Floats | float, Floats | float]]:
    """Plans, with the dark picture and the gain that they mean."""
    top = (1 << fmt.depth_bits) - 1
    rng = np.random.default_rng(2)
    dark = np.round(rng.uniform(0, top / 20, (HEIGHT, WIDTH)))
    flat = np.round(rng.uniform(top / 3, top * 0.95, (HEIGHT, WIDTH)))
    black, white = (reference_png([each.astype(np.uint16)], fmt.depth_bits) for each in (dark, flat))
    light, gain = flat - dark, np.ones_like(flat)
    step = 2 if fmt.colour == "bayer" else 1
    for row, column in product(range(step), repeat=2):
        of_one = light[row::step, column::step]
        gain[row::step, column::step] = of_one.mean() / of_one
    levels = (top // 10, top * 7 // 10)
    balance = (1.5, 1.0, 2.25)
    yield DevelopPlan(), 0, 1
    yield DevelopPlan(levels=levels), 0, 1
    yield DevelopPlan(white_balance=balance), 0, 1
    yield DevelopPlan(white_balance=balance, levels=levels), 0, 1
    yield DevelopPlan(dark=black), dark, 1
    yield DevelopPlan(flat=reference_png([light.astype(np.uint16)], fmt.depth_bits)), 0, gain
    yield DevelopPlan(black, white, white_balance=balance, levels=levels), dark, gain


@pytest.mark.parametrize("name", SENSOR)
def test_every_step_alone_and_all_together(name: str) -> None:
    fmt, raw = FORMATS[name], noise(name)
    samples = unpack(raw, WIDTH, HEIGHT, fmt).astype(np.float64)
    for plan, dark, gain in plans(fmt):
        if fmt.colour == "grey" and plan.white_balance != (1, 1, 1):
            assert np.array_equal(
                develop(name, plan), develop(name, DevelopPlan(plan.dark, plan.flat, levels=plan.levels))
            )
        assert differs(develop(name, plan, raw), reference(samples, fmt, plan, dark, gain)) <= 1, plan.levels


@pytest.mark.parametrize("name", BAYER)
def test_each_tile_gives_its_colours_back(name: str) -> None:
    """A field of one colour, as the sensor sees it through its tile."""
    fmt = FORMATS[name]
    quad = {"RG": "RG GB", "GR": "GR BG", "GB": "GB RG", "BG": "BG GR"}[name[5:7]].split()
    shift = fmt.depth_bits - 8
    value = {"R": 200 << shift, "G": 100 << shift, "B": 40 << shift}
    samples = np.empty((HEIGHT, WIDTH), np.uint16)
    for row, column in product((0, 1), repeat=2):
        samples[row::2, column::2] = value[quad[row][column]]
    picture = develop(name, DevelopPlan(), packed(samples, fmt))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert (picture.reshape(-1, 3) == (200, 100, 40)).all()


def packed(samples: npt.NDArray[np.uint16], fmt: Format) -> bytes:
    """The other way round, one pixel after the other, in whole numbers."""
    values = [int(value) for value in samples.reshape(-1)]
    if fmt.packing == "plain":
        return samples.astype(np.uint8 if fmt.depth_bits == 8 else np.uint16).tobytes()
    if fmt.packing == "p":
        bits = "".join(f"{value:0{fmt.depth_bits}b}" for value in reversed(values))
        return int(bits, 2).to_bytes(fmt.payload_bytes(*samples.shape), "little")
    low = fmt.depth_bits - 8
    mask = (1 << low) - 1
    pairs = zip(values[::2], values[1::2], strict=True)
    return bytes(b for one, two in pairs for b in (one >> low, one & mask | (two & mask) << 4, two >> low))


@pytest.mark.parametrize("name", COLOURS)
def test_formats_with_colours_of_their_own(name: str) -> None:
    raw = np.frombuffer(noise(name), np.uint8)
    if name in ("RGB8", "BGR8"):
        wanted = raw.reshape(HEIGHT, WIDTH, 3)[:, :, :: 1 if name == "RGB8" else -1].astype(np.float64)
    else:
        # PFNC's YUV: full range, Y = 0.299 R + 0.587 G + 0.114 B, U and V around 128
        pair = raw.reshape(HEIGHT, WIDTH // 2, 4).astype(np.float64)
        y1, u, y2, v = np.moveaxis(pair if name == "YUV422_8" else pair[:, :, [1, 0, 3, 2]], 2, 0)
        y = np.stack([y1, y2], 2).reshape(HEIGHT, WIDTH)
        u, v = (np.repeat(each, 2, axis=1) - 128 for each in (u, v))
        wanted = np.clip(np.dstack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u]), 0, 255)
    assert np.abs(develop(name, DevelopPlan()) - wanted).max() <= 1.5
    plain = develop(name, DevelopPlan()).astype(np.float64)
    wanted = np.clip(np.rint((plain * (1.5, 1.0, 2.25) - 30) * 255 / 170), 0, 255)
    found = develop(name, DevelopPlan(white_balance=(1.5, 1.0, 2.25), levels=(30, 200)))
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("name", FORMATS)
def test_a_crop_is_that_part_of_the_whole(name: str) -> None:
    rng = np.random.default_rng(7)
    fmt = FORMATS[name]
    plan = next(p for p, _, _ in list(plans(fmt))[::-1]) if name in SENSOR else DevelopPlan(levels=(9, 200))
    for which in (DevelopPlan(), plan):
        whole = develop(name, which)
        for _ in range(12):
            x, y = int(rng.integers(0, WIDTH - 16)), int(rng.integers(0, HEIGHT - 16))
            w, h = int(rng.integers(16, WIDTH - x + 1)), int(rng.integers(16, HEIGHT - y + 1))
            cut = DevelopPlan(which.dark, which.flat, "", False, False, which.white_balance, which.levels, (x, y, w, h))
            found = develop(name, cut)
            assert found.flags.c_contiguous
            # The outermost pixels of a mosaic have no neighbours: there, and only there, OpenCV makes them up.
            assert np.array_equal(found, whole[y : y + h, x : x + w])


@pytest.mark.parametrize("name", FORMATS)
def test_the_picture_is_its_readers_own(name: str) -> None:
    fmt = FORMATS[name]
    raw = bytearray(noise(name))
    for crop in (None, (16, 16, 32, 24), (0, 8, WIDTH, 16)):
        picture = Developer(DevelopPlan(crop=crop)).develop(memoryview(raw), WIDTH, HEIGHT, name)
        before = picture.copy()
        raw[:] = bytes(len(raw))
        assert np.array_equal(picture, before)
        picture[:] = 7
        assert bytes(raw) == bytes(fmt.payload_bytes(WIDTH, HEIGHT))
        raw[:] = noise(name)


def test_many_threads_share_one_developer() -> None:
    name = "BayerRG12p"
    plan = [each for each, _, _ in plans(FORMATS[name])][-1]
    raws = [np.random.default_rng(n).integers(0, 256, len(noise(name)), np.uint8).tobytes() for n in range(8)]
    alone = [develop(name, plan, raw) for raw in raws]
    shared, wrong, done = Developer(plan), [], []

    def work(which: int) -> None:
        for turn in range(40):
            at = (which + turn) % len(raws)
            if not np.array_equal(shared.develop(raws[at], WIDTH, HEIGHT, name), alone[at]):
                wrong.append((which, turn))
        done.append(which)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(6))
    assert wrong == []


def test_a_plan_that_does_not_fit_is_refused_before_the_first_part() -> None:
    right = reference_png([np.full((HEIGHT, WIDTH), 2000, np.uint16)], 12)
    check_plan(
        DevelopPlan(dark=reference_png([np.zeros((HEIGHT, WIDTH), np.uint16)], 12), flat=right),
        WIDTH,
        HEIGHT,
        "Mono12p",
    )
    small = reference_png([np.full((HEIGHT, WIDTH - 2), 2000, np.uint16)], 12)
    of_8 = cv2.imencode(".png", np.full((HEIGHT, WIDTH), 90, np.uint8))[1].tobytes()
    coloured = cv2.imencode(".png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))[1].tobytes()
    white = reference_png([np.full((HEIGHT, WIDTH), 4095, np.uint16)], 12)
    check_plan(DevelopPlan(dark=of_8), WIDTH, HEIGHT, "Mono8")
    for plan, name, said in [
        (DevelopPlan(flat=small), "Mono12", r"flat: is 90x61 of 16 bits, grey: expected 92x61 of 16 bits"),
        (DevelopPlan(dark=small), "Mono8", r"dark: is 90x61 of 16 bits, grey: expected 92x61 of 8 or 16 bits"),
        (
            DevelopPlan(dark=of_8),
            "Mono12",
            r"dark: is 92x61 of 8 bits, grey: expected 92x61 of 16 bits, grey, for Mono12",
        ),
        (DevelopPlan(flat=coloured), "Mono8", r"flat: is 92x61 of 8 bits, 3 colours"),
        (DevelopPlan(dark=b"no picture"), "Mono8", r"dark: does not decode as a picture \(10 bytes\)"),
        (DevelopPlan(flat=right[:200]), "Mono12", r"flat: (does not decode|0\.00 levels|is )"),
        (DevelopPlan(flat=white), "Mono12", r"flat: 100% of it is at the top of the range"),
        (DevelopPlan(dark=right, flat=right), "Mono12", r"flat: 0\.00 levels above dark"),
        (DevelopPlan(dark=of_8), "RGB8", r"dark, flat: expected none with RGB8"),
        (DevelopPlan(crop=(80, 0, 16, 16)), "Mono8", r"crop: 16x16 at 80,0: expected to lie inside 92x61"),
        (DevelopPlan(levels=(0, 4095)), "Mono8", r"levels: \[0, 4095\]: expected within 0\.\.255 for Mono8"),
        (DevelopPlan(), "Mono14", r"pixel format Mono14: expected one of Mono8, "),
    ]:
        with pytest.raises(BadRecipe, match=said):
            check_plan(plan, WIDTH, HEIGHT, name)
        with pytest.raises(BadPicture, match=said):  # and where nobody has asked before, there is no picture
            Developer(plan).develop(bytes(WIDTH * HEIGHT * 3), WIDTH, HEIGHT, name)
    with pytest.raises(BadRecipe, match="61x92 YUV422_8: expected an even width"):
        check_plan(DevelopPlan(), 61, 92, "YUV422_8")


@pytest.mark.parametrize("name", FORMATS)
def test_too_few_bytes_are_no_picture(name: str) -> None:
    need = FORMATS[name].payload_bytes(WIDTH, HEIGHT)
    for plan in (DevelopPlan(), DevelopPlan(crop=(0, 0, 16, 16))):  # though the crop itself would be there
        with pytest.raises(BadPicture, match=f"{WIDTH}x{HEIGHT} {name}: expected {need} bytes, got {need - 1}"):
            Developer(plan).develop(bytes(need - 1), WIDTH, HEIGHT, name)


def test_a_dead_or_dirty_pixel_is_not_blown_up() -> None:
    flat = np.full((HEIGHT, WIDTH), 200, np.uint8)
    flat[20, 30] = 0
    plan = DevelopPlan(flat=reference_png([flat], 8))
    picture = develop("Mono8", plan, bytes([10]) * (WIDTH * HEIGHT))
    assert picture[20, 30] == pytest.approx(10 * MOST_GAIN, abs=1)
    assert (np.delete(picture.reshape(-1), 20 * WIDTH + 30) == 10).all()
