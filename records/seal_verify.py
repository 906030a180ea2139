"""Proves that nothing was changed since it was written: the trail, the sealed rows, and both against signed heads.

Read-only, one state of the file, in bounded memory; records may run or not, and a backup will do. Each link is judged
by the hash that stands before it, so one row that was changed is one finding; a chain that was made anew from some link
on is sound in itself, and only a head tells.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import apsw

from ..bus.errors import BadLedger
from . import schema
from .audit import trail_breaks
from .bookkeeping import rows
from .seal import KEYED, parts_among, parts_in
from .seal_content import START, Kind, block_hash, linked
from .seal_heads import Head
from .seal_retired import Retired

MOST_NAMED = 100
"""Findings that are told one by one."""
_PAGE = 1000
_ILLEGIBLE = ["its text cannot be read"]
"""In place of a row whose bytes on the disk are no text any more: it is not what was sealed."""


@dataclass(slots=True)
class Verified:
    """What came of it."""

    box: str = ""
    lineage: int = 0
    trail: int = 0
    """Lines of the audit trail."""
    links: int = 0
    parts: int = 0
    """Sealed one by one, and found as they were."""
    older: int = 0
    """Older parts, in blocks, found as they were."""
    unsealed: int = 0
    """Older parts that no block holds (yet)."""
    retired: int = 0
    """Parts that retention deleted, and said so."""
    heads: int = 0
    """Signed heads that this file agrees with."""
    proven_until: str = ""
    """UTC of the newest of them."""
    keys: list[str] = field(default_factory=list)
    """Fingerprints of the keys that signed them."""
    problems: list[str] = field(default_factory=list)
    """Which row was changed, removed, put in or moved; empty: none."""
    more: int = 0
    """Problems beyond those named."""
    notes: list[str] = field(default_factory=list)
    """What is explained: a restored copy, deleted rows, what was never sealed."""

    @property
    def sound(self) -> bool:
        """True when nothing was found."""
        return not self.problems

    def say(self, text: str) -> None:
        """Note a problem."""
        if len(self.problems) < MOST_NAMED:
            self.problems.append(text)
        else:
            self.more += 1


@contextmanager
def opened(file: Path) -> Iterator[apsw.Connection]:
    """One state of a ledger or of a backup of one. BadLedger."""
    if not file.exists():
        raise BadLedger(f"{file}: there is no ledger here")
    try:
        with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            db.set_busy_timeout(5000)
            db.execute("begin")
            version = int(rows(db, "pragma user_version")[0][0])
            if version != schema.VERSION:
                raise BadLedger(f"{file}: of version {version}, this okng reads {schema.VERSION}")
            yield db
    except apsw.Error as error:
        raise BadLedger(f"{file}: cannot be read: {error}") from error


def verify(
    file: Path,
    heads: Sequence[Head] = (),
    *,
    tell: Callable[[float], None] = lambda _: None,
) -> Verified:
    """Prove a ledger, or name what is wrong with it. BadLedger: it cannot be read.

    heads: whose signatures hold. tell: is told the share done.
    """
    found = Verified()
    with opened(file) as db:
        try:
            ((found.box, found.lineage),) = rows(db, "select box, lineage from meta")
            _trail(db, found)
            chain = _Chain(db, found)
            chain.walk(tell)
            chain.unsealed()
            _no_longer_kept(db, found)
            _against_heads(db, found, heads)
        except UnicodeDecodeError as error:  # outside of what `_contents` can name
            found.say(f"bytes on the disk are no text any more, so that not all could be looked at: {error}")
    return found


def _trail(db: apsw.Connection, found: Verified) -> None:
    (found.trail,) = rows(db, "select count(*) from audit")[0]
    every = cast(Iterator[tuple[int, str, str]], db.execute("select n, body, hash from audit order by n"))
    for text in trail_breaks(every):
        found.say(f"audit trail: {text}")


class _Chain:
    """One walk along the links."""

    def __init__(self, db: apsw.Connection, found: Verified) -> None:
        self._db, self._found = db, found
        self._withdrawn: dict[int, list[Any]] = {}
        self._retired = Retired()
        self._gone = self._loosely_gone = 0
        self._pruned: dict[int, tuple[int, bytes]] = {}
        self._blocks: list[tuple[int, int]] = []
        self._began = ""
        self._first: dict[str, int] = {}
        self._first_triggers: dict[int, int] | None = None
        self._first_counters: list[int] | None = None
        for n, kind, a, b, text in rows(db, "select n, kind, a, b, body from seal where body is not null order by n"):
            try:
                self._told(kind, a, b, json.loads(text))
            except (ValueError, KeyError, TypeError, AttributeError):
                found.say(f"link {n}: its text is none that okng wrote")

    def _told(self, kind: int, a: int, b: int, body: dict[str, Any]) -> None:
        """What explains rows that are not there, and those that were never sealed."""
        match kind:
            case Kind.LINEAGE:
                if "unsealed" in body and not self._began:
                    was = body["unsealed"]
                    self._began, self._first = str(body["at"]), {name: int(was[name]) for name in ("part", "journal")}
                    if "trigger" in was:  # seals begun by the first okng that had one do not say
                        self._first_triggers = {int(epoch): int(top) for epoch, top in was["trigger"].items()}
                        self._first_counters = [int(epoch) for epoch in was["counters"]]
            case Kind.WITHDRAWN:
                self._withdrawn[a] = body["was"]
            case Kind.RETIRED:
                self._retired.add(a, b, body)
            case Kind.PRUNED:
                self._pruned[a] = (b, bytes.fromhex(body["hash"]))
            case _:
                pass

    def walk(self, tell: Callable[[float], None]) -> None:
        """Judge every link by the one before it."""
        before, expected = START, 1
        last = rows(self._db, "select coalesce(max(n), 0) from seal")[0][0]
        while True:
            page = rows(
                self._db,
                "select n, kind, a, b, hash, body from seal where n >= ? order by n limit ?",
                (expected, _PAGE),
            )
            if not page:
                break
            contents = self._contents(page)
            for n, kind, a, b, hashed, body in page:
                before = self._skipped(expected, n, before)
                hashed = hashed if isinstance(hashed, bytes) else str(hashed).encode()
                self._judge((n, kind, a, b, body), before, hashed, contents)
                before, expected = hashed, n + 1
            tell(min(1.0, expected / max(1, last)))
        (self._found.links,) = rows(self._db, "select count(*) from seal")[0]

    def _skipped(self, expected: int, n: int, before: bytes) -> bytes:
        """The hash before link n, when the links expected..n-1 are not there."""
        while expected < n:
            if expected in self._pruned:
                last, before = self._pruned[expected]
                expected = last + 1
                continue
            self._found.say(f"links {expected}..{n - 1} of the seal were removed")
            return before
        return before

    def _contents(self, page: list[tuple[Any, ...]]) -> dict[tuple[int, int, int], object]:
        """What the rows of a page of links are now, by kind and key. A row that is no text any more is `_ILLEGIBLE`."""
        try:
            return self._read(page)
        except (UnicodeDecodeError, TypeError):  # TypeError: a column that holds what it never did
            if len(page) == 1:
                _, kind, a, b, _, _ = page[0]
                return {(kind, a, b): _ILLEGIBLE}
            half = len(page) // 2
            return self._contents(page[:half]) | self._contents(page[half:])

    def _read(self, page: list[tuple[Any, ...]]) -> dict[tuple[int, int, int], object]:
        found: dict[tuple[int, int, int], object] = {}
        seqs = [a for _, kind, a, _, _, _ in page if kind == Kind.PART]
        for seq, content in parts_among(self._db, seqs).items():
            found[Kind.PART, seq, 0] = content
        for kind, (table, columns, _) in KEYED.items():
            keys = [(a, b) for _, each, a, b, _, _ in page if each == kind]
            if not keys:
                continue
            if kind == Kind.TRIGGER:
                for epoch in {a for a, _ in keys}:
                    numbers = [b for a, b in keys if a == epoch]
                    sql = f"select {', '.join(columns)} from {table} where epoch = ? and number between ? and ?"
                    for row in rows(self._db, sql, (epoch, min(numbers), max(numbers))):
                        found[kind, epoch, row[1]] = list(row)
                continue
            sql = f"select {', '.join(columns)} from {table} where {columns[0]} in (select value from json_each(?))"
            for row in rows(self._db, sql, (json.dumps([a for a, _ in keys]),)):
                found[kind, row[0], 0] = list(row)
        return found

    def _judge(
        self,
        link: tuple[int, int, int, int, str | None],
        before: bytes,
        hashed: bytes,
        contents: dict[tuple[int, int, int], object],
    ) -> None:
        n, kind, a, b, body = link
        name = _name(kind, a, b)
        content = body if body is not None else contents.get((kind, a, b))
        if content is None and kind == Kind.PART and a in self._withdrawn:
            content = self._withdrawn[a]
        if content is None:
            if kind == Kind.PART and self._retired.has_part(a):
                self._gone += 1
                self._loosely_gone += self._retired.is_loose(a)
            elif kind != Kind.TRIGGER or not self._retired.has_trigger(a, b):
                self._found.say(f"{name}: was removed (link {n} of the seal)")
            return
        if not _holds(before, (kind, a, b), content, hashed):
            self._found.say(f"{name}: is not what was sealed: it, its link {n} or the link before was changed or moved")
        elif kind == Kind.PART:
            self._found.parts += 1
        elif kind == Kind.OLDER:
            self._block(n, a, b, json.loads(str(body)))

    def _block(self, n: int, first: int, last: int, body: dict[str, Any]) -> None:
        """Older parts under one hash; parts of the range that have a link of their own are not among them."""
        self._blocks.append((first, last))
        try:
            held = parts_in(self._db, first, last)
            digest = block_hash(held.values())
        except (UnicodeDecodeError, TypeError) as error:
            self._found.say(f"parts {first}..{last}, sealed together by link {n}: was changed: {error}")
            return
        if len(held) == body["rows"] and digest == body["sha256"]:
            self._found.older += len(held)
            return
        lost = self._retired.most_gone(first, last) + sum(1 for seq in self._withdrawn if first <= seq <= last)
        if 0 < body["rows"] - len(held) <= lost:
            self._found.notes.append(f"parts {first}..{last}: sealed as one, and some were deleted since: not provable")
            return
        what = "was changed" if len(held) == body["rows"] else f"{len(held)} are there of {body['rows']}"
        self._found.say(f"parts {first}..{last}, sealed together by link {n}: {what}")

    def unsealed(self) -> None:
        """Rows that no link seals: from before the seal they are counted, others were put in by hand."""
        found, first = self._found, self._first
        if not self._began:
            if rows(self._db, "select 1 from part limit 1"):
                found.say("the seal was removed: it has no beginning")
            return
        if self._loosely_gone > self._retired.loose:
            said = f"of which retention deleted {self._retired.loose}"
            found.say(f"{self._loosely_gone} parts are gone from the ranges {said}")
        found.retired = self._gone
        if found.retired:
            found.notes.append(f"{found.retired} parts were deleted by retention, which said so")
        self._put_in()
        sql = "select count(*), min(seq), max(seq) from part where seq > ? and seq <= ?"
        upto = max((b for _, b in self._blocks), default=0)
        count, least, most = rows(self._db, sql, (upto, first.get("part", 0)))[0]
        found.unsealed = int(count)
        if count:
            found.notes.append(f"{count} parts (seq {least}..{most}) are from before the seal and not sealed (yet)")
        if found.older:
            found.notes.append(f"{found.older} parts from before {self._began} are sealed in blocks")

    def _put_in(self) -> None:
        """Rows that were not there when the seal began, and that no link seals."""
        first = self._first
        triggers = (
            "trigger left join json_each(:triggers) f on cast(f.key as integer) = epoch",
            "number > coalesce(f.value, 0) or number < 1",
        )
        if self._first_triggers is None:
            triggers = ("trigger", "stored_at >= :began or number < 1")
        ended = "last = 1 and epoch not in (select value from json_each(:counters))"
        asked = [
            (Kind.PART, "part", "seq", "a", f"seq > {first['part']} or seq < 1"),
            (Kind.TRIGGER, triggers[0], "epoch, number", "a, b", triggers[1]),
            (Kind.JOURNAL, "journal", "n", "a", f"n > {first['journal']} or n < 1"),
            (Kind.SIGNATURE, "signature", "n", "a", "1"),
            *([] if self._first_counters is None else [(Kind.COUNTERS, "counter_snapshot", "epoch", "a", ended)]),
        ]
        named = {
            "triggers": json.dumps(self._first_triggers or {}),
            "counters": json.dumps(self._first_counters or []),
            "began": self._began,
        }
        for kind, table, key, held, new in asked:
            sql = f"select {key} from {table} where {new} except select {held} from seal where kind = {int(kind)}"
            for row in self._db.execute(f"{sql} limit {MOST_NAMED}", named).fetchall():
                a, b = cast(tuple[int, int], (*row, 0)[:2])
                self._found.say(f"{_name(kind, a, b)}: was put in by hand: no link seals it")


def _no_longer_kept(db: apsw.Connection, found: Verified) -> None:
    """Whether a picture is still kept is not sealed: it must be explained by what retention says that it gave up."""
    ((cleared, damaged),) = rows(
        db,
        "select (select count(*) from part where not picture_kept and picture is not null)"
        " + (select count(*) from view where not picture_kept and picture is not null),"
        " (select max(after_damage) from meta)",
    )
    if not cleared:
        return
    ((told,),) = rows(
        db, "select coalesce(sum(pictures), 0) from given_up where class not in ('row', 'stray', 'thumb')"
    )
    text = f"{cleared} pictures are said to be no longer kept, retention gave up {told}"
    if cleared > told and not damaged:
        found.say(text)
    else:
        found.notes.append(text)


def _holds(before: bytes, key: tuple[int, int, int], content: object, hashed: bytes) -> bool:
    """True when that is what was sealed."""
    try:
        return linked(before, *key, content) == hashed
    except TypeError:  # bytes where a text was
        return False


def _name(kind: int, a: int, b: int) -> str:
    match kind:
        case Kind.PART:
            return f"part seq {a}"
        case Kind.TRIGGER:
            return f"trigger {b} of run {a}"
        case Kind.COUNTERS:
            return f"last counters of run {a}"
        case Kind.JOURNAL:
            return f"journal entry {a}"
        case Kind.SIGNATURE:
            return f"signature {a}"
    with suppress(ValueError):
        return f"what the seal says of {Kind(kind).name.lower()} {a}..{b}"
    return f"link of unknown kind {kind}"


def _against_heads(db: apsw.Connection, found: Verified, heads: Sequence[Head]) -> None:
    """Every head must stand in the file, where the file still goes on from that lineage."""
    ends = _ends(db)
    newest_trail = rows(db, "select coalesce(max(n), 0) from audit")[0][0]
    newest_link = rows(db, "select coalesce(max(n), 0) from seal")[0][0]
    oldest = min(ends, default=found.lineage)
    lost: dict[int, int] = {}
    last_good = ""
    for head in heads:
        if head.box != found.box:
            found.say(f"the head of {head.utc} is of box {head.box}, this ledger of box {found.box}")
            continue
        if head.lineage > found.lineage:
            found.say(
                f"the head of {head.utc} is of lineage {head.lineage}, this file only of {found.lineage}: cut off"
            )
            continue
        if head.lineage < oldest or (ends and head.lineage not in ends):
            lost[head.lineage] = lost.get(head.lineage, 0) + 1
            continue
        end = ends.get(head.lineage)
        bad, compared = False, 0
        for what, n, hashed, sql, newest, until in (
            ("audit trail", head.trail_n, head.trail_hash, "select hash from audit where n = ?", newest_trail, 1),
            ("seal", head.link_n, head.link_hash, "select lower(hex(hash)) from seal where n = ?", newest_link, 0),
        ):
            if n == 0:
                continue
            if end is not None and n > end[until]:
                found.notes.append(
                    f"{what}: the head of {head.utc} knows {n} of lineage {head.lineage}; the file was restored from a"
                    f" copy that had {end[until]}"
                )
                continue
            there = rows(db, sql, (n,))
            if there and there[0][0] == hashed:
                compared += 1
                continue
            if not there and n <= newest and what == "seal" and _pruned(db, n):
                continue
            bad = True
            if n > newest:
                found.say(f"{what}: cut off: the head of {head.utc} knows {n}, the file ends at {newest}")
            else:
                since = f"after the head of {last_good}" if last_good else "from its beginning or later"
                found.say(
                    f"{what}: rewritten at or before {n}, {since}: the head of {head.utc} knows another hash there"
                )
        if not bad and compared:
            found.heads += 1
            last_good = found.proven_until = max(head.utc, last_good)
            if head.fingerprint not in found.keys:
                found.keys.append(head.fingerprint)
    for lineage, count in lost.items():
        found.notes.append(
            f"{count} heads are of lineage {lineage}, which is not in this file: look at the file that was put aside"
        )


def _ends(db: apsw.Connection) -> dict[int, tuple[int, int] | None]:
    """Of each lineage in the file the last link and the last line of the trail; None: it is the one that goes on."""
    told = rows(
        db,
        "select a, n, json_extract(body, '$.trail.n') from seal"
        f" where kind = {Kind.LINEAGE} and json_valid(body) order by n",
    )
    found: dict[int, tuple[int, int] | None] = {}
    before: int | None = None
    for lineage, n, trail in told:
        if before is not None:
            found[before] = (n - 1, int(trail or 0))
        found[int(lineage)] = None
        before = int(lineage)
    return found


def _pruned(db: apsw.Connection, n: int) -> bool:
    sql = f"select 1 from seal where kind = {Kind.PRUNED} and body is not null and ? between a and b limit 1"
    return bool(rows(db, sql, (n,)))
