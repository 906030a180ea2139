"""`okng camera`: the tools of the person who sets a camera up, run as a person runs them, on the simulated camera."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import genicam
import numpy as np
import pytest

from okng.bus.errors import BadSettings, CameraLost
from okng.camera.discovery import producer_of
from okng.simline.build import build
from okng.simline.scene import Scene

VIKY = Path(genicam.__file__).parent / "viky.cti"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated camera that sees a slope, 320 x 240."""
    folder = tmp_path_factory.mktemp("sim")
    columns = np.arange(320) // 2 + 40
    with Scene(folder, "SN0000", 640 * 480) as scene:
        scene.show(np.tile(columns, (240, 1)).astype(np.uint8), 1)
    return folder


def okng(world: Path, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    surroundings = os.environ | {"OKNG_SIM": str(world), "GENICAM_GENTL64_PATH": path}
    command = [sys.executable, "-m", "okng", "camera", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=surroundings, cwd=world)


def test_every_producers_cameras_are_listed_and_one_that_does_not_load_is_named(world: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.cti"
    broken.write_bytes(b"no library")
    done = okng(world, "list", "--producer", str(build()), "--producer", str(VIKY), "--producer", str(broken))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert sum("SN0000" in line and "okngsim" in line for line in lines) == 1
    assert sum("Viky" in line for line in lines) == 3
    assert any("broken.cti" in line for line in lines)
    said = json.loads(okng(world, "list", "--producer", str(build()), "--json").stdout)
    assert [each["serial"] for each in said["cameras"]] == ["SN0000"]


def test_a_crashing_producer_is_named_and_the_others_are_listed(world: Path, tmp_path: Path) -> None:
    source = tmp_path / "crash.c"
    source.write_text("#include <stdlib.h>\n__attribute__((constructor)) static void die(void) { abort(); }\n")
    crash = tmp_path / "crash.cti"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(crash), str(source)], check=True)
    done = okng(world, "list", "--producer", str(crash), "--producer", str(build()))
    assert "SN0000" in done.stdout
    assert "crash.cti: the producer crashed (signal 6)" in done.stdout


def test_features_are_shown_by_words_and_as_json(world: Path) -> None:
    done = okng(world, "show", "SN0000", "trigger", "--producer", str(build()))
    assert done.returncode == 0
    assert "TriggerSource" in done.stdout
    assert "ExposureTime" not in done.stdout
    found = json.loads(okng(world, "show", "SN0000", "exposuretime", "--producer", str(build()), "--json").stdout)
    assert next(each for each in found if each["name"] == "ExposureTime")["unit"] == "us"


def test_a_feature_is_set_and_a_refusal_names_value_and_range(world: Path) -> None:
    done = okng(world, "set", "SN0000", "ExposureTime=250", "TimestampLatch", "--producer", str(build()))
    assert done.stdout.splitlines() == ["ExposureTime = 250.0", "TimestampLatch: done"]
    refused = okng(world, "set", "SN0000", "Width=17", "--producer", str(build()))
    assert refused.returncode == 78
    assert "Width = 17: expected 16..4096 in steps of 4" in refused.stderr
    assert okng(world, "set", "SN0000", "Width", "--producer", str(build())).returncode == 78
    assert "Wibble" in okng(world, "set", "SN0000", "Wibble=1", "--producer", str(build())).stderr


def test_a_picture_is_taken_as_the_camera_sees_it(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "snap.png"
    done = okng(world, "snap", "SN0000", str(out), "--producer", str(build()))
    assert done.returncode == 0, done.stderr
    picture = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    row = picture[picture.shape[0] // 2].astype(int)
    middle = row[picture.shape[1] // 2 - 150 : picture.shape[1] // 2 + 150]
    assert (np.diff(middle) >= 0).all(), "the slope it was shown"
    assert middle[-1] - middle[0] == 149 or middle[-1] - middle[0] == 150


def test_a_stream_is_counted(world: Path) -> None:
    words = ["stream", "SN0000", "--producer", str(build()), "--seconds", "1", "--rate", "50", "--json"]
    done = okng(world, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert 30 < found["frames"] <= 60
    assert (found["gaps"], found["incomplete"], found["clock"]) == (0, 0, "latch")


def test_a_stream_is_recorded_for_replay(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "recorded"
    words = ["stream", "SN0000", "--producer", str(build()), "--seconds", "0.5", "--rate", "20", "--record", str(out)]
    done = okng(world, *words)
    assert done.returncode == 0, done.stderr
    rows = (out / "frames.csv").read_text().splitlines()
    assert len(rows) - 1 == len(list(out.glob("*.png"))) >= 5
    assert okng(world, *words).returncode == 78, "a recording is not written over"


def test_a_camera_in_use_is_said(world: Path) -> None:
    words = ["stream", "SN0000", "--producer", str(build()), "--seconds", "8"]
    surroundings = os.environ | {"OKNG_SIM": str(world)}
    holder = subprocess.Popen([sys.executable, "-m", "okng", "camera", *words], env=surroundings, cwd=world)
    try:
        seen = ""
        for _ in range(20):
            seen = okng(world, "show", "SN0000", "--producer", str(build())).stderr
            if "in use" in seen:
                break
        assert "camera SN0000 is in use by another program" in seen
    finally:
        holder.kill()
        holder.wait()


def test_of_several_producers_the_serial_tells(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "viky.cti").symlink_to(VIKY)
    (tmp_path / "okngsim.cti").symlink_to(build())
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    monkeypatch.setenv("OKNG_SIM", str(world))
    assert producer_of("SN0000") == build().resolve()
    with pytest.raises(CameraLost, match=r"camera SN4711: not seen by .*viky.cti"):
        producer_of("SN4711")
    with pytest.raises(BadSettings, match="no serial either"):
        producer_of("")


def test_without_any_producer_it_is_said_what_to_do(world: Path) -> None:
    done = okng(world, "list")
    assert done.returncode == 1
    assert "GENICAM_GENTL64_PATH" in done.stdout
    assert "expected the camera maker's GenTL producer" in okng(world, "show", "SN0000").stderr


def test_the_process_names_itself_and_leaves_its_stacks_on_demand(world: Path, tmp_path: Path) -> None:
    """The supervisor ends a process that hangs by SIGABRT and counts on its stacks in the log."""
    said = (
        "import faulthandler, multiprocessing, okng.appliance.camera_door as door\n"
        "def look(file):\n"
        "    raise SystemExit(f'{multiprocessing.current_process().name} {faulthandler.is_enabled()}')\n"
        "door.settings_at = look\n"
        "door.camera(['top'])\n"
    )
    done = subprocess.run([sys.executable, "-c", said], check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "camera-top True"


def test_a_name_that_is_no_tool_is_a_camera_of_the_settings(world: Path, tmp_path: Path) -> None:
    done = okng(world, "top", "--settings", str(tmp_path / "none.toml"))
    assert done.returncode == 78
    assert "none.toml" in done.stderr
