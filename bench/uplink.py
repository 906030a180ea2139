"""Seven days without the fleet service, then back through a proxy that loses every fifth request or answer.

    .venv/bin/python bench/uplink.py [--days 7] [--kbit 4000] [--parts 1200] [--blocks 4] [--json bench/uplink.json]

The box's ledger is filled by records' own code with a part every 20 s, one of a hundred rejected with its picture; the
link is dead meanwhile. Then all of it goes to a real service (PostgreSQL, TLS, pictures in a folder) at the cap of the
settings. Nothing may be lost, nothing stored twice.

Then the line: verdicts of the simulated one, in blocks with the uplink draining beside and blocks with it standing
still, in turns. All processes of the box, its uplink among them, share one core of this machine; service, PostgreSQL,
proxy, belt and PLC have the others to themselves, as on a plant they are elsewhere. So for the box the two kinds of
block differ by its uplink alone.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from okng.appliance.workspace import belt_for
from okng.bus.channel import Subscriber, inspect_addresses
from okng.bus.clock import MS, utc_now
from okng.bus.part import Verdict
from okng.tests.faults.box import DEADLINE_MS
from okng.tests.faults.report import machine
from okng.tests.faults.row import Stand
from okng.tests.fleet.box_side import BoxSide, box_side
from okng.tests.fleet.fault_proxy import every_nth, kind
from okng.tests.fleet.fleet_service import FleetService, on_postgres

HERE = Path(__file__).parent
EVERY_S = 20.0
NG_EVERY = 100
PICTURE_BYTES = 300_000
WINDOW_S = 10.0
Tell = Callable[[str], None]


def week(box: BoxSide, days: float) -> int:
    """Let so many days pass on the line; return how many parts they had."""
    begun = datetime(2026, 11, 20, tzinfo=UTC)

    def taken(part: int) -> str:
        at = begun + timedelta(seconds=EVERY_S * part)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    parts = int(days * 86_400 / EVERY_S)
    box.happen(parts, picture, ng_every=NG_EVERY, taken=taken)
    for n in range(int(days * 3)):
        box.alarm(n)
    return parts


def picture(part: int) -> bytes:
    """Bytes that no other part has, and that do not compress."""
    return random.Random(part).randbytes(PICTURE_BYTES)


def used_mb(folder: Path) -> float:
    """Of the disk."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file()) / 1e6


def away(service: FleetService, days: float, kbit: int, tell: Tell) -> dict[str, Any]:
    """Seven days away and back; the figures."""
    quota_gb = 1.0
    with box_side(service, leaves="pictures", kbit_per_s=kbit, every_s=5, quota_gb=quota_gb) as box:
        box.enrol()
        service.proxy.down = True
        parts = week(box, days)
        before_mb = used_mb(box.folder)
        uplink = box.uplink()
        end = time.monotonic() + 10
        tries = 0
        while time.monotonic() < end:
            time.sleep(min(uplink.step(), 0.2))
            tries += 1
        tell(f"{parts} parts in {days:g} days, {before_mb:.0f} MB on the disk, link dead: {uplink.status.trouble[:80]}")
        service.proxy.down, service.proxy.fate = False, every_nth(5)
        service.proxy.seen.clear()
        service.proxy.arrived.clear()
        begun_s = time.monotonic()
        wanted = {hashlib.sha256(picture(part)).hexdigest() for part in range(NG_EVERY, parts + 1, NG_EVERY)}
        while sum(uplink.status.owed.values()):
            time.sleep(min(uplink.step(), 0.05))
        records_s = time.monotonic() - begun_s
        while not wanted <= service.blobs():
            time.sleep(min(uplink.step(), 0.05))
        took_s = time.monotonic() - begun_s
        service.proxy.fate = kind
        owed, lost, doubled = box.owed(), 0, 0
        for (stream, epoch), said in owed.items():
            there = service.events(box.box, stream, epoch)
            lost += len(set(said) - set(there))
            doubled += len(there) - len(set(there)) + len(set(there) - set(said))
        counts = service.proxy.counts()
        sent = sum(size for _, size in service.proxy.arrived)
        return {
            "parts": parts,
            "events": sum(len(said) for said in owed.values()),
            "pictures": len(wanted),
            "lost": lost + len(wanted - service.blobs()),
            "doubled": doubled + service.parts(box.box) - parts,
            "requests": dict(counts),
            "disk_mb": {"held": round(before_mb, 1), "quota": quota_gb * 1000},
            "drain_s": round(took_s, 1),
            "events_level_s": round(records_s, 1),
            "cap_kbit_per_s": kbit,
            "mean_kbit_per_s": round(sent * 8 / 1000 / took_s),
            "most_kbit_per_s": round(busiest(service.proxy.arrived) * 8 / 1000 / WINDOW_S),
            "window_s": WINDOW_S,
        }


