"""The pages of an SQLite file that SQLite itself no longer opens: read one by one, after sqlite.org/fileformat2.html.

Nothing here trusts the file: a page, cell or value that does not hold together is left out and counted by who asks.
Frames of the WAL up to its last sound commit lie over the pages of the file, as for SQLite.
"""

import os
import struct
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE = 2, 5, 10, 13
KINDS = (INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE)
PAGE_BYTES = 4096
"""What okng writes: goes where the head of the file does not say."""
_MOST_BYTES = 1 << 26
"""Of one row: more is no row of ours."""
_HEAD = b"SQLite format 3\0"
_TRIES = 3
"""A failing disk gives at the second try what it did not give at the first."""
_INTS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
Value = int | float | str | bytes | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One row as it lies in a page."""

    rowid: int
    """0 in a table without rowid."""
    values: list[Value]


class Pages:
    """The pages of one file with its WAL. OSError when made: the file cannot be opened."""

    def __init__(self, path: Path, wal: Path | None = None) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.unreadable = 0
        """Pages that the disk did not give."""
        head = self._pread(0, 100)
        said = int.from_bytes(head[16:18], "big")
        sound = head[:16] == _HEAD and (said == 1 or said in (512, 1024, 2048, 4096, 8192, 16384, 32768))
        self.bytes = (65536 if said == 1 else said) if sound else PAGE_BYTES
        self.usable = self.bytes - (head[20] if sound else 0)
        self._free_trunk = int.from_bytes(head[32:36], "big") if sound else 0
        self.over = _frames(wal, self.bytes) if wal is not None else {}
        """Pages of the WAL: they go before those of the file."""
        self.count = max(os.fstat(self._file).st_size // self.bytes, *self.over, 0)
        if 1 in self.over:
            self._free_trunk = int.from_bytes(self.over[1][32:36], "big")

    def page(self, number: int) -> bytes:
        """One page, from 1; empty: there is none, or the disk does not give it."""
        if number in self.over:
            return self.over[number]
        if not 1 <= number <= self.count:
            return b""
        found = self._pread((number - 1) * self.bytes, self.bytes)
        return found if len(found) == self.bytes else b""

    def kind(self, number: int, page: bytes) -> int:
        """One of KINDS; 0: it is no page of a tree."""
        at = 100 if number == 1 else 0
        return page[at] if page and page[at] in KINDS else 0

    def children(self, number: int, page: bytes) -> "array[int]":
        """Pages below an interior one."""
        at = 100 if number == 1 else 0
        found = array("L", (int.from_bytes(page[cell : cell + 4], "big") for cell in self._cells(number, page)))
        found.append(int.from_bytes(page[at + 8 : at + 12], "big"))
        return found

    def free(self) -> Iterator[int]:
        """Pages that hold nothing any more, as far as the file says so."""
        trunk, seen = self._free_trunk, set[int]()
        while trunk and trunk not in seen and (page := self.page(trunk)):
            seen.add(trunk)
            yield trunk
            count = min(int.from_bytes(page[4:8], "big"), self.usable // 4 - 2)
            yield from struct.unpack_from(f">{count}I", page, 8)
            trunk = int.from_bytes(page[:4], "big")

    def rows(self, number: int, page: bytes) -> Iterator[Cell | None]:
        """The rows of a page; None for each that does not hold together."""
        kind = self.kind(number, page)
        if kind not in (LEAF_TABLE, LEAF_INDEX, INTERIOR_INDEX):
            return
        for cell in self._cells(number, page):
            try:
                yield self._row(page, cell, kind)
            except (ValueError, IndexError, struct.error):
                yield None

    def close(self) -> None:
        """Let go."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _pread(self, at: int, size: int) -> bytes:
        for _ in range(_TRIES):
            with suppress(OSError):
                return os.pread(self._file, size, at)
        self.unreadable += 1
        return b""

    def _cells(self, number: int, page: bytes) -> list[int]:
        at = 100 if number == 1 else 0
        count = int.from_bytes(page[at + 3 : at + 5], "big")
        first = at + (12 if page[at] in (INTERIOR_INDEX, INTERIOR_TABLE) else 8)
        if first + 2 * count > self.bytes:
            return []
        return [place for place in struct.unpack_from(f">{count}H", page, first) if first <= place < self.usable]

    def _row(self, page: bytes, at: int, kind: int) -> Cell:
        if kind == INTERIOR_INDEX:
            at += 4
        size, at = _varint(page, at)
        rowid = 0
        if kind == LEAF_TABLE:
            rowid, at = _varint(page, at)
        if not 0 < size <= _MOST_BYTES:
            raise ValueError(size)
        usable = self.usable
        most = usable - 35 if kind == LEAF_TABLE else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return Cell(_signed(rowid), _record(page, at, at + size))
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
        chained = self._chained(page, at, local, size)
        return Cell(_signed(rowid), _record(chained, 0, size))

    def _chained(self, page: bytes, at: int, local: int, size: int) -> bytes:
        """A payload that goes on over further pages."""
        got, left = [page[at : at + local]], size - local
        further = int.from_bytes(page[at + local : at + local + 4], "big")
        while left > 0:
            more = self.page(further)
            if not more:
                raise ValueError("the row goes on in a page that is not there")
            got.append(more[4 : min(self.usable, 4 + left)])
            left -= len(got[-1])
            further = int.from_bytes(more[:4], "big")
        return b"".join(got)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    if value < 128:
        return value, at + 1
    value &= 127
    for step in range(1, 8):
        one = data[at + step]
        value = value << 7 | (one & 127)
        if one < 128:
            return value, at + step + 1
    return value << 8 | data[at + 8], at + 9


