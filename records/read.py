"""The ledger as readers see it: read-only, short transactions, always the current file.

A connection is opened for each question and closed again: a reader that keeps one pins the WAL, and would go on reading
the old file after a damaged one was put aside. No numpy, no cv2.
"""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import apsw

from ..bus.errors import BadLedger
from ..bus.part import Action, CodeRead, Defect, Delivery, HeatMap, ImageHealth, Measurement, Outcome, Placement
from . import schema
from .image_history import ImageHistory as ImageHistory
from .image_history import alarm_since, image_history
from .rows import unpack_codes, unpack_defects, unpack_heat, unpack_measures, unpack_placements
from .schema_keep import THUMB
from .views import ViewRow as ViewRow
from .views import health_of, view_row

_BUSY_MS = 1000
MOST_ROWS = 1000
"""`rows` returns at most this many at once: a long read pins the WAL."""
MOST_MOMENTS = 100_000
OUTCOMES = (
    "total(outcome = 'OK') as ok, total(outcome = 'NG') as ng,"
    " total(outcome = 'UNJUDGED' and why not in ('challenge', 'bypass')) as unjudged,"
    " total(why = 'challenge') as challenge, total(why = 'bypass') as bypass"
)
"""Every part is in one of the five: test parts and those of a bypass are counted apart."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part as it is remembered."""

    seq: int
    """Number in this ledger; rises with time."""
    part: int
    station: str
    taken_at: str
    """UTC of the trigger."""
    outcome: str
    """OK, NG, UNJUDGED: what is counted."""
    action: str
    """PASS, REJECT."""
    why: str
    reasons: tuple[str, ...]
    score: float
    threshold: float
    defects: tuple[Defect, ...]
    recipe: str
    revision: str
    model: str
    """Digest of the bundle; empty: nothing judged it."""
    picture: str | None
    """Path relative to the store."""
    picture_sha256: str | None
    picture_kept: bool
    heat: tuple[HeatMap, ...]
    delivery: str
    confirmed: bool | None
    """What the confirm eye said; None: none."""
    latency_ms: float | None
    """Trigger to register image; None: never published."""
    width: int
    """Of the picture, pixels; 0: there was none."""
    height: int
    missed: bool
    recovered: bool
    """io died with this part open; the row was made afterwards."""
    camera: str = ""
    """Whose picture this is, and whose score; empty: no picture, no verdict."""
    serial: str = ""
    """Number read on the part itself; empty: none."""
    serial_before: int | None = None
    """`seq` of an earlier part with the same serial number; None: none within the span."""
    codes: tuple[CodeRead, ...] = ()
    placements: tuple[Placement, ...] = ()
    views: tuple[ViewRow, ...] = ()
    """Pictures of the other cameras, by name."""
    image: tuple[ImageHealth, ...] = ()
    """What its pictures were like, by camera."""
    measures: tuple[Measurement, ...] = ()
    """What was measured on it."""
    small: bool = False
    """Its picture was given up, and a small one is left of it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the outbox, as it leaves the box."""

    seq: int
    body: bytes
    """One line of canonical JSON."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Which ledger this is. Outbox numbers are unique within one lineage of one box."""

    box: str
    lineage: int


