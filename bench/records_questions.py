"""What the screens and programs ask of the ledger, each many times with other arguments, through their own readers."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from okng.bench.records_ledger import BEGUN, LOT, RATE
from okng.bus.clock import utc_text
from okng.records import gallery_read, parts_read
from okng.records.figures_read import FiguresReader, Span
from okng.records.gallery_read import GalleryReader
from okng.records.labels_read import LabelsReader
from okng.records.part_trace import Tracer
from okng.records.read import LedgerReader
from okng.records.timing_read import moments
from okng.records.trace_back import BackTracer, By, Kind

Question = Callable[[random.Random], Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of question."""

    what: str
    p50_ms: float
    p95_ms: float
    most_ms: float
    scanned: int
    """Rows stepped over without an index, at the most: grows with the ledger where it is large."""


def at(seq: int) -> str:
    """When a part was taken."""
    return utc_text(datetime.fromtimestamp(BEGUN, UTC) + timedelta(seconds=seq / RATE))


def questions(store: Path, rows: int) -> dict[str, Question]:
    """By name."""
    reader, gallery, figures = LedgerReader(store), GalleryReader(store), FiguresReader(store)
    labels = LabelsReader(store)

    def seq(pick: random.Random) -> int:
        return pick.randint(min(1000, rows), rows)

    def span(pick: random.Random, hours: float, **more: Any) -> Span:
        end = seq(pick)
        return Span(at(max(0, end - int(hours * 3600 * RATE))), at(end), **more)

    def show(**chosen: Any) -> Question:
        return lambda pick: gallery.page(gallery_read.Wanted(**chosen), 60, seq(pick))

    def api(**chosen: Any) -> Question:
        return lambda pick: parts_read.parts(store, parts_read.Wanted(**chosen), 100)

    def serial(pick: random.Random) -> str:
        return f"SN{(seq(pick) * 7919) % 10000000019:010d}"

    def spanned(pick: random.Random) -> Any:
        begin = seq(pick)
        return gallery.page(gallery_read.Wanted(since=at(begin - 500), until=at(begin)), 60)

    return {
        "parts, newest": lambda _: reader.rows(50),
        "parts, further back": lambda pick: reader.rows(50, before_seq=seq(pick)),
        "rejects": lambda pick: reader.rows(50, before_seq=seq(pick), action="REJECT"),
        "unjudged": lambda pick: reader.rows(50, before_seq=seq(pick), outcome="UNJUDGED"),
        "part page": lambda pick: (reader.row(seq(pick)), gallery.story(seq(pick))),
        "serial number": lambda pick: reader.rows(20, find=serial(pick)),
        "beginning of a serial number": lambda pick: reader.rows(20, find=serial(pick)[:7]),
        "part number": lambda pick: reader.rows(20, find=str(seq(pick))),
        "gallery, rejects": show(show="rejects"),
        "gallery, passed": show(show="ok"),
        "gallery, a class": show(kind="dent"),
        "gallery, near the limit": show(show="ok", near="near"),
        "gallery, unreviewed": show(unreviewed=True),
        "gallery, of 50 s": spanned,
        "gallery, classes": lambda _: gallery.kinds(),
        "gallery, lots": lambda _: gallery.lots(),
        "API, after a part": lambda pick: parts_read.parts(store, parts_read.Wanted(after=seq(pick)), 100),
        "API, rejects": api(action="REJECT"),
        "API, a serial number": lambda pick: parts_read.parts(store, parts_read.Wanted(serial=serial(pick)), 10),
        "API, since a moment": lambda pick: parts_read.parts(
            store, parts_read.Wanted(since=at(seq(pick)), outcome="NG"), 100
        ),
        "figures, 8 h": lambda pick: figures.sums(span(pick, 8)),
        "figures, 7 days by the hour": lambda pick: figures.series(span(pick, 168), 60),
        "figures, 24 h by 10 minutes": lambda pick: figures.series(span(pick, 24), 10),
        "figures, a lot": lambda pick: figures.sums(span(pick, 24, lot=f"L{seq(pick) // LOT}")),
        "figures, classes of 7 days": lambda pick: figures.pareto(span(pick, 168)),
        "figures, scores of 24 h": lambda pick: figures.scores(span(pick, 24)),
        "figures, latency of 24 h": lambda pick: figures.latency(span(pick, 24)),
        "figures, versions of 7 days": lambda pick: figures.versions(span(pick, 168)),
        "figures, lots": lambda pick: figures.lots(at(seq(pick))),
        "figures, one lot": lambda pick: figures.lot(f"L{seq(pick) // LOT}"),
        "figures, as judged in 8 h": lambda pick: figures.judged(span(pick, 8)),
        "labels that wait": lambda pick: labels.waiting("eve", at(seq(pick)), 20),
        "timing of 1,000 parts": lambda _: moments(store, 1000),
        "image of a camera, 1,000 parts": lambda _: reader.image("cam0", 1000),
        **_history(store, seq, serial),
    }


def _history(
    store: Path, seq: Callable[[random.Random], int], serial: Callable[[random.Random], str]
) -> dict[str, Question]:
    """Where a part came from, and what came of a model, a recipe, a lot, a camera."""
    tracer, back = Tracer(store), BackTracer(store)

    def of(kind: Kind, name: str) -> dict[str, Question]:
        return {
            f"history, parts of a {kind}": lambda pick: back.page(By(kind, name), 100, seq(pick)),
            f"history, sums of a {kind}": lambda _: back.sums(By(kind, name)),
        }

    return {
        "history, a part": lambda pick: tracer.trace(seq(pick), verify=False),
        "history, a serial number": lambda pick: tracer.readings(serial(pick)),
        **of("model", "ab" * 32),
        **of("recipe", "cap"),
        **of("lot", "L3"),
        **of("camera", "cam0"),
    }


def ask_all(store: Path, rows: int, times: int, pick: random.Random) -> list[Asked]:
    """Ask each question so often; the first of each is not timed, the disk's cache is as it is."""
    watch = Watch()
    with watch.looking():
        return [_asked(what, ask, times, pick, watch) for what, ask in questions(store, rows).items()]


def _asked(what: str, ask: Question, times: int, pick: random.Random, watch: "Watch") -> Asked:
    watch.scanned = 0
    ask(pick)
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        ask(pick)
        took.append((time.perf_counter() - begun) * 1000)
    took.sort()
    p95 = took[min(len(took) - 1, int(0.95 * len(took)))]
    return Asked(what, statistics.median(took), p95, took[-1], watch.scanned)


class Watch:
    """Looks at each statement of each connection as it ends."""

    def __init__(self) -> None:
        self.scanned = 0

    @contextmanager
    def looking(self) -> Iterator[None]:
        """At the connections that are opened meanwhile."""
        apsw.connection_hooks.append(self)
        try:
            yield
        finally:
            apsw.connection_hooks.remove(self)

    def __call__(self, db: apsw.Connection) -> None:
        db.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._ended)

    def _ended(self, told: dict[str, Any]) -> None:
        status = told.get("stmt_status", {})
        self.scanned = max(self.scanned, int(status.get("SQLITE_STMTSTATUS_FULLSCAN_STEP", 0)))
