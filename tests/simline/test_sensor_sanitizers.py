"""The simulated camera's C side under gcc's sanitizers: no byte outside, nothing undefined, no race."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from okng.simline import build as builder
from okng.simline.genapi import FORMATS, c_header
from okng.simline.scene import Scene

from .sensor_rig import SERIAL

SESSION = """
import sys, threading
from pathlib import Path
import numpy as np
from okng.simline.scene import Scene
from tests_rig import QUICK, opened

names = sys.argv[2].split(",")
folder = Path(sys.argv[3])
with Scene(folder, "SN0000", 80 * 70 * 3) as scene:
    part = np.random.default_rng(1).integers(0, 256, (70, 80, 3), np.uint8)
    going = threading.Event()
    frames = 0
    for opening in range(2):
        with opened(Path(sys.argv[1])) as rig:
            for name in names if opening == 0 else names[::6]:
                scene.show(part, 1, px_per_count=0.5, noise=3, reference_exposure_us=100.0)
                rig.start(**QUICK, PixelFormat=name, Width=36, Height=34, ChunkModeActive=True, ChunkEnable=True,
                          UserSetSelector="UserSet1", UserSetSave=True)
                for kind in ("incomplete", "wrong_size", "wrong_format", "repeat", "freeze", "black", "held"):
                    scene.plan(kind, value=1000)
                    rig.fire()
                    frames += rig.fetch(2.0) is not None
                scene.set_encoder(opening * 31)
                frames += rig.shoot() is not None
            rig.start(TriggerMode="Off", AcquisitionFrameRateEnable=False, PixelFormat="Mono8")
            for _ in range(60):
                rig.get("PayloadSize")
                rig.set(Gain=1.0)
                scene.pulse_line0(50)
                frames += rig.fetch(2.0) is not None
            rig.start(TriggerMode="On", TriggerSource="Line0", TriggerOverlap="PreviousFrame", SimReadoutTime=50.0)
            for _ in range(60):
                scene.pulse_line0(20)
            while rig.fetch(0.2):
                frames += 1
            scene.fault("unplug")
            assert rig.fetch(0.05) is None
            scene.fault("unplug", 0)
print("frames", frames)
"""


def compile_with(folder: Path, *flags: str) -> Path:
    (folder / "genapi.h").write_text(c_header(), encoding="utf-8")
    here = Path(builder.__file__).parent
    library = folder / "checked.cti"
    command = [
        "gcc",
        *(flag for flag in builder._FLAGS if flag != "-O3"),
        *("-O1", "-g", "-fno-omit-frame-pointer", *flags, f"-I{folder}", f"-I{here}", "-o", str(library)),
        *(str(here / name) for name in builder.SOURCES),
        *builder._LIBRARIES,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library


def runtime(name: str) -> Path:
    """A library of gcc's, to be loaded before Python. Skips at a desk, fails in CI, where it is missing."""
    path = Path()
    if shutil.which("gcc") is not None:
        asked = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        path = Path(asked.stdout.strip())
    if not path.is_absolute():
        message = f"{name} is not installed (apt-get install gcc libc6-dev)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path.resolve()


def play(folder: Path, library: Path, preload: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    rig_file = Path(__file__).with_name("sensor_rig.py")
    (folder / "tests_rig.py").write_text(rig_file.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "session.py").write_text(SESSION, encoding="utf-8")
    world = folder / "world"
    Scene(world, SERIAL, 80 * 70 * 3).close()
    names = ",".join(name for name, _ in FORMATS)
    return subprocess.run(
        [sys.executable, str(folder / "session.py"), str(library), names, str(world)],
        env={
            **os.environ,
            "OKNG_SIM": str(world),
            "LD_PRELOAD": f"{preload} {runtime('libstdc++.so.6')}",
            "PYTHONMALLOC": "malloc",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )


def test_no_byte_outside_and_nothing_undefined(tmp_path: Path) -> None:
    preload = runtime("libasan.so")
    library = compile_with(tmp_path, "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
    done = play(tmp_path, library, preload, ASAN_OPTIONS="detect_leaks=0:abort_on_error=0:exitcode=99")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "runtime error" not in done.stderr
    assert int(done.stdout.split()[-1]) > 5 * len(FORMATS)


def test_no_two_threads_at_one_datum_at_once(tmp_path: Path) -> None:
    preload = runtime("libtsan.so")
    library = compile_with(tmp_path, "-fsanitize=thread")
    report = tmp_path / "races"
    done = play(
        tmp_path,
        library,
        preload,
        TSAN_OPTIONS=f"report_bugs=1:exitcode=0:ignore_noninstrumented_modules=1:log_path={report}",
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = "".join(file.read_text(encoding="utf-8") for file in tmp_path.glob("races*"))
    assert "checked.cti" not in found, found[:4000]
    assert int(done.stdout.split()[-1]) > 5 * len(FORMATS)
