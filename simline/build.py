"""Builds the simulated camera, `okngsim.cti`, with gcc: `python -m okng.simline.build [OUT]`.

The digest of all sources is compiled into the library, so a library that is there already is used as it is when it was
made from the same sources. Several processes may build at once: each makes its own file and renames it into place.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import genapi

NAME = "okngsim.cti"
SOURCES = (
    "gentl.c",
    "sensor.c",
    "registers.c",
    "usersets.c",
    "lines.c",
    "trigger.c",
    "exposure.c",
    "stream.c",
    "scene.c",
    "render.c",
    "pixels.c",
)
_HEADERS = ("gentl.h", "sensor.h", "scene.h", "pixels.h")
_FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-O3", "-g1", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")
_LIBRARIES = ("-lpthread", "-lm")
_HERE = Path(__file__).resolve().parent


class BuildError(Exception):
    """The simulated camera cannot be built. The text says what to do."""


def digest() -> str:
    """Return the sha256 of everything the library is made from, 64 hex digits."""
    seen = hashlib.sha256(" ".join(_FLAGS + _LIBRARIES).encode())
    for name in SOURCES + _HEADERS:
        seen.update(name.encode() + b"\0" + (_HERE / name).read_bytes())
    seen.update(genapi.c_header().encode())
    return seen.hexdigest()


def is_current(library: Path) -> bool:
    """True when that library exists and was made from the sources as they are now."""
    try:
        return f"okngsim-sources:{digest()}".encode() in library.read_bytes()
    except OSError:
        return False


def build(out: Path | None = None) -> Path:
    """Build the library unless it is current, and return where it lies.

    out: the file to make. None: beside the sources, or in the user's cache folder where that one is not writable.
    Raises BuildError: no gcc, the compiler's complaint, or no folder that can be written.
    """
    if out is not None:
        return _build_at(out)
    beside = _HERE / NAME
    if is_current(beside):
        return beside
    if os.access(_HERE, os.W_OK):
        return _build_at(beside)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return _build_at(cache / "okng" / f"{digest()[:16]}-{NAME}")


def _build_at(out: Path) -> Path:
    if is_current(out):
        return out
    compiler = shutil.which("gcc")
    if compiler is None:
        raise BuildError("gcc is missing: apt-get install gcc libc6-dev")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".build-") as folder:
            made = _compile(compiler, Path(folder))
            made.replace(out)
    except OSError as error:
        raise BuildError(f"{out}: cannot be written: {error.strerror or error}") from error
    return out


def _compile(compiler: str, folder: Path) -> Path:
    (folder / "genapi.h").write_text(genapi.c_header(), encoding="utf-8")
    made = folder / NAME
    command = [
        compiler,
        *_FLAGS,
        f'-DSOURCE_DIGEST="{digest()}"',
        f"-I{folder}",
        f"-I{_HERE}",
        "-o",
        str(made),
        *(str(_HERE / name) for name in SOURCES),
        *_LIBRARIES,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"gcc does not accept the sources:\n{done.stderr.strip()}")
    return made


def main(arguments: list[str]) -> int:
    """`python -m okng.simline.build [OUT]`: build and say where."""
    try:
        path = build(Path(arguments[0]) if arguments else None)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
