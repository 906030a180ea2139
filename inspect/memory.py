"""Is there memory for one more model? What the machine has left, and what this process may still take."""

from pathlib import Path

LEAST_MB = 256
"""So much has to be left, of the machine and of the control group."""
_MEMINFO = Path("/proc/meminfo")


def lacks_memory(meminfo: Path = _MEMINFO, group: Path | None = None) -> str:
    """Return why there is none to spare, for people; empty: there is. What cannot be read is taken to be enough."""
    free = _available_mb(meminfo)
    if free is not None and free < LEAST_MB:
        return f"{free} MB of memory are free, expected {LEAST_MB}"
    left = _left_in_group_mb(_group() if group is None else group)
    if left is not None and left < LEAST_MB:
        return f"this process may take {left} MB more, expected {LEAST_MB}"
    return ""


def _available_mb(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) >> 10
    except (OSError, ValueError, IndexError):
        return None
    return None


def _group() -> Path | None:
    """The control group of this process (version 2); None: none."""
    try:
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            if line.startswith("0::"):
                return Path("/sys/fs/cgroup") / line[3:].lstrip("/")
    except OSError:
        return None
    return None


def _left_in_group_mb(group: Path | None) -> int | None:
    """What of its limit is not taken; pages of files give way and do not count."""
    if group is None:
        return None
    try:
        most = (group / "memory.max").read_text(encoding="ascii").strip()
        if most == "max":
            return None
        taken = int((group / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return (int(most) - taken + int(stat.get("inactive_file", 0))) >> 20
    except (OSError, ValueError):
        return None
