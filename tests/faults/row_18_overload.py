"""Row 18: more triggers than the box can judge."""

import shutil
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np

from okng.appliance.workspace import belt_for
from okng.fleet.activate import activate
from okng.models.bundle import open_bundle
from okng.models.detector import Detector

from .box import DEADLINE_MS
from .doctored import heavy_bundle
from .row import Finding, Stand

FACTORS, FEW = (1.2, 2.0, 10.0), (4.0,)
WANTED_MS = 220.0
"""What one part costs then: four or five parts a second are all that the box can judge."""
FEWEST = 24
ROUNDS = 8
SKIPPED = "too late to be judged"
RUNS = 9


class Overload:
    """Parts come faster than they can be judged."""

    number = 18
    fault = "triggers over capacity: 1.2, 2, 10 times"
    how = (
        "a model so slow that the box judges four or five parts a second, and a belt that brings 1.2, 2 and 10 times "
        "as many; in the short form 4 times as many"
    )
    expected = (
        "queues are bounded, what is not judged in time is rejected and counted as late or missed, and triggers less "
        "verdicts are exactly those; afterwards the line runs as before"
    )

    def run(self, stand: Stand) -> Finding:
        """Make the model slow, overload it, put the quick one back."""
        space, heavy = stand.box.space, stand.folder / "heavy"
        took_ms = self._slow(stand)
        stand.afresh()
        activate(heavy, space.slot)
        capacity = 1000 / took_ms
        figures: dict[str, object] = {"one part takes ms": took_ms, "capacity parts/s": capacity}
        complaints: list[str] = []
        try:
            for factor in FEW if stand.short else FACTORS:
                self._bring(stand, capacity * factor, f"{factor:g} times", figures, complaints)
        finally:
            stand.afresh()
            activate(space.model, space.slot)
            shutil.rmtree(heavy, ignore_errors=True)
        return Finding(figures, tuple(complaints))

    def _bring(self, stand: Stand, rate: float, what: str, figures: dict[str, object], complaints: list[str]) -> None:
        with stand.line(belt=belt_for(rate, DEADLINE_MS, varying=False)) as line:
            line.flow(stand.many(max(FEWEST, int(rate)), 2000), timeout_s=3600)
        evidence = line.evidence
        assert evidence is not None
        whys = Counter(str(each["why"]) for each in evidence.ledger)
        missed = sum(bool(each["missed"]) for each in evidence.ledger)
        verdicts = whys["ok"] + whys["ng"]
        at_plc = Counter(part.trigger.partition(":")[0] for part in evidence.parts)
        lost = len(evidence.ledger) - verdicts
        skipped = sum(SKIPPED in str(each["reasons"]) for each in evidence.ledger)
        figures[f"{what}: parts at the PLC"] = dict(at_plc)
        figures[f"{what}: triggers, verdicts in time"] = {"triggers": len(evidence.ledger), "verdicts": verdicts}
        figures[f"{what}: misses"] = {"late": whys["late"], "skipped as too late": skipped, "not ready": missed}
        if whys["late"] + skipped + missed != lost:
            complaints.append(
                f"{what}: {lost} triggers without a verdict, of which {whys['late'] + skipped + missed} counted"
            )
        if lost == 0:
            complaints.append(f"{what}: nothing was missed: this was no overload")
        taken = sum(part.trigger in ("accepted", "missed") for part in evidence.parts)
        known = {int(str(each["part"])) for each in evidence.ledger}
        unanswered = sum(part.trigger == "unanswered" and part.number in known for part in evidence.parts)
        if taken + unanswered != len(evidence.ledger):
            complaints.append(
                f"{what}: the PLC's box took {taken + unanswered} triggers, the ledger {len(evidence.ledger)}"
            )
        passes = sum(part.action == "pass" for part in evidence.parts)
        if passes > whys["ok"]:
            complaints.append(f"{what}: the PLC let {passes} pass, the ledger {whys['ok']}")

    def _slow(self, stand: Stand) -> float:
        """Write the slow model; return what one part takes, ms."""
        space, heavy = stand.box.space, stand.folder / "heavy"
        heavy_bundle(space.model, heavy, ROUNDS)
        # By time, not by work: on a quick machine four times as many would be more than the world can be.
        each_ms = max(0.5, (_took_ms(heavy) - _took_ms(space.model)) / ROUNDS)
        heavy_bundle(space.model, heavy, round(WANTED_MS / each_ms))
        return _took_ms(heavy)


def _took_ms(folder: Path) -> float:
    detector = Detector(open_bundle(folder), "cpu", 1)
    entry = detector.bundle.manifest.input
    cut = np.zeros((1, entry.height, entry.width, entry.channels), np.uint8)
    return median(detector.find_cut(cut).took_ns / 1e6 for _ in range(RUNS))


ROWS = (Overload(),)