def busiest(arrived: list[tuple[float, int]]) -> int:
    """Most bytes that came in within one window."""
    most = held = first = 0
    for at_s, size in arrived:
        held += size
        while arrived[first][0] < at_s - WINDOW_S:
            held -= arrived[first][1]
            first += 1
        most = max(most, held)
    return most


class Ear:
    """Hears verdicts. One thread of its own."""

    def __init__(self, run_dir: Path) -> None:
        self.took_ms: dict[tuple[int, int], float] = {}
        self._run_dir, self._stop = run_dir, threading.Event()

    @contextmanager
    def open(self) -> Iterator["Ear"]:
        """Listen."""
        thread = threading.Thread(target=self._hear, name="ear", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(5)

    def _hear(self) -> None:
        with Subscriber(inspect_addresses(self._run_dir), (Verdict,)) as ear:
            while not self._stop.is_set():
                said = ear.receive(50)
                if isinstance(said, Verdict) and said.frame is not None:
                    took_ms = (said.done_ns - said.frame.ready_ns) / MS
                    self.took_ms[said.part, said.triggered_at_ns] = took_ms


@contextmanager
def for_the_box() -> Iterator[None]:
    """What this thread starts meanwhile runs on the box's core; it, and what it starts later, on the others."""
    everywhere = os.sched_getaffinity(0)
    mine = min(everywhere)
    if len(everywhere) < 2:
        raise SystemExit("bench/uplink.py: one core only: expected two or more, one of them for the box")
    os.sched_setaffinity(0, {mine})
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere - {mine})


def all_but(pids: set[int]) -> list[psutil.Process]:
    """This process and all that came of it, without those and what came of them."""
    found = [psutil.Process()]
    for each in found:
        found += [child for child in each.children() if child.pid not in pids]
    return found


def elsewhere(processes: Iterable[psutil.Process]) -> None:
    """Keep these off the box's core, with every thread they have."""
    others = os.sched_getaffinity(0)
    for process in processes:
        for thread in process.threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, others)


