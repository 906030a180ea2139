"""What a process leaves behind when it breaks: the stacks of all its threads and its last words, kept over restarts.

One file a run of a process, `stacks/NAME.PID.txt` in the run folder, opened when the process starts: whoever dies of a
signal (SIGSEGV, or SIGABRT from a watchdog) has no time to open one. SIGUSR1 asks for the stacks of a live process. A
run that ends well leaves an empty file, which the next one of that name takes away.
"""

import contextlib
import faulthandler
import logging
import os
import signal
import stat
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

KEPT = 5
"""Runs of one name whose last words are kept."""
MOST_BYTES = 64 << 10
"""Words of one run that are kept, and what is read of a file, from its end. Stacks asked for by signal come on top."""
_FORMAT = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class Dump:
    """What one run of a process left."""

    name: str
    """Name of the process when it was started."""
    pid: int
    at_ns: int
    """When it was last written to, ns since 1970."""
    text: str


def stacks_folder(run: Path) -> Path:
    """Where they lie."""
    return run / "stacks"


def keep_stacks(run: Path, name: str) -> None:
    """From here on this process leaves its stacks and last words there. A folder that cannot be had is only logged."""
    folder = stacks_folder(run)
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            folder.chmod(0o3770)  # shared by the group, and nobody takes away another one's
        _sweep(folder, name)
        file = _made(folder / f"{name}.{os.getpid()}.txt")
    except OSError as error:
        logging.getLogger(__name__).warning("stacks are not kept: %s: %s", folder, error.strerror)
        return
    faulthandler.enable(file)
    faulthandler.register(signal.SIGUSR1, file)
    words = _Words(file)
    logging.getLogger().addHandler(words)
    sys.excepthook = words.of_process
    threading.excepthook = words.of_thread


def _made(path: Path) -> IO[str]:
    """A new file of that name. The group may put names there: what stands under ours is taken away, never followed."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    return os.fdopen(handle, "w", encoding="utf-8", errors="replace")


def _stat(path: Path) -> os.stat_result | None:
    """Of a file that is one, and still there."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def last_words(text: str) -> None:
    """Leave words that are no traceback, for example why this process ends on purpose."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Words):
            handler.write(text)


class _Words(logging.Handler):
    """Every error that is logged with its traceback, and every one that nobody caught."""

    def __init__(self, file: IO[str]) -> None:
        super().__init__(logging.ERROR)
        self.setFormatter(logging.Formatter(_FORMAT))
        self._file, self._left = file, MOST_BYTES

    def emit(self, record: logging.LogRecord) -> None:
        """Write what has a traceback."""
        if record.exc_info:
            self.write(self.format(record))

    def of_process(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """What ends the process."""
        self.write("".join(traceback.format_exception(kind, error, trace)))
        sys.__excepthook__(kind, error, trace)

    def of_thread(self, args: threading.ExceptHookArgs) -> None:
        """What ends a thread."""
        if args.exc_value is not None:
            self.write("".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)))
        threading.__excepthook__(args)

    def write(self, text: str) -> None:
        """Append, as long as there is room."""
        data = f"{text.rstrip()}\n"[: self._left]
        self._left -= len(data)
        with contextlib.suppress(OSError, ValueError):
            self._file.write(data)
            self._file.flush()


def _files(folder: Path, name: str) -> list[Path]:
    """Files of that name, oldest first. The name of a process may hold a dot as little as a number does."""
    there = ((_stat(file), file) for file in folder.glob(f"{name}.*.txt"))
    return [file for _, file in sorted((about.st_mtime_ns, file) for about, file in there if about is not None)]


def _sweep(folder: Path, name: str) -> None:
    """Take away what says nothing, and all but the last ones that do."""
    spoken: list[Path] = []
    for file in _files(folder, name):
        pid = file.name.split(".")[-2]
        about = _stat(file)
        if about is None:
            continue  # swept away by another start
        if about.st_size:
            spoken.append(file)
        elif not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(OSError):
                file.unlink()
    for file in spoken[: -(KEPT - 1)]:
        with contextlib.suppress(OSError):
            file.unlink()


def dumps(run: Path, name: str = "*") -> list[Dump]:
    """What was left, newest first. name: of one process; default: of all."""
    found = []
    for file in reversed(_files(stacks_folder(run), name)):
        parts = file.name.split(".")
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                about = os.fstat(handle)
                if not stat.S_ISREG(about.st_mode):
                    continue
                size = about.st_size
                stream.seek(max(0, size - MOST_BYTES))
                text = stream.read(MOST_BYTES).decode("utf-8", errors="replace")
        except OSError:
            continue  # taken away meanwhile, or not ours to read
        if text.strip() and len(parts) >= 3 and parts[-2].isdecimal():
            found.append(Dump(".".join(parts[:-2]), int(parts[-2]), about.st_mtime_ns, text))
    return found
