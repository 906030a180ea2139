"""`okng camera tune`: what a setter does before the first part runs, on the simulated camera."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.appliance.camera_hand import in_hand
from okng.appliance.camera_tune import scanned
from okng.camera.options import CameraOptions
from okng.camera.profiles import Profile
from okng.imaging.board import Board
from okng.imaging.lens_file import read_lens_file
from okng.imaging.picture import Picture
from okng.simline.build import build
from okng.simline.scene import Scene

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path / "sim", "SN0000", 640 * 480 * 3) as found:
        yield found


@pytest.fixture
def okng(tmp_path: Path, scene: Scene) -> Run:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        surroundings = os.environ | {"OKNG_SIM": str(tmp_path / "sim")}
        command = [sys.executable, "-m", "okng", "camera", *words]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60, env=surroundings, cwd=tmp_path
        )

    return run


def textured(level: float = 60.0) -> Picture:
    noise = np.random.default_rng(1).normal(0, 1, (480, 640))
    return np.asarray(np.clip(level + 25 * cv2.GaussianBlur(noise, (0, 0), 2) * 4, 1, 255), np.uint8)


def test_focus_is_shown_with_its_peak(okng: Run, scene: Scene) -> None:
    scene.show(textured(), 1)
    done = okng(
        "tune", "focus", "SN0000", "--producer", str(build()), "--seconds", "1.5", "--box", "100", "80", "200", "200"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 5
    assert all(re.match(r"focus +[\d.]+  peak +[\d.]+  \[#+ *\] +\d+ %", line) for line in lines)
    outside = okng(
        "tune", "focus", "SN0000", "--producer", str(build()), "--seconds", "1", "--box", "0", "0", "9999", "99"
    )
    assert outside.returncode == 78
    assert "--box" in outside.stderr


def test_exposure_is_found_and_told_for_the_recipe(okng: Run, scene: Scene) -> None:
    scene.show(textured(), 1, reference_exposure_us=1000.0)
    done = okng("tune", "exposure", "SN0000", "--producer", str(build()), "--gain", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"in the recipe: exposure_us: (\d+), gain_db: 0.0", done.stdout)
    assert found is not None
    assert 1500 < int(found[1]) < 4500, "the scene's brightest 5 % lie near 100 at 1000 us"


def test_a_scene_too_dark_for_the_longest_exposure_is_said(okng: Run, scene: Scene) -> None:
    scene.show(textured(6.0), 1, reference_exposure_us=1000.0)
    done = okng("tune", "exposure", "SN0000", "--producer", str(build()), "--gain", "0", "--longest", "1200")
    assert done.returncode == 1
    assert "open the aperture or add light" in done.stdout


def test_the_dark_and_the_flat_picture_are_averages_of_raw_frames(okng: Run, scene: Scene, tmp_path: Path) -> None:
    scene.show(np.full((480, 640), 128, np.uint8), 1, noise=6)
    done = okng("tune", "reference", "flat", "SN0000", "flat.png", "--producer", str(build()), "--count", "20")
    assert done.returncode == 0, done.stderr
    assert "in the recipe: develop: {flat: flat.png}" in done.stdout
    flat = cv2.imread(str(tmp_path / "flat.png"), cv2.IMREAD_UNCHANGED)
    assert flat is not None
    assert flat.dtype == np.uint16
    inner = flat[10:-10, 10:-10].astype(float) / 256
    assert abs(float(np.median(inner)) - 128) < 1.5
    dark = okng("tune", "reference", "dark", "SN0000", "dark.png", "--producer", str(build()), "--count", "3")
    assert "too bright for a dark picture" in dark.stdout


def test_white_balance_is_told_from_a_grey_sheet(okng: Run, scene: Scene) -> None:
    producer = ["--producer", str(build())]
    scene.show(np.full((480, 640), 120, np.uint8), 1)
    grey = okng("tune", "white", "SN0000", *producer)
    assert grey.returncode == 78
    assert "expected one with colours" in grey.stderr
    sheet = np.zeros((480, 640, 3), np.uint8)
    sheet[:] = (120, 160, 80)
    scene.show(sheet, 2)
    assert "develop: {white_balance: [1.333, 1, 2]}" in okng("tune", "white", "SN0000", *producer).stdout


def test_a_board_is_drawn_and_a_lens_calibrated_from_pictures(okng: Run, tmp_path: Path) -> None:
    drawn = okng("tune", "board", "board.png", "--square", "8", "--dpi", "150")
    assert drawn.returncode == 0, drawn.stderr
    assert "print it 95.8 x 71.8 mm" in drawn.stdout or "mm (150 dpi, 100 %)" in drawn.stdout
    board = Board("charuco", 10, 7, 8.0)
    (tmp_path / "views").mkdir()
    printed = board.draw(50)
    rows, columns = printed.shape
    for number, (dx, dy, lean) in enumerate([(0, 0, 0), (60, 20, 90), (20, 70, -80), (90, 60, 60), (40, 30, -60)]):
        corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
        there = corners * 0.9 + np.array([dx, dy], np.float32)
        there[1, 1] += lean * 0.5
        there[2, 1] -= lean * 0.5
        warp = cv2.getPerspectiveTransform(corners, there.astype(np.float32))
        view = cv2.warpPerspective(printed, warp, (720, 560), borderValue=110)
        cv2.imwrite(str(tmp_path / "views" / f"{number}.png"), view)
    words = ["tune", "lens", "any", "lens.json", "--square", "8", "--from", "views", "--plane"]
    done = okng(*words)
    assert done.returncode == 0, done.stderr
    assert "in the recipe: develop: {lens: lens.json, undistort: true, rectify: true}" in done.stdout
    lens = read_lens_file(tmp_path / "lens.json")
    assert (lens.width, lens.height, lens.pictures) == (720, 560, 5)
    refused = okng("tune", "lens", "any", "x.json", "--square", "8", "--squares", "5", "5", "--from", "views")
    assert refused.returncode == 78
    assert "different numbers" in refused.stderr


def test_a_lamp_that_does_not_follow_is_said(okng: Run, scene: Scene) -> None:
    scene.show(textured(), 1)
    words = ["tune", "strobe", "SN0000", "--producer", str(build()), "--feature", "Gain", "--range", "0", "0.4"]
    done = okng(*words, "--step", "0.1")
    assert done.returncode == 1, done.stderr
    assert "the lamp does not follow the strobe output" in done.stdout


def test_the_flash_is_set_to_the_middle_of_the_plateau(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path / "sim"))
    scene.show(textured(120.0), 1, reference_exposure_us=400.0)
    lamp = (("SimStrobeDuration", 100.0),)
    profile = Profile("Mono8", 320, 240, trigger="off", exposure_us=400.0, features=lamp)
    with in_hand(CameraOptions(producer=build(), serial="SN0000"), profile, None) as hand:
        *lines, found = scanned(hand, None, "SimStrobeDelay", (0.0, 700.0), 50.0)
        assert found is True
        delay = float(hand.source.get("SimStrobeDelay"))
    assert 0 <= delay <= 300, "the whole flash lies in the exposure"
    assert any(str(line).startswith("in the recipe: features: {SimStrobeDelay: ") for line in lines)
    assert len(lines) == 15 + 2
