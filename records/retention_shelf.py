"""What retention asks of the ledger and writes into it: the stock by class, the oldest pictures, and their end.

First the row says that the picture is not kept any more, and that is on disk; then the file goes. A cut in between
leaves a file too much, which the sweep finds; never a row that promises a file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from .owed import Owed
from .read import Ask
from .retention_plan import Stock
from .rows import thumb_path
from .schema_keep import OK, THUMB

RULES = "records.retention"
"""Name under which the ledger keeps the rules that are in force."""
_LOOK = 1000
"""Owed pictures looked over for one that is not: what is owed is the newest, as a rule."""


@dataclass(frozen=True, slots=True)
class Victim:
    """One file that may go."""

    kind: str
    seq: int
    camera: str
    """Empty: the deciding view."""
    path: str
    """Relative to the store."""
    bytes: int
    taken_at: str
    owed: bool
    """The cloud has not taken it."""

    @property
    def leaves_thumb(self) -> bool:
        """A small picture of it stays."""
        return self.kind not in (OK, THUMB)


def stock(ask: Ask, now: Owed) -> dict[str, Stock]:
    """What there is of each class."""
    found = {}
    for row in ask("select class, pictures, bytes, unmeasured from picture_sum where pictures > 0"):
        free = bool(oldest(ask, row["class"], 1, now))
        found[str(row["class"])] = Stock(row["pictures"], row["bytes"], row["unmeasured"], free)
    return found


def oldest(ask: Ask, kind: str, most: int, now: Owed, *, owed: bool = False) -> list[Victim]:
    """The oldest pictures of a class. owed: also those that the cloud has not taken."""
    found: list[Victim] = []
    sql = (
        "select k.seq, k.camera, coalesce(k.bytes, 0) as bytes, p.taken_at, p.action, p.why, p.outcome, p.score,"
        " p.threshold, p.defects, p.triggered_ns, p.part,"
        " case k.camera when '' then p.picture else (select v.picture from view v where v.seq = k.seq"
        " and v.camera = k.camera) end as path"
        " from picture k cross join part p on p.seq = k.seq where k.class = ? order by k.seq, k.camera"
        f" limit {_LOOK + most}"
    )
    for row in ask(sql, [kind]):
        is_owed = kind != THUMB and now.picture(row)
        if (is_owed and not owed) or not row["path"]:
            continue
        path = thumb_path(row["path"]) if kind == THUMB else row["path"]
        found.append(Victim(kind, row["seq"], row["camera"], path, row["bytes"], row["taken_at"], is_owed))
        if len(found) == most:
            break
    return found


def unmeasured(ask: Ask, most: int) -> list[tuple[int, str, str, str]]:
    """Pictures whose size is not known yet: seq, camera, class, path."""
    sql = (
        "select k.seq, k.camera, k.class, case k.camera when '' then p.picture else (select v.picture from view v"
        " where v.seq = k.seq and v.camera = k.camera) end as path from picture k indexed by picture_unmeasured"
        f" cross join part p on p.seq = k.seq where k.bytes is null order by k.seq limit {most}"
    )
    return [(row["seq"], row["camera"], row["class"], row["path"] or "") for row in ask(sql)]


def put_sizes(db: apsw.Connection, sizes: Iterable[tuple[int, str, int]]) -> None:
    """Write down (seq, camera, bytes) of pictures that were measured."""
    for seq, camera, size in sizes:
        db.execute("update picture set bytes = ? where seq = ? and camera = ? and bytes is null", (size, seq, camera))


def put_rules(db: apsw.Connection, rules: str, at: str) -> None:
    """Note the rules that are in force, as JSON."""
    db.execute(
        "insert into keep values (?, ?, ?) on conflict (name) do update set body = excluded.body, at = excluded.at",
        (RULES, rules, at),
    )


def rules_in_force(ask: Ask) -> str:
    """What `put_rules` noted; empty: records has not run yet."""
    found = ask.first("select body from keep where name = ?", [RULES])
    return str(found["body"]) if found else ""


def clear(
    db: apsw.Connection, victims: Sequence[Victim], thumbs: Mapping[tuple[int, str], int], day: str
) -> list[Victim]:
    """Let the rows say that these are not kept, and count them; return those whose file has to go now.

    One of which a person has spoken meanwhile is of another class, and stays. thumbs: bytes of the small pictures that
    were made, by seq and camera.
    """
    gone = []
    for one in victims:
        db.execute("delete from picture where class = ? and seq = ? and camera = ?", (one.kind, one.seq, one.camera))
        if not db.changes():
            continue
        if one.kind != THUMB:
            if one.camera:
                db.execute("update view set picture_kept = 0 where seq = ? and camera = ?", (one.seq, one.camera))
            else:
                db.execute("update part set picture_kept = 0 where seq = ?", (one.seq,))
            small = thumbs.get((one.seq, one.camera))
            if small is not None:
                db.execute("insert into picture values (?, ?, ?, ?)", (THUMB, one.seq, one.camera, small))
        gone.append(one)
    for kind in dict.fromkeys(one.kind for one in gone):
        of = [one for one in gone if one.kind == kind]
        count(db, day, kind, len(of), sum(one.bytes for one in of), sum(one.owed for one in of))
    return gone


def count(db: apsw.Connection, day: str, kind: str, pictures: int, size: int, unsent: int = 0) -> None:
    """Add to what was given up that day."""
    db.execute(
        "insert into given_up values (?, ?, ?, ?, ?) on conflict (day, class) do update set"
        " pictures = pictures + excluded.pictures, bytes = bytes + excluded.bytes, unsent = unsent + excluded.unsent",
        (day, kind, pictures, size, unsent),
    )


def unsent_given_up(ask: Ask) -> int:
    """How many pictures were given up although the cloud had not taken them, since the ledger was made."""
    (row,) = ask("select coalesce(sum(unsent), 0) as n from given_up")
    return int(row["n"])


def drop(store: Path, victims: Iterable[Victim]) -> None:
    """Delete the files. One that cannot be deleted stays for the sweep. Never raises."""
    for one in victims:
        try:
            (store / one.path).unlink()
        except OSError:
            continue
