"""The running line that a row hurts: a box that is up, and a simulated world and PLC of this row's own.

The box may stay up between rows; belt, PLC and their logs begin anew with each, and each has part numbers of its own,
so that a row is judged by its own parts.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from okng.appliance.simulation import SimulatedLine
from okng.appliance.workspace import SERIAL, write_plan
from okng.bus.heartbeat import Beat, Pulse
from okng.bus.messages import Health
from okng.records.check import check
from okng.records.export import lines
from okng.simline.judge import read_log

from .box import START_S, Box
from .camera_spoiler import Spoiler
from .evidence import BoxSeen, Evidence, Strike, states_of
from .eyes import Eyes

STRETCH = 1_000_000
"""Part numbers of one row."""
SETTLE_S = 8.0
"""The last entries are in the ledger by then."""


class Line:
    """One row's line, running. One thread."""

    def __init__(self, box: Box, folder: Path, first_part: int, run: SimulatedLine) -> None:
        self.box, self.folder, self.first_part = box, folder, first_part
        self.strikes: list[Strike] = []
        self._run, self._pulse = run, Pulse(box.space.run_dir)
        self.evidence: Evidence | None = None
        """After the row: what is there to judge by."""

    # -- time --------------------------------------------------------------------------------------------------------

    def until(self, found: Callable[[], Any], timeout_s: float = START_S) -> Any:
        """Go on until found() is true and return it; a false value after timeout_s."""
        return self.box.until(found, timeout_s)

    def rest(self, seconds: float) -> None:
        """Let the line run for so long."""
        self.box.rest(seconds)

    def flow(self, parts: int, timeout_s: float = START_S) -> bool:
        """Go on until so many more parts have come by the eye."""
        _ = self._run.running
        goal = self._run.parts + parts
        return bool(self.until(lambda: self._run.running and self._run.parts >= goal, timeout_s))

    @property
    def came(self) -> int:
        """Parts that have come by the eye."""
        return int(self._run.parts)

    @staticmethod
    def now_ns() -> int:
        """The clock of the logs."""
        return time.monotonic_ns()

    # -- hurting -----------------------------------------------------------------------------------------------------

    def strike(self, what: str, do: Callable[[], object]) -> Strike:
        """Do it, and remember when and what. What is done must not wait."""
        made = Strike(what, time.monotonic_ns())
        do()
        self.strikes.append(made)
        return made

    @property
    def spoiler(self) -> Spoiler:
        """What can be done to the camera."""
        return Spoiler(self.box.space.scenes / f"{SERIAL}.scene")

    def strange(self, module: str) -> int:
        """Process id of a part of the simulation: `okng.simline.plc` or `okng.simline.world`."""
        me = psutil.Process(self._run._process.pid)
        (found,) = (child.pid for child in me.children() if module in child.cmdline())
        return int(found)

    # -- what the PLC sees now ---------------------------------------------------------------------------------------

    def states(self) -> list[BoxSeen]:
        """The box as the PLC saw it so far; its log is up to 0.2 s behind."""
        with contextlib.suppress(OSError):
            return states_of(read_log(self.folder / "plc.jsonl"), time.monotonic_ns())
        return []

    def ready(self, since_ns: int = 0) -> bool:
        """True when the PLC sees READY now, and something else at since_ns or after it (0: whatever it saw)."""
        seen = self.states()
        if not seen or seen[-1].state != "ready":
            return False
        before = [each.state for each in seen if each.at_ns < since_ns]
        fell = any(each.at_ns >= since_ns and each.state != "ready" for each in seen)
        return not since_ns or fell or (bool(before) and before[-1] != "ready")

    def until_ready(self, strike: Strike | None = None, timeout_s: float = START_S) -> bool:
        """Go on until the PLC sees READY (after it has seen the strike)."""
        return bool(self.until(lambda: self.ready(strike.at_ns if strike else 0), timeout_s))

    def until_back(self, name: str, before: Beat | None, timeout_s: float = START_S) -> bool:
        """Go on until another process of that name says that it is ready. before: the heartbeat of the one that was."""

        def back() -> bool:
            beat = self.beat(name)
            return beat is not None and beat.health is Health.READY and (before is None or beat.pid != before.pid)

        return bool(self.until(back, timeout_s))

    def beat(self, name: str) -> Beat | None:
        """The last heartbeat of a process."""
        return self._pulse.beats().get(name)

    def until_fallen(self, strike: Strike, timeout_s: float = 5.0) -> bool:
        """Go on until the PLC has seen the box not ready after the strike."""
        return bool(
            self.until(lambda: any(s.at_ns >= strike.at_ns and s.state != "ready" for s in self.states()), timeout_s)
        )

    # -- the end -----------------------------------------------------------------------------------------------------

    def settle(self) -> Evidence:
        """Stop the belt, wait until the ledger has what it is owed, and gather the evidence."""
        stopped_ns = time.monotonic_ns()
        self._run.stop()
        end = time.monotonic() + SETTLE_S
        while True:
            self.box.rest(0.4)
            found = check(self.box.space.store)
            if (not found.open and not found.problems) or time.monotonic() > end:
                break
        last = self.first_part + STRETCH
        ledger = [each for each in lines(self.box.space.store) if self.first_part <= each["part"] < last]
        self._pulse.close()
        self.evidence = Evidence(
            read_log(self.folder / "world.jsonl"),
            read_log(self.folder / "plc.jsonl"),
            ledger,
            found,
            tuple(self.strikes),
            stopped_ns,
        )
        if bad := self.evidence.defective_passed:
            eyes = Eyes(self.box.space.plan, self.box.space.model)
            scores = {each["part"]: each["score"] for each in ledger}
            mine = {part.index for part in bad if eyes.overlook(part.index, scores.get(part.number, math.inf))}
            self.evidence = replace(self.evidence, overlooked=frozenset(mine))
        return self.evidence


@contextlib.contextmanager
def running(box: Box, folder: Path, first_part: int, over: dict[str, Any]) -> Iterator[Line]:
    """A line whose PLC sees READY and whose belt runs; settled at the end. over: the plan's own values."""
    folder.mkdir(parents=True, exist_ok=True)
    if not box.up:
        box.start()
    write_plan(box.space, {**box.plan(**over), "out": str(folder), "first_part": first_part})
    with SimulatedLine(box.space.plan, folder / "line.log") as run:
        made = Line(box, folder, first_part, run)
        begun = made.flow(1)
        assert begun, f"the line does not begin: {run.why} {box.state and box.state.reasons} {box.tail()}"
        yield made
        made.settle()
