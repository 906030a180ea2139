"""Rows 3 and 21: the power goes while records writes; an update or rollback is stopped at each of its steps."""

import os

from okng.tests.powercut.acts import ACTS
from okng.tests.powercut.disk import CutDisk, NoDisk
from okng.tests.powercut.points import Outcome, stopped_everywhere
from okng.tests.powercut.trial import power_cuts

from .disks import needs_root
from .evidence import spread
from .row import Finding, Stand


class Power:
    """The product's own records process on a disk whose power goes."""

    number = 3
    fault = "power cut"
    how = "ext4 on a loop file, EXT4_IOC_SHUTDOWN without a flush at random instants under load, and SIGKILL"
    expected = "nothing acknowledged is lost, no store is damaged, every row has its own picture, records starts again"

    def run(self, stand: Stand) -> Finding:
        """Cut, judge, start again."""
        return needs_root(self._run)(stand)

    def _run(self, stand: Stand) -> Finding:
        found = power_cuts(stand.folder / "power", stand.many(3, 500), stand.seed, longest_s=0.8)
        figures: dict[str, object] = {
            "power cuts": found.cuts,
            "acknowledged": found.acknowledged,
            "acknowledged and lost": len(found.lost),
            "damaged": len(found.corrupt) + found.unsound_file_systems,
            "pictures whole": found.pictures,
            "pictures wrong or missing": found.pictures_wrong + found.pictures_missing,
            "records READY ms": spread(1000 * each for each in found.ready_s),
        }
        complaints = (*found.lost[:5], *found.corrupt[:5], *found.unbalanced[:5])
        if not found.holds and not complaints:
            complaints = ("pictures or file systems are not whole",)
        return Finding(figures, complaints)


class Update:
    """Whatever changes the box for good."""

    number = 21
    fault = "update or rollback stopped at each step"
    how = "kill -9, and with root a power cut, before each file operation of what changes the box"
    expected = "the old or the new, whole, never neither"

    def run(self, stand: Stand) -> Finding:
        """Every act at every point."""
        most = 8 if stand.short else 0
        outcomes = [("kill", stopped_everywhere(act, stand.folder / "acts", most=most)) for act in ACTS]
        notes: tuple[str, ...] = ("the A/B slots of a whole image are RAUC's: docs/install.md",)
        try:
            disk = CutDisk(stand.folder / "acts-disk", 128)
            try:
                acts = [act for act in ACTS if not stand.short or act.name == "bundle activation"]
                outcomes += [("cut", stopped_everywhere(act, stand.folder, disk, most=most)) for act in acts]
            finally:
                disk.close()
        except NoDisk as error:
            notes += (f"no power was cut: {error}",)
            if os.environ.get("CI") == "true":
                return Finding({}, (notes[-1],))
        return Finding(_figures(outcomes), _complaints(outcomes), notes)


def _figures(outcomes: list[tuple[str, Outcome]]) -> dict[str, object]:
    figures: dict[str, object] = {}
    for how in ("kill", "cut"):
        mine = [one for each, one in outcomes if each == how]
        if mine:
            figures[f"points, {how}"] = sum(one.points for one in mine)
            figures[f"old, {how}"] = sum(one.old for one in mine)
            figures[f"new, {how}"] = sum(one.new for one in mine)
            figures[f"neither, {how}"] = sum(len(one.neither) for one in mine)
    figures["of"] = ", ".join(act.name for act in ACTS)
    return figures


def _complaints(outcomes: list[tuple[str, Outcome]]) -> tuple[str, ...]:
    found = [f"{one.act}, {how} at {words}" for how, one in outcomes for words in one.neither]
    found += [
        f"{one.act}, {how}: {one.old} times the old, {one.new} times the new: nothing was stopped in the middle"
        for how, one in outcomes
        if not one.neither and not one.holds
    ]
    return tuple(found)


ROWS = (Power(), Update())
