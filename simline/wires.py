"""The wires between world and PLC: what is hard-wired on a real line, as one small memory-mapped file.

Every word has one writer. The queues stand for the latches of input modules and the compare list of an output
module: one writer, one reader, bounded, and a full one is a broken machine, not something to wait for.
"""

import contextlib
import enum
import mmap
import os
import struct
import tempfile
from pathlib import Path

_WORDS = 64
_SLOTS = 1024
_QUEUES = 3
_WIDTH = 4
_QUEUE_WORDS = 2 + _SLOTS * _WIDTH
_SIZE = 8 * (_WORDS + _QUEUES * _QUEUE_WORDS)


class Word(enum.IntEnum):
    """Single words, 64 bit signed. The comment names the writer."""

    ENCODER = 0  # world: belt counts
    SPEED_UM_S = 1  # world
    STATE = 2  # world: a State
    AT_EYE = 3  # world: parts that reached the eye
    HIT = 4  # world: parts blown off
    PASSED = 5  # world: parts seen by the confirm eye
    HELD_US = 6  # world: belt time given up because the PLC's host did not let it scan
    SLOWED_US = 7  # world: belt time given up because the host did not let the world tick
    PARTS = 8  # world: how many will come
    SCANS = 16  # PLC: scan counter
    SCAN_AT_NS = 17  # PLC: start of the last whole scan, monotonic
    BELT_RUN = 18  # PLC: 1 lets the belt run
    PLC_STATE = 19  # PLC: a PlcState
    TRIGGERED = 20  # PLC: parts whose trigger the box took
    OKS = 21  # PLC: parts it let pass
    PERMIT = 22  # PLC: so many parts may have passed the stop before the eye (`metered`)
    STOP = 32  # parent: 1 asks both to end
    HOLD = 33  # parent: 1 lets no part past the stop before the eye


class State(enum.IntEnum):
    """What the world is doing."""

    PREPARING = 0
    WAITING = 1
    RUNNING = 2
    DONE = 3


class PlcState(enum.IntEnum):
    """What the PLC thinks of the box."""

    NO_LINK = 0
    WRONG_MAP = 1
    DEAD = 2
    NOT_READY = 3
    READY = 4
    DONE = 5


class Queue:
    """A bounded queue of records of up to 4 words, one writer and one reader."""

    def __init__(self, words: memoryview) -> None:
        """Take the queue's own stretch of the file."""
        self._words = words

    def put(self, *record: int) -> None:
        """Append a record. Raises OverflowError when the reader is a whole queue behind."""
        head, tail = self._words[0], self._words[1]
        if head - tail >= _SLOTS:
            raise OverflowError(f"{_SLOTS} records unread")
        at = 2 + head % _SLOTS * _WIDTH
        for offset, value in enumerate(record):
            self._words[at + offset] = value
        self._words[0] = head + 1  # last: only now the record is there

    def take(self) -> list[tuple[int, ...]]:
        """Return all records that came since, oldest first, each with 4 words."""
        head, tail = self._words[0], self._words[1]
        found = []
        while tail < head:
            at = 2 + tail % _SLOTS * _WIDTH
            found.append(tuple(self._words[at : at + _WIDTH]))
            tail += 1
        self._words[1] = tail
        return found


class Wires:
    """The whole loom, as one process sees it."""

    def __init__(self, path: Path) -> None:
        """Map a file made by make_wires."""
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._all = memoryview(self._map).cast("q")
        stretches = [
            self._all[_WORDS + each * _QUEUE_WORDS : _WORDS + (each + 1) * _QUEUE_WORDS] for each in range(_QUEUES)
        ]
        self._stretches = stretches
        self.eye, self.windows, self.confirm = (Queue(each) for each in stretches)
        """Eye edges (encoder, ns) to the PLC; windows (number, start, end) to the world; confirm edges (encoder)."""

    def __getitem__(self, word: Word) -> int:
        return self._all[word]

    def __setitem__(self, word: Word, value: int) -> None:
        self._all[word] = value

    def close(self) -> None:
        """Let go of the file. A second call does nothing."""
        for each in (*self._stretches, self._all):
            each.release()
        with contextlib.suppress(BufferError, ValueError):
            self._map.close()


def make_wires() -> Path:
    """Make fresh wires in memory where the machine has such a folder, else in its temporary one."""
    shared = Path("/dev/shm")  # a disk would stall a writer while it flushes
    handle, name = tempfile.mkstemp(prefix="okng-wires-", dir=shared if os.access(shared, os.W_OK) else None)
    with os.fdopen(handle, "wb") as file:
        file.write(struct.pack("<q", 0) * (_SIZE // 8))
    return Path(name)
