"""How entries become rows, inside the ledger's transaction. A resend changes nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import apsw

from ..bus.clock import utc_text
from ..bus.entries import CountersEntry, RecordEntry, TriggerEntry
from ..bus.messages import FrameReady
from ..bus.part import Action, CodeRead, HeatMap, ImageHealth, Measurement, Placement
from .audit import Deed, link
from .leaving import Leaving
from .outgoing import AUDIT, RECORDS, label, reached, send
from .part_body import part_bodies
from .rows import Columns, Kept, as_json, outbox_body, part_columns, sha256
from .seal import Seal
from .seal_content import HEALTH, PART, TRIGGER, VIEW, Kind, part_content
from .views import Sight, health_columns, view_columns

REJECTS = "rejects"
"""Outbox stream of the records of rejected parts."""
_PART, _VIEW, _HEALTH, _TRIGGER = (", ".join(names) for names in (PART, VIEW, HEALTH, TRIGGER))


@dataclass(frozen=True, slots=True)
class Ripe:
    """One entry ready to be written, with what belongs to it."""

    entry: TriggerEntry | RecordEntry | CountersEntry
    frame: FrameReady | None = None
    """The deciding picture's frame, for times and size, also where the picture was not kept."""
    heat: tuple[HeatMap, ...] = ()
    kept: Kept | None = None
    views: tuple[Sight, ...] = ()
    """Of the other cameras."""
    image: tuple[ImageHealth, ...] = ()
    placements: tuple[Placement, ...] = ()
    codes: tuple[CodeRead, ...] = ()
    measures: tuple[Measurement, ...] = ()


def put_trigger(db: apsw.Connection, seal: Seal, epoch: int, entry: TriggerEntry, stored_at: str) -> None:
    """Insert a trigger, and seal it."""
    trigger = entry.trigger
    values = (trigger.part, trigger.station, trigger.at_ns, trigger.encoder, trigger.deadline_ns, trigger.recipe)
    made = rows(
        db,
        "insert into trigger values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (epoch, number) do nothing"
        f" returning {_TRIGGER}",
        (epoch, entry.number, *values, trigger.missed, entry.boot_id, stored_at),
    )
    if made:
        seal.add(Kind.TRIGGER, epoch, entry.number, made[0])


def put_part(
    db: apsw.Connection,
    seal: Seal,
    epoch: int,
    ripe: Ripe,
    entry: RecordEntry,
    span_h: int,
    stored_at: str,
    leaving: Leaving | None = None,
) -> None:
    """Insert the part with its views; a row that `recover` made for it goes. span_h: as in the options."""
    record = entry.record
    trigger, verdict = record.trigger, record.verdict
    _keep_body(db, epoch, trigger.part, trigger.at_ns)
    # It was only thought to have died with its epoch: what io says itself takes that row's place.
    gone = rows(
        db,
        f"delete from part where epoch = ? and part = ? and triggered_ns = ? and recovered = 1 returning {_PART}",
        (epoch, trigger.part, trigger.at_ns),
    )
    codes = ripe.codes or (verdict.codes if verdict else ())
    placements = ripe.placements or (verdict.placements if verdict else ())
    measures = ripe.measures or (verdict.measures if verdict else ())
    image = ripe.image or (verdict.image if verdict else ())
    columns = part_columns(entry, ripe.frame, ripe.heat, ripe.kept, codes, placements, measures, stored_at)
    columns["serial_before"] = _earlier(db, columns["serial"], record.taken_at, span_h)
    insert_part(db, seal, epoch, entry.epoch, columns, ripe.views, image, leaving)
    for row in gone:
        seq = _follow(db, row[0], epoch, entry.number)
        about = {"seq": row[0], "by": seq, "epoch": entry.epoch, "part": trigger.part}
        label(db, "withdrawn", None, about, who="", at=stored_at)
        seal.tell(Kind.WITHDRAWN, row[0], 0, {"was": part_content(row, (), ())})


def _keep_body(db: apsw.Connection, epoch: int, part: int, at_ns: int) -> None:
    """What was said to leave of a row that gives way is written out: it may have been sent."""
    for (seq,) in rows(
        db,
        "select seq from part where epoch = ? and part = ? and triggered_ns = ? and recovered = 1",
        (epoch, part, at_ns),
    ):
        for number, body in part_bodies(db, [(seq, False)]).items():
            where = "stream = 'records' and ref = ? and body is null and kind = 'part'"
            db.execute(f"update outgoing set body = ? where {where}", (as_json(body), number))


def _follow(db: apsw.Connection, gone: int, epoch: int, number: int) -> int:
    """Let what people said of a row that gave way be said of the one in its place; return that one's number."""
    (seq,) = rows(db, "select seq from part where epoch = ? and number = ?", (epoch, number))[0]
    for table in ("label", "review", "drawing", '"escape"'):
        db.execute(f"update {table} set seq = ? where seq = ?", (seq, gone))
    return int(seq)


