"""What the library of the simulated camera can do to its process: be slow, hang, crash."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from okng.simline.build import build
from okng.simline.scene import Scene

from .sensor_rig import QUICK, SERIAL, Rig, Shot, opened


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    with Scene(tmp_path, SERIAL, 64 * 64) as made:
        made.show(np.full((16, 32), 100, np.uint8), 1)
        yield made


@pytest.fixture
def rig(scene: Scene) -> Iterator[Rig]:
    with opened() as made:
        made.start(**QUICK)
        yield made


@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_slow_register(scene: Scene, rig: Rig, at: int) -> None:
    rig.get("WidthMax")
    scene.plan("slow", at=at, times=2, value=120)
    took_ms = []
    for _ in range(at + 3):
        begun_ns = time.monotonic_ns()
        rig.get("WidthMax")
        took_ms.append((time.monotonic_ns() - begun_ns) // 1_000_000)
    assert sum(took_ms) >= 240
    assert scene.happened("slow") == 2
    assert min(took_ms[at - 1], took_ms[at]) >= 120


SESSION = """
import sys
from pathlib import Path
from tests_rig import QUICK, opened

with opened(Path(sys.argv[1])) as rig:
    rig.start(**QUICK)
    for number in range(1, 9):
        rig.fire()
        print("fired", number, flush=True)
        shot = rig.fetch(5.0)
        print("fetched", shot and shot.number, flush=True)
        rig.get("WidthMax")
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that fire and fetch eight times, on the camera of this test."""
    rig_file = Path(__file__).with_name("sensor_rig.py")
    (tmp_path / "tests_rig.py").write_text(rig_file.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "session.py").write_text(SESSION, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "session.py"), str(build())]
    made: list[subprocess.Popen[str]] = []
    made.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
    yield made
    for process in made:
        process.kill()
        process.communicate()


def happens(scene: Scene, kind: str, within_s: float = 20.0) -> bool:
    end = time.monotonic() + within_s
    while not scene.happened(kind) and time.monotonic() < end:
        time.sleep(0.01)
    return scene.happened(kind) > 0


@pytest.fixture(params=[("crash", 1), ("crash", 3), ("hang_delivery", 1), ("hang_delivery", 3), ("hang_register", 20)])
def planned(request: pytest.FixtureRequest, scene: Scene) -> tuple[str, int]:
    kind, at = request.param
    scene.plan(kind, at=at)
    return str(kind), int(at)


def test_a_library_that_crashes_or_hangs_takes_its_process_along(
    scene: Scene, planned: tuple[str, int], session: list[subprocess.Popen[str]]
) -> None:
    kind, at = planned
    (process,) = session
    assert happens(scene, kind)
    if kind == "crash":
        said, _ = process.communicate(timeout=20)
        assert process.returncode == -signal.SIGABRT
        assert said.splitlines()[-1] == f"fired {at}"
        return
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)  # it stands
    process.kill()
    said, _ = process.communicate(timeout=20)
    assert len(said.splitlines()) < 16
    if kind == "hang_delivery":
        assert said.splitlines()[-1] == f"fired {at}"
    with opened() as rig:  # another process finds the camera well
        rig.start(**QUICK)
        assert isinstance(rig.shoot(), Shot)
