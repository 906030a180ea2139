"""With which models on trial a process has died: whoever comes up after it does not load such a one again.

One small file in the run folder. A process writes down which bundle it is about to load, and strikes it out when it
lets go of it or ends as it was told. What stands there of a process that is no more is a death with that bundle.
"""

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .clock import SECOND, boot_id, now_ns

_LOG = logging.getLogger(__name__)
WINDOW_NS = 600 * SECOND
"""Deaths longer ago do not count, and a bundle that has judged for so long is trusted."""
MOST_DEATHS = 2
"""So many within the window, and the bundle is not loaded any more."""
_MOST = 64


@dataclass(frozen=True, slots=True)
class _Held:
    bundle: str
    pid: int
    started: int
    """Of the process, in the kernel's ticks: a number used again is another process."""


@dataclass(frozen=True, slots=True)
class _Death:
    bundle: str
    at_ns: int


@dataclass(slots=True)
class _Book:
    held: list[_Held]
    deaths: list[_Death]


def carried_file(run: Path) -> Path:
    """Where it is written down."""
    return run / "carried.json"


def deaths(run: Path, bundle: str) -> int:
    """How many processes have died within the last ten minutes with that bundle on trial. Any process may ask."""
    with _open(run) as book:
        return sum(each.bundle == bundle for each in book.deaths)


def carry(run: Path, bundle: str) -> None:
    """This process is about to load it."""
    pid = os.getpid()
    with _open(run) as book:
        if not any(each.pid == pid and each.bundle == bundle for each in book.held):
            book.held.append(_Held(bundle, pid, _started(pid) or 0))


def put_down(run: Path, bundle: str = "") -> None:
    """This process has let go of it, or of all (empty)."""
    with _open(run) as book:
        book.held = [each for each in book.held if each.pid != os.getpid() or bundle not in ("", each.bundle)]


def forgive(run: Path, bundle: str) -> None:
    """A person wants it tried again."""
    with _open(run) as book:
        book.deaths = [each for each in book.deaths if each.bundle != bundle]


@contextlib.contextmanager
def _open(run: Path) -> Iterator[_Book]:
    """The book, with what became of those who held something; written back if it has changed."""
    path = carried_file(run)
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        book = _read(path)
        before = _text(book)
        at_ns = now_ns()
        dead = [each for each in book.held if _started(each.pid) != each.started]
        book.held = [each for each in book.held if each not in dead]
        book.deaths = [each for each in book.deaths if 0 <= at_ns - each.at_ns < WINDOW_NS]
        book.deaths = [*book.deaths, *(_Death(each.bundle, at_ns) for each in dead)][-_MOST:]
        yield book
        text = _text(book)
        if text != before:
            beside = path.with_suffix(".new")
            beside.write_text(text, encoding="ascii")
            beside.replace(path)
    finally:
        os.close(handle)


def _read(path: Path) -> _Book:
    """What is written there; nothing of another boot. A file that does not read is begun anew, and told."""
    try:
        known = json.loads(path.read_text(encoding="ascii"))
        if known["boot"] != boot_id():
            return _Book([], [])
        held = [_Held(str(one[0]), int(one[1]), int(one[2])) for one in known["held"]]
        return _Book(held, [_Death(str(one[0]), int(one[1])) for one in known["deaths"]])
    except FileNotFoundError:
        return _Book([], [])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        _LOG.warning("%s does not read (%s): what died with which model is not known", path, error)
        return _Book([], [])


def _text(book: _Book) -> str:
    held = [[each.bundle, each.pid, each.started] for each in book.held]
    return json.dumps({"boot": boot_id(), "held": held, "deaths": [[each.bundle, each.at_ns] for each in book.deaths]})


def _started(pid: int) -> int | None:
    """When a process was started, in the kernel's ticks; None: there is none. A zombie is none either."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = said.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])
