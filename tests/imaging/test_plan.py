"""How a raw picture is developed reaches every reader whole, or is said to be missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from okng.bus.errors import BadPicture, BadRecipe
from okng.imaging.develop_options import DevelopOptions
from okng.imaging.formats import FORMATS
from okng.imaging.lens_file import LensFile, read_lens_file
from okng.imaging.plan import DevelopPlan, plan_of, read_written

LENS = {
    "width": 640,
    "height": 480,
    "camera_matrix": [[500, 0, 320], [0, 500, 240], [0, 0, 1]],
    "distortion": [-0.2, 0.05, 0, 0, 0],
    "plane": [[1, 0, 0], [0, 1.2, 3], [0, 0, 1]],
    "mm_per_px": 0.05,
    "reprojection_px": 0.2,
    "pictures": 12,
}
FULL = DevelopPlan(
    dark=bytes(range(256)),
    flat=b"\n\n{}",
    lens=LensFile.model_validate(LENS).model_dump_json(),
    undistort=True,
    rectify=True,
    white_balance=(1.5, 1.0, 2.25),
    levels=(64, 4000),
    crop=(10, 20, 300, 200),
)


@pytest.mark.parametrize(
    "plan", [FULL, DevelopPlan(levels=(0, 9)), DevelopPlan(crop=(0, 0, 16, 16)), DevelopPlan(flat=b"\0")]
)
def test_what_is_written_is_read(tmp_path: Path, plan: DevelopPlan) -> None:
    name = plan.write(tmp_path)
    assert name == plan.name != ""
    assert read_written(tmp_path, name) == plan
    assert plan.write(tmp_path) == name
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_the_plain_plan_needs_no_file(tmp_path: Path) -> None:
    assert DevelopPlan().plain
    assert DevelopPlan().write(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert read_written(tmp_path, "") == DevelopPlan()


def test_a_file_that_is_gone_or_damaged_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(BadPicture, match=r"No such file.*develop-0123"):
        read_written(tmp_path, "develop-0123456789abcdef")
    name = FULL.write(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for at in range(0, len(whole), 37):
        (tmp_path / name).write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(BadPicture, match=f"{name}: damaged"):
            read_written(tmp_path, name)
    (tmp_path / name).write_bytes(whole[:-1])
    with pytest.raises(BadPicture, match="damaged"):
        read_written(tmp_path, name)


def test_old_plans_go_and_those_in_use_stay(tmp_path: Path) -> None:
    other = tmp_path / "develop-of-another-kind"
    other.write_bytes(b"")
    first = DevelopPlan(levels=(0, 200))
    first.write(tmp_path)
    for high in range(201, 255):
        plan = DevelopPlan(levels=(0, high))
        os.utime(tmp_path / plan.write(tmp_path), (high, high))
        if high == 230:
            os.utime(tmp_path / first.name, (220, 220))
            first.write(tmp_path)
    names = {file.name for file in tmp_path.iterdir()}
    assert len(names) == 41
    assert {other.name, first.name, plan.name} <= names
    assert DevelopPlan(levels=(0, 201)).name not in names


def test_a_recipes_section_becomes_a_plan(tmp_path: Path) -> None:
    (tmp_path / "lens.json").write_text(json.dumps(LENS))
    (tmp_path / "dark.png").write_bytes(b"dark")
    (tmp_path / "flat.png").write_bytes(b"flat")
    options = DevelopOptions(
        dark="dark.png",
        flat="flat.png",
        lens="lens.json",
        rectify=True,
        white_balance=(1.5, 1.0, 2.0),
        levels=(10, 200),
        crop=(1, 2, 30, 40),
    )
    plan = plan_of(options, tmp_path, 640, 480)
    assert plan.calibration == read_lens_file(tmp_path / "lens.json")
    assert (plan.dark, plan.flat, plan.rectify, plan.undistort) == (b"dark", b"flat", True, False)
    assert (plan.white_balance, plan.levels, plan.crop) == ((1.5, 1.0, 2.0), (10, 200), (1, 2, 30, 40))
    assert plan.size(640, 480) == (30, 40)
    assert plan_of(DevelopOptions(), tmp_path, 640, 480).plain
    with pytest.raises(BadRecipe, match=r"lens\.json: made from pictures of 640x480, expected the camera's 800x600"):
        plan_of(options, tmp_path, 800, 600)
    (tmp_path / "lens.json").write_text(json.dumps(LENS | {"plane": None}))
    with pytest.raises(BadRecipe, match=r"lens\.json: rectify = true: expected a calibration that knows the plane"):
        plan_of(options, tmp_path, 640, 480)
    (tmp_path / "flat.png").unlink()
    with pytest.raises(BadRecipe, match=r"flat\.png: cannot be read: No such file"):
        plan_of(options.model_copy(update={"lens": "", "rectify": False}), tmp_path, 640, 480)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"undistort": True}, "expected the calibration's file"),
        ({"levels": (9, 9)}, "expected the darker one first"),
        ({"crop": (0, 0, 8, 16)}, "width and height of 16 or more"),
        ({"white_balance": (1.0, 17.0, 1.0)}, "less than or equal to 16"),
        ({"dank": "x.png"}, "Extra inputs"),
    ],
)
def test_a_section_that_means_nothing_is_refused(said: dict[str, object], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        DevelopOptions.model_validate(said)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"camera_matrix": [[0, 0, 320], [0, 500, 240], [0, 0, 1]]}, "fx and fy above 0"),
        ({"camera_matrix": [[500, 0, 320], [0, 500, 240], [0, 0, 2]]}, "0 0 1"),
        ({"plane": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "determinant is 0"),
        ({"mm_per_px": 0}, "greater than 0"),
        ({"distortion": [0, 0, 0, 0]}, "distortion"),
        ({"width": "wide"}, "width"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(tmp_path: Path, said: dict[str, object], wanted: str) -> None:
    (tmp_path / "lens.json").write_text(json.dumps(LENS | said))
    with pytest.raises(BadRecipe, match=wanted):
        read_lens_file(tmp_path / "lens.json")


def test_formats_as_the_naming_convention_has_them() -> None:
    """The second byte of a format's 32-bit value is its bits a pixel."""
    from harvesters.util.pfnc import dict_by_names, get_effective_pixel_size

    for name, fmt in FORMATS.items():
        assert get_effective_pixel_size(dict_by_names[name]) == fmt.bits_per_pixel, name
    assert FORMATS["Mono10p"].payload_bytes(3, 1) == 4
    assert FORMATS["BayerGR8"].quad == "GRBG"
    assert FORMATS["Mono8"].quad == ""


def test_reading_a_recipe_loads_neither_numpy_nor_opencv() -> None:
    """The process at the PLC reads recipes and stays light."""
    code = (
        "import sys, okng.imaging.plan, okng.imaging.formats, okng.imaging.develop_options\n"
        "print(sorted({'numpy', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
