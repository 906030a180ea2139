"""How the box itself is, from /proc and /sys alone. What cannot be read is left out, never made up."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYS, PROC = Path("/sys"), Path("/proc")
MOST_SENSORS = 40
HOT_C, FULL_SHARE = 85.0, 0.90
"""From there on it is marked."""
_TIMEX_BYTES = 208
_TIME_ERROR, _STA_UNSYNC = 5, 0x0040
_ASKED_S = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One temperature."""

    name: str
    celsius: float

    @property
    def bad(self) -> bool:
        """It is hot."""
        return self.celsius >= HOT_C


@dataclass(frozen=True, slots=True)
class Space:
    """Something that fills up. Bytes."""

    name: str
    used: int
    total: int

    @property
    def share(self) -> float:
        """Used, 0..1."""
        return self.used / self.total if self.total else 0.0

    @property
    def bad(self) -> bool:
        """Nearly full."""
        return self.share >= FULL_SHARE


@dataclass(frozen=True, slots=True)
class Clock:
    """Whether the clock goes by another one."""

    synchronized: bool | None
    """None: it cannot be told."""
    error_us: int | None
    """The kernel's own estimate."""


@dataclass(frozen=True, slots=True)
class Power:
    """A battery or an uninterruptible supply."""

    name: str
    kind: str
    status: str
    percent: int | None


def temperatures(sys: Path = SYS) -> list[Reading]:
    """CPU, board, disks; a GPU where its driver tells it there."""
    found: dict[str, Reading] = {}
    for zone in sorted(sys.glob("class/thermal/thermal_zone*"))[:MOST_SENSORS]:
        value, name = _number(zone / "temp"), _text(zone / "type")
        if value is not None:
            found[name or zone.name] = Reading(name or zone.name, value / 1000)
    for chip in sorted(sys.glob("class/hwmon/hwmon*"))[:MOST_SENSORS]:
        for file in sorted(chip.glob("temp*_input"))[:8]:
            value = _number(file)
            label = _text(file.with_name(file.name.replace("_input", "_label")))
            name = " ".join(each for each in (_text(chip / "name"), label) if each)
            if value is not None and -50_000 < value < 200_000:
                found.setdefault(name, Reading(name, value / 1000))
    return list(found.values())


def gpu_fitted(proc: Path = PROC) -> bool:
    """The driver of an NVIDIA GPU is loaded."""
    return (proc / "driver/nvidia/version").exists()


def gpu() -> list[Reading]:
    """Temperatures of NVIDIA GPUs, where the driver's own tool is installed."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,temperature.gpu", "--format=csv,noheader,nounits"],
            capture_output=True,
            timeout=_ASKED_S,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for line in done.stdout.splitlines()[:8]:
        name, _, value = line.rpartition(",")
        with suppress(ValueError):
            found.append(Reading(name.strip(), float(value)))
    return found


def memory(proc: Path = PROC) -> list[Space]:
    """Memory and swap."""
    words = {}
    for line in _text(proc / "meminfo").splitlines():
        name, _, value = line.partition(":")
        with suppress(ValueError, IndexError):
            words[name] = int(value.split()[0]) * 1024
    found = []
    if "MemTotal" in words and "MemAvailable" in words:
        found.append(Space("memory", words["MemTotal"] - words["MemAvailable"], words["MemTotal"]))
    if words.get("SwapTotal"):
        found.append(Space("swap", words["SwapTotal"] - words.get("SwapFree", 0), words["SwapTotal"]))
    return found


def disks(places: dict[str, Path]) -> list[Space]:
    """The file systems of some folders; those that are not there are left out."""
    found = []
    for name, place in places.items():
        with suppress(OSError):
            state = os.statvfs(place)
            total = state.f_blocks * state.f_frsize
            found.append(Space(name, total - state.f_bavail * state.f_frsize, total))
    return found


def load(proc: Path = PROC) -> tuple[str, int]:
    """Load over 1, 5 and 15 min, and cores."""
    return " ".join(_text(proc / "loadavg").split()[:3]), os.cpu_count() or 1


def resident_kb(pid: int, proc: Path = PROC) -> int | None:
    """Memory of a process; None: there is none of that number."""
    for line in _text(proc / str(pid) / "status").splitlines():
        if line.startswith("VmRSS:"):
            with suppress(ValueError, IndexError):
                return int(line.split()[1])
    return None


def clock() -> Clock:
    """What the kernel says of its clock (adjtimex, which changes nothing when asked like this)."""
    words = (ctypes.c_long * (_TIMEX_BYTES // ctypes.sizeof(ctypes.c_long)))()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(words)
    except (OSError, AttributeError):
        return Clock(None, None)
    if state < 0:
        return Clock(None, None)
    status = words[5] & 0xFFFFFFFF
    synchronized = state != _TIME_ERROR and not status & _STA_UNSYNC
    return Clock(synchronized, int(words[4]) if synchronized else None)


def addresses(sys: Path = SYS) -> list[tuple[str, str, str]]:
    """Each network card: name, state, addresses."""
    found = []
    for card in sorted(sys.glob("class/net/*"))[:16]:
        if card.name != "lo":
            own = _addresses_of(card.name)
            found.append((card.name, _text(card / "operstate") or "unknown", ", ".join(own)))
    return found


def _addresses_of(card: str) -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        asked = struct.pack("256s", card.encode()[:15])
        found.append(socket.inet_ntoa(fcntl.ioctl(probe.fileno(), 0x8915, asked)[20:24]))
    for line in _text(PROC / "net" / "if_inet6").splitlines():
        word, *_, name = line.split()
        if name == card:
            found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(word)))
    return found


def power(sys: Path = SYS) -> list[Power]:
    """Batteries and supplies that the kernel knows."""
    found = []
    for place in sorted(sys.glob("class/power_supply/*"))[:8]:
        percent = _number(place / "capacity")
        online = _text(place / "online")
        status = _text(place / "status") or {"1": "online", "0": "offline"}.get(online, "")
        found.append(Power(place.name, _text(place / "type"), status, None if percent is None else int(percent)))
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(file: Path) -> float | None:
    try:
        return float(_text(file))
    except ValueError:
        return None
