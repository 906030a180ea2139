"""A thousand boxes on one fleet service: records a second, how late, how large, and what it would cost.

    .venv/bin/python bench/fleet.py [--boxes 1000] [--seconds 300] [--million 1] [--json bench/fleet.json]

The service runs as a plant runs it (`okng fleet serve`, its own mutual TLS, PostgreSQL on this machine, several
workers); boxes are light: a certificate of their own, one connection that stays, batches of parts as `records` writes
them, a state every 30 s. They run in processes of their own on the same machine, so service, database and boxes share
its cores: what is measured is a lower bound.

1 pace    every box sends what it has at the pace of a plant (`--parts-a-minute`), for `--seconds`: POST p50, p95, p99
2 flood   all boxes come back after days away at once: batches of 512 as fast as they are taken
3 size    the database is filled up to `--million` million parts: bytes a million parts, POST and pages by then
4 cost    CPU seconds of service and database a million parts, and what 10, 100, 1,000 and 10,000 boxes need

Needs Debian's PostgreSQL. It prints tables and writes JSON.
"""

import argparse
import contextlib
import gzip
import hashlib
import http.client
import json
import multiprocessing
import os
import random
import ssl
import statistics
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from okng.bench.fleet_page import page
from okng.bus.clock import utc_now
from okng.cloud.authority import load_authority, read_csr
from okng.cloud.database import writing
from okng.cloud.tables import Box
from okng.identity.certificate import key_pem, new_key, request
from okng.tests.cloud.engines import postgres_server
from okng.tests.cloud.rig import canonical, running
from okng.training.machine import machine

HERE = Path(__file__).parent
BATCH = 512
CLIENTS = 4
RECIPES, LOTS = ("cap", "clip", "board"), 40


@dataclass(frozen=True, slots=True)
class Light:
    """One simulated box: who it is, and nothing else."""

    name: str
    pem: str
    """File with certificate and key."""


def part(box: str, seq: int, at: datetime) -> dict[str, Any]:
    """Body of one part as the box's records write it: about 1 kB, one in fifty rejected."""
    dice = random.Random(f"{box}/{seq}")
    ng = dice.random() < 0.02
    score = round(dice.uniform(1.05, 3.0) if ng else dice.uniform(0.05, 0.8), 4)
    defects = [{"kind": "scratch", "x": 100, "y": 80, "w": 40, "h": 9, "score": score, "region": "body"}] if ng else []
    health = {"camera": "top", "sharpness": 1.01, "brightness": 118.2, "noise": 2.1, "shift_px": 0.4, "alarms": []}
    return {
        "seq": seq, "part": seq, "epoch": "a1b2c3", "station": "line1", "number": seq, "taken_at": stamp(at),
        "outcome": "NG" if ng else "OK", "verdict": "NG" if ng else "OK", "action": "REJECT" if ng else "PASS",
        "why": "ng" if ng else "ok", "reasons": ["scratch 1.21 above 1.00 in body"] if ng else [], "defects": defects,
        "score": score, "threshold": 1.0, "recipe": RECIPES[zlib.crc32(box.encode()) % 3], "revision": "0f3a9c11d2e4",
        "model": hashlib.sha256(RECIPES[zlib.crc32(box.encode()) % 3].encode()).hexdigest(), "camera": "top",
        "serial": f"{box}{seq:09d}", "lot": f"L{seq // 5000 % LOTS:03d}", "codes": [], "placements": [], "views": [],
        "measures": [], "image": [health], "picture": "", "picture_kept": 0, "width": 1920, "height": 1200,
        "triggered_ns": 81_000_000_000 + seq, "deadline_ns": 150_000_000, "committed_ns": 81_000_000_042 + seq,
        "sequence": seq % 65536, "delivery": "delivered", "confirmed": 1, "missed": 0, "recovered": 0,
    }  # fmt: skip


def stamp(at: datetime) -> str:
    """UTC as records writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def batch(box: str, first: int, count: int, at: datetime) -> bytes:
    """One request's body, zipped."""
    lines = []
    for seq in range(first, first + count):
        body = canonical(part(box, seq, at + timedelta(milliseconds=10 * (seq - first))))
        sha256 = hashlib.sha256(body).hexdigest()
        head = f'{{"seq":{seq},"kind":"part","at":"{stamp(at)}","sha256":"{sha256}","body":'
        lines.append(head.encode() + body + b"}\n")
    return gzip.compress(b"".join(lines), 1)


