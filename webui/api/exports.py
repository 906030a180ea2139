"""`/api/v1/export`: the ledger as JSON lines, CSV or Parquet, written by a process of its own while it is sent."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import Field, ValidationError
from spectree import SpecTree

from ...bus.clock import utc_now
from ...bus.errors import BadLedger
from ...records.parts_read import newest
from ..access import needs
from ..web import Web
from .slots import once
from .spec import Problem, Shape, answers, complaint

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
    model: str = Field(default="", max_length=64, pattern=r"^[0-9a-f]*$", description="Digest of the bundle")
    recipe: str = Field(default="", max_length=128, pattern=r"^[^\x00-\x1f]*$", description="NAME or NAME@REVISION")
    camera: str = Field(default="", max_length=64, pattern=r"^[^\x00-\x1f]*$", description="Whose picture decided")


def add_export(views: Blueprint, spec: SpecTree, web: Web) -> None:
    """Add the view."""
    slots = threading.BoundedSemaphore(AT_ONCE)

    def export() -> Response | tuple[Response, int]:
        """Parts as a file, oldest first."""
        try:
            asked = ExportQuery.model_validate(request.args.to_dict())
        except ValidationError as error:
            return jsonify(error="invalid", detail=complaint(error.errors())), 422
        try:
            newest(web.store)  # said before anything is sent: later only a broken connection can tell
        except BadLedger as error:
            return jsonify(error="no_history", detail=str(error)), 503
        if not slots.acquire(blocking=False):
            return jsonify(error="busy", detail="another export runs: try again when it has ended"), 429
        command = [sys.executable, "-m", "okng", "ledger", "export", "--store", str(web.store)]
        command += ["--format", asked.format]
        for name in ("since", "until", "lot", "model", "recipe", "camera"):
            if value := getattr(asked, name):
                command += [f"--{name}={value}"]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        except OSError:
            slots.release()
            raise
        end = once(lambda: _end(process, slots))
        today = utc_now()[:10].replace("-", "")
        answer = Response(_bytes(process, end), mimetype=KINDS[asked.format])
        answer.headers["Content-Disposition"] = f'attachment; filename="okng-{web.station}-{today}.{asked.format}"'
        answer.call_on_close(end)
        return answer

    documented = spec.validate(
        query=ExportQuery, resp=answers(None, HTTP_422=Problem), tags=("part",), operation_id="export"
    )(export)

    @wraps(documented)
    def streamed() -> Response | tuple[Response, int]:
        return export()  # not through the wrapper, which would read the whole file into memory

    views.add_url_rule("/export", endpoint="export", view_func=needs("part.export")(streamed))


def _bytes(process: "subprocess.Popen[bytes]", end: Callable[[], None]) -> Iterator[bytes]:
    assert process.stdout is not None
    try:
        while chunk := process.stdout.read(CHUNK):
            yield chunk
        if process.wait() != 0:
            # The headers are out: only a broken connection tells the reader that the file is not whole.
            raise ConnectionError(f"the export ended with code {process.returncode}")
    finally:
        end()


def _end(process: "subprocess.Popen[bytes]", slots: threading.BoundedSemaphore) -> None:
    if process.poll() is None:
        process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()
    slots.release()
