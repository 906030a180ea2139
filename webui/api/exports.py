"""`/api/v1/export`: the ledger as JSON lines, CSV or Parquet, written by a process of its own while it is sent."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import Field
from spectree import SpecTree

from ..access import needs
from ..web import Web
from .bearer import today
from .spec import Problem, Shape, answers

KINDS = {"jsonl": "application/x-ndjson", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
CHUNK = 64 << 10
AT_ONCE = 1
"""Exports that may run at a time: each reads the whole span."""


class ExportQuery(Shape):
    """Which parts, and how they are written."""

    format: Literal["jsonl", "csv", "parquet"] = "csv"
    since: str = Field(default="", max_length=40, pattern=r"^[0-9TZ:.+-]*$", description="UTC, inclusive")
    until: str = Field(default="", max_length=40, pattern=r"^[0-9TZ:.+-]*$", description="UTC, exclusive")
    lot: str = Field(default="", max_length=64, pattern=r"^[^\x00-\x1f]*$")


def add_export(views: Blueprint, spec: SpecTree, web: Web) -> None:
    """Add the view."""
    slots = threading.BoundedSemaphore(AT_ONCE)

    @views.get("/export")
    @needs("part.export")
    @spec.validate(query=ExportQuery, resp=answers(None, HTTP_422=Problem), tags=("part",), operation_id="export")
    def export() -> Response | tuple[Response, int]:
        """Parts as a file, oldest first."""
        asked = ExportQuery.model_validate(request.args.to_dict())
        if not slots.acquire(blocking=False):
            return jsonify(error="busy", detail="another export runs: try again when it has ended"), 429
        command = [sys.executable, "-m", "okng", "ledger", "export", "--store", str(web.store)]
        command += ["--format", asked.format]
        for name in ("since", "until", "lot"):
            if value := getattr(asked, name):
                command += [f"--{name}={value}"]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        except OSError:
            slots.release()
            raise
        answer = Response(_bytes(process), mimetype=KINDS[asked.format])
        answer.headers["Content-Disposition"] = f'attachment; filename="okng-{web.station}-{today()}.{asked.format}"'
        answer.call_on_close(lambda: _end(process, slots))
        return answer


def _bytes(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    assert process.stdout is not None
    while chunk := process.stdout.read(CHUNK):
        yield chunk
    if process.wait() != 0:
        # The headers are out: only a broken connection tells the reader that the file is not whole.
        raise ConnectionError(f"the export ended with code {process.returncode}")


def _end(process: "subprocess.Popen[bytes]", slots: threading.BoundedSemaphore) -> None:
    if process.poll() is None:
        process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()
    slots.release()
