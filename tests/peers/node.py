"""Programs of Node that talk to the box: installed from the lock file alone, without running their install scripts.

A desk without Node or without a registry skips; CI fails.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

PEERS = Path(__file__).resolve().parent
MODULES = PEERS / "node_modules"
_INSTALLED = MODULES / ".package-lock.json"
_LOCK = PEERS / "package-lock.json"
INSTALL_S = 300


def _lacking(message: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def node_modules() -> Path:
    """The folder of the installed packages; installs them where the lock file is newer."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            _lacking(f"{tool} is not on PATH (Node 20 or newer)")
    with _LOCK.open() as gate:  # several workers of pytest want the same folder
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not _INSTALLED.exists() or _INSTALLED.stat().st_mtime < _LOCK.stat().st_mtime:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            try:
                done = subprocess.run(
                    command, cwd=PEERS, capture_output=True, text=True, timeout=INSTALL_S, check=False
                )
            except subprocess.TimeoutExpired:
                _lacking(f"npm ci took longer than {INSTALL_S} s")
            if done.returncode:
                _lacking(f"npm ci ended with {done.returncode}: {done.stderr.strip()[-500:]}")
            _INSTALLED.touch()
    return MODULES


def start_node(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a script of this folder; its output is text on pipes. Kill and wait for it when done."""
    node_modules()
    command = ["node", str(PEERS / script), *map(str, arguments)]
    return subprocess.Popen(command, cwd=PEERS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
