"""The ledger: durable parts a second beside bare SQLite in one run, and the screens' questions at millions of parts.

    .venv/bin/python bench/records.py [--rows 10000000] [--store FOLDER] [--seconds 10] [--json bench/records.json]

1 bare apsw, WAL and synchronous=FULL: the same columns in a plain table, one part a commit and 64 a commit
2 the product's own writer: trigger, part, sums, seal and outbox; one part a commit and 64 a commit
3 the real records process, from the socket to its `Stored`: as many parts as it takes, then 200 and 1,000 a second
4 a ledger of --rows parts, made in --store (about 2 KB a part; deleted at the end unless --keep), and what the
  screens ask of it: p50 and p95 in ms, and rows that SQLite stepped over without an index

Pictures are left out: 1 and 2 have none either, and `records` encodes them in a thread that no row waits for.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
from rich.console import Console
from rich.table import Table

from okng.bench.line import machine
from okng.bench.records_ledger import grow
from okng.bench.records_questions import Asked, ask_all
from okng.bus.channel import EntrySender, Publisher, inspect_address, records_address
from okng.bus.clock import utc_now
from okng.bus.heartbeat import Pulse
from okng.bus.messages import Health
from okng.bus.part import Why
from okng.records.bookkeeping import Ripe
from okng.records.ledger import Ledger
from okng.records.options import RecordsOptions
from okng.records.process import run
from okng.records.schema import FILE
from okng.tests.records import maker

HERE = Path(__file__).parent
RATES = (200, 1000)
NG_EVERY = 25


@dataclass(frozen=True, slots=True)
class Written:
    """What one way of writing came to."""

    what: str
    parts: int
    parts_per_s: float
    ack_p50_ms: float
    ack_p99_ms: float


def why(part: int) -> Why:
    """Every 25th part is bad."""
    return Why.NG if part % NG_EVERY == 0 else Why.OK


def entries(part: int) -> list[Ripe]:
    """Trigger and record of one part."""
    return [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part, why(part)))]


def timed(what: str, seconds: float, batch: int, store: Callable[[int], None]) -> Written:
    """Store batches of parts for so long. store: is given the first part of each batch."""
    took: list[float] = []
    begun, part = time.perf_counter(), 1
    while (now := time.perf_counter()) - begun < seconds:
        store(part)
        took.append(time.perf_counter() - now)
        part += batch
    return written(what, part - 1, time.perf_counter() - begun, took)


def written(what: str, parts: int, seconds: float, took_s: Sequence[float]) -> Written:
    """The figures. took_s: of each acknowledgement."""
    ordered = sorted(took_s) or [0.0]
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return Written(what, parts, parts / seconds, statistics.median(ordered) * 1000, p99 * 1000)


def bare(folder: Path, seconds: float, batch: int, row: tuple[Any, ...]) -> Written:
    """SQLite alone: the columns of a part, no index, no sums, no seal."""
    db = apsw.Connection(str(folder / f"bare-{batch}.db"))
    for pragma in ("journal_mode = wal", "synchronous = full", "wal_autocheckpoint = 1000"):
        db.execute("pragma " + pragma).fetchall()
    db.execute(f"create table part ({', '.join(f'c{n}' for n in range(len(row)))})")
    sql = f"insert into part values ({', '.join('?' * len(row))})"

    def store(_: int) -> None:
        db.execute("begin immediate")
        for _ in range(batch):
            db.execute(sql, row)
        db.execute("commit")

    try:
        return timed(f"bare apsw, {batch} a commit", seconds, batch, store)
    finally:
        db.close()


def own(folder: Path, seconds: float, batch: int) -> Written:
    """The product's writer in this process."""
    ledger = Ledger(folder / f"own-{batch}")
    try:
        return timed(
            f"okng's writer, {batch} a commit",
            seconds,
            batch,
            lambda first: ledger.store([ripe for part in range(first, first + batch) for ripe in entries(part)]),
        )
    finally:
        ledger.close()


def one_row(folder: Path) -> tuple[Any, ...]:
    """A part as the product writes it."""
    ledger = Ledger(folder / "one")
    ledger.store(entries(NG_EVERY))
    ledger.close()
    db = apsw.Connection(str(folder / "one" / FILE))
    try:
        return tuple(db.execute("select * from part").fetchall()[0])
    finally:
        db.close()


