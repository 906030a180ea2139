"""The PLC as a process: its scan cycle around `program.py`, wired to the world and linked to the box.

python -m okng.simline.plc PLAN.json WIRES PARENT      started by `line.py`
"""

import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from .journal import Journal
from .leash import take_leash
from .link import Link
from .plan import Plan, read_plan
from .program import Program
from .signals import READY, Exchange, Order
from .wires import PlcState, State, Wires, Word

DRAIN_NS = 3_000_000_000
"""After the last part: how long it waits for results that are still owed."""
QUIET_NS = 500_000_000
"""After the last result it goes on this long, so that the box reads the acknowledgement."""


class Module(Protocol):
    """What the controller needs of its communication module (`link.py`)."""

    def post(self, order: Order) -> None:
        """Give the newest output image."""

    def take(self) -> list[Exchange]:
        """Return the cycles that ended since, oldest first."""


class Controller:
    """The PLC without its clock: inputs, program, outputs, once a call."""

    def __init__(self, plan: Plan, wires: Wires, link: Module, journal: Journal) -> None:
        """Load the program."""
        self.program = Program(plan)
        self.scans = 0
        self._wires, self._link, self._journal = wires, link, journal
        self._ended_ns: int | None = None
        self._box: PlcState | None = None
        self._posted: tuple[Order | None, int] = None, 0
        self._every_ns = round(plan.scan_ms * 1e6) if plan.prompt else 0

    def cycle(self, now_ns: int) -> bool:
        """Scan once. Returns False when the world is done, or stopped, and the box owes nothing more."""
        wires, program = self._wires, self.program
        edges = [record[0] for record in wires.eye.take()]
        confirms = [record[0] for record in wires.confirm.take()]
        order = program.scan(now_ns, wires[Word.ENCODER], edges, confirms, self._link.take())
        if order != self._posted[0] or now_ns - self._posted[1] >= self._every_ns:
            self._posted = order, now_ns
            self._link.post(order)
        for window in program.windows:
            wires.windows.put(window.number, window.start, window.end)
        program.windows.clear()
        self._log()
        self.scans += 1
        _show(program, wires, self.scans)
        self._log_box(PlcState(wires[Word.PLC_STATE]), now_ns)
        wires[Word.SCAN_AT_NS] = now_ns  # the scan's start, and only when its outputs are out: see world.py
        if self._ended_ns is None and (wires[Word.STATE] == State.DONE or wires[Word.STOP]):
            self._ended_ns = now_ns
            program.stop()
        return self._ended_ns is None or not self._drained(now_ns, self._ended_ns)

    def _drained(self, now_ns: int, ended_ns: int) -> bool:
        if now_ns - ended_ns > DRAIN_NS:
            return True
        quiet_ns = now_ns - max(ended_ns, self.program.result_ns)
        return quiet_ns > QUIET_NS and (not self.program.open_results or not self.program.linked)

    def _log(self) -> None:
        for line in self.program.lines:
            self._journal.put(line)
        self.program.lines.clear()

    def _log_box(self, state: PlcState, now_ns: int) -> None:
        """Log each change of what the PLC thinks of the box, and when the box's heartbeat moved last."""
        if state != self._box:
            self._box = state
            line = {"kind": "box", "state": state.name.lower(), "at_ns": now_ns, "beat_ns": self.program.beat_ns}
            self._journal.put(line)

    def end(self, overruns: int) -> None:
        """Log what is left, and the counters."""
        self.program.finish()
        self._log()
        self._journal.put(
            {"kind": "end", "scans": self.scans, "overruns": overruns, "tally": asdict(self.program.tally)}
        )
        self._wires[Word.PLC_STATE] = PlcState.DONE


def run(plan: Plan, wires: Wires, link: Link, journal: Journal) -> None:
    """Scan every `scan_ms` until there is nothing more to do."""
    controller = Controller(plan, wires, link, journal)
    period_ns = round(plan.scan_ms * 1e6)
    due_ns, overruns = time.monotonic_ns(), 0
    while controller.cycle(time.monotonic_ns()):
        due_ns += period_ns
        late_ns = time.monotonic_ns() - due_ns
        if late_ns < 0 and plan.prompt:
            link.wait(-late_ns / 1e9)
            due_ns = time.monotonic_ns()
        elif late_ns < 0:
            time.sleep(-late_ns / 1e9)
        elif late_ns > period_ns:
            due_ns += late_ns  # cycles the host took away are not caught up
            overruns += 1
    controller.end(overruns)


def _show(program: Program, wires: Wires, scans: int) -> None:
    wires[Word.SCANS] = scans
    wires[Word.BELT_RUN] = program.belt_run
    wires[Word.TRIGGERED] = program.tally.accepted
    wires[Word.OKS] = program.tally.passed
    wires[Word.PERMIT] = program.tally.parts if wires[Word.HOLD] else program.permitted
    if not program.linked:
        state = PlcState.NO_LINK
    elif not program.map_fits:
        state = PlcState.WRONG_MAP
    elif program.dead:
        state = PlcState.DEAD
    else:
        state = PlcState.READY if program.status & READY else PlcState.NOT_READY
    wires[Word.PLC_STATE] = state


def main(arguments: list[str] | None = None) -> int:
    """Run the PLC of a plan."""
    plan_path, wires_path, parent = sys.argv[1:] if arguments is None else arguments
    plan = read_plan(Path(plan_path))
    wires = Wires(Path(wires_path))
    if not take_leash(int(parent), plan.realtime):
        return 1
    signal.signal(signal.SIGTERM, lambda *_: wires.__setitem__(Word.STOP, 1))
    link, journal = Link(plan.modbus), Journal(Path(plan.out) / "plc.jsonl")
    try:
        run(plan, wires, link, journal)
    finally:
        link.close()
        journal.close()
        wires.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
