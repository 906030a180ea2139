"""What the doctor says of cameras: seen, not seen, the wrong one, and a producer that crashes."""

import subprocess
import sys
from pathlib import Path

import pytest

from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Health
from okng.camera import doctor
from okng.camera.doctor import camera_findings
from okng.camera.options import CameraOptions
from okng.simline.build import build
from okng.simline.scene import Scene


@pytest.fixture(scope="module")
def producer() -> Path:
    return build()


@pytest.fixture
def two_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    for serial in ("SN0000", "SN0001"):
        Scene(tmp_path, serial, 64 * 64).close()


@pytest.mark.usefixtures("two_cameras")
@pytest.mark.parametrize(
    ("serial", "ok", "words"),
    [("SN0001", True, "SN0001"), ("SN9", False, "camera SN9 is not seen"), ("", False, "more than one is seen")],
)
def test_the_wanted_camera_is_looked_for(producer: Path, tmp_path: Path, serial: str, ok: bool, words: str) -> None:
    driver, camera = camera_findings("top", CameraOptions(producer=producer, serial=serial), tmp_path)
    assert driver.ok is True
    assert (camera.ok, words in camera.found) == (ok, True)


def test_no_camera_at_all_is_about_cables(producer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    _, camera = camera_findings("top", CameraOptions(producer=producer), tmp_path)
    assert camera.ok is False
    assert "cable" in camera.advice


def test_a_producer_that_is_not_there_is_named(tmp_path: Path) -> None:
    (driver,) = camera_findings("top", CameraOptions(producer=tmp_path / "no.cti"), tmp_path)
    assert driver.ok is False
    assert "no.cti" in driver.found


def test_a_producer_nobody_named_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    (driver,) = camera_findings("top", CameraOptions(), tmp_path)
    assert driver.ok is False
    assert "0 producers" in driver.found


@pytest.mark.usefixtures("two_cameras")
def test_of_several_that_nobody_named_the_one_that_sees_the_camera_does(
    producer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what runs: all are asked for the serial number. That is worth a word and no fault."""
    (tmp_path / "bad.cti").write_bytes(b"nothing of the kind")
    (tmp_path / "link.cti").symlink_to(producer)
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"{producer.parent}:{tmp_path}")
    driver, camera = camera_findings("top", CameraOptions(serial="SN0001"), tmp_path)
    assert driver.ok is None
    assert "2 producers" in driver.found
    assert "bad.cti" in driver.found
    assert camera.ok is True
    _, camera = camera_findings("top", CameraOptions(serial="SN9"), tmp_path)
    assert camera.ok is False
    assert "camera SN9 is not seen" in camera.found
    assert "bad.cti" in camera.found, "one that does not load is named"
    (driver,) = camera_findings("top", CameraOptions(), tmp_path)
    assert driver.ok is False, "nothing tells which camera is meant"
    assert "camera.top.serial" in driver.advice


def test_a_file_that_is_no_producer_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "bad.cti").write_bytes(b"nothing of the kind")
    _, camera = camera_findings("top", CameraOptions(producer=tmp_path / "bad.cti"), tmp_path)
    assert camera.ok is False
    assert "bad.cti" in camera.found


def test_a_producer_that_crashes_takes_only_its_own_process(tmp_path: Path) -> None:
    (tmp_path / "crash.c").write_text("__attribute__((constructor)) static void f(void) { *(volatile int *)0 = 0; }\n")
    made = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "crash.cti"), str(tmp_path / "crash.c")]
    subprocess.run(made, check=True)
    _, camera = camera_findings("top", CameraOptions(producer=tmp_path / "crash.cti"), tmp_path)
    assert camera.ok is False
    assert "crashed (signal 11)" in camera.found


def test_a_producer_that_hangs_is_given_up(producer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOOK_S", 0.05)
    _, camera = camera_findings("top", CameraOptions(producer=producer), tmp_path)
    assert camera.ok is False
    assert "no answer" in camera.found


def test_a_camera_that_okng_holds_is_left_alone(producer: Path, tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path, "camera-top")
    beat.health = Health.READY
    beat.turn()
    _, camera = camera_findings("top", CameraOptions(producer=producer), tmp_path)
    beat.close()
    assert camera.ok is True
    assert "held by okng camera top" in camera.found


def test_video_cameras_are_looked_for_without_being_opened(tmp_path: Path) -> None:
    def found(video: str) -> tuple[bool | None, str]:
        (finding,) = camera_findings("top", CameraOptions(driver="video", video=video), tmp_path)
        return finding.ok, finding.found

    (tmp_path / "a.mp4").write_bytes(b"")
    assert found(str(tmp_path / "a.mp4")) == (True, f"file {tmp_path / 'a.mp4'}")
    assert found("/dev/video99") == (False, "/dev/video99: no such device")
    assert found("rtsp://admin:geheim@cam/1") == (True, "stream rtsp://cam/1")
    ok, words = found("gopher://cam")
    assert (ok, "gopher" in words) == (False, True)


def test_aravis_that_is_not_there_is_named_with_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    (finding,) = camera_findings("top", CameraOptions(driver="aravis"), tmp_path)
    assert finding.ok is False
    assert "gir1.2-aravis-0.8" in finding.advice


def test_a_folder_of_pictures_is_a_camera_too(tmp_path: Path) -> None:
    (found,) = camera_findings("top", CameraOptions(driver="replay", folder=tmp_path), tmp_path)
    assert found.ok is True
    (found,) = camera_findings("top", CameraOptions(driver="replay", folder=tmp_path / "none"), tmp_path)
    assert found.ok is False
