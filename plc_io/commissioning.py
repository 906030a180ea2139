"""The commissioning check as it was saved, and why it keeps READY off.

`okng plc check --save` writes it, a person runs that; io reads it at its start and at each job change. The file holds
the figures of every recipe revision that was measured: another revision is another promise and is measured again.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..bus.errors import BadSettings
from .budget import Budget, Stage, Way, allowed

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Commissioned:
    """One measured check."""

    revision: str
    """Of the recipe."""
    at: str
    """UTC."""
    measured: int
    """Parts it was measured over."""
    stages: tuple[Stage, ...]

    def budget(self, way: Way) -> Budget:
        """Its stages against the distances and speed of now."""
        return Budget(way, self.stages, self.measured)


def read_commissioned(file: Path) -> dict[str, Commissioned]:
    """Return what was saved, by recipe revision; nothing where there is no file. BadSettings: it cannot be read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadSettings(f"{file}: not a saved commissioning check: {error}; remove it and check again") from error
    try:
        if content["version"] != _VERSION:
            raise BadSettings(f"{file}: version = {content['version']!r}: expected {_VERSION}")
        return {revision: _saved(revision, one) for revision, one in content["checks"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadSettings(f"{file}: not a saved commissioning check ({error!r}); remove it and check again") from error


def _saved(revision: str, one: Mapping[str, Any]) -> Commissioned:
    stages = tuple(
        Stage(str(s["name"]), float(s["p999_ms"]), str(s["source"]), part_of_sum=bool(s["part_of_sum"]))
        for s in one["stages"]
    )
    if not any(stage.part_of_sum and stage.p999_ms > 0 for stage in stages):
        raise ValueError("no stage takes any time")
    return Commissioned(revision, str(one["at"]), int(one["measured"]), stages)


def save_commissioned(file: Path, revision: str, at: str, found: Budget) -> None:
    """Put a measured budget beside those of the other recipes, whole or not at all. BadSettings: not written."""
    if not found.measured:
        raise BadSettings(f"{file}: nothing was measured, so nothing is saved")
    checks = {**read_commissioned(file), revision: Commissioned(revision, at, found.measured, found.stages)}
    content = {
        "version": _VERSION,
        "checks": {
            one.revision: {"at": one.at, "measured": one.measured, "stages": [asdict(stage) for stage in one.stages]}
            for one in checks.values()
        },
    }
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(content, out, indent=2)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except OSError as error:
        raise BadSettings(f"{file}: cannot be written: {error.strerror}") from error


def standing(way: Way, saved: Commissioned | None) -> Budget:
    """The budget that holds: the measured one where there is one, else what the recipe allows."""
    return saved.budget(way) if saved is not None else allowed(way)


def blocker(way: Way, saved: Commissioned | None, *, required: bool) -> str:
    """Why READY must stay off as far as the commissioning check goes; empty: nothing against it."""
    if required and saved is None:
        return "commissioning: this recipe was not checked yet: run parts, then `okng plc check --save`"
    found = standing(way, saved)
    return "" if found.fits else f"commissioning: {found.words}"
