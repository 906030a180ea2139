import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.simline import parts
from okng.simline.defects import DEFECTS
from okng.simline.pictures import find_pictures


@pytest.mark.parametrize("defect", [None, *DEFECTS])
@pytest.mark.parametrize("colour", [False, True])
def test_same_seed_and_index_give_the_same_part(defect: str | None, colour: bool) -> None:
    one = parts.render(5, 12, defect, 160, 128, colour)
    two = parts.render(5, 12, defect, 160, 128, colour)
    assert one.picture.shape == ((128, 160, 3) if colour else (128, 160))
    assert one.picture.dtype == one.mask.dtype == np.uint8
    assert one.mask.shape == (128, 160)
    assert np.array_equal(one.picture, two.picture)
    assert np.array_equal(one.mask, two.mask)
    assert one.label == (defect or "good")


def test_another_index_or_seed_is_another_part() -> None:
    one = parts.render(5, 12, None, 128, 128).picture
    assert not np.array_equal(one, parts.render(5, 13, None, 128, 128).picture)
    assert not np.array_equal(one, parts.render(6, 12, None, 128, 128).picture)


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("index", range(8))
def test_the_mask_is_the_truth(defect: str | None, index: int) -> None:
    good = parts.render(2, index, None, 320, 320)
    bad = parts.render(2, index, defect, 320, 320)
    assert not good.mask.any()
    assert set(np.unique(bad.mask)) == {0, 255}
    assert 20 < np.count_nonzero(bad.mask) < 0.08 * bad.mask.size
    change = np.abs(bad.picture.astype(int) - good.picture)
    inside = change[bad.mask > 0].mean()
    near = cv2.dilate(bad.mask, np.ones((21, 21), np.uint8)) > 0
    assert inside > 10, "a person sees it"
    assert change[~near].max() <= 3, "nothing else changes"


def test_the_line_s_dice_keep_the_share_and_use_every_defect() -> None:
    drawn = [parts.draw_label(3, index, 20.0) for index in range(2000)]
    assert 300 < sum(each is not None for each in drawn) < 500
    assert {each for each in drawn if each} == set(DEFECTS)
    assert drawn == [parts.draw_label(3, index, 20.0) for index in range(2000)]


@pytest.mark.parametrize(("defect", "width", "text"), [("rust", 320, "'rust'"), (None, 32, "32x320")])
def test_what_cannot_be_drawn_is_refused(defect: str | None, width: int, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parts.render(1, 1, defect, width, 320)


def test_drawing_is_quick() -> None:
    parts.render(1, 0, None, 320, 320)
    start = time.perf_counter()
    for index in range(20):
        parts.render(1, index, None, 320, 320)
    assert (time.perf_counter() - start) / 20 < 0.15


def test_a_folder_to_teach_from(tmp_path: Path) -> None:
    assert parts.write_folder(tmp_path, 4, goods=3, per_defect=2, width=96, height=64) == 3 + 2 * (1 + len(DEFECTS))
    assert [label for _, label in find_pictures(tmp_path, "train")] == ["good"] * 3
    tested = find_pictures(tmp_path, "test")
    assert sorted({label for _, label in tested}) == sorted(["good", *DEFECTS])
    for path, label in tested:
        made = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert made is not None
        assert made.shape == (64, 96)
        mask = tmp_path / "ground_truth" / label / f"{path.stem}_mask.png"
        assert mask.exists() == (label != "good")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parts.main([str(tmp_path), "--good", "1", "--per-defect", "0", "--size", "64"]) == 0
    assert '"pictures": 1' in capsys.readouterr().out
