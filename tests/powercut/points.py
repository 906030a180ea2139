"""An act is stopped before each of its file operations: by a kill, or by the power. Old or new, never neither."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .acts import Act
from .disk import CutDisk, cut
from .steps import run


@dataclass(slots=True)
class Outcome:
    """What came of one act at all its points."""

    act: str
    points: int = 0
    old: int = 0
    """So often the old stood there afterwards, whole."""
    new: int = 0
    neither: list[str] = field(default_factory=list)
    """Point, and what was wrong."""

    @property
    def holds(self) -> bool:
        """Old or new each time, and at least one of each: else nothing was stopped in the middle."""
        return not self.neither and self.old > 0 and self.new > 0


def stopped_everywhere(act: Act, folder: Path, disk: CutDisk | None = None, most: int = 0) -> Outcome:
    """Stop the act at its points. disk: by cutting its power; None: by kill -9.

    most: so many points at most, evenly spread; 0: as the act says.
    """
    outcome = Outcome(act.name)
    root = (disk.root if disk is not None else folder) / "act"
    _fresh(act, root)
    whole = run(lambda: act.work(root), root)
    if not whole.finished:
        raise AssertionError(f"{act.name} does not work at all: {whole.error}")
    if (state := _state(act, root)) != "new":
        raise AssertionError(f"{act.name} went through and came to {state}")
    total = whole.operations
    wanted = most or act.points or total
    points = sorted({1 + at * total // wanted for at in range(wanted)}) if wanted < total else list(range(1, total + 1))
    for at in (*points, total + 1):
        _fresh(act, root)
        if disk is None:
            done = run(lambda: act.work(root), root, at)
        else:
            disk.sync()
            done = run(lambda: act.work(root), root, at, lambda: cut(disk.root))
            if done.finished or at > total:
                disk.cut()
            if not disk.repaired():
                outcome.neither.append(f"{at} of {total}: the file system is not sound")
        state = _state(act, root)
        outcome.points += 1
        outcome.old += state == "old"
        outcome.new += state == "new"
        if state not in ("old", "new") or (done.finished and state != "new"):
            outcome.neither.append(f"{at} of {total}: {state}{', although it was done' if done.finished else ''}")
    shutil.rmtree(root, ignore_errors=True)
    return outcome


def _fresh(act: Act, root: Path) -> Path:
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    act.prepare(root)
    return root


def _state(act: Act, root: Path) -> str:
    try:
        return act.state(root)
    except Exception as error:  # noqa: BLE001 - whatever a start would stumble over is the finding
        return f"neither: {type(error).__name__}: {error}"
