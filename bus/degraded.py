"""Which processes of the box are given up: started too often in a row, and tried once a minute from then on.

Whoever starts them writes it down (`okng run`, or the unit okng-retry of systemd), in one file in the run folder. The
file says who was given up and when; whether it still holds is told by the heartbeats: a process that is READY again is
not. So nobody has to be alive to take it back.
"""

import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from .clock import SECOND, boot_id, now_ns, utc_now
from .heartbeat import Beat
from .messages import Health
from .stacks import dumps

MOST_BYTES = 256 << 10
"""A file that is larger is none of ours."""
MOST_STACK = 4_000
"""Letters of the last stack that are kept, from its end."""
MOST = 32
STABLE_NS = 60 * SECOND
"""A process that is READY again for so long is taken off the list."""
_UNKNOWN = "unknown"
_MEANS = {70: "a fault", 75: "lost what it talks to", 78: "settings, recipe or model are refused"}
_MOVED_NS = 2 * SECOND
_LOOK_NS = SECOND


class GivenUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process that does not stay up."""

    name: str
    """Of its heartbeat."""
    since: str
    """UTC, for people."""
    since_ns: int
    """Monotonic, of `boot`."""
    boot: str
    ended: str
    """How it ended last: `exit code 3`, `killed by SIGABRT`."""
    stack: str
    """What it left behind last; empty: nothing."""

    def stands(self, beats: Mapping[str, Beat], at_ns: int) -> bool:
        """False: it moves and is READY again."""
        beat = beats.get(self.name)
        if beat is None or beat.turned_ns <= self.since_ns or beat.health is not Health.READY:
            return True
        return at_ns - beat.turned_ns > _MOVED_NS


_DECODER = msgspec.json.Decoder(list[GivenUp])


def degraded_file(run: Path) -> Path:
    """Where it is written down."""
    return run / "degraded.json"


def read_degraded(run: Path) -> tuple[GivenUp, ...]:
    """Everybody on the list, of this boot. A file that cannot be believed is itself on it: it hides something."""
    path, boot = degraded_file(run), boot_id()
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        found = _DECODER.decode(data)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        return (GivenUp(path.name, utc_now(), now_ns(), boot, f"cannot be read: {error}"[:200], ""),)
    return tuple(each for each in found[:MOST] if _of_this_boot(each, boot))


def _of_this_boot(entry: GivenUp, boot: str) -> bool:
    """Units that are kept from /proc/sys do not know which boot this is; later than now is not of this one."""
    return entry.since_ns <= now_ns() and (entry.boot == boot or _UNKNOWN in (entry.boot, boot))


def how_it_ended(code: int) -> str:
    """Words for what `subprocess` says of the end of a process."""
    if code >= 0:
        return f"exit code {code}" + (f" ({_MEANS[code]})" if code in _MEANS else "")
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def give_up(run: Path, name: str, ended: str, left_by: str = "") -> GivenUp:
    """Put a process on the list with what it left behind; who is on it keeps its `since`. OSError: it cannot be.

    name: of its heartbeat. left_by: under which name it was started, and leaves its stacks, where that is another one.
    """
    at_ns = now_ns()
    left = next((dump.text[-MOST_STACK:] for dump in dumps(run, left_by or name)), "")
    made = GivenUp(name, utc_now(), at_ns, boot_id(), ended, left)

    def changed(known: tuple[GivenUp, ...]) -> list[GivenUp]:
        nonlocal made
        for each in known:
            if each.name == name:
                made = replace_since(made, each)
        return [*(each for each in known if each.name != name), made]

    _change(run, changed)
    return made


def replace_since(made: GivenUp, known: GivenUp) -> GivenUp:
    """The same, given up since the earlier moment."""
    return msgspec.structs.replace(made, since=known.since, since_ns=known.since_ns)


def take_back(run: Path, names: set[str]) -> None:
    """Take processes off the list. OSError: cannot be written."""
    _change(run, lambda known: [each for each in known if each.name not in names])


def clear(run: Path) -> None:
    """Take everybody off: whoever starts all of a box begins with an empty list. OSError: it cannot be written."""
    _change(run, lambda _known: [])


def _change(run: Path, change: Callable[[tuple[GivenUp, ...]], list[GivenUp]]) -> None:
    path = degraded_file(run)
    handle = os.open(run / "degraded.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        known = read_degraded(run)
        # A list that cannot be read stands on it as itself: it is written anew, without that.
        readable = tuple(each for each in known if each.name != path.name)
        wanted = change(readable)
        if list(known) == wanted:
            return
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        beside.write_bytes(msgspec.json.encode(wanted))
        beside.chmod(0o640)
        beside.replace(path)
    finally:
        os.close(handle)


class DegradedWatch:
    """Looks at the list once a second, and reads it only when it has changed. One thread."""

    def __init__(self, run: Path) -> None:
        self._run, self._known = run, tuple[GivenUp, ...]()
        self._stamp: tuple[int, int] | None = None
        self._due_ns = 0

    @property
    def known(self) -> tuple[GivenUp, ...]:
        """Who is on the list as it was read last, whether it holds or not."""
        return self._known

    def standing(self, beats: Mapping[str, Beat], at_ns: int) -> tuple[GivenUp, ...]:
        """Who is given up now."""
        if at_ns >= self._due_ns:
            self._due_ns = at_ns + _LOOK_NS
            try:
                found = degraded_file(self._run).stat()
                stamp = (found.st_ino, found.st_mtime_ns)
            except OSError:
                stamp = None
            if stamp != self._stamp:
                self._stamp = stamp
                self._known = () if stamp is None else read_degraded(self._run)
        return tuple(each for each in self._known if each.stands(beats, at_ns))
