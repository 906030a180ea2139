"""What a model on trial costs the one that decides: its verdict's time with and without one in the shadow, in one run.

    .venv/bin/python bench/shadow.py [--parts 600] [--blocks 4] [--rate 6] [--json bench/shadow.json]

Blocks of parts with nothing on trial and blocks with a model in the shadow take turns, so that what else the machine
does hits both. The time is from the whole frame in the ring to the verdict. Beside it: the same while the model is
being loaded, how many parts the shadow looked at, and how many it had no time for. The line is the simulated one of the
fault matrix; sync is played by this program.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from okng.appliance.workspace import belt_for
from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import Publisher, Subscriber, ask_once, inspect_addresses, io_address, sync_address
from okng.bus.clock import MS, now_ns, utc_now
from okng.bus.ladder import ChallengerOrder, ChallengerState, Compared, Role
from okng.bus.messages import StationState
from okng.bus.part import Record, Verdict
from okng.models.bundle import open_bundle, write_bundle
from okng.models.manifest import digest
from okng.tests.faults.box import DEADLINE_MS
from okng.tests.faults.report import machine
from okng.tests.faults.row import Stand

HERE = Path(__file__).parent
READY_S = 60.0


def variant(bundle: Path, out: Path, threshold: float) -> str:
    """Write the same model with another threshold, its golden pictures judged by that one; return its digest."""
    opened = open_bundle(bundle)
    files = {name: (bundle / name).read_bytes() for name in opened.manifest.files}
    expected = json.loads(files["golden/expected.json"])
    for each in expected["pictures"].values():
        each["ok"] = each["score"] <= threshold
    files["golden/expected.json"] = json.dumps(expected).encode()
    fields = opened.manifest.model_dump(mode="json", exclude={"files", "check", "format"})
    fields["threshold"]["value"] = threshold
    shutil.rmtree(out, ignore_errors=True)
    return write_bundle(out, files, fields)


@dataclass
class Sync:
    """sync as far as the line can tell: it orders, asks for swaps, and hears all that is said. One thread hears."""

    run_dir: Path
    verdicts: dict[tuple[int, int], Verdict] = field(default_factory=dict)
    records: dict[tuple[int, int], Record] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)
    trials: list[ChallengerState] = field(default_factory=list)
    stations: list[StationState] = field(default_factory=list)
    order: ChallengerOrder | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def open(self) -> Iterator["Sync"]:
        """Listen and repeat the order."""
        thread = threading.Thread(target=self._turn, name="sync", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(5)

    def _turn(self) -> None:
        kinds = (Verdict, Record, Compared, ChallengerState, StationState)
        addresses = [*inspect_addresses(self.run_dir), io_address(self.run_dir)]
        said_ns = 0
        with Publisher(sync_address(self.run_dir)) as mouth, Subscriber(addresses, kinds) as ear:
            while not self._stop.is_set():
                message = ear.receive(50)
                if isinstance(message, Verdict):
                    self.verdicts[message.part, message.triggered_at_ns] = message
                elif isinstance(message, Record):
                    self.records[message.trigger.part, message.trigger.at_ns] = message
                elif isinstance(message, Compared):
                    self.compared.append(message)
                elif isinstance(message, ChallengerState):
                    self.trials.append(message)
                elif isinstance(message, StationState):
                    self.stations.append(message)
                if self.order is not None and now_ns() - said_ns > 100 * MS:
                    said_ns = now_ns()
                    mouth.send(self.order)

    def tries(self, number: int, folder: Path, role: Role) -> None:
        """Order a bundle to be tried beside the one that decides."""
        station = self.stations[-1]
        where = (station.job_number, station.job.revision)
        self.order = ChallengerOrder(number, *where, digest(folder), str(folder), station.job.model, role)

    def state(self) -> ChallengerState | None:
        """What inspect last said of this very order."""
        last = self.trials[-1] if self.trials else None
        return last if last is not None and self.order is not None and last.number == self.order.number else None

    def is_ready(self) -> bool:
        """It is on trial."""
        state = self.state()
        return state is not None and state.ready

    def swap(self, old: str, new: str, folder: Path) -> Answer | None:
        """Ask io for another model; None: no answer."""
        station = self.stations[-1]
        body = {"job": station.job_number, "recipe": station.job.revision, "from_model": old, "to_model": new}
        return ask_once(
            self.run_dir, "io", Ask(new_id(), "model.swap", "sync", "", "", {**body, "folder": str(folder)})
        )


def measured(stand: Stand, parts: int, blocks: int, rate: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run the line in blocks with and without a model in the shadow; return the figures of both."""
    stand.afresh()
    box = stand.box
    other = box.space.out / "on-trial"
    variant(box.space.model, other, open_bundle(box.space.model).manifest.threshold.value * 0.9)
    sync = Sync(box.space.run_dir)
    took: dict[str, list[float]] = {"without": [], "shadow": [], "loading": []}
    figures: dict[str, Any] = {"looked_at": 0, "no_time_for": 0}
    with stand.line(belt=belt_for(rate, DEADLINE_MS, varying=False)) as line, sync.open():
        line.until(lambda: sync.stations, READY_S)
        line.flow(30)  # the period is known by then
        for turn in range(2 * blocks):
            role = Role.SHADOW if turn % 2 else Role.NONE
            begun = set(sync.verdicts)
            if role is Role.SHADOW:
                sync.tries(turn + 1, other, role)
                if not line.until(sync.is_ready, READY_S):
                    raise SystemExit(f"not ready: {sync.state()} {box.tail()}")
                took["loading"] += [_took_ms(sync.verdicts[key]) for key in set(sync.verdicts) - begun]
            elif sync.order is not None:
                sync.order = replace(sync.order, number=turn + 1, role=role)
                line.rest(1.0)
            begun = set(sync.verdicts)
            line.flow(parts // blocks, parts / rate * 4 + 60)
            name = "shadow" if role is Role.SHADOW else "without"
            took[name] += [_took_ms(sync.verdicts[key]) for key in set(sync.verdicts) - begun]
            if role is Role.SHADOW and (state := sync.state()) is not None:
                figures["looked_at"] += state.parts
                figures["no_time_for"] += state.skipped
                figures["shadow_ms"] = {"typical": round(state.typical_ms, 2), "slowest": round(state.slowest_ms, 2)}
            tell(f"{name}: {len(took[name])} verdicts")
    evidence = line.evidence
    assert evidence is not None
    found = {name: _percentiles(each) for name, each in took.items()}
    return {
        "verdict_ms": found,
        "ratio": {name: round(found["shadow"][name] / found["without"][name], 3) for name in ("p50", "p99", "p999")},
        **figures,
        "escapes": evidence.escapes,
        "objections": evidence.objections,
    }


def _took_ms(verdict: Verdict) -> float:
    return 0.0 if verdict.frame is None else (verdict.done_ns - verdict.frame.ready_ns) / MS


def _percentiles(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    shares = {"p50": cuts[499], "p95": cuts[949], "p99": cuts[989], "p999": cuts[998], "max": max(values)}
    return {"n": len(values), **{name: round(each, 2) for name, each in shares.items()}}


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=1200, help="with and without, each")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--rate", type=float, default=6.0, help="parts a second")
    parser.add_argument("--json", type=Path, default=HERE / "shadow.json")
    asked = parser.parse_args()
    console = Console()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="okng-shadow-") as folder:
        stand = Stand(Path(folder))
        try:
            found = measured(stand, asked.parts, asked.blocks, asked.rate, console.log)
        finally:
            stand.close()
    told = {"made_at": utc_now(), "machine": machine(), "rate": asked.rate, "seconds": round(time.monotonic() - begun)}
    asked.json.write_text(json.dumps({**told, **found}, indent=1) + "\n", encoding="utf-8")
    console.print_json(json.dumps(found))
    if found["escapes"] or found["objections"]:
        raise SystemExit("the account does not balance")


if __name__ == "__main__":
    main()
