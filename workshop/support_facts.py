"""What a support bundle says of the box: versions, processes, the machine, the ledger. Each is asked for by itself.

A bundle is made when something is broken, so nothing here needs a process that runs, nor a ledger that is whole.
"""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..bus.clock import boot_id, now_ns, utc_now
from ..bus.degraded import read_degraded
from ..bus.doctor import host_findings
from ..bus.heartbeat import Pulse
from ..records.check import check
from ..records.read import LedgerReader

MOST_CHECKED_MB = 256
"""A larger ledger is not proved here: it would take minutes, and the disk that the line needs."""
_PROC = ("meminfo", "loadavg", "uptime", "mounts", "version", "swaps", "pressure/cpu", "pressure/io", "pressure/memory")


def versions() -> dict[str, Any]:
    """okng, Python, the system, and every package that is installed with its version and licence."""
    packages = sorted(
        {
            (str(each.metadata["Name"]), each.version, _licence(each.metadata.json)[:80])
            for each in metadata.distributions()
        }
    )
    return {
        "okng": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "made_at": utc_now(),
        "packages": [{"name": name, "version": version, "licence": licence} for name, version, licence in packages],
    }


def _licence(said: Mapping[str, Any]) -> str:
    return str(said.get("license_expression") or said.get("license") or "").partition("\n")[0]


def processes(run_dir: Path) -> dict[str, Any]:
    """Every process that ever had a heartbeat, what it takes of the machine, and who does not stay up."""
    told: dict[str, Any] = {}
    at_ns = now_ns()
    with closing(Pulse(run_dir)) as pulse:
        beats = pulse.beats()
    for beat in beats.values():
        taken = _taken(beat.pid)
        told[beat.name] = {
            "health": str(beat.health),
            "pid": beat.pid,
            "done": beat.done,
            "last_turn_s": round((at_ns - beat.turned_ns) / 1e9, 3),
            **taken,
        }
    given_up = [
        {"name": one.name, "since": one.since, "ended": one.ended, "stands": one.stands(beats, at_ns)}
        for one in read_degraded(run_dir)
    ]
    return {"boot": boot_id(), "processes": told, "given_up": given_up}


def _taken(pid: int) -> dict[str, Any]:
    """Memory, threads, open files and CPU seconds of a process; nothing where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        files = len(list(Path(f"/proc/{pid}/fd").iterdir())) if os.access(f"/proc/{pid}/fd", os.R_OK) else None
    except OSError:
        return {}
    said = dict(line.split(":", 1) for line in status if ":" in line)
    kept = {name: said[name].strip() for name in ("VmRSS", "VmSwap", "VmHWM", "Threads") if name in said}
    ticks = os.sysconf("SC_CLK_TCK")
    return kept | {"cpu_s": (int(stat[11]) + int(stat[12])) / ticks, "open_files": files}


def machine(run_dir: Path, store: Path) -> dict[str, Any]:
    """What the doctor finds, and what the kernel says of memory, load, disks and pressure."""
    findings = [
        {"name": one.name, "ok": one.ok, "found": one.found, "advice": one.advice}
        for one in host_findings(run_dir, store)
    ]
    return {"findings": findings, "kernel": dict(_kernel()), "disks": dict(_disks(run_dir, store))}


def _kernel() -> Iterator[tuple[str, str]]:
    for name in _PROC:
        try:
            yield name, Path("/proc", name).read_text(encoding="utf-8", errors="replace")[:16_384]
        except OSError:
            continue
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    yield "cpu", next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _disks(run_dir: Path, store: Path) -> Iterator[tuple[str, dict[str, int]]]:
    for place in (run_dir, store, Path("/")):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        size = {"total_mb": found.f_blocks * found.f_frsize >> 20, "free_mb": found.f_bavail * found.f_frsize >> 20}
        yield str(place), size | {"free_inodes": found.f_favail}


def ledger(store: Path) -> dict[str, Any]:
    """Counts, form, size and balance of the ledger. OkngError: it cannot be read."""
    reader = LedgerReader(store)
    size_mb = reader.path.stat().st_size >> 20 if reader.path.exists() else 0
    told: dict[str, Any] = {"file": reader.path.name, "size_mb": size_mb, "beside": _beside(store)}
    with reader.asking() as ask:
        (version,) = ask("pragma user_version")
        told["schema"] = next(iter(version.values()))
    told["counts"] = reader.summary()
    if size_mb <= MOST_CHECKED_MB:
        balance = check(store)
        told["balance"] = {"problems": balance.problems[:50], "open": balance.open, "triggers": balance.triggers}
    else:
        told["balance"] = f"not proved here: larger than {MOST_CHECKED_MB} MB; run okng ledger check"
    return told


def _beside(store: Path) -> list[str]:
    """Names and sizes of the files in the store's own folder: a ledger that was put aside is seen there."""
    return [f"{file.name} {file.stat().st_size}" for file in sorted(store.iterdir()) if file.is_file()][:200]


def as_json(value: Any) -> str:
    """Fit to be read by people and programs."""
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
