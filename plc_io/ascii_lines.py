"""Lines of text on a wire, pure: bytes in any slices become lines, lines get and lose their check sum.

A line ends at CR, LF or CRLF. One that is too long, or holds what is no printable ASCII, is dropped whole: the reader
waits for the next line end. What the wire gives back of our own lines is found by `Echo`.
"""

import re
from collections import deque
from dataclasses import dataclass

LONGEST = 64
"""Bytes of a line without its end. The longest line of any dialect has 25."""
_END = re.compile(rb"[\r\n]")
_NOISE = re.compile(rb"[^\x20-\x7e]")
_REMEMBERED = 32
_ECHO_NS = 300_000_000
_CHECKED = re.compile(r"(.*),([0-9A-Fa-f]{4})")


def _table() -> tuple[int, ...]:
    rows = []
    for row in range(256):
        for _ in range(8):
            row = (row >> 1) ^ 0xA001 if row & 1 else row >> 1
        rows.append(row)
    return tuple(rows)


_TABLE = _table()


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS (reflected 0x8005, start 0xFFFF): of `123456789` it is 0x4B37."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def seal(body: str) -> str:
    """Append a comma and the check sum: `T,7` becomes `T,7,` and four hex digits, high byte first."""
    return f"{body},{crc16(body.encode('ascii')):04X}"


def unseal(line: str) -> str | None:
    """Take the check sum off; None: it is missing or wrong."""
    match = _CHECKED.fullmatch(line)
    if match is None or crc16(match[1].encode("ascii")) != int(match[2], 16):
        return None
    return match[1]


@dataclass(slots=True)
class LineCounts:
    """What came in since start."""

    lines: int = 0
    """Lines that were understood."""
    noise: int = 0
    """Lines dropped for a byte that is no printable ASCII."""
    overlong: int = 0
    """Lines dropped for their length."""
    bad_crc: int = 0
    unknown: int = 0
    """Lines of no meaning in this dialect, or with a number out of range."""
    echoes: int = 0
    """Our own lines, given back by the wire."""
    refused: int = 0
    """Acknowledgements of a part that is not shown, resets of a fault that does not stand."""


class LineReader:
    """One direction of one wire. Holds at most one unfinished line."""

    def __init__(self, counts: LineCounts, longest: int = LONGEST) -> None:
        """counts: noise and overlong are counted there. longest: bytes of a line without its end."""
        self._counts, self._longest = counts, longest
        self._held = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        """Take bytes as they came; return the lines that are whole now, without their ends. Empty lines are none."""
        *whole, rest = _END.split(data)
        lines = []
        for piece in whole:
            self._add(piece)
            if self._held:
                lines.append(self._held.decode("ascii"))
            self.clear()
        self._add(rest)
        return lines

    def clear(self) -> None:
        """Forget an unfinished line."""
        self._held.clear()
        self._skipping = False

    def _add(self, piece: bytes) -> None:
        if self._skipping:
            return
        noise = _NOISE.search(piece)
        length = len(self._held) + (noise.start() if noise else len(piece))
        if length <= self._longest and noise is None:
            self._held += piece
            return
        self._held.clear()
        self._skipping = True
        if length > self._longest:
            self._counts.overlong += 1
        else:
            self._counts.noise += 1


class Echo:
    """Finds our own lines among those that come in: a two-wire bus and some converters give back all they are given.

    A line that only the box says is an echo whenever it comes. A line that both sides may say (a heartbeat) is one when
    it was sent less than 300 ms ago, or, once the wire is known to give back, when it was sent at all.
    """

    def __init__(self) -> None:
        self.known = False
        """The wire gives back: a line came in that only the box says."""
        self._sent: deque[tuple[int, str, bool]] = deque(maxlen=_REMEMBERED)  # full: the oldest is forgotten

    def sent(self, line: str, now_ns: int, *, ours: bool) -> None:
        """Remember a line that goes out. ours: the other side never says it."""
        self._sent.append((now_ns, line, ours))

    def is_echo(self, line: str, now_ns: int) -> bool:
        """Whether this is one of ours; it and all sent before it are forgotten then."""
        for index, (at_ns, sent, ours) in enumerate(self._sent):
            if sent != line or not (ours or self.known or now_ns - at_ns < _ECHO_NS):
                continue
            self.known = self.known or ours
            for _ in range(index + 1):
                self._sent.popleft()
            return True
        return False

    def clear(self) -> None:
        """A new connection: nothing is known of it."""
        self.known = False
        self._sent.clear()
