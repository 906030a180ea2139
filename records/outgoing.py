"""What leaves the box gets its number here, in the transaction of the row it tells of. What it says is read later."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import apsw

from .rows import as_json

ALARMS, AUDIT, LADDER, RECORDS, LABELS, HEADS = "alarms", "audit", "ladder", "records", "labels", "heads"
STREAMS = (ALARMS, AUDIT, LADDER, RECORDS, LABELS, HEADS)
"""In the order in which they are sent."""
DROPPED = "dropped"
"""Kind of an event whose content is gone."""
KINDS = frozenset(("part", "alarm", "audit", "ladder", "label", "head", DROPPED))
ALARM = "alarm"
"""Stream of the journal."""


def begin(db: apsw.Connection, lineage: int) -> None:
    """Let every stream go on at 1 under a new lineage; under the same one nothing changes. Inside a transaction."""
    for stream in STREAMS:
        db.execute(
            "insert into sending values (?, ?, 1, 0) on conflict (stream) do update set epoch = excluded.epoch,"
            " next = 1 where epoch != excluded.epoch",
            (stream, lineage),
        )


def want(db: apsw.Connection, wanted: bool) -> None:
    """From now on what happens gets its numbers, or does not. Inside a transaction."""
    db.execute("update sending set wanted = ? where wanted != ?", (wanted, wanted))


def send(
    db: apsw.Connection,
    stream: str,
    kind: str,
    ref: int,
    body: Mapping[str, Any] | None = None,
    *,
    named: bool = False,
) -> None:
    """Number one event, unless nothing leaves. Inside the transaction of what it tells of.

    ref: the row it points at. body: what it says, of what can change later; then ref only says which row it is about.
    named: as in the table.
    """
    found = db.execute(
        "update sending set next = next + 1 where stream = ? and wanted returning epoch, next - 1", (stream,)
    ).fetchall()
    if found:
        epoch, seq = cast(tuple[int, int], found[0])
        text = None if body is None else as_json(body)
        db.execute("insert into outgoing values (?, ?, ?, ?, ?, ?, ?)", (stream, epoch, seq, kind, ref, named, text))


def label(db: apsw.Connection, what: str, seq: int | None, more: Mapping[str, Any], *, who: str, at: str) -> None:
    """Number what a person said of a part, with whatever names that part. Inside the same transaction."""
    part: dict[str, Any] = {"seq": seq, "epoch": "", "part": 0, "serial": "", "part_epoch": None}
    if seq is not None:
        names = ("epoch", "part", "serial", "part_epoch")
        found = db.execute(
            "select e.name, p.part, p.serial, (select max(o.epoch) from outgoing o where o.stream = 'records'"
            " and o.ref = p.seq) from part p join epoch e on e.n = p.epoch where p.seq = ?",
            (seq,),
        ).fetchall()
        part.update(zip(names, cast(Sequence[Any], found[0] if found else ()), strict=False))
    send(db, LABELS, "label", 0, {**part, **more, "what": what, "who": who, "at": at})


def reached(db: apsw.Connection) -> int:
    """How many numbers all streams have given out under this lineage."""
    found = cast(list[tuple[int]], db.execute("select coalesce(sum(next - 1), 0) from sending").fetchall())
    return int(found[0][0])


def line_told(row: Mapping[str, Any], stream: str) -> tuple[str, dict[str, Any]]:
    """Moment and body of a line of the trail: as it is, or the step of the ladder that it tells of.

    row: n, body and hash of the line. ValueError, KeyError: it was doctored.
    """
    entry = json.loads(row["body"])
    if stream == LADDER:
        said = {**entry["object"], "n": row["n"]}
        return str(said["at"]), said  # the step's own, as where it is read from what a rescue has written out
    return str(entry["at"]), {"entry": entry, "hash": row["hash"]}