def insert_part(
    db: apsw.Connection,
    seal: Seal,
    epoch: int,
    name: str,
    columns: Columns,
    sights: Sequence[Sight] = (),
    image: Sequence[ImageHealth] = (),
    leaving: Leaving | None = None,
) -> None:
    """Insert one part, seal it, number it for the fleet and post a reject for the outbox. name: of the epoch.

    leaving: says whether the fleet is told what its pictures are.
    """
    columns = {"lot": _lot(db, columns["taken_at"]), **columns}
    made = _insert(db, "part", {"epoch": epoch, **columns}, "epoch, number", _PART)
    if not made:
        return  # a resend
    seq = made[0][0]
    views = [view_columns(sight) for sight in sights]
    figures = [health_columns(health) for health in image]
    held = [row for view in views for row in _insert(db, "view", {"seq": seq, **view}, "seq, camera", _VIEW)]
    measured = [
        row for one in figures for row in _insert(db, "image_health", {"seq": seq, **one}, "seq, camera", _HEALTH)
    ]
    # Sealed as the file has it: what a column made of a value is what whoever verifies will read.
    seal.part(made[0], held, measured)
    named = leaving is not None and leaving.rule == "pictures" and leaving.priority(columns) is not None
    send(db, RECORDS, "part", seq, named=named)
    if columns["action"] == Action.REJECT:
        post(db, REJECTS, outbox_body({**columns, "seq": seq}, name, views, figures))


def _insert(db: apsw.Connection, table: str, values: Columns, key: str, told: str) -> list[tuple[Any, ...]]:
    """Insert a row, unless there is one under that key; return what is told of it."""
    return rows(
        db,
        f"insert into {table} ({', '.join(values)}) values ({', '.join('?' * len(values))})"
        f" on conflict ({key}) do nothing returning {told}",
        tuple(values.values()),
    )


def _earlier(db: apsw.Connection, serial: str, taken_at: str, span_h: int) -> int | None:
    """The newest part that bore that serial number within the span; None: none, or there is no number."""
    if not serial or not span_h:
        return None
    try:
        since = utc_text(datetime.fromisoformat(taken_at) - timedelta(hours=span_h))
    except ValueError:
        return None
    # `serial != ''` lets SQLite take the index, which is partial.
    sql = "select max(seq) from part where serial = ? and serial != '' and taken_at >= ?"
    found = rows(db, sql, (serial, since))[0][0]
    return None if found is None else int(found)


def _lot(db: apsw.Connection, taken_at: str) -> str:
    """The lot that was under way when the part came; empty: none."""
    sql = (
        "select case event when 'ended' then '' else coalesce(json_extract(body, '$.lot'), key) end from journal"
        " where stream = 'lot' and at <= ? order by at desc, n desc limit 1"
    )
    found = rows(db, sql, (taken_at,))
    return str(found[0][0]) if found else ""


def put_counters(db: apsw.Connection, seal: Seal, epoch: int, entry: CountersEntry) -> None:
    """Replace the snapshot of an epoch, unless it is a newer one. The last one is sealed."""
    counted = asdict(entry.counters)
    del counted["consecutive_ng"]
    values = {"epoch": epoch, "number": entry.number, "last": entry.last, **counted}
    changed = ", ".join(f"{name} = excluded.{name}" for name in values if name != "epoch")
    db.execute(
        f"insert into counter_snapshot ({', '.join(values)}) values ({', '.join('?' * len(values))})"
        f" on conflict (epoch) do update set {changed} where excluded.number > number",
        tuple(values.values()),
    )
    if entry.last and db.changes():
        seal.row(Kind.COUNTERS, epoch)


def post(db: apsw.Connection, stream: str, body: bytes) -> None:
    """Put one event in the outbox, numbered by the counter row and never by max(seq): numbers are not reused."""
    seq = rows(
        db,
        "insert into counter values (?, 2) on conflict (stream) do update set next = next + 1 returning next - 1",
        (stream,),
    )[0][0]
    db.execute("insert into outbox values (?, ?, ?, ?)", (stream, seq, body, sha256(body)))


def audit(db: apsw.Connection, deed: Deed) -> None:
    """Append one entry to the audit chain."""
    newest = rows(db, "select n, hash from audit order by n desc limit 1")
    made = link(newest[0] if newest else None, deed)
    db.execute("insert into audit values (?, ?, ?)", made)
    send(db, AUDIT, "audit", made[0])


def reached_event(db: apsw.Connection) -> int:
    """How far the outbox has come under this lineage, all its streams together; 0: nothing has left."""
    found = rows(db, "select next - 1 from counter where stream = ?", (REJECTS,))
    return (int(found[0][0]) if found else 0) + reached(db)


def rows(db: apsw.Connection, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return cast(list[tuple[Any, ...]], db.execute(sql, cast(Any, values)).fetchall())
