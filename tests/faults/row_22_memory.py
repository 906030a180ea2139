"""Row 22: the box's memory is at its limit, and something wants more."""

from .disks import needs_root
from .memory import MB, Group, Hog, as_by_unit, score_of, victims
from .row import Finding, Stand

ROOM_MB = 24
NEVER_THE = ("io", "camera-top", "inspect")
"""Without these no part passes."""
FIRST = ("web", "workshop")
"""Nobody on the line notices that they are away."""


class Memory:
    """A control group round the box, and a process in it that cannot be killed and grows."""

    number = 22
    fault = "memory pressure"
    how = (
        f"all processes of the box in one control group, with the scores of their units; {ROOM_MB} MB above what they "
        "hold; a process that may not be killed takes more and more"
    )
    expected = "web and workshop go first, then what keeps records; io, camera and inspect never; READY stays"

    _up = 0

    def run(self, stand: Stand) -> Finding:
        """Take memory until the kernel has chosen so many."""
        return needs_root(self._run)(stand)

    def _run(self, stand: Stand) -> Finding:
        wanted, times = 2, stand.many(1, 20)
        orders = [self._squeeze(stand, wanted) for _ in range(times)]
        complaints = [f"{name} was chosen" for order in orders for name in order if name in NEVER_THE]
        if any(not order for order in orders):
            complaints.append("the kernel chose nobody: no pressure came up")
        if early := [order for order in orders if not set(order[: len(FIRST)]) <= set(FIRST)]:
            complaints.append(f"before {' and '.join(FIRST)}: {early[0]}")
        figures: dict[str, object] = {
            "times": times,
            "order of victims": "; ".join(sorted({", ".join(order) for order in orders})),
            "scores": ", ".join(f"{name} {score_of(name)}" for name in (*NEVER_THE, "records", "shift", *FIRST)),
        }
        notes = (f"all scores moved up by {self._up}: they may not be lowered here",) if self._up else ()
        return Finding(figures, tuple(complaints), notes)

    def _squeeze(self, stand: Stand, wanted: int) -> list[str]:
        stand.afresh()
        box, group = stand.box, Group()
        seen: list[str] = []
        try:
            with group.inside():
                box.start()
            with stand.line() as line:
                line.flow(4)
                assert box.supervisor is not None
                pids = box.supervisor.pids()
                self._up = as_by_unit(pids)
                hog = Hog(group)
                try:
                    group.limit(group.used() + ROOM_MB * MB)
                    line.strike("memory", hog.grow)
                    line.until(lambda: len(victims(pids, seen)) >= wanted, 25.0)
                finally:
                    hog.stop()
                    group.limit(2**50)
                line.flow(4)
            return seen
        finally:
            stand.afresh()
            group.close()


ROWS = (Memory(),)