class LedgerReader:
    """Asks the ledger of one store. May be shared by threads."""

    def __init__(self, store: Path) -> None:
        """Nothing is opened yet: a ledger that cannot be read is said by the first question."""
        self.store = store

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.store / schema.FILE

    def rows(
        self,
        limit: int,
        before_seq: int | None = None,
        action: str | None = None,
        outcome: str | None = None,
        text: str | None = None,
        find: str | None = None,
    ) -> list[PartRow]:
        """Up to limit parts (1..1000), newest first.

        before_seq: only older ones, for paging. action, outcome: only those. text: only parts with this number, or with
        these letters in their reasons, station or recipe: reads every row. find: only parts with this number, or whose
        serial number begins so; goes by an index. BadLedger: it cannot be read.
        """
        if not 1 <= limit <= MOST_ROWS:
            raise ValueError(f"limit {limit}: expected 1..{MOST_ROWS}")
        wanted: list[tuple[str, list[object]]] = []
        if before_seq is not None:
            wanted.append(("seq < ?", [before_seq]))
        if action is not None:
            wanted.append(("action = ?", [Action(action).value]))
        if outcome is not None:
            wanted.append(("outcome = ?", [Outcome(outcome).value]))
        if text:
            letters = "instr(lower(reasons || ' ' || station || ' ' || recipe), lower(?)) > 0"
            wanted.append((f"(cast(part as text) = ? or {letters})", [text, text]))
        if find:
            wanted.append(_named(find))
        where, values = condition(wanted)
        with self.asking() as ask:
            return _part_rows(ask, f"select * from part{where} order by seq desc limit {limit}", values)

    def row(self, seq: int) -> PartRow | None:
        """That part, or None. BadLedger."""
        with self.asking() as ask:
            return next(iter(_part_rows(ask, "select * from part where seq = ?", [seq])), None)

    def image(self, camera: str, limit: int) -> ImageHistory:
        """What the newest pictures of a camera were like, up to limit parts (1..100,000), oldest first. BadLedger."""
        if not 1 <= limit <= MOST_MOMENTS:
            raise ValueError(f"limit {limit}: expected 1..{MOST_MOMENTS}")
        with self.asking() as ask:
            return image_history(ask.db, camera, limit)

    def alarm_since(self, camera: str, cause: str) -> str | None:
        """UTC of the first part of the unbroken run of parts, up to now, with that image alarm; None: there is none.

        A run of more than 100,000 parts is said to have begun with the oldest of these. BadLedger.
        """
        with self.asking() as ask:
            return alarm_since(ask.db, camera, cause, MOST_MOMENTS)

    def summary(self, since: str | None = None) -> dict[str, int]:
        """Counts of the parts taken at or after since (UTC as in `taken_at`; None: all). BadLedger.

        Keys: parts, ok, ng, unjudged, challenge, bypass (these two are in none of the three before), late, missed,
        rejects, confirmed, unconfirmed, pictures.
        """
        with self.asking() as ask:
            (found,) = ask(
                f"select count(*) as parts, {OUTCOMES},"
                " total(why = 'late') as late, total(missed) as missed,"
                " total(action = 'REJECT') as rejects, total(action = 'REJECT' and delivery = ?) as confirmed,"
                " total(action = 'REJECT' and delivery != ?) as unconfirmed, total(picture_kept) as pictures"
                " from part where taken_at >= ?",
                [Delivery.DELIVERED.value, Delivery.DELIVERED.value, since or ""],
            )
            return {name: int(value) for name, value in found.items()}

    def moments(self, limit: int, revision: str = "") -> list[dict[str, Any]]:
        """When the newest parts went from hand to hand, up to limit (1..100,000), newest first.

        revision: of that recipe only. Keys: triggered_ns, deadline_ns, and exposed_ns, ready_ns, done_ns, committed_ns,
        published_ns, acked_ns (CLOCK_MONOTONIC; None: never), seq, part, outcome, why, confirmed. Missed and recovered
        parts are left out: nothing was asked about them. BadLedger.
        """
        if not 1 <= limit <= MOST_MOMENTS:
            raise ValueError(f"limit {limit}: expected 1..{MOST_MOMENTS}")
        with self.asking() as ask:
            return list(
                ask(
                    "select seq, part, outcome, why, confirmed, triggered_ns, deadline_ns, exposed_ns, ready_ns,"
                    " done_ns, committed_ns, published_ns, acked_ns from part where not missed and not recovered"
                    f"{' and revision = ?' if revision else ''} order by seq desc limit {limit}",
                    [revision] if revision else [],
                )
            )

    def identity(self) -> Identity:
        """Which ledger this is. BadLedger."""
        with self.asking() as ask:
            (found,) = ask("select box, lineage from meta", [])
            return Identity(found["box"], found["lineage"])

    def events(self, stream: str, after: int, limit: int) -> list[Event]:
        """Up to limit events (1..1000) of an outbox stream with numbers above after, in order. BadLedger."""
        if not 1 <= limit <= MOST_ROWS:
            raise ValueError(f"limit {limit}: expected 1..{MOST_ROWS}")
        with self.asking() as ask:
            found = ask(
                f"select seq, body, sha256 from outbox where stream = ? and seq > ? order by seq limit {limit}",
                [stream, after],
            )
            return [Event(row["seq"], bytes(row["body"]), row["sha256"]) for row in found]

    def newest_event(self, stream: str) -> int:
        """Number of the newest event of an outbox stream; 0: none yet. BadLedger."""
        with self.asking() as ask:
            found = list(ask("select next - 1 as newest from counter where stream = ?", [stream]))
            return int(found[0]["newest"]) if found else 0

    def floor(self, channel: str) -> int:
        """The newest sequence that was trusted in a channel of models; 0: none yet. BadLedger."""
        with self.asking() as ask:
            found = ask.first("select seq from floor where channel = ?", [channel])
            return int(found["seq"]) if found else 0

    @contextmanager
    def asking(self) -> Iterator["Ask"]:
        """Open read-only for a few questions of one moment. BadLedger: missing, locked, damaged, of another version."""
        db: apsw.Connection | None = None
        try:
            if not self.path.exists():
                raise BadLedger(f"{self.path}: there is no ledger here yet")
            db = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            db.set_busy_timeout(_BUSY_MS)
            db.execute("begin")
            ask = Ask(db)
            version = next(iter(ask("pragma user_version", [])))["user_version"]
            if version != schema.VERSION:
                raise BadLedger(f"{self.path}: of version {version}, this okng reads {schema.VERSION}")
            yield ask
        except apsw.Error as error:
            raise BadLedger(f"{self.path}: history unavailable: {error}") from error
        except UnicodeDecodeError as error:
            raise BadLedger(f"{self.path}: damaged: what was a text is none any more: {error}") from error
        finally:
            if db is not None:
                with suppress(apsw.Error):
                    db.close()


