"""Retention: what is older than its days, above its quota or too much for the disk goes, oldest first, and is counted.

One small step at a time, in a thread of its own (`keeper.py`); what it writes goes through the ledger's thread, a few
rows a time. It may be killed between any two lines: rows are cleared before files, and the sweep finds the rest.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import apsw

from ..bus.clock import utc_text
from .audit import Deed
from .bookkeeping import audit
from .leaving import Leaving
from .owed import NOBODY, NOTHING, Owed, owed
from .owed_fleet import FleetDebts
from .papers import Due, Papers
from .read import Ask, LedgerReader
from .rescued import waiting
from .retention_growth import Grown, growth
from .retention_options import RetentionOptions
from .retention_plan import Disk, Stock, Wish, drains, next_wish, too_soon
from .retention_rows import delete_rows, rows_due
from .retention_shelf import (
    Victim,
    clear,
    count,
    drop,
    oldest,
    put_rules,
    put_sizes,
    stock,
    unmeasured,
    unsent_given_up,
)
from .rows import as_json
from .schema_keep import CLASSES
from .sweep import Sweep
from .thumbs import make_thumb, size_of
from .uplink_note import beside

BATCH = 16
"""Pictures that go in one step: their rows are one short transaction, their files a few unlinks."""
MEASURED = 100
TOLD_S = 600
"""A long run is told of in the trail so often."""
GROWN_S = 600
ROW = "row"
"""In `given_up`: rows of parts."""
T = TypeVar("T")


class Write(Protocol):
    """Runs something in one transaction of the ledger, by its own thread, and returns what it returned."""

    def __call__(self, do: Callable[[apsw.Connection], T]) -> T:
        """LedgerStuck, LedgerDamaged: nothing of it is done."""


@dataclass(frozen=True, slots=True)
class Told:
    """How the store stands, for whoever publishes it."""

    used_percent: float = 0.0
    draining: bool = False
    """The disk was above its high-water mark, and pictures go before their time."""
    unsent: int = 0
    given_up: int = 0
    """Pictures that the cloud had not taken when they went, since the ledger was made."""
    soon: Mapping[str, int] = field(default_factory=dict)
    """Classes whose pictures go before their time, and in about how many days."""
    papers: Due = field(default_factory=Due)
    """Back-ups that go by their age."""


def disk_of(store: Path) -> Disk:
    """The disk under a folder. OSError."""
    found = os.statvfs(store)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


class Retention:
    """Looks after one store. One thread."""

    def __init__(
        self,
        store: Path,
        options: RetentionOptions,
        write: Write,
        cloud: Path | None = None,
        disk: Callable[[], Disk] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        doubt: Callable[[], str] = lambda: "",
        leaving: Leaving | None = None,
    ) -> None:
        """cloud: folder of sync's notes; None: nothing is owed. disk, now: others in tests.

        leaving: what is owed to the fleet service; None: there is none.

        doubt: why the wall clock is not believed; while it is not, nothing goes by its age, nor as a stray file.
        """
        self._store, self._options, self._write, self._cloud = store, options, write, cloud
        self._disk = disk or (lambda: disk_of(store))
        self._now, self._doubt = now, doubt
        self._fleet = FleetDebts(leaving, cloud or beside(store)) if leaving else None
        self._reader = LedgerReader(store)
        self._sweep = Sweep(store, options.stray_days, write, doubt)
        self._papers = Papers(store, options, write, doubt)
        self._draining = self._said = False
        self._run: Counter[tuple[str, str]] = Counter()
        self._run_bytes = 0
        self._run_since: datetime | None = None
        self._grown = Grown()
        self._grown_at: datetime | None = None
        self.told = Told()

    def step(self) -> bool:
        """Do one small thing; True: there is more to do at once.

        BadLedger: it cannot be read now. LedgerStuck, LedgerDamaged: not written. OSError: the disk cannot be asked.
        """
        if not self._said:
            # Screens show the rules that are in force, which the settings may have left behind.
            rules = as_json(self._options.model_dump())
            self._write(lambda db: put_rules(db, rules, utc_text(self._now())))
            self._said = True
        if self._measure():
            return True
        wish, victims = self._look()
        if wish is not None and victims:
            self._give(wish, victims)
            return True
        if self._rows():
            return True
        self._papers.step(self._now())
        self._tell()
        return self._sweep.step(self._now())

    # -- what there is ---------------------------------------------------------------------------------------------

    def _measure(self) -> bool:
        with self._reader.asking() as ask:
            found = unmeasured(ask, MEASURED)
        if not found:
            return False
        sizes = [(seq, camera, size_of(self._store / path)) for seq, camera, _, path in found]
        self._write(lambda db: put_sizes(db, sizes))
        return len(found) == MEASURED

    def _look(self) -> tuple[Wish | None, list[Victim]]:
        """What is to be given up now, and the next pictures of it."""
        now, options, disk = self._now(), self._options, self._disk()
        self._draining = drains(disk, options, draining=self._draining)
        with self._reader.asking() as ask:
            left = self._owed(ask, rescuing=waiting(self._store))
            held = stock(ask, left)
            first = {kind: oldest(ask, kind, 1, left) for kind in held}
            aged = frozenset(kind for kind, some in first.items() if some and self._is_aged(some[0], now))
            wish = next_wish(held, aged, disk, options, draining=self._draining)
            victims = self._victims(ask, wish, left, now) if wish else []
            given_up = unsent_given_up(ask)
            if self._grown_at is None or (now - self._grown_at).total_seconds() > GROWN_S:
                self._grown, self._grown_at = growth(ask, now), now
        self._draining = self._draining and (wish is not None or disk.used_percent > options.high_percent)
        soon = self._soon(held, first, disk, now)
        self.told = Told(disk.used_percent, self._draining, left.unsent, given_up, soon, self._papers.due)
        return wish, victims

    def _owed(self, ask: Ask, *, rescuing: bool = False) -> Owed:
        if self._fleet is not None:
            return self._fleet.owed(ask, rescuing=rescuing)
        return owed(ask, self._cloud, rescuing=rescuing) if self._cloud else NOTHING

    def _soon(
        self, held: Mapping[str, Stock], first: Mapping[str, list[Victim]], disk: Disk, now: datetime
    ) -> dict[str, int]:
        found = {}
        if self._grown.known:
            for kind in CLASSES:
                age = max((_age_days(one.taken_at, now) for one in first.get(kind, ())), default=0.0)
                days = too_soon(kind, age, held, disk, self._grown.growth, self._options)
                if days is not None:
                    found[kind] = days
        return found

    def _is_aged(self, one: Victim, now: datetime) -> bool:
        days = self._options.days_of(one.kind)
        return bool(days) and not self._doubt() and one.taken_at < utc_text(now - timedelta(days=days))

    def _victims(self, ask: Any, wish: Wish, left: Owed, now: datetime) -> list[Victim]:
        found = oldest(ask, wish.kind, BATCH, left, owed=wish.owed)
        if wish.why == "age":
            return [one for one in found if self._is_aged(one, now)]
        enough: list[Victim] = []
        size = 0
        for one in found:
            if size >= wish.bytes:
                break
            enough.append(one)
            size += one.bytes
        return enough

    # -- what goes -------------------------------------------------------------------------------------------------

    def _give(self, wish: Wish, victims: list[Victim]) -> None:
        thumbs = {}
        for one in victims:
            if one.leaves_thumb and (size := make_thumb(self._store, one.path)) is not None:
                thumbs[one.seq, one.camera] = size
        day = utc_text(self._now())[:10]
        gone = self._write(lambda db: clear(db, victims, thumbs, day))
        drop(self._store, gone)
        for one in gone:
            self._count(f"{wish.why}, unsent" if one.owed else wish.why, one.kind, one.bytes)

    def _count(self, why: str, kind: str, size: int) -> None:
        self._run_since = self._run_since or self._now()
        self._run[why, kind] += 1
        self._run_bytes += size
        if (self._now() - self._run_since).total_seconds() > TOLD_S:
            self._tell()

    def _tell(self) -> None:
        """Say in the trail what a run came to."""
        if not self._run:
            return
        gone: dict[str, dict[str, int]] = {}
        for (why, kind), pictures in sorted(self._run.items()):
            gone.setdefault(why, {})[kind] = pictures
        about: dict[str, object] = {"gone": gone, "bytes": self._run_bytes}
        about["used_percent"] = round(self.told.used_percent, 1)
        self._write(lambda db: audit(db, Deed("retention", about)))
        self._run.clear()
        self._run_bytes, self._run_since = 0, None

    def _rows(self) -> bool:
        """Delete some rows that are older than `rows_days`."""
        if not self._options.rows_days or self._doubt() or waiting(self._store):
            return False  # rescued parts come in before what people said of them and what the cloud is owed
        now, full = self._now(), self._disk().used_percent > self._options.hard_cap_percent
        until = utc_text((now - timedelta(days=self._options.rows_days)).replace(minute=0, second=0, microsecond=0))
        with self._reader.asking() as ask:
            left = self._owed(ask)
            # Above the hard cap not even what the fleet service lacks is kept for it.
            seqs = rows_due(ask, until, replace(left, rows=NOBODY) if full else left)
        if not seqs:
            return False
        day = utc_text(now)[:10]

        def delete(db: apsw.Connection) -> list[str]:
            count(db, day, ROW, len(seqs), 0, sum(seq >= left.rows for seq in seqs))
            return delete_rows(db, seqs, until, utc_text(now), left.rows)

        for small in self._write(delete):
            with suppress(OSError):
                (self._store / small).unlink()
        for _ in seqs:
            self._count("age", ROW, 0)
        return True


def _age_days(taken_at: str, now: datetime) -> float:
    try:
        return max(0.0, (now - datetime.fromisoformat(taken_at)).total_seconds() / 86_400)
    except (ValueError, TypeError):
        return 0.0
