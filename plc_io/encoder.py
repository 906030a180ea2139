"""Where the belt is, in counts, and where it was at a moment that has just passed."""

import os
from collections import deque
from pathlib import Path
from typing import Protocol

from ..bus.errors import BadSettings, LinkLost

_KEPT = 256
"""Samples kept: half a second at one in 2 ms."""


class Encoder(Protocol):
    """A position in counts that goes on at 0 after 2**bits - 1. One event loop owns it."""

    bits: int

    def counts(self) -> int:
        """The count now, 0..2**bits - 1. Never waits. LinkLost: it cannot be read."""

    def close(self) -> None:
        """Let go. Never raises; a second call does nothing."""


class FakeEncoder:
    """The twin: `at` is where it stands."""

    def __init__(self, bits: int = 32) -> None:
        """It stands at 0."""
        self.bits = bits
        self.at = 0
        self._gone = False

    def counts(self) -> int:
        """See `Encoder`."""
        if self._gone:
            raise LinkLost("the encoder is gone")
        return self.at % (1 << self.bits)

    def unplug(self) -> None:
        """The counter is gone."""
        self._gone = True

    def close(self) -> None:
        """See `Encoder`."""
        self._gone = True


class CounterFile:
    """A count of the kernel's counter subsystem (Documentation/ABI/testing/sysfs-bus-counter)."""

    def __init__(self, path: str, bits: int) -> None:
        """path: for example /sys/bus/counter/devices/counter0/count0/count.

        BadSettings: there is none, it is off, or it does not go on at 0 after 2**bits - 1.
        """
        self.bits = bits
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BadSettings(
                f"plc.pins.counter = {path!r}: expected a count of a counter: {error.strerror}"
            ) from error
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        beside = Path(self._path).parent
        if _number(beside / "enable") == 0:
            raise BadSettings(f"plc.pins.counter = {self._path!r}: the counter is off; write 1 to {beside / 'enable'}")
        ceiling = _number(beside / "ceiling")
        if ceiling is not None and (ceiling + 1) % (1 << self.bits):
            last = (1 << self.bits) - 1
            raise BadSettings(f"plc.pins.counter_bits = {self.bits}: the counter ends at {ceiling}, expected {last}")
        try:
            self.counts()
        except LinkLost as error:
            raise BadSettings(f"plc.pins.counter = {self._path!r}: expected a whole number: {error}") from error

    def counts(self) -> int:
        """See `Encoder`."""
        try:
            text = os.pread(self._fd, 32, 0)
        except OSError as error:
            raise LinkLost(f"the encoder {self._path} cannot be read: {error.strerror}") from error
        try:
            return int(text) % (1 << self.bits)
        except ValueError:
            raise LinkLost(f"the encoder {self._path} says {text!r}, expected a whole number") from None

    def close(self) -> None:
        """See `Encoder`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _number(file: Path) -> int | None:
    """What a file beside the count says; None: there is no such file, or it is no number."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


class Trail:
    """Where the belt was: the last samples, pure. An edge is stamped by the kernel and read a little later."""

    def __init__(self, bits: int) -> None:
        """bits: width of the count."""
        self._span = 1 << bits
        self._samples: deque[tuple[int, int]] = deque(maxlen=_KEPT)  # full: the oldest is forgotten

    def add(self, at_ns: int, counts: int) -> None:
        """A sample. One that is not after the last is none."""
        if not self._samples or at_ns > self._samples[-1][0]:
            self._samples.append((at_ns, counts))

    def at(self, at_ns: int) -> int:
        """The count at a moment, on the straight line between two samples; outside of them that of the nearest.

        LookupError: there is no sample yet.
        """
        if not self._samples:
            raise LookupError("no sample of the encoder yet")
        after_ns, after = self._samples[-1]
        if at_ns >= after_ns:
            return after
        for before_ns, before in reversed(self._samples):
            if before_ns <= at_ns:
                ahead = (after - before + self._span // 2) % self._span - self._span // 2
                return (before + round(ahead * (at_ns - before_ns) / (after_ns - before_ns))) % self._span
            after_ns, after = before_ns, before
        return after
