"""The first load of a model that nobody here has run: in a throw-away process with bounds on memory, time and files.

A model file is hostile until shown otherwise: parsing it is memory-unsafe, and one of 66 bytes may ask for terabytes,
but only when it is *run*. So the trial loads it and runs it once, on the CPU, where it can harm only its own process.

    trial(folder or file)  ->  python -m okng.models.sandbox PLACE  ->  one line of JSON
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..bus.errors import BadBundle, OkngError
from .manifest import MODEL, read_manifest

MEMORY_MB = 4096
"""Address space of the trial, most of it the runtime's own; the model's size is added four times over."""
LIMIT_S = 120
_MB = 1 << 20
_NO_NEW_PRIVILEGES = 38
"""PR_SET_NO_NEW_PRIVS of prctl(2)."""
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of unshare(2)."""
_LEAST_MEMORY_MB = 512


@dataclass(frozen=True, slots=True)
class Trial:
    """How the first load went."""

    took_ms: int
    peak_mb: int
    """Largest resident memory of the process."""


def trial(folder: Path, memory_mb: int = MEMORY_MB, limit_s: float = LIMIT_S) -> Trial:
    """Load the bundle in a folder and run it once, in a process of its own.

    memory_mb: of address space, 512 or more. BadBundle: it is refused, kills its process, or takes too much memory or
    time; the text says which.
    """
    return _tried(folder, read_manifest(folder).files[MODEL].size, memory_mb, limit_s)


def trial_file(model: Path, memory_mb: int = MEMORY_MB, limit_s: float = LIMIT_S) -> Trial:
    """Load a model file that is no bundle yet and run it once, as `trial` does.

    Its inputs are zeros; free axes get 1, those of height and width 64. That it refuses such inputs is no fault of it.
    BadBundle: as for `trial`, and a file that cannot be read or holds what a bundle may not.
    """
    try:
        size = model.stat().st_size
    except OSError as error:
        raise BadBundle(f"{model}: cannot be read: {error.strerror}") from error
    return _tried(model, size, memory_mb, limit_s)


def trial_bytes(model: bytes, name: str, memory_mb: int = MEMORY_MB, limit_s: float = LIMIT_S) -> Trial:
    """The same for bytes that are in memory already. name: what to call them in an error."""
    with tempfile.TemporaryDirectory(prefix="okng-trial-") as folder:
        file = Path(folder) / MODEL
        file.write_bytes(model)
        try:
            return trial_file(file, memory_mb, limit_s)
        except BadBundle as error:
            raise BadBundle(str(error).replace(str(file), name)) from error


def _tried(place: Path, size: int, memory_mb: int, limit_s: float) -> Trial:
    allowed_mb = max(memory_mb, _LEAST_MEMORY_MB) + 4 * size // _MB
    command = [sys.executable, "-I", "-m", __name__, str(place.resolve()), str(allowed_mb), str(int(limit_s) + 1)]
    with tempfile.TemporaryDirectory(prefix="okng-trial-") as empty:
        # Loaded from bytes, a model may still name files in the working folder: this one is empty.
        Path(empty).chmod(0o500)
        try:
            done = subprocess.run(
                command, cwd=empty, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BadBundle(f"{place}: the trial took longer than {limit_s:g} s: not loaded") from error
    return _read(place, done, allowed_mb)


def _read(folder: Path, done: "subprocess.CompletedProcess[bytes]", allowed_mb: int) -> Trial:
    if done.returncode < 0:
        try:
            name = signal.Signals(-done.returncode).name
        except ValueError:
            name = str(-done.returncode)
        raise BadBundle(f"{folder}: the model ended its trial process by {name} (memory limit {allowed_mb} MB)")
    try:
        said = json.loads(done.stdout.decode("utf-8").strip().rpartition("\n")[2])
        if said["error"]:
            raise BadBundle(f"{folder}: refused in its trial: {said['error']}")
        return Trial(int(said["took_ms"]), int(said["peak_mb"]))
    except (ValueError, KeyError, TypeError) as error:
        words = done.stderr.decode("utf-8", errors="replace").strip().rpartition("\n")[2][:300]
        raise BadBundle(f"{folder}: the trial ended with code {done.returncode} and no answer: {words}") from error


def confine(memory_mb: int, cpu_s: int) -> None:
    """Bound this very process: address space, processor time, no file it writes, no core dump, no new privileges.

    No network either where the kernel lets us: as root. On a box the unit that this runs in has none.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(_NEW_NETWORK)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    for kind, most in (
        (resource.RLIMIT_AS, memory_mb * _MB),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most, most) if hard == resource.RLIM_INFINITY else (min(most, hard), hard))


def _try(folder: Path) -> Trial:
    from .bundle import open_bundle
    from .detector import Detector

    began = time.monotonic()
    if folder.is_dir():
        Detector(open_bundle(folder), "cpu", 1)  # runs once by itself
    else:
        _run_file(folder)
    return Trial(int((time.monotonic() - began) * 1000), _peak_kb() // 1024)


def _peak_kb() -> int:
    """Most memory this process has held. ru_maxrss would count the parent's: vfork and exec hand it on."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def _run_file(file: Path) -> None:
    from . import guard
    from .runtime import Session

    data = file.read_bytes()
    guard.check_model(data, str(file))
    session = Session(data, "cpu", 1)
    feeds = {}
    for port in session.inputs:
        free = [1 if place < 2 else 64 for place in range(len(port.shape))]
        shape = [axis if isinstance(axis, int) else free[place] for place, axis in enumerate(port.shape)]
        feeds[port.name] = np.zeros(shape, port.dtype)
    try:
        session.run(None, feeds)
    except RuntimeError as error:
        if "alloc" in str(error):
            raise BadBundle(f"{file}: wants more memory than there is: {error}") from error


def main(arguments: list[str]) -> int:
    """Try the bundle of the first argument within the bounds of the others; print what came out as JSON."""
    folder, memory_mb, cpu_s = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    tempfile.gettempdir()  # it is found by writing to it, which is over after the next line
    confine(memory_mb, cpu_s)
    answer: dict[str, object] = {"error": ""}
    try:
        answer |= asdict(_try(folder))
    except OkngError as error:
        answer["error"] = str(error)
    except TypeError as error:  # an input of a kind that numpy does not know
        answer["error"] = str(error)
    except MemoryError:
        answer["error"] = f"it wants more memory than {memory_mb} MB"
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    # What the runtime would still do at an orderly end is of no interest and may hang.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