class Line:
    """The connection of one box, opened when it is needed, kept."""

    def __init__(self, url: str, ca: str, box: Light) -> None:
        parts = urlsplit(url)
        self._context = ssl.create_default_context(cafile=ca)
        self._context.load_cert_chain(box.pem)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._open: http.client.HTTPSConnection | None = None

    def post(self, path: str, data: bytes, **headers: str) -> tuple[int, bytes, float]:
        """(status, answer, seconds). One more try where the service closed a connection that had stood idle."""
        begun = time.perf_counter()
        for last in (False, True):
            if self._open is None:
                self._open = http.client.HTTPSConnection(self._host, self._port, timeout=120, context=self._context)
            try:
                self._open.request("POST", path, data, headers)
                answer = self._open.getresponse()
                return answer.status, answer.read(), time.perf_counter() - begun
            except (http.client.HTTPException, OSError):
                self._open.close()
                self._open = None
                if last:
                    raise
        raise AssertionError

    def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            self._open.close()


def client(
    url: str, ca: str, boxes: list[Light], ends: float, a_minute: float, begins: dict[str, int], out: Any
) -> None:
    """Be these boxes until a moment (time.time). a_minute: parts of each; 0: as fast as they are taken."""
    lines = {box.name: Line(url, ca, box) for box in boxes}
    took: list[float] = []
    states: list[float] = []
    wrong: list[str] = []
    sent, waits = 0, 0
    next_at = dict(begins)
    # A box at its pace sends every 30 s what came in between, each at a moment of its own.
    period, count = 30.0, max(1, round(a_minute / 2)) if a_minute else BATCH
    begun = time.time()
    due = {box.name: begun + random.random() * period if a_minute else begun for box in boxes}
    while time.time() < ends:
        box = min(due, key=due.__getitem__)
        if (wait := due[box] - time.time()) > 0:
            time.sleep(min(wait, max(0.0, ends - time.time())))
            continue
        data = batch(box, next_at[box], count, datetime.now(UTC))
        headers = {"Content-Type": "application/jsonl", "Content-Encoding": "gzip"}
        try:
            status, answer, seconds = lines[box].post(f"/v1/streams/records/1/{next_at[box]}", data, **headers)
        except (http.client.HTTPException, OSError) as error:
            wrong.append(f"{type(error).__name__}: {error}"[:200])
            due[box] += 1.0
            continue
        if status == 200:
            took.append(seconds)
            sent += count
            next_at[box] += count
        elif status in (429, 503):
            waits += 1
            due[box] = time.time() + 1.0
            continue
        else:
            wrong.append(f"{status} {answer[:200]!r}")
        if a_minute:
            said = json.dumps({"version": "0.1.0", "uptime_s": 1, "clock_ok": True, "health": []}).encode()
            status, answer, seconds = lines[box].post("/v1/state", said, **{"Content-Type": "application/json"})
            states.append(seconds)
            if status != 200:
                wrong.append(f"state {status} {answer[:200]!r}")
        due[box] += period if a_minute else 0.0
        if not a_minute:
            due[box] = time.time()  # whoever has waited longest is next
    for each in lines.values():
        each.close()
    out.put({"sent": sent, "took": took, "states": states, "wrong": wrong, "waits": waits, "next": next_at})


def be_boxes(
    url: str, ca: Path, boxes: list[Light], seconds: float, a_minute: float, begins: dict[str, int]
) -> dict[str, Any]:
    """All boxes at once, in a few processes; what they saw together."""
    context = multiprocessing.get_context("fork")
    out, ends = context.Queue(), time.time() + seconds
    shares = [boxes[at::CLIENTS] for at in range(CLIENTS)]
    begun = time.monotonic()
    workers = [
        context.Process(
            target=client,
            args=(url, str(ca), share, ends, a_minute, {box.name: begins[box.name] for box in share}, out),
        )
        for share in shares
    ]
    for worker in workers:
        worker.start()
    found = [out.get() for _ in workers]
    for worker in workers:
        worker.join()
    lasted = time.monotonic() - begun
    for one in found:
        begins.update(one["next"])
    took = sorted(second for one in found for second in one["took"])
    states = sorted(second for one in found for second in one["states"])
    wrong = [text for one in found for text in one["wrong"]]
    sent = sum(one["sent"] for one in found)
    return {
        "seconds": round(lasted, 1),
        "parts": sent,
        "parts_a_second": round(sent / lasted, 1),
        "requests": len(took),
        "asked_to_wait": sum(one["waits"] for one in found),
        "wrong": len(wrong),
        "first_wrong": wrong[:3],
        "post_ms": quantiles(took),
        "state_ms": quantiles(states),
    }


def quantiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95, p99 in ms."""
    if not seconds:
        return {}
    return {f"p{q}": round(1000 * seconds[min(len(seconds) - 1, len(seconds) * q // 100)], 1) for q in (50, 95, 99)}


def enrolled(made: Any, boxes: int, folder: Path) -> list[Light]:
    """Let so many boxes in: certificates of the service's own authority, rows as enrolment writes them."""
    authority, found, now = load_authority(made.settings), [], datetime.now(UTC)
    key = new_key()  # one for all: making a thousand tells nothing of the service
    csr = read_csr(request(key, ["bench"]).decode())
    with writing(made.rig.service.engine) as db:
        for at in range(boxes):
            name = f"bench-{at:05d}"
            issued = authority.issue(csr, name)
            pem = folder / f"{name}.pem"
            pem.write_bytes(issued.chain.encode() + key_pem(key))
            pem.chmod(0o600)
            db.add(Box(id=name, name=name, site=f"plant {at % 3}", line=f"line {at % 40}", cert_sha256=issued.sha256,
                       cert_ends_at=issued.ends_at, enrolled_at=now, version="0.1.0", state={}))  # fmt: skip
            found.append(Light(name, str(pem)))
    return found


@contextlib.contextmanager
def cpu_of(*roots: int) -> Iterator[dict[str, float]]:
    """CPU seconds that service and database used meanwhile, each with all it started."""

    def used(root: int) -> float:
        total = 0.0
        whole = psutil.Process(root)
        for process in (whole, *whole.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    before, told = [used(root) for root in roots], dict[str, float]()
    yield told
    for name, root, was in zip(("service", "database"), roots, before, strict=True):
        told[name] = round(used(root) - was, 2)


def size_of(engine: sa.Engine) -> tuple[int, int]:
    """Bytes of the database and parts in it."""
    with engine.connect() as db:
        bytes_ = db.execute(sa.text("select pg_database_size(current_database())")).scalar_one()
        parts = db.execute(sa.text("select count(*) from part")).scalar_one()
    return int(bytes_), int(parts)


def fill(made: Any, boxes: list[Light], begins: dict[str, int], parts: int, console: Console) -> None:
    """Send until the database holds so many parts."""
    have = size_of(made.rig.service.engine)[1]
    while have < parts:
        be_boxes(made.url, made.ca, boxes, 60, 0, begins)
        have = size_of(made.rig.service.engine)[1]
        console.print(f"{have:,} parts")


def cores_of_one(result: dict[str, Any], a_minute: float) -> float:
    """Cores of service and database that one box takes at the peak.

    At its pace a box sends a few parts at a time, which costs several times as much a part as the large batches of
    those that come back; the peak is the pace, and twice as many parts again in such batches.
    """
    pace, flood = result["pace"], result["flood"]
    at_pace = sum(pace["cpu"].values()) / pace["seconds"] / result["boxes"]
    return float(at_pace + 2 * a_minute / 60 * sum(flood["cpu"].values()) / flood["parts"])


def costs(result: dict[str, Any], prices: dict[str, float], a_minute: float) -> list[dict[str, Any]]:
    """What so many boxes need, by the figures of this run; a month has 30 days of two shifts (16 h)."""
    of_one = cores_of_one(result, a_minute)
    bytes_ = result["size"]["bytes_a_part"]
    rows = []
    for boxes in (10, 100, 1_000, 10_000):
        a_month = boxes * a_minute * 60 * 16 * 30
        peak = boxes * a_minute / 60 * 3  # shifts begin together, and some come back after hours away
        cores = boxes * of_one / 0.6  # a core is not driven beyond 60 %
        ng_gb = a_month * 0.02 * prices["picture_mb"] / 1000
        db_gb = a_month * bytes_ / 1e9
        rows.append(
            {
                "boxes": boxes,
                "parts_a_month": round(a_month),
                "peak_parts_a_second": round(peak, 1),
                "cores": round(max(cores, 1.0), 1),
                "database_gb_a_month": round(db_gb, 1),
                "pictures_gb_a_month": round(ng_gb, 1),
                "cost_a_month": round(
                    max(cores, 1.0) * prices["core"]
                    + db_gb * prices["keep_months"] * prices["database_gb"]
                    + ng_gb * prices["keep_months"] * prices["s3_gb"]
                ),
            }
        )
    return rows


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--boxes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--parts-a-minute", type=float, default=20.0, help="of one box")
    parser.add_argument("--million", type=float, default=1.0, help="size to which the database is filled")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, default=HERE / "fleet.json")
    parser.add_argument("--page", type=Path, default=None, help="write docs/scale.md there")
    parser.add_argument("--price", action="append", default=[], metavar="NAME=VALUE", help="core, database_gb, s3_gb …")
    options = parser.parse_args()
    console = Console(width=130)
    prices = {"core": 25.0, "database_gb": 0.12, "s3_gb": 0.023, "picture_mb": 0.3, "keep_months": 6.0}
    for name, _, value in (one.partition("=") for one in options.price):
        if name not in prices:
            parser.error(f"--price {name}: expected one of {', '.join(prices)}")
        prices[name] = float(value)
    result: dict[str, Any] = {"at": utc_now(), "machine": machine("", 0), "boxes": options.boxes,
                              "load_before": os.getloadavg()[0], "workers": options.workers,
                              "parts_a_minute": options.parts_a_minute}  # fmt: skip
    with postgres_server() as postgres, tempfile.TemporaryDirectory(prefix="okfb", dir="/tmp") as place:
        folder = Path(place)
        (folder / "service").mkdir()
        (folder / "boxes").mkdir()
        name = postgres.fresh()

        def change(text: str) -> str:
            told = text.replace("workers = 2", f"workers = {options.workers}\nthreads = 16")
            return told + "\n[limits]\nbox_requests_a_minute = 100000\n"

        with running(folder / "service", postgres.settings_url(name), change=change) as made:
            boxes = enrolled(made, options.boxes, folder / "boxes")
            begins = {box.name: 1 for box in boxes}
            groups = (made.process.pid, postgres.process.pid)
            console.print(f"{options.boxes} boxes, {options.parts_a_minute} parts a minute each, {options.seconds} s")
            with cpu_of(*groups) as cpu:
                pace = be_boxes(made.url, made.ca, boxes, options.seconds, options.parts_a_minute, begins)
            result["pace"] = pace | {"cpu": cpu}
            console.print(result["pace"])
            empty = size_of(made.rig.service.engine)
            with cpu_of(*groups) as cpu:
                flood = be_boxes(made.url, made.ca, boxes, options.seconds, 0, begins)
            result["flood"] = flood | {"cpu": cpu}
            console.print(result["flood"])
            fill(made, boxes, begins, round(options.million * 1e6), console)
            full = size_of(made.rig.service.engine)
            a_part = (full[0] - empty[0]) / max(1, full[1] - empty[1])
            result["size"] = {"bytes": full[0], "parts": full[1], "bytes_a_part": round(a_part, 1),
                              "mb_a_million": round(a_part * 1e6 / 1e6)}  # fmt: skip
            with cpu_of(*groups) as cpu:
                late = be_boxes(made.url, made.ca, boxes, min(120, options.seconds), options.parts_a_minute, begins)
            result["pace_when_full"] = late | {"cpu": cpu}
            stored = sum(begins.values()) - len(begins)
            result["account"] = {"sent": stored, "stored": size_of(made.rig.service.engine)[1]}
    result["costs"] = costs(result, prices, options.parts_a_minute)
    result["prices"] = prices
    tables(result, console)
    options.json.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if options.page:
        options.page.write_text(page(result), encoding="utf-8")
    kept = result["account"]
    return 0 if kept["sent"] == kept["stored"] and not result["flood"]["wrong"] else 1


def tables(result: dict[str, Any], console: Console) -> None:
    """Print what was found."""
    table = Table("", "parts/s", "POST p50 ms", "p95", "p99", "wrong", "service CPU s", "database CPU s")
    for name in ("pace", "flood", "pace_when_full"):
        one = result[name]
        post = one["post_ms"]
        table.add_row(name, f"{one['parts_a_second']:,}", *(f"{post.get(q, 0):,}" for q in ("p50", "p95", "p99")),
                      str(one["wrong"]), str(one["cpu"]["service"]), str(one["cpu"]["database"]))  # fmt: skip
    console.print(table)
    console.print(result["size"], result["account"])
    costly = Table(
        "boxes", "parts a month", "peak parts/s", "cores", "database GB a month", "pictures GB a month", "cost"
    )
    for row in result["costs"]:
        costly.add_row(*(f"{value:,}" for value in row.values()))
    console.print(costly)
    worst = [one["post_ms"].get("p95", 0) for one in (result["pace"], result["pace_when_full"])]
    console.print(f"POST p95 at the pace of a plant, full / nearly empty: {worst[1] / max(worst[0], 0.1):.2f}",
                  f"mean of both {statistics.mean(worst):.1f} ms")  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