class Box:
    """The real process, and io's and inspect's side of it."""

    def __init__(self, folder: Path) -> None:
        self.run = Path(tempfile.mkdtemp(prefix="okb", dir="/tmp"))
        options = RecordsOptions(store=folder / "process", min_free_mb=0)
        command = [sys.executable, __file__, "--serve", str(self.run), options.model_dump_json()]
        self.child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.inspect, self.door = Publisher(inspect_address(self.run)), EntrySender(records_address(self.run))
        pulse, end = Pulse(self.run), time.monotonic() + 30
        while time.monotonic() < end:
            beat = pulse.beats().get("records")
            if beat is not None and beat.health is Health.READY:
                break
            time.sleep(0.05)
        else:
            raise SystemExit("records did not start")
        pulse.close()
        time.sleep(0.5)  # until it has subscribed to inspect
        self.sent: dict[int, float] = {}
        self.took: list[float] = []
        self.part = 0

    def offer(self) -> None:
        """One part: what inspect says of it, and io's two entries."""
        self.part += 1
        trigger, record = (ripe.entry for ripe in entries(self.part))
        self.inspect.send(record.record.verdict)  # type: ignore[union-attr]
        self.sent[record.number] = time.perf_counter()
        for entry in (trigger, record):
            while not self.door.send(entry):
                self.take()

    def take(self) -> None:
        """Take in what is stored."""
        self.door.wait(1)
        while (stored := self.door.receive()) is not None:
            now = time.perf_counter()
            for number in stored.numbers:
                if (since := self.sent.pop(number, None)) is not None:
                    self.took.append(now - since)

    def measure(self, what: str, seconds: float, rate: int) -> Written:
        """rate: parts a second; 0: as many as are taken, with 512 under way."""
        self.took, first, begun = [], self.part, time.perf_counter()
        while (past := time.perf_counter() - begun) < seconds:
            if rate:
                while self.part - first < past * rate:
                    self.offer()
            else:
                while len(self.sent) < 512:
                    self.offer()
            self.take()
        end = time.monotonic() + 20
        while self.sent and time.monotonic() < end:
            self.take()
        if self.sent:
            raise SystemExit(f"{what}: {len(self.sent)} parts were never stored")
        return written(what, self.part - first, time.perf_counter() - begun, self.took)

    def close(self) -> None:
        """End it."""
        self.child.terminate()
        self.child.wait(20)
        self.door.close()
        self.inspect.close()
        shutil.rmtree(self.run, ignore_errors=True)


def writing(folder: Path, seconds: float) -> list[Written]:
    """All ways, one after the other, and the bare one again at the end: a machine that changed meanwhile shows."""
    row = one_row(folder)
    found = [bare(folder, seconds, batch, row) for batch in (1, 64)]
    found += [own(folder, seconds, batch) for batch in (1, 64)]
    box = Box(folder)
    try:
        found.append(box.measure("records process, as many as it takes", seconds, 0))
        found += [box.measure(f"records process, {rate} a second", seconds, rate) for rate in RATES]
    finally:
        box.close()
    again = folder / "again"
    again.mkdir()
    found.append(bare(again, seconds, 64, row))
    return found


def show(found: Sequence[Written], asked: Sequence[Asked], rows: int) -> None:
    """Print both tables."""
    console = Console()
    table = Table("durable", "parts", "parts/s", "ack p50 ms", "ack p99 ms", title="Writing")
    for one in found:
        times = f"{one.ack_p50_ms:.2f}", f"{one.ack_p99_ms:.2f}"
        table.add_row(one.what, f"{one.parts:,}", f"{one.parts_per_s:,.0f}", *times)
    console.print(table)
    if asked:
        table = Table("question", "p50 ms", "p95 ms", "max ms", "scanned", title=f"Reading, {rows:,} parts")
        for each in asked:
            told = f"{each.p50_ms:.1f}", f"{each.p95_ms:.1f}", f"{each.most_ms:.1f}", f"{each.scanned:,}"
            table.add_row(each.what, *told)
        console.print(table)


def main() -> None:
    """Measure, print, write."""
    if sys.argv[1:2] == ["--serve"]:
        sys.exit(run(RecordsOptions.model_validate_json(sys.argv[3]), ("cam0",), Path(sys.argv[2])))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="parts of the large ledger; 0: none is made")
    parser.add_argument("--store", type=Path, default=None, help="folder on the disk to be measured")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each way of writing; 0: none")
    parser.add_argument("--asks", type=int, default=60, help="of each question")
    parser.add_argument("--keep", action="store_true", help="leave the large ledger in --store")
    parser.add_argument("--json", type=Path, default=HERE / "records.json")
    asked_for = parser.parse_args()
    folder = asked_for.store or Path(tempfile.mkdtemp(prefix="okng-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="writing-", dir=folder))
    told: dict[str, Any] = {"at": utc_now(), "machine": machine(), "sqlite": apsw.sqlite_lib_version()}
    try:
        found = writing(work, asked_for.seconds) if asked_for.seconds else []
        asked: list[Asked] = []
        if asked_for.rows:
            large = folder / f"ledger-{asked_for.rows}"
            told["grown"] = grow(large, asked_for.rows)
            asked = ask_all(large, asked_for.rows, asked_for.asks, random.Random(2026))
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if not asked_for.keep:
            shutil.rmtree(folder / f"ledger-{asked_for.rows}", ignore_errors=True)
        if asked_for.store is None:
            shutil.rmtree(folder, ignore_errors=True)
    show(found, asked, asked_for.rows)
    told["writing"] = [{name: getattr(one, name) for name in Written.__slots__} for one in found]
    told["rows"] = asked_for.rows
    told["reading"] = [{name: getattr(each, name) for name in Asked.__slots__} for each in asked]
    asked_for.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
