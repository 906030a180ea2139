"""A large ledger, made quickly and always the same: rows by arithmetic, then the product's own migrations over them.

Ten parts a second, round the clock; 4 % NG, 1 % unjudged; a serial number on each; a lot is 20,000 parts. The rows go
into the tables before sums and indexes are made; `Ledger` brings the file up to date as it does an old one.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from okng.records import schema
from okng.records.check import check
from okng.records.ledger import Ledger
from okng.records.schema_figures import FIGURES

BEGUN = 1_760_000_000
"""UTC of the first part."""
RATE = 10
LOT = 20_000
_BATCH = 100_000
_HASH = "((seq * 2654435761) % 1000)"
_PART = f"""
insert into part (seq, epoch, number, part, station, taken_at, outcome, verdict, action, why, reasons, defects, score,
    threshold, recipe, revision, model, camera, missed, encoder, triggered_ns, deadline_ns, exposed_ns, received_ns,
    ready_ns, started_ns, done_ns, committed_ns, published_ns, acked_ns, sequence, delivery, confirmed, width, height,
    picture, picture_sha256, picture_kept, heat, recovered, stored_at, serial, codes, placements, measures)
with n(seq) as (values (:first) union all select seq + 1 from n where seq < :last),
    k(seq, hash, at, ns) as materialized (select seq, {_HASH},
        strftime('%Y-%m-%dT%H:%M:%fZ', {BEGUN} + seq * {1 / RATE}, 'unixepoch'), seq * 100000000 from n)
select seq, 1, 2 * seq, 1 + (seq - 1) % 4294967295, 'st1', at,
    case when hash < 40 then 'NG' when hash < 50 then 'UNJUDGED' else 'OK' end,
    case when hash < 40 then 'NG' when hash < 50 then null else 'OK' end,
    case when hash < 50 then 'REJECT' else 'PASS' end,
    case when hash < 40 then 'ng' when hash < 50 then 'late' else 'ok' end,
    case when hash < 40 then '["score 7.1 above 4.0 in region cap"]' else '[]' end,
    case when hash < 40 then '[{{"h":4,"kind":"' || case hash % 3 when 0 then 'scratch' when 1 then 'dent' else
        'stain' end || '","region":"cap","score":' || (4.0 + hash / 10.0) || ',"w":3,"x":1,"y":2}}]' else '[]' end,
    case when hash < 40 then 4.0 + hash / 10.0 when hash < 50 then 0.0 else (hash % 397) / 100.0 end,
    case when hash between 40 and 49 then 0.0 else 4.0 end, 'cap',
    case when hash between 40 and 49 then '' else '0123456789ab' end,
    case when hash between 40 and 49 then '' else '{"ab" * 32}' end, 'cam0', 0, seq * 500, ns, ns + 100000000,
    ns + 1000, ns + 2000000, ns + 3000000, ns + 4000000, ns + 20000000 + hash * 20000, ns + 21000000 + hash * 20000,
    case when hash between 40 and 49 then null else ns + 22000000 + hash * 20000 end, ns + 40000000, 1 + seq % 65535,
    'delivered', 1, 1600, 1200,
    case when hash < 70 then 'pictures/' || substr(at, 1, 4) || '/' || seq || '.png' end,
    case when hash < 70 then '{"cd" * 32}' end, hash < 70, null, 0, at,
    'SN' || printf('%010d', (seq * 7919) % 10000000019),
    '[{{"kind":"DataMatrix","name":"serial","serial":true,"text":"SN' || printf('%010d', (seq * 7919) % 10000000019)
        || '"}}]',
    '[]', '[{{"camera":"cam0","high":12.5,"low":11.5,"name":"width","region":"cap","unit":"mm","value":12.01}}]'
from k
"""
_TRIGGER = """
insert into trigger select 1, 2 * seq - 1, part, station, triggered_ns, encoder, deadline_ns, recipe, 0, 'boot',
    stored_at from part where seq between :first and :last
"""
_LABELS = f"""
insert into label (seq, truth, kind, who, at)
    select seq, case seq % 7 when 0 then 'good' else 'defect' end, 'dent', 'eve', taken_at from part
    where action = 'REJECT' and {_HASH} = 7
"""
_OUTBOX = """
insert into outbox select 'rejects', (select coalesce(max(seq), 0) from outbox) + row_number() over (order by seq),
    cast('{"seq":' || seq || ',"part":' || part || ',"picture_kept":false}' as blob), '' from part
    where action = 'REJECT' and seq between :first and :last
"""


def grow(store: Path, parts: int) -> dict[str, Any]:
    """Make the ledger of that many parts; return what it took. One that is there already is left as it is."""
    if (store / schema.FILE).exists():
        return {"parts": parts, "made": False}
    store.mkdir(parents=True)
    begun = time.perf_counter()
    db = apsw.Connection(str(store / schema.FILE))
    db.execute("pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -400000")
    for step in schema.MIGRATIONS[:3]:
        db.execute(step)
    db.execute("insert into meta values ('be7c4', 1, '2026-01-01T00:00:00.000Z', 0)")
    db.execute("insert into epoch values (1, 'run-1', '2026-01-01T00:00:00.000Z', 0)")
    for first, last in _spans(parts):
        for sql in (_PART, _TRIGGER, _OUTBOX):
            db.execute("begin")
            db.execute(sql, {"first": first, "last": last} if ":last" in sql else {})
            db.execute("commit")
    db.execute("insert into counter select 'rejects', coalesce(max(seq), 0) + 1 from outbox")
    filled = time.perf_counter()
    alter, _, rest = FIGURES.partition("\n")
    for step in (
        schema.MIGRATIONS[3],
        _LABELS,
        schema.MIGRATIONS[4],
        alter,
        f"update part set lot = 'L' || (seq / {LOT})",
        rest,
    ):
        db.execute("begin")
        db.execute(step)
        db.execute("commit")
    db.execute("pragma user_version = 6")
    db.close()
    summed = time.perf_counter()
    Ledger(store).close()
    ended = time.perf_counter()
    for copy in store.glob("*.before-*"):
        copy.unlink()
    size = (store / schema.FILE).stat().st_size
    opened = _open_again(store)
    return {
        **{"parts": parts, "made": True, "bytes": size, "fill_s": filled - begun, "sums_s": summed - filled},
        **{"migrate_s": ended - summed, "open_s": opened},
    }


def _open_again(store: Path) -> float:
    """How long a start waits for a ledger of this size."""
    begun = time.perf_counter()
    ledger = Ledger(store)
    took = time.perf_counter() - begun
    ledger.close()
    return took


def _spans(parts: int) -> Iterator[tuple[int, int]]:
    for first in range(1, parts + 1, _BATCH):
        yield first, min(first + _BATCH - 1, parts)


def balanced(store: Path) -> list[str]:
    """What is wrong with it, pictures left out: there are none."""
    return [text for text in check(store).problems if "picture" not in text and "outbox" not in text]
