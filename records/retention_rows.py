"""Rows of parts older than `rows_days` go, and their sums stay.

Never a row whose picture is kept, of which a person spoke, or which the cloud has not taken. What the rows of each run
of io came to is added up before they go, so that the balance of the ledger still holds; the seal says which went.
"""

import apsw

from .bookkeeping import REJECTS, rows
from .owed import NOBODY, Owed
from .read import Ask
from .rows import thumb_path
from .schema_keep import LOOKED_AT, THUMB
from .seal import Seal
from .seal_content import Kind
from .seal_retired import runs_of

BATCH = 200
"""Rows that go in one transaction: the line's own are not kept waiting."""
_COUNTED = (
    "sum(outcome = 'OK'), sum(outcome = 'NG'), sum(outcome = 'UNJUDGED' and why not in ('challenge', 'bypass')),"
    " sum(why = 'challenge'), sum(why = 'bypass'), sum(why = 'late'), sum(missed), sum(action = 'REJECT'),"
    " sum(action = 'REJECT' and delivery != 'unconfirmed'), sum(action = 'REJECT' and delivery = 'unconfirmed'),"
    " sum(recovered)"
)
SUMS = (
    *("triggers", "ok", "ng", "unjudged", "challenge", "bypass"),
    *("late", "missed", "ordered", "confirmed", "unconfirmed", "recovered"),
)
"""Columns of `epoch_gone`, in the order they are counted."""


def rows_due(ask: Ask, until: str, now: Owed) -> list[int]:
    """Up to `BATCH` parts whose rows may go. until: UTC, those taken before."""
    sql = (
        "select p.seq from part p where p.taken_at < ? and p.seq < ? and (p.seq < ? or p.action != 'REJECT')"
        f" and not exists (select 1 from picture k where k.seq = p.seq and k.class != '{THUMB}')"
        f" and not {LOOKED_AT.format(seq='p.seq')}"
        f" order by p.taken_at limit {BATCH}"
    )
    return [int(row["seq"]) for row in ask(sql, [until, now.rows, now.floor])]


def delete_rows(db: apsw.Connection, seqs: list[int], until: str, at: str, owed_from: int = NOBODY) -> list[str]:
    """Delete these parts, their triggers and their events, in the caller's transaction.

    owed_from: parts from here on the fleet service has not taken: of them it gets the number, without the content.
    Returns the small pictures whose files have to go now, relative to the store.
    """
    db.execute("insert or ignore into rows_gone values (?, ?)", (until, at))
    held = ", ".join(map(str, seqs))
    thumbs = rows(
        db,
        "select case k.camera when '' then p.picture else (select v.picture from view v where v.seq = k.seq"
        " and v.camera = k.camera) end from picture k join part p on p.seq = k.seq"
        f" where k.class = '{THUMB}' and k.seq in ({held})",
    )
    came_to = f"select epoch, count(*), {_COUNTED} from part where seq in ({held}) group by epoch"
    for epoch, *counted in rows(db, came_to):
        more = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
        db.execute(
            f"insert into epoch_gone (epoch, {', '.join(SUMS)}) values ({', '.join('?' * (1 + len(SUMS)))})"
            f" on conflict (epoch) do update set {more}",
            (epoch, *counted),
        )
    own = (
        "from part p join trigger t indexed by trigger_part"
        " on t.epoch = p.epoch and t.part = p.part and t.at_ns = p.triggered_ns"
        f" where p.seq in ({held})"
    )
    numbers: dict[int, list[int]] = {}
    for epoch, number in rows(db, f"select t.epoch, t.number {own}"):
        numbers.setdefault(int(epoch), []).append(int(number))
    triggers = [[epoch, *run] for epoch, some in numbers.items() for run in runs_of(some)]
    db.execute(f"delete from trigger where (epoch, number) in (select t.epoch, t.number {own})")
    for seq in seqs:
        db.execute(
            "delete from outbox where stream = ? and json_extract(cast(body as text), '$.seq') = ?", (REJECTS, seq)
        )
    whose = f"stream = 'records' and ref in ({held})"
    db.execute(f"update outgoing set kind = 'dropped' where {whose} and ref >= ?", (owed_from,))
    db.execute(f"delete from outgoing where {whose} and kind = 'part' and ref < ?", (owed_from,))
    db.execute(f"delete from review where seq in ({held})")
    db.execute(f"delete from label where undone_at is not null and seq in ({held})")
    db.execute(f"delete from part where seq in ({held})")
    seal = Seal(db)
    seal.tell(Kind.RETIRED, min(seqs), max(seqs), {"parts": len(seqs), "seqs": runs_of(seqs), "triggers": triggers})
    seal.close()
    return [thumb_path(path) for (path,) in thumbs if path]
