"""A copy is found however it was made anew; other parts of one line, which all look alike, are no copies."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadData
from okng.training.data.dataset import Dataset
from okng.training.data.doubles import Double, find_doubles, refuse_across
from okng.training.data.sources import open_dataset

SHARED = Path(__file__).parents[3] / "shared/data"
Pixels = npt.NDArray[np.uint8]


def part(seed: int, side: int = 240) -> Pixels:
    """Return one plate of a line: the same plate each time but for its brushing, grain and a tenth of a millimetre."""
    rng = np.random.default_rng(seed)
    brushed = cv2.GaussianBlur(rng.normal(0, 22, (side, side)), (0, 0), 9, sigmaY=0.8)
    cloud = cv2.GaussianBlur(rng.normal(0, 90, (side, side)), (0, 0), 12)
    picture = np.clip(120 + 2.0 * brushed + cloud + rng.normal(0, 2, (side, side)), 0, 255).astype(np.uint8)
    middle = (side // 2 + int(rng.integers(-1, 2)), side // 2 + int(rng.integers(-1, 2)))
    cv2.circle(picture, middle, side // 4, 40, 6, cv2.LINE_AA)
    cv2.rectangle(picture, (20, 20), (side // 3, 40), 220, -1)
    return picture


def jpeg(picture: Pixels, quality: int) -> Pixels:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def scaled(picture: Pixels, by: float) -> Pixels:
    size = (round(picture.shape[1] * by), round(picture.shape[0] * by))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "jpeg 90": lambda one: jpeg(one, 90),
    "jpeg 50": lambda one: jpeg(one, 50),
    "half as large": lambda one: scaled(one, 0.5),
    "smaller, then jpeg": lambda one: jpeg(scaled(one, 0.7), 75),
    "mirrored": lambda one: np.ascontiguousarray(one[:, ::-1]),
    "turned": lambda one: np.ascontiguousarray(np.rot90(one)),
    "turned and jpeg": lambda one: jpeg(np.ascontiguousarray(np.rot90(one, 3)), 80),
    "cropped": lambda one: np.ascontiguousarray(one[4:-3, 3:-5]),
    "cropped and made large again": lambda one: np.asarray(cv2.resize(one[4:-3, 3:-5], one.shape[::-1]), np.uint8),
    "brighter": lambda one: np.clip(one * 0.8 + 20.0, 0, 255).astype(np.uint8),
    "a pixel aside": lambda one: np.roll(one, 1, 1),
    "taken again": lambda one: np.clip(one + np.random.default_rng(9).normal(0, 3, one.shape), 0, 255).astype(np.uint8),
}


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """Thirty goods to learn from, ten to test."""
    for number in range(40):
        folder = tmp_path / ("train/good" if number < 30 else "test/good")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:03}.png"), part(number))
    return tmp_path


def names(found: tuple[Double, ...]) -> set[tuple[str, str]]:
    return {(Path(one.one.name).stem, Path(one.other.name).stem) for one in found}


def test_parts_of_one_line_are_no_doubles(line: Path) -> None:
    assert find_doubles(open_dataset(line)) == ()


def test_every_copy_is_found_and_nothing_else(line: Path) -> None:
    wanted = set()
    for number, made in enumerate(COPIES.values()):
        cv2.imwrite(str(line / f"test/good/copy{number:02}.png"), made(part(number)))
        wanted.add((f"copy{number:02}", f"{number:03}"))
    found = find_doubles(open_dataset(line))
    assert names(found) == wanted
    assert all(one.across for one in found)
    with pytest.raises(BadData, match="12 pairs of the same picture or part lie on different sides") as caught:
        refuse_across(found)
    assert "test/good/copy00.png (test, good) = train/good/000.png (train, good): copy" in str(caught.value)


def test_a_defect_put_on_a_copy_makes_another_part_of_it(line: Path) -> None:
    """Two pictures that differ at one place only: what differs may be the defect, so they are not the same picture."""
    picture = part(3)
    cv2.line(picture, (150, 150), (190, 180), 250, 3, cv2.LINE_AA)
    cv2.imwrite(str(line / "test/good/scratched.png"), picture)
    assert find_doubles(open_dataset(line)) == ()


def bolt(seed: int) -> Pixels:
    """Return a part without any marks of its own: a round head, a hexagon turned at will, anywhere; noise."""
    rng = np.random.default_rng(seed)
    picture = np.full((300, 300), 60, np.uint8)
    middle, turn = 150 + rng.integers(-9, 10, 2), rng.uniform(0, 2 * np.pi)
    cv2.circle(picture, middle.tolist(), 90, 180, -1, cv2.LINE_AA)
    angles = turn + np.arange(6) * np.pi / 3
    corners = middle + 52 * np.stack([np.cos(angles), np.sin(angles)], 1)
    cv2.fillPoly(picture, [corners.astype(np.int32)], 90, cv2.LINE_AA)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def test_parts_without_marks_of_their_own_are_no_doubles(tmp_path: Path) -> None:
    """Turned and shifted alike, two bolts differ by their noise alone."""
    (tmp_path / "good").mkdir()
    for number in range(80):
        cv2.imwrite(str(tmp_path / f"good/{number:03}.png"), bolt(number))
    assert find_doubles(open_dataset(tmp_path)) == ()
    cv2.imwrite(str(tmp_path / "good/copy.png"), jpeg(bolt(3), 70))
    cv2.imwrite(str(tmp_path / "good/turned.png"), COPIES["turned"](bolt(4)))
    assert names(find_doubles(open_dataset(tmp_path))) == {("003", "copy"), ("004", "turned")}


def test_the_same_file_and_the_same_pixels_are_told_apart(line: Path) -> None:
    (line / "train/good/same.png").write_bytes((line / "train/good/005.png").read_bytes())
    cv2.imwrite(str(line / "train/good/anew.bmp"), part(6))
    cv2.imwrite(str(line / "test/good/colour.png"), cv2.cvtColor(part(7), cv2.COLOR_GRAY2BGR))
    found = find_doubles(open_dataset(line))
    assert {(one.how, one.across) for one in found} == {
        ("same file", False),
        ("same pixels", False),
        ("same pixels", True),
    }
    assert found[0].across


def test_a_double_with_another_label_contradicts(line: Path) -> None:
    (line / "test/dent").mkdir()
    cv2.imwrite(str(line / "test/dent/x.png"), jpeg(part(2), 80))
    (one,) = find_doubles(open_dataset(line))
    assert one.contradicts
    assert one.across


def test_blank_pictures_and_small_sets_do_no_harm(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "good").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"good/{number}.png"), np.full((50, 60), 90 + number, np.uint8))
    cv2.imwrite(str(tmp_path / "good/part.png"), part(1))
    assert find_doubles(open_dataset(tmp_path)) == ()
    cv2.imwrite(str(tmp_path / "good/part.jpg"), jpeg(part(1), 90))
    assert names(find_doubles(open_dataset(tmp_path))) == {("part", "part")}


def shared(name: str) -> Dataset:
    if not (SHARED / name).is_dir():
        pytest.skip(f"no pictures at {SHARED / name}")
    return open_dataset(SHARED / name)


@pytest.mark.data
def test_real_bottles_are_no_doubles_but_one_that_was_taken_twice() -> None:
    found = find_doubles(shared("mvtec_bottle"))
    assert names(found) == {("069", "070")}
    assert not any(one.across for one in found)


@pytest.mark.data
def test_copies_of_real_bottles_are_found(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "test/good").mkdir(parents=True)
    shared("mvtec_bottle")
    (tmp_path / "train/good").symlink_to(SHARED / "mvtec_bottle/train/good")
    wanted = set()
    for number, made in enumerate((COPIES["jpeg 50"], COPIES["half as large"], COPIES["mirrored"], COPIES["cropped"])):
        one = cv2.imread(str(SHARED / f"mvtec_bottle/train/good/{7 * number:03}.jpg"), cv2.IMREAD_GRAYSCALE)
        assert one is not None
        cv2.imwrite(str(tmp_path / f"test/good/copy{number}.png"), made(np.asarray(one, np.uint8)))
        wanted.add((f"copy{number}", f"{7 * number:03}"))
    assert {pair for pair in names(find_doubles(open_dataset(tmp_path))) if pair != ("069", "070")} == wanted


@pytest.mark.data
def test_tiles_taken_under_several_lights_are_known_again() -> None:
    found = find_doubles(shared("magnetic_tile"))
    across = {(one.one.name, one.other.name) for one in found if one.across}
    # Looked at by eye: the same brush marks under another light, and the same tile cut above its broken edge.
    assert ("test/good/077.jpg", "train/good/049.jpg") in across
    assert ("test/fray/000.jpg", "train/good/118.jpg") in across
    assert len(across) > 100