def _record(data: bytes, at: int, end: int) -> list[Value]:
    """The values of one row. ValueError, IndexError: it is none."""
    head, place = _varint(data, at)
    body = heads_end = at + head
    if end > len(data) or body > end or head < 1:
        raise ValueError(head)
    values: list[Value] = []
    while place < heads_end:
        kind, place = _varint(data, place)
        if kind == 0:
            values.append(None)
        elif kind >= 12:
            size = (kind - 12) >> 1
            if body + size > end:
                raise ValueError(size)
            piece = data[body : body + size]
            values.append(piece.decode("utf-8") if kind & 1 else piece)
            body += size
        elif kind in _INTS:
            size = _INTS[kind]
            if body + size > end:
                raise ValueError(size)
            values.append(int.from_bytes(data[body : body + size], "big", signed=True))
            body += size
        elif kind == 7:
            if body + 8 > end:
                raise ValueError(kind)
            values.append(float(struct.unpack_from(">d", data, body)[0]))
            body += 8
        elif kind in (8, 9):
            values.append(kind - 8)
        else:
            raise ValueError(kind)
    if body != end or place != heads_end:
        raise ValueError("the values do not fill the row")
    return values


def _frames(wal: Path, page_bytes: int) -> dict[int, bytes]:
    """Pages of a WAL as of its last whole commit; none: there is no WAL, or it belongs to another file."""
    try:
        handle = wal.open("rb")
    except OSError:
        return {}
    with handle:
        head = handle.read(32)
        if len(head) < 32:
            return {}
        magic, _, size, _, *salts, first, second = struct.unpack(">8I", head)
        order = {0x377F0682: "<", 0x377F0683: ">"}.get(magic)
        if order is None or size != page_bytes:
            return {}
        sums = _summed(head[:24], (0, 0), order)
        if sums != (first, second):
            return {}
        whole: dict[int, bytes] = {}
        open_now: dict[int, bytes] = {}
        while len(frame := handle.read(24 + page_bytes)) == 24 + page_bytes:
            number, committed, *found = struct.unpack(">6I", frame[:24])
            sums = _summed(frame[24:], _summed(frame[:8], sums, order), order)
            if found[:2] != salts or tuple(found[2:]) != sums:
                break
            open_now[number] = frame[24:]
            if committed:
                whole.update(open_now)
                open_now.clear()
        return whole


def _summed(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
