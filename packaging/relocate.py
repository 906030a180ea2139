"""A folder that pip filled with `--prefix` becomes a virtual environment that lives elsewhere.

    python packaging/relocate.py STAGED HOME INTERPRETER

STAGED is the folder as it lies now, HOME its path on the box, INTERPRETER the Python there. Only the program `okng` is
kept in bin/; what a box has no use for goes; RECORD of each package says what is left.
"""

import csv
import io
import shutil
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

PROGRAM = "okng"
USELESS = (
    "numpy/*/tests",
    "numpy/*/*/tests",
    "numpy/tests",
    "onnx/backend/test",
    "onnx/test",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/tests",
)
"""Tests and C headers of libraries, below site-packages: nothing of them is imported by a box."""


def launcher(home: Path) -> str:
    """The program of the box. -I: nobody's PYTHONPATH and no folder that a person stands in changes what is run."""
    return f"#!{home}/bin/python3 -I\nimport sys\n\nfrom okng.__main__ import main\n\nsys.exit(main())\n"


def relocate(staged: Path, home: Path, interpreter: Path) -> None:
    """Make STAGED ready for HOME."""
    site = next(staged.glob("lib/python3*/site-packages"))
    programs = staged / "bin"
    for file in programs.iterdir():
        file.unlink()
    shutil.rmtree(staged / "share", ignore_errors=True)  # manuals of programs that are not kept
    for pattern in USELESS:
        for folder in site.glob(pattern):
            shutil.rmtree(folder)
    (programs / PROGRAM).write_text(launcher(home), encoding="utf-8")
    (programs / PROGRAM).chmod(0o755)
    (programs / "python3").symlink_to(interpreter)
    (programs / "python").symlink_to("python3")
    version = site.parent.name.removeprefix("python")
    text = f"home = {interpreter.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    (staged / "pyvenv.cfg").write_text(text, encoding="utf-8")
    for record in site.glob("*.dist-info/RECORD"):
        _rewrite(record, site)


def _rewrite(record: Path, site: Path) -> None:
    """Keep the lines of files that are there, with the digest they have now, sorted."""
    kept = []
    for row in csv.reader(io.StringIO(record.read_text(encoding="utf-8"))):
        file = (site / row[0]).resolve()
        if not file.is_file():
            continue
        if row[1] and not file.is_relative_to(site.resolve()):
            data = file.read_bytes()
            row = [row[0], f"sha256={urlsafe_b64encode(sha256(data).digest()).rstrip(b'=').decode()}", str(len(data))]
        kept.append(row)
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(sorted(kept))
    record.write_text(made.getvalue(), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Take the three paths."""
    staged, home, interpreter = map(Path, arguments)
    relocate(staged, home, interpreter)


if __name__ == "__main__":
    main(sys.argv[1:])
