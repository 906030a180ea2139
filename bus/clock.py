"""Time: deadlines on the monotonic clock, UTC only for people.

CLOCK_MONOTONIC is one clock for all processes of one boot, so `deadline_ns` may cross processes; it is void after a
reboot, hence `boot_id`.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

MS = 1_000_000
"""Nanoseconds in a millisecond."""
SECOND = 1_000_000_000
"""Nanoseconds in a second."""


_boot = ""
"""As long as this process lives it is the same; empty: not read yet."""


def now_ns() -> int:
    """Nanoseconds on CLOCK_MONOTONIC."""
    return time.monotonic_ns()


def utc_now() -> str:
    """The wall clock for people, for example `2026-11-23T08:15:04.123Z`."""
    return utc_text(datetime.now(UTC))


def utc_text(at: datetime) -> str:
    """A moment as `utc_now` writes it; such texts sort by time. at: with its zone, or in the box's own."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_stamp() -> str:
    """The wall clock as a part of a file's name, for example `20261123T081504123456Z`."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def boot_id() -> str:
    """The kernel's name of this boot; `unknown` where it has none."""
    global _boot
    for _ in range(3):  # once misread, the job that io keeps would be taken for one of another boot
        if not _boot:
            with suppress(OSError):
                _boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return _boot or "unknown"
