"""Row 2: a process that is stopped, spins, or keeps the interpreter's lock. It lives, and does not move."""

import contextlib
import os
import signal

from okng.bus.messages import Health

from .box import DEADLINE_MS
from .evidence import NEVER, spread
from .hurt import SPIN, STALL
from .line import Line
from .row import Finding, Stand
from .row_01_kill import BLINK_MS, HELD

HANGS = {"stopped": signal.SIGSTOP, "spinning": SPIN, "stalled": STALL}
BUDGET_MS = {"io": 350, "camera-top": 350, "inspect": max(250, DEADLINE_MS) + 100}
"""250 ms without a turn, or what a part may take if that is longer, and one beat."""
READ_MS = 50
"""Until the PLC has read it: its scans, and the host's."""
FEW = (("stopped", "camera-top"), ("stalled", "inspect"))
"""The short form."""
SLOWER = 3.0
"""The short form runs beside other tests."""
BACK_S = 60.0
"""What the line does not need is given more time by its supervisor: 5 to 30 s without a turn, and its start."""


class Hang:
    """SIGSTOP, busy loop and GIL stall of each."""

    number = 2
    fault = "SIGSTOP, busy loop, GIL stall of each process"
    how = (
        "SIGSTOP; a signal handler, installed around the unchanged product, that loops for ever in the main thread "
        "(spinning) or sleeps and keeps the interpreter's lock (stalled)"
    )
    expected = (
        "READY falls or the heartbeat stops within 350 ms (250 + one beat; inspect: the part's deadline + one beat), "
        "the watchdog kills it, READY comes back; processes the line does not need are not missed"
    )

    def run(self, stand: Stand) -> Finding:
        """Hang each in each way."""
        times, dice = stand.many(1, 20), stand.dice(self.number)
        figures: dict[str, object] = {"of each": times}
        complaints: list[str] = []
        back: dict[str, list[float]] = {}
        with stand.line() as line:
            pairs = FEW if stand.short else tuple((how, name) for name in line.box.names for how in HANGS)
            for how, name in pairs:
                for _ in range(times):
                    back.setdefault(f"{name} {how}", []).append(self._hang(line, name, how, dice.random()))
        evidence = line.evidence
        assert evidence is not None
        for how, name in pairs:
            what = f"{name} {how}"
            effects = evidence.effects(what)
            if name not in HELD:
                figures[f"{what}: back ms"] = spread(1000 * each for each in back[what])
                if any(effect.without_ms > BLINK_MS for effect in effects):
                    complaints.append(f"{what}: READY fell, and nothing on the line needs it")
                if NEVER in back[what]:
                    complaints.append(f"{what}: it was not ended and started again")
                continue
            figures[f"{what}: detect ms"] = spread(effect.detect_ms for effect in effects)
            figures[f"{what}: READY ms"] = spread(effect.ready_ms for effect in effects)
            limit = BUDGET_MS[name] * (SLOWER if stand.short else 1.0) + READ_MS
            worst = max(effect.detect_ms for effect in effects)
            if worst > limit:
                complaints.append(f"{what}: detected after {worst:.0f} ms, expected {BUDGET_MS[name]} ms or less")
            if any(effect.ready_ms == NEVER for effect in effects):
                complaints.append(f"{what}: READY did not come back")
        figures["false rejects per hang"] = evidence.false_rejects / max(1, len(evidence.strikes))
        return Finding(figures, tuple(complaints))

    def _hang(self, line: Line, name: str, how: str, wait_s: float) -> float:
        """Hang it at a drawn instant; return the seconds until another stood in its place."""
        line.box.forgive()
        line.rest(wait_s)
        line.until(lambda: (beat := line.beat(name)) is not None and beat.health is Health.READY, BACK_S)
        before = line.beat(name)
        # The one whose loop turns: of the screens that is gunicorn's worker, not the process that was started.
        pid = before.pid if before is not None else line.box.pid(name)
        strike = line.strike(f"{name} {how}", lambda: os.kill(pid, HANGS[how]))
        back = line.until_back(name, before, BACK_S)
        took = (line.now_ns() - strike.at_ns) / 1e9
        if not back:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if name in HELD:
            line.until_ready(strike)
        line.flow(2)
        return took if back else NEVER


ROWS = (Hang(),)
