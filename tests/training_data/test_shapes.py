"""A defect's pixels are the same whatever form they were drawn in."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadPicture
from okng.models.box import Box
from okng.training.data.dataset import Annotation, Sample
from okng.training.data.shapes import Boxed, MaskFile, Polygons, RunLengths, box_of, write_mask


def test_a_polygon_covers_the_pixels_whose_middle_it_holds() -> None:
    square = Polygons((((1, 1), (4, 1), (4, 3), (1, 3)),))
    assert box_of(square.mask(6, 5)) == Box(1, 1, 3, 2) == square.box(6, 5)
    assert square.mask(6, 5).sum() == 6


def test_a_round_polygon_has_the_area_it_should() -> None:
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = Polygons((tuple((60 + 40 * float(np.cos(a)), 50 + 40 * float(np.sin(a))) for a in turn),))
    assert circle.mask(120, 100).sum() == pytest.approx(np.pi * 40**2, rel=0.005)


def test_a_scratch_thinner_than_a_pixel_does_not_vanish() -> None:
    thin = Polygons((((1.6, 1.2), (1.9, 1.2), (1.9, 3.8), (1.6, 3.8)),))
    assert thin.mask(6, 5).sum() == 3


def test_a_polygon_may_hang_over_the_edge() -> None:
    outside = Polygons((((-5, -5), (2, -5), (2, 2), (-5, 2)),))
    assert outside.box(6, 5) == Box(0, 0, 2, 2)
    assert outside.mask(6, 5).sum() == 4
    assert Polygons((((9, 9), (12, 9), (12, 12)),)).box(6, 5) is None


def test_a_mask_file_counts_whatever_is_not_black(tmp_path: Path) -> None:
    wide = np.zeros((5, 6), np.uint16)
    wide[1:3, 2:4] = 1
    cv2.imwrite(str(tmp_path / "m.png"), wide * 300)
    mask = MaskFile(tmp_path / "m.png", "")
    assert box_of(mask.mask(6, 5)) == Box(2, 1, 2, 2)
    assert box_of(MaskFile(tmp_path / "m.png", "", Box(3, 0, 3, 5)).mask(6, 5)) == Box(3, 1, 1, 2)
    with pytest.raises(BadPicture, match=r"m\.png: 6x5 pixels: its picture has 7x5"):
        mask.mask(7, 5)


def test_run_lengths_go_down_the_columns() -> None:
    found = RunLengths((6, 2, 22), 6, 5).mask(6, 5)
    assert box_of(found) == Box(1, 1, 1, 2)
    with pytest.raises(BadPicture, match="run lengths of 6x5 pixels"):
        RunLengths((30,), 6, 5).mask(5, 6)


def test_a_sample_joins_its_defects_by_class(tmp_path: Path) -> None:
    write_mask(tmp_path / "m.png", Boxed(Box(4, 0, 1, 1)).mask(6, 5))
    two = (
        Annotation("scratch", Box(0, 0, 2, 1)),
        Annotation("scratch", Box(4, 0, 1, 1), MaskFile(tmp_path / "m.png", "")),
        Annotation("stain", Box(0, 4, 1, 1)),
    )
    sample = Sample(tmp_path / "p.png", "", 6, 5, 1, "scratch", "p.png", annotations=two)
    assert {kind: int(mask.sum()) for kind, mask in sample.masks().items()} == {"scratch": 3, "stain": 1}
    assert sample.kinds == ("scratch", "stain")
    assert sample.drawn
    unknown = Sample(tmp_path / "p.png", "", 6, 5, 1, "scratch", "p.png")
    assert unknown.mask() is None
    good = Sample(tmp_path / "p.png", "", 6, 5, 1, "good", "p.png").mask()
    assert good is not None
    assert not good.any()
