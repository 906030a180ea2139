"""What a long piece of work is, by name, and the process that does one: `okng workshop-job FOLDER`.

A job takes its `Bench` and returns plain data, which becomes `result.json`. A further kind of work is one line in
`JOBS`: where its code is, so that only that is loaded.
"""

import ctypes
import importlib
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bus.errors import OkngError
from .box import Box, ReadBox
from .whole import put_json
from .works import ORDER, RESULT

_LOG = logging.getLogger(__name__)
Tell = Callable[[float, str], None]
"""Says how far it is, 0..1, and what it is at, for people."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a job has at hand."""

    box: Box
    read_box: ReadBox
    """Reads settings that this job has changed."""
    order: dict[str, Any]
    folder: Path
    """Of this piece of work: it may write files of its own there."""
    tell: Tell


Job = Callable[[Bench], dict[str, Any]]
"""Does the work of an order. OkngError, ValueError: it is refused."""
JOBS: dict[str, str] = {
    "teach": "teaching:teach_draft",
    "try": "trying:try_draft",
    "release": "releasing:release",
    "judge": "judging:judge_recipe",
    "preview": "previewing:preview",
    "compare": "previewing:compare",
    "activate": "activating:activate",
    "back": "activating:back",
    "export": "labels:export_labels",
    "import": "labels:import_labels",
    "bundle": "support:support_bundle",
    "stick": "sticking:save_to_stick",
}
"""`module:function` inside this room, by what `Work.what` calls it."""
NICE = 10
_RUNTIME_MB = 2048
"""Address space that the libraries map before they do anything."""
_PR_SET_PDEATHSIG = 1


def run_job(box: Box, folder: Path, read_box: ReadBox) -> int:
    """Do the work that lies in a folder; return the exit code. stdout is the work's own: one line of JSON a step."""
    _become_a_guest(box.options.memory_mb if box.inspect.provider == "cpu" else None)
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no progress

    def tell(share: float, detail: str) -> None:
        os.write(out, json.dumps({"share": round(share, 4), "detail": detail}).encode() + b"\n")

    order = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    module, _, name = JOBS[order["what"]].partition(":")
    try:
        job: Job = getattr(importlib.import_module(f".{module}", __package__), name)
        made = job(Bench(box, read_box, order, folder, tell))
        tell(1.0, "")
        put_json(folder / RESULT, made)
    except (OkngError, ValueError, MemoryError) as error:
        words = "more memory is needed than it may take" if isinstance(error, MemoryError) else str(error)
        words = words.replace(f"{folder}/", "")
        put_json(folder / RESULT, {"refused": words or type(error).__name__})
        return 1
    return 0


def _become_a_guest(memory_mb: int | None) -> None:
    """Go when the workshop goes, give way to the line, and take no more memory than is allowed.

    memory_mb: None: no bound, because the driver of a GPU maps far more than it takes.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == 1:
        sys.exit(1)
    os.nice(NICE)
    if memory_mb is not None:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = (memory_mb + _RUNTIME_MB) << 20
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
