"""The machine figures were measured on, as people compare machines: processor, cores, system, what runs the model."""

import importlib.metadata
import os
import platform
from pathlib import Path

from ..models.runtime import installed_wheels


def machine(provider: str, threads: int) -> dict[str, str | int]:
    """Return what was measured on. provider: ONNX Runtime's name. threads: of one inference. Names no host."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "runtime": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in installed_wheels()),
        "provider": provider,
        "threads": threads,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return named[0] if named else platform.processor() or "unknown"
