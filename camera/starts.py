"""What one process of a camera leaves for the next, in the run folder: it survives a crash, and goes with the boot."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Starts:
    """How often this camera has been started since the box was, and what the last process knew."""

    processes: int = 0
    epochs: int = 0
    lost_ns: int = 0
    """Since when the camera is lost, monotonic; 0: it is not."""


def starts_file(run_dir: Path, camera: str) -> Path:
    """Where that camera's lies."""
    return run_dir / f"camera-{camera}.starts"


def read_starts(path: Path) -> Starts:
    """What was written last. A file that does not read counts as none."""
    try:
        known = json.loads(path.read_text(encoding="ascii"))
        return Starts(int(known["processes"]), int(known["epochs"]), int(known["lost_ns"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Starts()


def keep_starts(path: Path, starts: Starts) -> None:
    """Write it down, whole or not at all. OSError."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(starts)), encoding="ascii")
    draft.replace(path)
