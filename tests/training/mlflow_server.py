"""A real MLflow server for the tests, from an environment of its own (`.venv-mlflow`, made by `make test`)."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2] / ".venv-mlflow" / "bin"
"""Of the server, and of the foreign tools that data sets are exchanged with."""
_GUARD = """
import ctypes, os, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
sys.exit(subprocess.call(sys.argv[1:]))
"""
"""Runs the server, and ends its whole group when the tests are gone, however they went: 1 is PR_SET_PDEATHSIG."""
_UP_S = 240
"""A cold start took 70 s on a loaded machine."""


def tool(name: str) -> Path:
    """Return a program of that environment. Fails where CI wants it and it is not there, skips elsewhere."""
    found = HOME / name
    if not found.exists():
        reason = f"needs {found}: make {HOME.parent.name}/.okng/mlflow"
        if os.environ.get("OKNG_FLEET") or os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class MlflowServer:
    """Runs from the moment it is made; `url()` waits until it answers."""

    def __init__(self, backend: str = "") -> None:
        """backend: address of a database; empty: a SQLite of its own."""
        self._program = tool("mlflow")
        self._folder = Path(tempfile.mkdtemp(prefix="okm"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        self.files = self._folder / "files"
        self.files.mkdir()
        command: list[str | Path] = [sys.executable, "-c", _GUARD, self._program, "server"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "1", "--backend-store-uri", backend or f"sqlite:///{self._folder}/runs.db"]
        command += ["--artifacts-destination", str(self.files)]
        quiet = {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
            "PATH": f"{self._program.parent}:{os.environ['PATH']}",
        }
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHON"))}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**environment, **quiet},
                start_new_session=True,
            )

    def url(self) -> str:
        """Return its address, once it answers."""
        end = time.monotonic() + _UP_S
        while True:
            try:
                with urllib.request.urlopen(f"{self._url}/health", timeout=5):
                    return self._url
            except (urllib.error.URLError, OSError):
                if time.monotonic() > end or self._process.poll() is not None:
                    pytest.fail("MLflow did not come up:\n" + (self._folder / "log").read_text()[-3000:])
                time.sleep(0.3)

    def stop(self) -> None:
        """End it and all it has started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
