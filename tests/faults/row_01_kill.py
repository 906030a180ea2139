"""Row 1: kill -9 of each process at random instants."""

import os
import signal

from .evidence import NEVER, Evidence, spread
from .line import Line
from .row import Finding, Stand

HELD = ("io", "camera-top", "inspect")
"""Without one of these the box must not be READY. All others may be away unnoticed."""
SHORT, FULL = 1, 1000
BATCH = 100
"""Kills of one process on one line; then the next line begins, so that logs and checks stay small."""


class Kill:
    """kill -9, seeded instants."""

    number = 1
    fault = "kill -9 of each process at random instants"
    how = "SIGKILL to io, camera, inspect, records, web, shift and workshop in turn, each at a drawn instant"
    expected = "parts in flight are rejected, none is granted wrongly; the process is started again; READY comes back"

    def run(self, stand: Stand) -> Finding:
        """Kill each, wait until the process and READY are back, go on."""
        dice, times = stand.dice(self.number), stand.many(SHORT, FULL)
        figures: dict[str, object] = {"kills of each": times}
        complaints: list[str] = []
        names: tuple[str, ...] = ()
        back: dict[str, list[float]] = {}
        first = len(stand.evidence)
        while times > 0:
            with stand.line() as line:
                names = line.box.names
                for _ in range(min(times, BATCH)):
                    for name in names:
                        back.setdefault(name, []).append(self._kill(line, name, dice.random()))
            times -= BATCH
        found = stand.evidence[first:]
        for name in names:
            figures |= _figures(name, found, back[name])
            effects = [effect for each in found for effect in each.effects(f"kill {name}")]
            if name in HELD and any(effect.ready_ms == NEVER for effect in effects):
                complaints.append(f"{name}: READY did not come back")
            if name not in HELD and any(effect.ready_ms for effect in effects):
                complaints.append(f"{name}: READY fell, and nothing on the line needs it")
            if any(took == NEVER for took in back[name]):
                complaints.append(f"{name}: no other process in its place")
        figures["false rejects"] = sum(each.false_rejects for each in found)
        figures["escapes"] = sum(each.escapes for each in found)
        return Finding(figures, tuple(complaints))

    def _kill(self, line: Line, name: str, wait_s: float) -> float:
        """Kill it at a drawn instant; return the seconds until its next process said it is ready."""
        line.box.forgive()
        line.rest(wait_s)
        pid, before = line.box.pid(name), line.beat(name)
        strike = line.strike(f"kill {name}", lambda: os.kill(pid, signal.SIGKILL))
        back = line.until_back(name, before)
        took = (line.now_ns() - strike.at_ns) / 1e9 if back else NEVER
        if name in HELD:
            line.until_ready(strike)
        line.flow(2)
        return took


def _figures(name: str, found: list[Evidence], back_s: list[float]) -> dict[str, object]:
    effects = [effect for each in found for effect in each.effects(f"kill {name}")]
    if name not in HELD:
        return {f"{name} back ms": spread(1000 * each for each in back_s)}
    return {
        f"{name} detect ms": spread(effect.detect_ms for effect in effects),
        f"{name} READY ms": spread(effect.ready_ms for effect in effects),
    }


ROWS = (Kill(),)
