"""Finds parts for the gallery, and tells what people said of one. Read-only, by indexes, a bounded walk a page."""

import json
from dataclasses import dataclass
from pathlib import Path

from .golden import BY_STUDY
from .people_rows import Escape, Golden, Label, label_of_row
from .read import Ask, LedgerReader, PartRow, condition, part_rows
from .schema_gallery import NEARNESS

WALK = 4000
"""Parts of the first condition that one page looks at; what is left is for the next page."""
SLACK = 200
"""The order of the ledger is that of the records, not to the part that of the triggers."""
NEAR = ("below", "near", "above", "far")
"""Below 0.8 of the limit, up to 1.2, up to 2, above."""
SHOWS = ("rejects", "ng", "unjudged", "ok")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts. Empty: any."""

    show: str = "rejects"
    """One of `SHOWS`."""
    since: str = ""
    """UTC as in `taken_at`, inclusive."""
    until: str = ""
    """UTC, exclusive."""
    kind: str = ""
    """Class of a defect."""
    near: str = ""
    """One of `NEAR`."""
    unreviewed: bool = False
    """Only what nobody has marked or labelled."""
    kept: bool = False
    """Only parts whose picture is there."""
    golden: bool = False
    """Only parts that a person marked as golden."""


@dataclass(frozen=True, slots=True)
class Page:
    """What was found."""

    rows: list[PartRow]
    """Newest first."""
    before: int | None
    """The next page is asked for with this; None: there is none. A page may be short, or empty, and not the last."""


@dataclass(frozen=True, slots=True)
class Lot:
    """One lot, by the moments it began and ended."""

    name: str
    since: str
    until: str
    """UTC; empty: it runs."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is remembered of a part beside its record."""

    said: tuple[Label, ...]
    """Oldest first; without what was taken back."""
    reviewed_by: str
    """Empty: it is not marked."""
    reviewed_at: str
    escapes: tuple[Escape, ...]
    moments: dict[str, int | None]
    """When it went from hand to hand, ns on the monotonic clock."""
    golden: Golden | None = None
    """Who marked it as golden; None: nobody."""


class GalleryReader:
    """Asks the ledger of one store. May be shared by threads."""

    def __init__(self, store: Path) -> None:
        """Nothing is opened yet."""
        self._reader = LedgerReader(store)

    def page(self, wanted: Wanted, limit: int, before: int | None = None) -> Page:
        """Up to limit parts, newest first. ValueError: a word that is none. BadLedger."""
        with self._reader.asking() as ask:
            first, values = driver(wanted, before, self._span(ask, wanted))
            rest, more = _rest(wanted)
            found = [
                int(row["seq"])
                for row in ask(
                    f"select p.seq as seq from ({first}) c cross join part p on p.seq = c.seq"
                    f"{rest} order by p.seq desc limit {limit + 1}",
                    [*values, *more],
                )
            ]
            rows = part_rows(ask, found[:limit])[::-1]
            if len(found) > limit:
                return Page(rows, rows[-1].seq)
            (walked,) = ask(f"select count(*) as many, min(seq) as last from ({first})", values)
            return Page(rows, int(walked["last"]) if walked["many"] >= WALK else None)

    def beside(self, wanted: Wanted, seq: int) -> tuple[int | None, int | None]:
        """The next newer and the next older part among those; None: none within one walk. BadLedger."""
        found: list[int | None] = []
        rest, more = _rest(wanted)
        with self._reader.asking() as ask:
            span = self._span(ask, wanted)
            for up in (True, False):
                first, values = driver(wanted, seq, span, up=up)
                sql = f"select p.seq as seq from ({first}) c cross join part p on p.seq = c.seq{rest}"
                order = "asc" if up else "desc"
                row = ask.first(f"{sql} order by p.seq {order} limit 1", [*values, *more])
                found.append(None if row is None else int(row["seq"]))
        return found[0], found[1]

    def _span(self, ask: Ask, wanted: Wanted) -> tuple[int | None, int | None]:
        """The parts between which those of the span lie, found by the index of the time."""

        def edge(sql: str, moment: str, by: int) -> int | None:
            if not moment:
                return None
            found = ask.first(sql, [moment])
            return None if found is None else int(found["seq"]) + by

        low = edge("select seq from part where taken_at >= ? order by taken_at limit 1", wanted.since, -SLACK)
        high = edge("select seq from part where taken_at < ? order by taken_at desc limit 1", wanted.until, SLACK)
        nothing = (wanted.since and low is None) or (wanted.until and high is None)
        return (0, 0) if nothing else (low, high)

    def kinds(self, most: int = 24) -> list[str]:
        """Classes of defects that the ledger knows, by name. BadLedger."""
        sql = (
            "with recursive k (kind) as (select min(kind) from part_kind union all"
            " select (select min(kind) from part_kind where kind > k.kind) from k where k.kind is not null)"
            f" select kind from k where kind is not null limit {most}"
        )
        with self._reader.asking() as ask:
            return [str(row["kind"]) for row in ask(sql)]

    def lots(self, most: int = 20) -> list[Lot]:
        """The last lots, the newest first. BadLedger."""
        sql = f"select at, key, body from journal where stream = 'lot' order by n desc limit {most}"
        with self._reader.asking() as ask:
            found = list(ask(sql))
        lots, until = [], ""
        for row in found:
            name = str(json.loads(row["body"]).get("lot", row["key"]) or "")
            if name:
                lots.append(Lot(name, str(row["at"]), until))
            until = str(row["at"])
        return lots

    def story(self, seq: int) -> Story | None:
        """What people said of a part, and when it went from hand to hand; None: no such part. BadLedger."""
        with self._reader.asking() as ask:
            part = ask.first(
                "select triggered_ns, exposed_ns, received_ns, ready_ns, started_ns, done_ns, committed_ns,"
                " published_ns, acked_ns, deadline_ns from part where seq = ?",
                [seq],
            )
            if part is None:
                return None
            said = ask("select * from label where seq = ? and undone_at is null order by n", [seq])
            labels = tuple(label_of_row(row) for row in said)
            review = ask.first("select who, at from review where seq = ?", [seq]) or {"who": "", "at": ""}
            escapes = tuple(Escape(**row) for row in ask('select * from "escape" where seq = ? order by n', [seq]))
            return Story(labels, review["who"], review["at"], escapes, part, golden_of(ask, seq))


