"""Row 1: kill -9 of each process at random instants."""

import os
import signal
from collections.abc import Sequence
from functools import partial

from okng.bus.messages import Health
from okng.inspect.standby import STANDBY

from .evidence import NEVER, Effect, Evidence, spread
from .line import Line
from .row import Finding, Stand

HELD = ("io", "camera-top", "inspect")
"""Without one of these the box must not be READY. All others may be away unnoticed."""
SHORT, FULL = 1, 1000
BLINK_MS = 300.0
"""READY may be away so long on a busy host without being missed: the PLC's own watchdog."""
STANDBY_MS, STANDBY_SLOWER_MS = 500.0, 1000.0
"""READY may be away so long where a second judge stands by; the other one for the short form, beside other tests."""
HUNG_MS = 2000.0
"""A judge that hangs has to be ended first: so long without a turn."""
SEEN_NS = 1_000_000_000
"""The log of the PLC is up to 0.2 s behind, and READY falls a moment after the strike."""
BATCH = 100
"""Kills of one process on one line; then the next line begins, so that logs and checks stay small."""


class Kill:
    """kill -9, seeded instants."""

    number = 1
    fault = "kill -9 of each process at random instants"
    how = (
        "SIGKILL to io, camera, inspect, records, web, shift and workshop in turn, each at a drawn instant; then, "
        "where a second judge stands by, SIGKILL and now and then SIGSTOP to the one that judges"
    )
    expected = (
        "parts in flight are rejected, none is granted wrongly; the process is started again; READY comes back, and "
        "with a standby within 500 ms (of a judge that hangs: after the watchdog's 2 s)"
    )

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
                others = tuple(name for name in names if name not in HELD)
                groups = (*((name,) for name in HELD), *((others,) if stand.short else ((name,) for name in others)))
                for _ in range(min(times, BATCH)):
                    for group in groups:
                        for name, took in self._kill(line, group, dice.random()).items():
                            back.setdefault(name, []).append(took)
            times -= BATCH
        found = stand.evidence[first:]
        figures |= self._standby(stand, complaints)
        for name in names:
            figures |= _figures(name, found, back[name])
            effects = [effect for each in found for effect in each.effects(f"kill {name}")]
            if name in HELD and any(effect.ready_ms == NEVER for effect in effects):
                complaints.append(f"{name}: READY did not come back")
            if name not in HELD and any(effect.without_ms > BLINK_MS for effect in effects):
                complaints.append(f"{name}: READY fell, and nothing on the line needs it")
            if any(took == NEVER for took in back[name]):
                complaints.append(f"{name}: no other process in its place")
        figures["false rejects"] = sum(each.false_rejects for each in found)
        figures["escapes"] = sum(each.escapes for each in found)
        return Finding(figures, tuple(complaints))

    def _standby(self, stand: Stand, complaints: list[str]) -> dict[str, object]:
        """Kill the judge again and again where a second one stands by, and let one in so many hang."""
        dice, times = stand.dice(100 + self.number), stand.many(SHORT, FULL)
        stand.afresh()
        stand.box.standby = True
        first = len(stand.evidence)
        try:
            while times > 0:
                with stand.line() as line:
                    for _ in range(min(times, BATCH)):
                        self._strike_judge(line, "kill the judge", signal.SIGKILL, dice.random())
                    self._strike_judge(line, "stop the judge", signal.SIGSTOP, dice.random())
                times -= BATCH
        finally:
            stand.box.standby = False
            stand.afresh()
        found = stand.evidence[first:]
        limit_ms = STANDBY_SLOWER_MS if stand.short else STANDBY_MS
        killed = [effect for each in found for effect in each.effects("kill the judge")]
        stopped = [effect for each in found for effect in each.effects("stop the judge")]
        complaints += too_long("the judge killed", killed, limit_ms)
        complaints += too_long("the judge stopped", stopped, HUNG_MS + limit_ms)
        return {
            "inspect with a standby: without READY ms": spread(effect.without_ms for effect in killed),
            "inspect stopped with a standby: without READY ms": spread(effect.without_ms for effect in stopped),
        }

    @staticmethod
    def _strike_judge(line: Line, what: str, how: signal.Signals, wait_s: float) -> None:
        """Once the other one is fit; go on when it judges."""
        line.box.forgive()
        fit = line.until(lambda: (beat := line.beat(STANDBY)) is not None and beat.health is Health.READY)
        assert fit, f"no standby is READY: {line.box.tail()}"
        line.rest(wait_s)
        judge = line.beat("inspect")
        assert judge is not None
        strike = line.strike(what, partial(os.kill, judge.pid, how))
        assert line.until_back("inspect", judge), f"no other judge: {line.box.tail()}"
        line.flow(2)
        line.until(lambda: line.ready() and line.now_ns() - strike.at_ns > SEEN_NS)

    def _kill(self, line: Line, names: tuple[str, ...], wait_s: float) -> dict[str, float]:
        """Kill them at a drawn instant; return the seconds until each one's next process said it is ready."""
        line.box.forgive()
        line.rest(wait_s)
        took: dict[str, float] = {}
        victims = [(name, line.box.pid(name), line.beat(name)) for name in names]
        strikes = [line.strike(f"kill {name}", partial(os.kill, pid, signal.SIGKILL)) for name, pid, _ in victims]
        for (name, _, before), strike in zip(victims, strikes, strict=True):
            back = line.until_back(name, before)
            took[name] = (line.now_ns() - strike.at_ns) / 1e9 if back else NEVER
        if names[0] in HELD:
            line.until_ready(strikes[0])
        line.flow(2)
        return took


def too_long(what: str, effects: Sequence[Effect], limit_ms: float) -> list[str]:
    """What is wrong with how long READY was away where a second judge stood by."""
    if not effects:
        return [f"with a standby, {what}: it was not"]
    if any(effect.ready_ms == NEVER for effect in effects):
        return [f"with a standby, {what}: READY did not come back"]
    worst = max(effect.without_ms for effect in effects)
    return [f"with a standby, {what}: {worst:.0f} ms without READY"] if worst > limit_ms else []


def _figures(name: str, found: list[Evidence], back_s: list[float]) -> dict[str, object]:
    effects = [effect for each in found for effect in each.effects(f"kill {name}")]
    if name not in HELD:
        return {f"{name} back ms": spread(1000 * each for each in back_s)}
    return {
        f"{name} detect ms": spread(effect.detect_ms for effect in effects),
        f"{name} READY ms": spread(effect.ready_ms for effect in effects),
    }


ROWS = (Kill(),)
