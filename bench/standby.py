"""What a second judge buys, and what it costs: kill -9 of the judge on a running line, with and without a standby.

    .venv/bin/python bench/standby.py [--kills 100] [--rate 6] [--seed 1] [--json bench/standby.json]

For each of the two: from kill -9 to the first word of the next judge, and for how long the PLC saw READY off (0: it
never fell). With the standby also the verdict's time from the frame while the standby loads beside the judge, against
the same while it only waits, and what both take of the memory. Every verdict on the bus is heard: a part with two, or
an account that does not balance, ends the run with 1. The line is the simulated one of the fault matrix, judged from
outside.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from okng.appliance.workspace import belt_for
from okng.bus.channel import Subscriber, inspect_addresses
from okng.bus.clock import MS, now_ns, utc_now
from okng.bus.heartbeat import Pulse
from okng.bus.messages import Health, InspectState
from okng.bus.part import Verdict
from okng.inspect.standby import JUDGE, STANDBY
from okng.tests.faults.box import DEADLINE_MS
from okng.tests.faults.evidence import spread
from okng.tests.faults.line import Line
from okng.tests.faults.report import machine
from okng.tests.faults.row import Stand

HERE = Path(__file__).parent
LOADS_S = 60.0


@dataclass
class Ears:
    """Hears all that any judge says, in a thread of its own."""

    run_dir: Path
    verdicts: dict[tuple[int, int, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    """Seats of the judges that spoke of a view, by part, trigger and camera."""
    words: list[tuple[int, int]] = field(default_factory=list)
    """When a judge said READY, and its seat."""
    took_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """From the whole frame to the verdict, by what the standby did: `loads`, `waits`, `none`."""
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def open(self) -> Iterator["Ears"]:
        """Listen."""
        thread = threading.Thread(target=self._listen, name="ears", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(5)

    def _listen(self) -> None:
        pulse = Pulse(self.run_dir)
        with Subscriber(inspect_addresses(self.run_dir), (Verdict, InspectState)) as heard:
            while not self._stop.is_set():
                message = heard.receive(50)
                if isinstance(message, InspectState) and message.health is Health.READY:
                    self.words.append((now_ns(), message.judge_ns))
                elif isinstance(message, Verdict):
                    self.verdicts[message.part, message.triggered_at_ns, message.camera].append(message.judge_ns)
                    if message.frame is not None:
                        took = (message.done_ns - message.frame.ready_ns) / MS
                        self.took_ms[_doing(pulse, message.done_ns)].append(took)
        pulse.close()

    def first_word_after(self, at_ns: int) -> int | None:
        """When a judge that took the seat after that moment first said READY; None: none did yet."""
        return next((when for when, seat in list(self.words) if seat > at_ns), None)


def _doing(pulse: Pulse, at_ns: int) -> str:
    beat = pulse.beats().get(STANDBY)
    if beat is None or not beat.has_moved(at_ns, 10**12, 10**9):
        return "none"
    return "waits" if beat.health is Health.READY else "loads"


def killed(
    stand: Stand, kills: int, rate: float, seed: int, *, standby: bool, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Kill the judge so many times at random instants of a running line; return what came of it."""
    dice, words_ms = random.Random(seed), list[float]()
    memory: dict[str, dict[str, float]] = {}
    stand.afresh()
    stand.box.standby = standby
    ears = Ears(stand.box.space.run_dir)
    try:
        with stand.line(belt=belt_for(rate, DEADLINE_MS, varying=False)) as line, ears.open():
            line.flow(3)
            for turn in range(kills):
                line.box.forgive()
                if standby and not line.until(lambda: _waits(line), LOADS_S):
                    raise SystemExit(f"no standby after {LOADS_S:.0f} s: {line.box.tail()}")
                line.rest(0.3 + dice.random())
                memory = memory or {name: _memory_mb(line.box.pid(name)) for name in (JUDGE, STANDBY)[: 1 + standby]}
                pid = line.box.pid(JUDGE)
                strike = line.strike("kill the judge", lambda pid=pid: os.kill(pid, signal.SIGKILL))  # type: ignore[misc]
                if not line.until(lambda at=strike.at_ns: ears.first_word_after(at), 60):  # type: ignore[misc]
                    raise SystemExit(f"no judge after kill {turn + 1}: {line.box.tail()}")
                words_ms.append(((ears.first_word_after(strike.at_ns) or 0) - strike.at_ns) / MS)
                tell(f"{turn + 1}: {words_ms[-1]:.0f} ms")
                line.until_ready(strike) if not standby else line.flow(2)
    finally:
        stand.box.standby = False
        stand.afresh()
    evidence = line.evidence
    assert evidence is not None
    doubles = sum(len(each) > 1 for each in ears.verdicts.values())
    return {
        "kills": kills,
        "first_word_ms": spread(words_ms),
        "without_ready_ms": spread(each.without_ms for each in evidence.effects()),
        "parts": evidence.judgement.parts,
        "rejected_for_it": evidence.false_rejects,
        "escapes": evidence.escapes,
        "objections": evidence.objections,
        "verdicts": sum(map(len, ears.verdicts.values())),
        "views_with_two_verdicts": doubles,
        "verdict_ms": {name: _percentiles(each) for name, each in sorted(ears.took_ms.items())},
        "memory_mb": memory,
    }


def _waits(line: Line) -> bool:
    beats = {name: line.beat(name) for name in (JUDGE, STANDBY)}
    return all(b is not None and b.health is Health.READY and b.has_moved(now_ns(), 10**12) for b in beats.values())


def _memory_mb(pid: int) -> dict[str, float]:
    """Resident and proportional memory of a process."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name.lower()] = round(int(rest.split()[0]) / 1024, 1)
    return found


def _percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "p50": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "max": round(ordered[-1], 2),
    }


def main() -> int:
    """Measure both; return 1 if a part had two verdicts, passed wrongly, or the account does not balance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rate", type=float, default=6.0, help="parts a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder that keeps the taught model; default: a temporary one")
    parser.add_argument("--json", type=Path, default=HERE / "standby.json")
    asked = parser.parse_args()
    console = Console()
    found: dict[str, Any] = {"at": utc_now(), "machine": machine(), "seed": asked.seed, "rate": asked.rate}
    with tempfile.TemporaryDirectory() as made:
        stand = Stand((asked.out or Path(made)).resolve(), seed=asked.seed)
        stand.folder.mkdir(parents=True, exist_ok=True)
        try:
            for name, standby in (("cold", False), ("standby", True)):
                console.print(f"{name}: {asked.kills} kills")
                tell = lambda text: console.print(f"    {text}", highlight=False)  # noqa: E731
                found[name] = killed(stand, asked.kills, asked.rate, asked.seed, standby=standby, tell=tell)
                time.sleep(0.5)
        finally:
            stand.close()
    took = found["standby"]["verdict_ms"]
    if {"loads", "waits"} <= set(took):
        found["loading_slows_p50"] = round(took["loads"]["p50"] / took["waits"]["p50"], 2)
        found["loading_slows_p95"] = round(took["loads"]["p95"] / took["waits"]["p95"], 2)
    console.print_json(json.dumps(found))
    asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    both = (found["cold"], found["standby"])
    return int(any(each["views_with_two_verdicts"] or each["escapes"] or each["objections"] for each in both))


if __name__ == "__main__":
    sys.exit(main())
