"""What is kept and what was given up, for a screen: by class, with how long the room lasts. Read-only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from ..bus.clock import utc_text
from .copy_names import FOLDER as BACKUPS
from .copy_names import copies, made_at
from .owed import NOTHING
from .read import LedgerReader
from .retention_growth import growth
from .retention_options import RetentionOptions as RetentionOptions
from .retention_plan import Disk as Disk
from .retention_plan import days_left
from .retention_shelf import oldest, rules_in_force, stock
from .schema_keep import CLASSES as CLASSES

LATELY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Gone:
    """What was given up in a span."""

    pictures: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Shelf:
    """One class."""

    kind: str
    pictures: int = 0
    bytes: int = 0
    oldest_at: str = ""
    """UTC; empty: there is none."""
    left_days: float | None = None
    """So long room lasts for it, by its quota and the disk; None: for ever as things go, or nobody can tell yet."""
    today: Gone = Gone()
    lately: Gone = Gone()
    """In the last `LATELY_DAYS` days."""


@dataclass(frozen=True, slots=True)
class Backups:
    """Copies of the ledger in the store."""

    copies: int
    bytes: int
    oldest_at: str
    """UTC; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Storage:
    """All of it."""

    shelves: tuple[Shelf, ...]
    ledger_bytes: int
    """The file of the rows."""
    others: Mapping[str, Gone] = field(default_factory=dict)
    """What else was deleted lately: `row` (rows of parts), `stray` (files that no row named)."""
    growth_bytes: float | None = None
    """All that comes in, a day; None: the line has not run for long enough."""


class StorageReader:
    """Asks the ledger of one store. May be shared by threads."""

    def __init__(self, store: Path) -> None:
        self._reader = LedgerReader(store)

    def rules(self) -> RetentionOptions:
        """The rules that are in force. BadLedger."""
        with self._reader.asking() as ask:
            said = rules_in_force(ask)
        try:
            return RetentionOptions.model_validate_json(said) if said else RetentionOptions()
        except ValidationError:  # noted by another version
            return RetentionOptions()

    def backups(self) -> Backups:
        """Back-ups that were made by hand. OSError."""
        kept = copies(self._reader.store / BACKUPS)
        sizes = [one.stat().st_size for one in kept if one.exists()]
        oldest_at = utc_text(min(map(made_at, kept))) if kept else ""
        return Backups(len(kept), sum(sizes), oldest_at)

    def storage(self, options: RetentionOptions, disk: Disk, now: datetime | None = None) -> Storage:
        """What there is now. BadLedger."""
        now = now or datetime.now(UTC)
        today, since = utc_text(now)[:10], utc_text(now - timedelta(days=LATELY_DAYS))[:10]
        with self._reader.asking() as ask:
            held = stock(ask, NOTHING)
            grown = growth(ask, now)
            first = {kind: oldest(ask, kind, 1, NOTHING) for kind in held}
            gone: dict[str, list[Gone]] = {}
            sql = (
                "select class, coalesce(sum(pictures), 0) as n, coalesce(sum(bytes), 0) as size,"
                " coalesce(sum(case when day = ? then pictures end), 0) as n_today,"
                " coalesce(sum(case when day = ? then bytes end), 0) as size_today"
                " from given_up where day >= ? group by class"
            )
            for row in ask(sql, [today, today, since]):
                gone[row["class"]] = [Gone(row["n_today"], row["size_today"]), Gone(row["n"], row["size"])]
            (pages,) = ask("pragma page_count")
            (page,) = ask("pragma page_size")
        shelves = []
        for kind in CLASSES:
            now_held, some = held.get(kind), first.get(kind)
            shelves.append(
                Shelf(
                    kind,
                    now_held.pictures if now_held else 0,
                    now_held.bytes if now_held else 0,
                    some[0].taken_at if some else "",
                    days_left(kind, held, disk, grown.growth, options) if grown.known and now_held else None,
                    *gone.get(kind, (Gone(), Gone())),
                )
            )
        others = {kind: lately for kind, (_, lately) in gone.items() if kind not in CLASSES}
        size = pages["page_count"] * page["page_size"]
        return Storage(tuple(shelves), size, others, grown.growth.all if grown.known else None)
