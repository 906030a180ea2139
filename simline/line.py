"""A line with no hardware: starts world and PLC, says how it goes, ends with the last part.

    python -m okng.simline.line PLAN.json

Each line on stdout is JSON, at least two a second:
`{"state": "running", "parts": 12, "of": 100, "hit": 2, "passed": 7, "speed_mm_s": 300.0, "plc": "ready", ...}`;
the last one has the state `done`, `stopped` or `failed`. SIGTERM and SIGINT stop the line, and that is no failure.
SIGUSR1 closes the stop before the eye of a metered line, SIGUSR2 opens it again.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

from .plan import BadPlan, Plan, read_plan
from .wires import PlcState, State, Wires, Word, make_wires

PROGRESS_S = 0.25
END_S = 10.0
"""Longest time the two processes get to end."""
BAD_SETTINGS = 78


def say(line: dict[str, object]) -> None:
    """Write one line of progress."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def progress(wires: Wires, state: str | None = None) -> dict[str, object]:
    """Return how the line stands."""
    return {
        "state": state or State(wires[Word.STATE]).name.lower(),
        "parts": wires[Word.AT_EYE],
        "of": wires[Word.PARTS],
        "hit": wires[Word.HIT],
        "passed": wires[Word.PASSED],
        "speed_mm_s": wires[Word.SPEED_UM_S] / 1000,
        "plc": PlcState(wires[Word.PLC_STATE]).name.lower(),
        "triggered": wires[Word.TRIGGERED],
        "ok": wires[Word.OKS],
        "held_ms": wires[Word.HELD_US] / 1000,
        "slowed_ms": wires[Word.SLOWED_US] / 1000,
    }


def run(plan: Plan, plan_path: Path, stop: Event, hold: Event) -> int:
    """Run the line. Returns 0 when it ended by itself or was stopped, 1 or 78 when it failed."""
    wires_path = make_wires()
    wires = Wires(wires_path)
    rest = [str(plan_path.resolve()), str(wires_path), str(os.getpid())]
    Path(plan.out).mkdir(parents=True, exist_ok=True)
    children = {
        each: subprocess.Popen([sys.executable, "-m", f"{__package__}.{each}", *rest]) for each in ("world", "plc")
    }
    try:
        why = _watch(plan, wires, children, stop, hold)
        wires[Word.STOP] = 1
        for name, child in children.items():
            try:
                child.wait(END_S)
            except subprocess.TimeoutExpired:
                why = why or f"{name} did not end in {END_S:g} s"
                child.kill()
                child.wait()
        codes = [child.returncode for child in children.values()]
    except BrokenPipeError:
        return 1  # whoever started the line has gone
    finally:
        for child in children.values():
            child.kill()
            child.wait()
        final = progress(wires)
        stopped_early = wires[Word.HIT] + wires[Word.PASSED] < wires[Word.PARTS] or not wires[Word.PARTS]
        wires.close()
        wires_path.unlink()
    if why is None and not any(codes):
        say(final | {"state": "stopped" if stopped_early else "done"})
        return 0
    say(final | {"state": "failed", "why": why or f"world, PLC ended with {codes}"})
    return BAD_SETTINGS if BAD_SETTINGS in codes else 1


def _watch(
    plan: Plan, wires: Wires, children: dict[str, "subprocess.Popen[bytes]"], stop: Event, hold: Event
) -> str | None:
    """Say how it goes until the world is done. Returns why it failed, None if it did not."""
    waiting_since = None
    while not stop.wait(PROGRESS_S):
        for name, child in children.items():
            if child.poll() not in (None, 0):
                return f"{name} ended with {child.returncode}"
        wires[Word.HOLD] = hold.is_set()
        say(progress(wires))
        state = wires[Word.STATE]
        if state == State.DONE and children["plc"].poll() == 0:
            return None
        if state == State.WAITING:
            waiting_since = waiting_since or time.monotonic()
            if plan.wait_ready_s and time.monotonic() - waiting_since > plan.wait_ready_s:
                plc = PlcState(wires[Word.PLC_STATE]).name.lower()
                return (
                    f"the box at {plan.modbus.host}:{plan.modbus.port} was not READY in {plan.wait_ready_s:g} s ({plc})"
                )
    return None


def main(arguments: list[str] | None = None) -> int:
    """Run the line of a plan."""
    (path,) = map(Path, sys.argv[1:] if arguments is None else arguments)
    try:
        plan = read_plan(path)
    except BadPlan as why:
        sys.stderr.write(f"{why}\n")
        return BAD_SETTINGS
    stop, hold = Event(), Event()
    signal.signal(signal.SIGUSR1, lambda *_: hold.set())
    signal.signal(signal.SIGUSR2, lambda *_: hold.clear())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return run(plan, path, stop, hold)


if __name__ == "__main__":
    sys.exit(main())
