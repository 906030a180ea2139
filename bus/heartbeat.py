"""Heartbeats: progress, not life.

One file in the run folder, one 128-byte slot per process, one writer each. The main loop stamps `turned_ns` itself
(never a side thread) and says since when its oldest unanswered work waits. Idle is alive, stuck is not.

Slot, little-endian: 32 bytes of name, u32 pid, u32 state, u64 turned_ns, u64 oldest_ns, u64 done. Each of the four
64-bit words is stored and loaded whole by one machine instruction: `struct.pack_into` clears its target before it fills
it, and a reader of that instant would see a process that has not moved since the machine was started.
"""

import contextlib
import fcntl
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from .clock import MS, now_ns
from .errors import ChannelLost
from .messages import Health
from .notify import Notifier

SLOTS = 32
TURN_LIMIT_NS = 250 * MS
"""A loop that has not turned for this long is stuck; every wait in these loops is at most 100 ms."""
_NAME = 32
_STRIDE = 128
_WORDS = _STRIDE // 8
_WHO, _TURNED, _OLDEST, _DONE = range(_NAME // 8, _NAME // 8 + 4)
_STATE_SHIFT = 32
_STATES = list(Health)


def heartbeat_file(run: Path) -> Path:
    """Where the heartbeats of a box lie."""
    return run / "heartbeats"


@dataclass(frozen=True, slots=True)
class Beat:
    """What one process last said."""

    name: str
    pid: int
    health: Health
    turned_ns: int
    oldest_ns: int
    """When the oldest unanswered work arrived; 0: none."""
    done: int

    def has_moved(self, at_ns: int, work_limit_ns: int, turn_limit_ns: int = TURN_LIMIT_NS) -> bool:
        """True when the loop turns and no work has waited longer than work_limit_ns (the job's deadline)."""
        turns = at_ns - self.turned_ns < turn_limit_ns
        answers = self.oldest_ns == 0 or at_ns - self.oldest_ns < work_limit_ns
        return turns and answers


def _mapped(path: Path, *, write: bool) -> mmap.mmap:
    flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
    handle = os.open(path, flags, 0o660)
    try:
        if write and os.fstat(handle).st_size < SLOTS * _STRIDE:
            os.posix_fallocate(handle, 0, SLOTS * _STRIDE)
        return mmap.mmap(handle, SLOTS * _STRIDE, access=mmap.ACCESS_WRITE if write else mmap.ACCESS_READ)
    finally:
        os.close(handle)


class Heartbeat:
    """This process's own slot. One thread.

    The same stamps are the process's word to the service manager: up at the first turn that is not `starting`, and fed
    while the loop turns and no work waits longer than the watchdog's time.
    """

    def __init__(self, run: Path, name: str) -> None:
        """Claim the slot of that name (1..32 bytes).

        ValueError: no slot left or a name too long. ChannelLost: the run folder does not take it now.
        """
        self._path = heartbeat_file(run)
        self._notifier, self._announced = Notifier(), False
        try:
            self._map = _mapped(self._path, write=True)
        except OSError as error:
            self._notifier.close()
            raise ChannelLost(f"{self._path}: {error}") from error
        self._words = memoryview(self._map).cast("Q")
        self._done, self.health = 0, Health.STARTING
        try:
            self._claim(name)
        except OSError as error:
            self._words.release()
            self._map.close()
            self._notifier.close()
            raise ChannelLost(f"{self._path}: {error}") from error

    def _claim(self, name: str) -> None:
        label = name.encode()
        if not 1 <= len(label) <= 32:
            raise ValueError(f"heartbeat name {name!r}: expected 1..32 bytes")
        with self._path.open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for slot in range(SLOTS):
                first = slot * _STRIDE
                known = self._map[first : first + _NAME].rstrip(b"\0")
                if known in (b"", label):
                    self._at = slot * _WORDS
                    self.turn()
                    self._map[first : first + _NAME] = label.ljust(_NAME, b"\0")  # only now may a reader believe it
                    return
        raise ValueError(f"{self._path}: all {SLOTS} heartbeat slots are taken")

    def take_over(self, name: str) -> None:
        """Go on under the name of a process that has ended; the old name says `lost`. ValueError: as when made."""
        before, health = self._at, self.health
        self._claim(name)
        self._words[before + _WHO] = os.getpid() | _STATES.index(Health.LOST) << _STATE_SHIFT
        self.health = health

    def turn(self, oldest_ns: int = 0, done: int = 0) -> None:
        """Stamp the loop. oldest_ns: arrival of the oldest unanswered work, 0 for none. done: work finished since."""
        self._done += done
        words, at = self._words, self._at
        words[at + _TURNED] = now_ns()
        words[at + _OLDEST] = oldest_ns
        words[at + _DONE] = self._done
        words[at + _WHO] = os.getpid() | _STATES.index(self.health) << _STATE_SHIFT
        if not self._announced and self.health is not Health.STARTING:
            self._announced = True
            self._notifier.ready()
        elif not self._announced:
            self._notifier.starting()
        if oldest_ns == 0 or now_ns() - oldest_ns < self._notifier.watchdog_ns:
            self._notifier.watchdog()

    def close(self) -> None:
        """Say `lost` and let go. Never raises; a second call does nothing."""
        if not self._map.closed:
            self._announced = True  # a process that ends before it was up does not say it is
            self.health = Health.LOST
            self.turn()
            self._words.release()
            self._map.close()
        self._notifier.stopping()
        self._notifier.close()


class Pulse:
    """A reader of all heartbeats."""

    def __init__(self, run: Path) -> None:
        self._path = heartbeat_file(run)
        self._map: mmap.mmap | None = None
        self._words: memoryview | None = None

    def beats(self) -> dict[str, Beat]:
        """The last beat of every process that ever claimed a slot; empty while no process has."""
        if self._map is None or self._words is None:
            try:
                self._map = _mapped(self._path, write=False)
            except (FileNotFoundError, ValueError):
                return {}
            self._words = memoryview(self._map).cast("Q")
        found = {}
        for slot in range(SLOTS):
            label = self._map[slot * _STRIDE : slot * _STRIDE + _NAME]
            if label[0]:
                name, at = label.rstrip(b"\0").decode(), slot * _WORDS
                who = self._words[at + _WHO]
                found[name] = Beat(
                    name,
                    who & 0xFFFFFFFF,
                    _STATES[who >> _STATE_SHIFT],
                    self._words[at + _TURNED],
                    self._words[at + _OLDEST],
                    self._words[at + _DONE],
                )
        return found

    def close(self) -> None:
        """Let go. Never raises."""
        if self._words is not None:
            self._words.release()
        with contextlib.suppress(ValueError):
            if self._map is not None:
                self._map.close()
        self._map = self._words = None