class Ask:
    """Runs queries of one moment: all see the same state of the ledger."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db

    def __call__(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> Iterator[dict[str, Any]]:
        """Yield rows as mappings from column name to value."""
        cursor = self.db.execute(sql, cast(Any, values))
        names: list[str] = []
        for row in cursor:
            names = names or [str(column[0]) for column in cursor.get_description()]
            yield dict(zip(names, cast(tuple[Any, ...], row), strict=True))

    def first(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> dict[str, Any] | None:
        """The first row; None: there is none."""
        return next(self(sql, values), None)


def condition(terms: Sequence[tuple[str, Sequence[object]]]) -> tuple[str, list[object]]:
    """The end of a query that asks for all of these terms, and its values; no terms: empty."""
    where = " where " + " and ".join(term for term, _ in terms) if terms else ""
    return where, [value for _, some in terms for value in some]


def part_rows(ask: "Ask", seqs: Sequence[int]) -> list[PartRow]:
    """The parts of these numbers, in the order of the ledger; what is not there is left out."""
    sql = "select * from part where seq in (select value from json_each(?)) order by seq"
    return _part_rows(ask, sql, [json.dumps(seqs)])


def _named(find: str) -> tuple[str, list[object]]:
    """The condition for a part number or the beginning of a serial number."""
    number = int(find) if find.isascii() and find.isdigit() and len(find) <= 10 else 0
    # `serial != ''` lets SQLite take the index, which is partial.
    begins = "(serial != '' and serial >= ? and serial < ?)"
    return f"(part = ? or {begins})", [number, find, find + chr(0x10FFFF)]


def _part_rows(ask: "Ask", sql: str, values: Sequence[object]) -> list[PartRow]:
    """The parts of a query over `part`, each with its views and what its pictures were like."""
    found = list(ask(sql, values))
    seqs = json.dumps([row["seq"] for row in found])
    views: dict[int, list[dict[str, Any]]] = {row["seq"]: [] for row in found}
    image: dict[int, list[dict[str, Any]]] = {row["seq"]: [] for row in found}
    for table, rows in (("view", views), ("image_health", image)):
        sql = f"select * from {table} where seq in (select value from json_each(?)) order by seq, camera"
        for row in ask(sql, [seqs]):
            rows[row["seq"]].append(row)
    sql = f"select seq, camera from picture where class = '{THUMB}' and seq in (select value from json_each(?))"
    small = {(row["seq"], row["camera"]) for row in ask(sql, [seqs])}
    return [_part_row(row, views[row["seq"]], image[row["seq"]], small) for row in found]


def _part_row(
    row: Mapping[str, Any],
    views: Sequence[Mapping[str, Any]],
    image: Sequence[Mapping[str, Any]],
    small: Set[tuple[int, str]],
) -> PartRow:
    try:
        return _made(row, views, image, small)
    except (ValueError, KeyError, TypeError) as error:
        raise BadLedger(f"ledger row {row['seq']} is not as okng wrote it: {error}") from error


def _made(
    row: Mapping[str, Any],
    views: Sequence[Mapping[str, Any]],
    image: Sequence[Mapping[str, Any]],
    small: Set[tuple[int, str]],
) -> PartRow:
    published = row["published_ns"]
    return PartRow(
        seq=row["seq"],
        part=row["part"],
        station=row["station"],
        taken_at=row["taken_at"],
        outcome=row["outcome"],
        action=row["action"],
        why=row["why"],
        reasons=tuple(json.loads(row["reasons"])),
        score=row["score"],
        threshold=row["threshold"],
        defects=unpack_defects(row["defects"]),
        recipe=row["recipe"],
        revision=row["revision"],
        model=row["model"],
        picture=row["picture"],
        picture_sha256=row["picture_sha256"],
        picture_kept=bool(row["picture_kept"]),
        heat=unpack_heat(row["heat"]),
        delivery=row["delivery"],
        confirmed=None if row["confirmed"] is None else bool(row["confirmed"]),
        latency_ms=None if published is None else (published - row["triggered_ns"]) / 1e6,
        width=row["width"],
        height=row["height"],
        missed=bool(row["missed"]),
        recovered=bool(row["recovered"]),
        camera=row["camera"],
        serial=row["serial"],
        serial_before=row["serial_before"],
        codes=unpack_codes(row["codes"]),
        placements=unpack_placements(row["placements"]),
        views=tuple(view_row(one, small=(row["seq"], one["camera"]) in small) for one in views),
        image=tuple(health_of(one) for one in image),
        measures=unpack_measures(row["measures"]),
        small=(row["seq"], "") in small,
    )