def golden_of(ask: Ask, seq: int) -> Golden | None:
    """Who marked a part as golden; None: nobody did. BadLedger."""
    found = ask.first(f"select * from marked where seq = ? and not {BY_STUDY}", [seq])
    return Golden(**found) if found else None


def driver(
    wanted: Wanted, edge: int | None, span: tuple[int | None, int | None] = (None, None), *, up: bool = False
) -> tuple[str, list[object]]:
    """The question that walks an index from the newest part on, and its values. ValueError: a word that is none.

    edge: only parts below it; up: only parts above it, oldest first. The narrowest condition leads, the others are
    looked at part by part.
    """
    if wanted.show not in SHOWS:
        raise ValueError(f"show {wanted.show!r}: expected one of {', '.join(SHOWS)}")
    if wanted.near and wanted.near not in NEAR:
        raise ValueError(f"near {wanted.near!r}: expected one of {', '.join(NEAR)}")
    terms: list[tuple[str, list[object]]] = []
    if wanted.golden:
        table = "marked"
        terms.append((f"not {BY_STUDY}", []))
    elif wanted.unreviewed:
        table = "unreviewed"
    elif wanted.kind:
        table = "part_kind"
        terms.append(("kind = ?", [wanted.kind]))
    elif wanted.near:
        table = "part indexed by part_nearness"
        terms.append((f"{NEARNESS} = ?", [wanted.near]))
    elif wanted.show == "rejects":
        table = "part indexed by part_rejected"
        terms.append(("action = 'REJECT'", []))
    else:
        table = "part indexed by part_outcome"
        terms.append(("outcome = ?", [wanted.show.upper()]))
    low, high = span
    if edge is not None:
        terms.append(("seq > ?" if up else "seq < ?", [edge]))
    if low is not None:
        terms.append(("seq >= ?", [low]))
    if high is not None:
        terms.append(("seq <= ?", [high]))
    where, values = condition(terms)
    order = "asc" if up else "desc"
    return f"select seq from {table}{where} order by seq {order} limit {WALK}", values


def _rest(wanted: Wanted) -> tuple[str, list[object]]:
    """All conditions again, for the parts the walk came by."""
    terms: list[tuple[str, list[object]]] = [
        ("p.action = 'REJECT'", []) if wanted.show == "rejects" else ("p.outcome = ?", [wanted.show.upper()])
    ]
    if wanted.kind:
        terms.append(("exists (select 1 from part_kind k where k.kind = ? and k.seq = p.seq)", [wanted.kind]))
    if wanted.near:
        terms.append((f"{NEARNESS} = ?", [wanted.near]))
    if wanted.golden and wanted.unreviewed:
        terms.append(("exists (select 1 from unreviewed u where u.seq = p.seq)", []))
    if wanted.kept:
        terms.append(("p.picture_kept", []))
    if wanted.since:
        terms.append(("p.taken_at >= ?", [wanted.since]))
    if wanted.until:
        terms.append(("p.taken_at < ?", [wanted.until]))
    return condition(terms)
