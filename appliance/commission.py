"""`okng plc check`: what one part takes on this line, against the distance to the gate."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..bus.clock import now_ns, utc_now
from ..bus.errors import BadLedger
from ..bus.heartbeat import Pulse
from ..inspect.recipe import ActiveRecipe
from ..plc_io.budget import ENOUGH, Budget, Taken, budget
from ..plc_io.commissioning import save_commissioned
from ..records.read import LedgerReader
from ..settings import Settings
from .way_of import way_of

_POLICIES = {0: "SCHED_OTHER", 1: "SCHED_FIFO", 2: "SCHED_RR"}


@dataclass(frozen=True, slots=True)
class Check:
    """What was found."""

    active: ActiveRecipe
    found: Budget
    parts: int
    """Parts of this recipe revision that the ledger holds with all their moments."""
    note: str
    """Why nothing was measured; empty: it was."""
    scheduling: str
    """How the io process runs, in words."""

    def as_json(self) -> dict[str, Any]:
        """Fit for `json.dump`."""
        way, found = self.found.way, self.found
        return {
            "recipe": self.active.recipe.name,
            "revision": self.active.revision,
            "fits": found.fits,
            "measured": found.measured,
            "distance_mm": way.distance_mm,
            "max_speed_mm_s": way.max_speed_mm_s,
            "sum_ms": found.sum_ms,
            "needs_mm": found.needs_mm,
            "short_mm": found.short_mm,
            "top_speed_mm_s": found.top_speed_mm_s,
            "stages": [asdict(stage) for stage in found.stages],
            "words": found.words,
            "scheduling": self.scheduling,
        }


def check(settings: Settings, active: ActiveRecipe) -> Check:
    """Measure over the newest parts of the ledger; without a thousand of them, take what the recipe allows."""
    options = settings.plc.check
    note, taken = "", []
    try:
        rows = LedgerReader(settings.records.store).moments(options.parts, active.revision)
        taken = [_taken(row) for row in rows]
    except BadLedger as error:
        note = str(error)
    found = budget(way_of(active.recipe, options), taken)
    whole = sum(each.decision_ms is not None and each.answer_ms is not None for each in taken)
    if not found.measured and not note:
        note = f"{whole} parts of this recipe were acknowledged, {ENOUGH} are needed to measure: what the recipe allows"
    return Check(active, found, whole, note, scheduling(settings.box.run_dir))


def _taken(row: dict[str, int | None]) -> Taken:
    def passed(begin: str, end: str) -> float | None:
        first, last = row[begin], row[end]
        return None if first is None or last is None else (last - first) / 1e6

    return Taken(
        picture_ms=passed("triggered_ns", "ready_ns"),
        inspection_ms=passed("ready_ns", "done_ns"),
        decision_ms=passed("triggered_ns", "committed_ns"),
        answer_ms=passed("committed_ns", "acked_ns"),
    )


def save(settings: Settings, made: Check) -> Path:
    """Save a measured check for io. BadSettings: nothing was measured, or it cannot be written."""
    file = settings.plc.check.file
    save_commissioned(file, made.active.revision, utc_now(), made.found)
    return file


def scheduling(run_dir: Path) -> str:
    """How the io process of this box is scheduled, in words."""
    pulse = Pulse(run_dir)
    beat = pulse.beats().get("io")
    pulse.close()
    if beat is None or not beat.has_moved(now_ns(), 10**9, 10**9):
        return "io is not running"
    try:
        policy = os.sched_getscheduler(beat.pid)
        status = Path(f"/proc/{beat.pid}/status").read_text(encoding="ascii")
    except OSError as error:
        return f"io runs as process {beat.pid}, which cannot be looked at: {error.strerror}"
    locked = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmLck:")), 0)
    memory = f"{locked // 1024} MiB locked" if locked else "memory is not locked"
    name = _POLICIES.get(policy, f"policy {policy}")
    advice = "" if policy == 1 and locked else ": answers may be some ms late; give the unit okng-io its rights"
    return f"io runs {name}, {memory}{advice}"


def lines(made: Check) -> list[str]:
    """The check for a person."""
    found, way = made.found, made.found.way
    said = [f"recipe {made.active.recipe.name}, revision {made.active.revision}"]
    if made.note:
        said.append(f"not measured: {made.note}")
    said += [
        f"  {stage.p999_ms:8.1f} ms  {stage.name}{'' if stage.part_of_sum else ' (contained)'}: {stage.source}"
        for stage in found.stages
    ]
    said += [
        f"  {found.sum_ms:8.1f} ms  sum; {way.has_ms:.1f} ms from eye to gate at {way.max_speed_mm_s:.0f} mm/s",
        made.scheduling,
        ("passed: " if found.fits else "REFUSED: ") + found.words,
    ]
    return said


def as_json(made: Check) -> str:
    """The check as JSON."""
    return json.dumps(made.as_json(), indent=2, ensure_ascii=False)
