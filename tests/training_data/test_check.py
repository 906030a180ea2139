"""One check names all that is wrong with a set; goods that are none are among the few that it shows."""

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadSettings
from okng.training.data.check import check
from okng.training.data.pollution import suspects_by_features, suspects_by_scores
from okng.training.data.sheet import write_sheets
from okng.training.data.sources import SourceOptions, open_dataset

SHARED = Path(__file__).parents[3] / "shared/data"


def goods(count: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Features of goods: 6 x 6 cells of 24 numbers, each place with a look of its own."""
    rng = np.random.default_rng(seed)
    place = rng.normal(0, 2, (36, 24))
    mixed = rng.normal(0, 1, (24, 24)) / 5
    return (place[None] + rng.normal(0, 1, (count, 36, 24)) @ mixed).astype(np.float32)


def test_what_does_not_belong_comes_first() -> None:
    features = goods(100)
    rng = np.random.default_rng(5)
    # Five have the same defect at places of their own: they must not vouch for each other.
    defect = rng.normal(0, 3, 24).astype(np.float32)
    polluted = {3, 20, 41, 77, 98}
    for picture in polluted:
        features[picture, int(rng.integers(36))] += defect
    found = suspects_by_features(features, 6)
    assert {one.place for one in found[:5]} == polluted
    assert all(one.beyond for one in found[:5])
    assert found[0].cell is not None
    assert "is unlike what 3 others have" in found[0].why


def test_clean_goods_have_few_that_stand_out() -> None:
    found = suspects_by_features(goods(100, seed=2), 6)
    assert sum(one.beyond for one in found) <= 3


def test_scores_of_held_out_goods_do_as_well() -> None:
    scores = np.random.default_rng(1).normal(5, 1, 50)
    scores[7] = 15.0
    first, second = suspects_by_scores(scores)[:2]
    assert (first.place, first.beyond, second.beyond) == (7, True, False)
    with pytest.raises(BadSettings, match="score 2: expected finite numbers"):
        suspects_by_scores([1.0, 2.0, float("nan"), *[1.0] * 20])
    with pytest.raises(BadSettings, match="3 pictures of good parts: expected 10 or more"):
        suspects_by_scores([1.0, 2.0, 3.0])


def test_a_check_names_everything_at_once(mvtec: Path) -> None:
    for number in range(8):
        copied = np.random.default_rng(100 + number).integers(0, 255, (30, 40), np.uint8)
        cv2.imwrite(str(mvtec / f"train/good/more{number}.png"), copied)
    (mvtec / "train/good/half.png").write_bytes((mvtec / "train/good/000.png").read_bytes()[:400])
    (mvtec / "test/scratch/same.png").write_bytes((mvtec / "train/good/001.png").read_bytes())
    found = check(mvtec, SourceOptions(part_from="(00[0-9])"), goods=False)
    assert not found.sound
    assert [one.reason[:9] for one in found.broken] == ["truncated"]
    (double,) = found.doubles
    assert (double.how, double.across, double.contradicts) == ("same file", True, True)
    assert found.torn[0].startswith("part 000 lies on test (")


def test_a_clean_set_is_sound_and_unlike_goods_alone_are_no_fault(mvtec: Path, tmp_path: Path) -> None:
    for number in range(8):
        more = np.random.default_rng(100 + number).integers(0, 255, (30, 40), np.uint8)
        cv2.imwrite(str(mvtec / f"train/good/more{number}.png"), more)
    phases: list[str] = []
    found = check(mvtec, most=4, progress=lambda phase, share: phases.append(phase))
    assert found.sound
    assert len(found.unusual) == 4
    assert set(phases) == {"files", "goods", "doubles"}
    page, sheet = write_sheets(found, tmp_path / "sheets")
    html = page.read_text(encoding="utf-8")
    assert found.unusual[0].sample.name in html
    assert "http:" not in html.replace("http://www.w3.org", "")
    shown = re.findall(r"data:image/jpeg;base64,([^\"]+)", html)
    assert len(shown) == 4
    assert cv2.imdecode(np.frombuffer(base64.b64decode(shown[0]), np.uint8), cv2.IMREAD_COLOR) is not None
    seen = cv2.imread(str(sheet))
    assert seen is not None
    assert seen.shape[1] == 4 * 246


def polluted(name: str, tmp_path: Path, seed: int) -> tuple[Path, int]:
    """The training goods of a set with 5 % of its defective pictures among them."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"no pictures at {SHARED / name}")
    whole = open_dataset(SHARED / name)
    clean = [one for one in whole.goods if one.split == "train"]
    count = round(0.05 * len(clean))
    drawn = np.random.default_rng(seed).choice(len(whole.defects), count, replace=False)
    folder = tmp_path / "goods/good"
    folder.mkdir(parents=True)
    for number, one in enumerate([*clean, *(whole.defects[int(place)] for place in drawn)]):
        what = "good" if number < len(clean) else "bad"
        (folder / f"{what}{number:04}{one.picture.suffix}").symlink_to(one.picture)
    return folder.parent, count


@pytest.mark.data
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "least"), [("mvtec_bottle", 8), ("magnetic_tile", 3)])
def test_pollution_is_among_the_ten_that_are_named(name: str, least: int, tmp_path: Path) -> None:
    """By chance it would be one in twenty. Of the tiles many defects are finer than a cell at 256 pixels."""
    folder, count = polluted(name, tmp_path, seed=0)
    found = check(folder, doubles=False)
    assert count >= 10
    assert sum(one.sample.name.startswith("good/bad") for one in found.unusual) >= least
