"""Every file operation of a piece of work, counted; before the Nth one the process is stopped or the power goes.

The work runs in a forked child, so that a point costs milliseconds. Counted are what Python asks of the file system
(open, write, fsync, rename, link, unlink, mkdir, chmod) and what SQLite does through apsw (write, sync, truncate).
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

_AUDITED = (
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
)
_LIMIT_S = 30
Stop = Callable[[], None]
"""What happens at the point, before the process is killed."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one run of the work."""

    operations: int
    """File operations it began."""
    finished: bool
    """It came to its end, and its caller was told so."""
    error: str = ""
    """What it raised."""


def run(work: Callable[[], object], under: Path, stop_at: int = 0, stop: Stop | None = None) -> Done:
    """Do the work in a child. stop_at: the operation before which it ends for good; 0: it runs through.

    under: operations on files outside this folder do not count.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        signal.alarm(_LIMIT_S)
        _child(work, under, stop_at, stop, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        words = pipe.read().decode()
    os.waitpid(pid, 0)
    lines = [line for line in words.splitlines() if line]
    error = next((line[6:] for line in lines if line.startswith("error ")), "")
    return Done(max(int(line) for line in lines if line.isdigit()) if lines else 0, "done" in lines, error)


def _child(work: Callable[[], object], under: Path, stop_at: int, stop: Stop | None, told: int) -> None:
    count = 0
    write, root, at_work = os.write, os.fspath(under.resolve()), True

    def step() -> None:
        nonlocal count
        if not at_work:
            return
        count += 1
        write(told, b"%d\n" % count)
        if count == stop_at:
            if stop is not None:
                stop()
            os.kill(os.getpid(), signal.SIGKILL)

    def ours(name: object) -> bool:
        return isinstance(name, str | os.PathLike) and os.fspath(name).startswith(root)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _AUDITED and any(ours(one) for one in arguments):
            step()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(handle: int, *rest: Any) -> Any:
            if handle != told:
                step()
            return real(handle, *rest)

        return call

    os.fsync = counted(os.fsync)
    os.write = counted(os.write)
    _count_sqlite(step)
    sys.addaudithook(hook)
    try:
        work()
        at_work = False
        write(told, b"done\n")
    except BaseException as error:  # noqa: BLE001 - the outermost frame of a child: its parent is told
        at_work = False
        write(told, f"error {type(error).__name__}: {error}".replace("\n", " ").encode() + b"\n")
    finally:
        os._exit(0)


def _count_sqlite(step: Callable[[], None]) -> None:
    """Make every connection of this process go through a file system of ours that counts."""

    base = apsw.vfs_names()[0]  # by name: the empty one is the default, and that becomes ours

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__(base, name, flags)

        def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
            step()
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            step()
            super().xSync(flags)

        def xTruncate(self, size: int) -> None:  # noqa: N802
            step()
            super().xTruncate(size)

    class Disk(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("counted", base, makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
            return File(name, flags)

        def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
            step()
            super().xDelete(name, sync)

    _count_sqlite.disk = Disk()  # type: ignore[attr-defined]  # SQLite does not hold it