def beside(service: FleetService, parts: int, blocks: int, rate: float, kbit: int, tell: Tell) -> dict[str, Any]:
    """The line with and without an uplink that drains."""
    took: dict[str, list[float]] = {"still": [], "draining": []}
    cpu_s = wall_s = sent = 0.0
    with tempfile.TemporaryDirectory(prefix="okng-uplink-") as folder:
        stand = Stand(Path(folder))
        try:
            stand.afresh()
            with box_side(service, leaves="pictures", kbit_per_s=kbit, every_s=5) as box:
                box.enrol()
                week(box, 7)
                box.happen(40_000, picture, ng_every=NG_EVERY)  # more than all blocks can drain
                with for_the_box():
                    sync = box.start()
                    stand.box.start()
                assert stand.box.supervisor is not None
                elsewhere(all_but({sync.pid, *stand.box.supervisor.pids().values()}))
                os.killpg(sync.pid, signal.SIGSTOP)
                ear = Ear(stand.box.space.run_dir)
                with stand.line(belt=belt_for(rate, DEADLINE_MS, varying=False)) as line, ear.open():
                    line.until(lambda: ear.took_ms or True, 60)
                    line.flow(30)
                    for turn in range(2 * blocks):
                        name = "draining" if turn % 2 else "still"
                        os.killpg(sync.pid, signal.SIGCONT if turn % 2 else signal.SIGSTOP)
                        line.rest(1.0)
                        heard, came = set(ear.took_ms), len(service.proxy.arrived)
                        cpu, wall = cpu_of(sync.pid), time.monotonic()
                        line.flow(parts // blocks, parts / rate * 4 + 60)
                        took[name] += [ear.took_ms[key] for key in set(ear.took_ms) - heard]
                        if turn % 2:
                            cpu_s, wall_s = cpu_s + cpu_of(sync.pid) - cpu, wall_s + time.monotonic() - wall
                            sent += sum(size for _, size in service.proxy.arrived[came:])
                        tell(f"{name}: {len(took[name])} verdicts")
                    restarts = sum(stand.box.restarts().values())
                os.killpg(sync.pid, signal.SIGCONT)
                resident = resident_mb(sync.pid)
            evidence = line.evidence
        finally:
            stand.close()
    assert evidence is not None
    assert not restarts, f"{restarts} processes of the box were started again, and not on its core"
    found = {name: percentiles(each) for name, each in took.items()}
    return {
        "verdict_ms": found,
        "ratio": {name: round(found["draining"][name] / found["still"][name], 3) for name in ("p50", "p99")},
        "sync_cpu_percent_of_a_core": round(100 * cpu_s / wall_s, 1),
        "sync_rss_mb": resident,
        "drained_kbit_per_s": round(sent * 8 / 1000 / wall_s),
        "cap_kbit_per_s": kbit,
        "rate": rate,
        "escapes": evidence.escapes,
        "objections": evidence.objections,
    }


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> int:
    """Memory that a process holds now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest."""
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    shares = {"p50": cuts[499], "p95": cuts[949], "p99": cuts[989], "max": max(values)}
    return {"n": len(values), **{name: round(each, 2) for name, each in shares.items()}}


def table(found: dict[str, Any]) -> Table:
    """For people."""
    made = Table("figure", "value", title="Seven days without the fleet service")
    gone, line = found["away"], found["line"]
    if gone:
        made.add_row("parts, events, pictures", f"{gone['parts']}, {gone['events']}, {gone['pictures']}")
        made.add_row("lost / doubled", f"{gone['lost']} / {gone['doubled']}")
        made.add_row("requests", ", ".join(f"{name} {count}" for name, count in gone["requests"].items()))
        made.add_row("disk, quota", f"{gone['disk_mb']['held']} MB, {gone['disk_mb']['quota']:.0f} MB")
        made.add_row("all there after", f"{gone['drain_s']} s (records {gone['events_level_s']} s)")
        rates = ", ".join(str(gone[f"{name}_kbit_per_s"]) for name in ("cap", "mean", "most"))
        made.add_row("kbit/s: cap, mean, busiest 10 s", rates)
    if line:
        for name in ("still", "draining"):
            each = line["verdict_ms"][name]
            made.add_row(f"verdict, uplink {name}", f"p50 {each['p50']} ms, p99 {each['p99']} ms, n {each['n']}")
        made.add_row("ratio", f"p50 {line['ratio']['p50']}, p99 {line['ratio']['p99']}")
        made.add_row("sync", f"{line['sync_cpu_percent_of_a_core']} % of a core, {line['sync_rss_mb']} MB")
    return made


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--kbit", type=int, default=4000, help="cap of the settings, kbit/s")
    parser.add_argument("--parts", type=int, default=1200, help="of the line, with and without, each; 0: no line")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--rate", type=float, default=6.0, help="parts a second of the line")
    parser.add_argument("--only", choices=("away", "line"), default="", help="measure one, keep the other's figures")
    parser.add_argument("--json", type=Path, default=HERE / "uplink.json")
    asked = parser.parse_args()
    kept = json.loads(asked.json.read_text(encoding="utf-8")) if asked.only and asked.json.exists() else {}
    console = Console()
    begun = time.monotonic()
    with on_postgres() as service:
        gone, line = kept.get("away", {}), kept.get("line", {})
        if asked.only != "line":
            gone = {"made_at": utc_now(), **away(service, asked.days, asked.kbit, console.log)}
            console.log(json.dumps(gone))
        if asked.only != "away" and asked.parts:
            told_of = beside(service, asked.parts, asked.blocks, asked.rate, asked.kbit, console.log)
            line = {"made_at": utc_now(), **told_of}
    found = {"away": gone, "line": line}
    told = {"made_at": utc_now(), "machine": machine(), "seconds": round(time.monotonic() - begun)}
    asked.json.write_text(json.dumps({**told, **found}, indent=1) + "\n", encoding="utf-8")
    console.print(table(found))
    if (gone and (gone["lost"] or gone["doubled"])) or (line and (line["escapes"] or line["objections"])):
        raise SystemExit("the account does not balance")


if __name__ == "__main__":
    main()
