"""Millimetres a pixel come from the recipe's calibration, where the picture is made straight by it."""

import json
from pathlib import Path

import pytest

from okng.bus.errors import BadRecipe
from okng.imaging.develop_options import DevelopOptions
from okng.imaging.scale import scale_of


def calibrated(folder: Path) -> Path:
    lens = {
        "width": 640,
        "height": 480,
        "camera_matrix": [[800, 0, 320], [0, 800, 240], [0, 0, 1]],
        "distortion": [0, 0, 0, 0, 0],
        "mm_per_px": 0.125,
        "reprojection_px": 0.2,
        "pictures": 12,
    }
    (folder / "lens.json").write_text(json.dumps(lens))
    return folder


def test_a_straightened_picture_has_the_scale_of_its_calibration(tmp_path: Path) -> None:
    folder = calibrated(tmp_path)
    assert scale_of(DevelopOptions(lens="lens.json", undistort=True), folder) == 0.125
    assert scale_of(DevelopOptions(lens="lens.json", rectify=True), folder) == 0.125


def test_without_one_there_is_none(tmp_path: Path) -> None:
    assert scale_of(DevelopOptions(), tmp_path) is None
    assert scale_of(DevelopOptions(lens="lens.json"), calibrated(tmp_path)) is None  # bent as the lens bends it


def test_a_calibration_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=r"lens\.json: cannot be read"):
        scale_of(DevelopOptions(lens="lens.json", rectify=True), tmp_path)
