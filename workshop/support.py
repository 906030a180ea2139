"""What a person who is to help has to have, in one zip: settings without secrets, recipes, versions, logs, figures.

No names of people, no keys, no PIN hashes; pictures of the last rejects only where they were asked for.
"""

import json
import os
import platform
import re
import subprocess
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..bus.clock import utc_now
from ..bus.errors import OkngError
from ..bus.heartbeat import Pulse
from ..inspect.recipe import read_recipe
from ..records.read import LedgerReader
from .box import Box
from .jobs import Bench
from .shelf import models_of

FILE = "support.zip"
_MOST_LOG = 4 << 20
_SECRET = re.compile(r"(?i)(password|secret|token|pin|credential|passphrase|private|_key$|^key$|hash|salt)")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@", re.IGNORECASE)
_SAID = re.compile(
    r"(?i)\b(password|secret|token|pin|authorization|bearer)" r"""(["']?\s*[=:]\s*|\s+)((bearer|basic)\s+)?\S+"""
)
_LIBRARIES = ("numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "pyzmq", "pydantic", "apsw", "flask")


def support_bundle(bench: Bench) -> dict[str, Any]:
    """Write the zip; return its name and what is in it."""
    box, path = bench.box, bench.folder / FILE
    found: dict[str, bytes] = {}
    bench.tell(0.1, "settings and recipes")
    text = box.settings_file.read_text(encoding="utf-8")
    found["settings.json"] = _json(without_secrets(tomllib.loads(text)))
    for number, recipe in box.recipes.items():
        try:
            found[f"recipes/{number}-{recipe.name}"] = read_recipe(recipe).path.read_bytes()
        except OkngError as error:
            found[f"recipes/{number}-trouble.txt"] = str(error).encode()
    bench.tell(0.3, "versions and figures")
    found["versions.json"] = _json(_versions())
    found["models.json"] = _json(models_of(box))
    found["box.json"] = _json(_figures(box))
    bench.tell(0.5, "logs")
    for name, data in _logs(box).items():
        found[f"logs/{name}"] = data
    if bench.order.get("pictures"):
        bench.tell(0.7, "pictures")
        found |= _pictures(box, int(bench.order["most"]))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in found.items():
            file.writestr(name, data)
    return {"file": FILE, "size": path.stat().st_size, "holds": sorted(found)}


def without_secrets(value: Any, name: str = "") -> Any:
    """The same with what looks like a secret struck out, by its key or because it stands in an address."""
    if isinstance(value, dict):
        return {key: without_secrets(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [without_secrets(each, name) for each in value]
    if isinstance(value, str):
        return "***" if _SECRET.search(name) else _ADDRESS.sub(r"\1***@", value)
    return value if isinstance(value, bool | int | float) else str(value)


def _versions() -> dict[str, Any]:
    libraries = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "okng": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": libraries,
        "made_at": utc_now(),
    }


def _figures(box: Box) -> dict[str, Any]:
    told: dict[str, Any] = {"name": box.name, "station": box.station, "active_job": box.active_job}
    beats = Pulse(box.run_dir)
    told["processes"] = {
        beat.name: {"health": str(beat.health), "pid": beat.pid, "done": beat.done} for beat in beats.beats().values()
    }
    beats.close()
    try:
        told["ledger"] = LedgerReader(box.store).summary()
    except OkngError as error:
        told["ledger"] = str(error)
    for name, place in (("store", box.store), ("workshop", box.options.folder)):
        if place.exists():
            free = os.statvfs(place)
            told[f"{name}_free_mb"] = free.f_bavail * free.f_frsize >> 20
    return told


def _logs(box: Box) -> dict[str, bytes]:
    """The journal of the box's units where there is one, and log files beside the settings."""
    found = {}
    command = ["journalctl", "-u", "okng-*", "--since", "-24h", "--no-pager", "-o", "short-iso", "-n", "20000"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
        if done.returncode == 0 and done.stdout.strip():
            found["journal.txt"] = _cleaned(done.stdout)
    except (OSError, subprocess.TimeoutExpired):
        pass
    for path in sorted(box.settings_file.parent.glob("*.log")):
        found[path.name] = _cleaned(_tail(path))
    return found


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_LOG))
        return file.read(_MOST_LOG)


def _cleaned(data: bytes) -> bytes:
    text = data[-_MOST_LOG:].decode("utf-8", errors="replace")
    return _SAID.sub(r"\1\2***", _ADDRESS.sub(r"\1***@", text)).encode()


def _pictures(box: Box, most: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for row in LedgerReader(box.store).rows(min(1000, most), action="REJECT"):
        if row.picture_kept and row.picture:
            try:
                found[f"pictures/{row.seq}-{Path(row.picture).name}"] = (box.store / row.picture).read_bytes()
            except OSError:
                continue
    return found


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str).encode()
