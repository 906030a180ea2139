"""How long the fleet's pages take to be read from a million parts: p50 and p95 of each, on a PostgreSQL of our own.

    python bench/fleet_pages.py [--parts 1000000] [--boxes 100] [--runs 20] [--plans]

The parts are made in the database itself; the counts by the hour are rolled up from them by SQL and compared with them.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

sys.path.insert(0, str(Path(__file__).parents[2]))

from okng.cloud import drift, review, rollout_state, samples, standing, trace_parts, yields
from okng.cloud.database import bring_up, open_database, reading
from okng.cloud.search_terms import Terms
from okng.tests.cloud.engines import postgres_server

NOW = datetime(2026, 11, 27, tzinfo=UTC)
DAYS = 30
WANTED_MS = 300.0

FILL = (
    """insert into box (id, name, site, line, cert_sha256, cert_ends_at, enrolled_at, seen_at, version, state)
    select 'box-' || n, 'Press ' || n, 'site ' || n % 5, 'line' || n % 20, md5(n::text) || md5(n::text),
           now(), now(), :now, '1.0.0', '{}' from generate_series(1, :fleet) n""",
    """insert into standing (box, level, why, disk_free_pct, owed, clock_ok, drift, models)
    select id, (random() * 20)::int / 18, '[]', 60, 3, true, 0,
           '[{"recipe": "cap", "model": "abc", "rung": "CHAMPION"}]' from box""",
    """insert into part (box, epoch, seq, event_seq, taken_at, serial, lot, recipe, revision, model, station, camera,
        verdict, disposition, why, outcome, reasons, defects, score, threshold, shift, image)
    select 'box-' || (1 + n % :boxes), 1, n, n, :begin + (n::float / :parts) * interval '30 days',
        'SN' || lpad((n / 3)::text, 9, '0'), 'L' || (n::bigint * 200 / :parts) || '-' || n % :boxes % 3,
        'recipe' || n % :boxes % 12, 'r1', md5((n::bigint * 4 / :parts)::text), '1', 'top', o,
        case o when 'OK' then 'PASS' else 'REJECT' end, lower(o), o,
        case o when 'NG' then '["score 7.1 above 4.0"]'::jsonb else '[]' end,
        case o when 'NG' then '[{"kind": "scratch"}]'::jsonb else '[]' end,
        1 + random(), 4.0, case n::bigint * 90 / :parts % 3 when 0 then 'early' when 1 then 'late' else 'night' end,
        '[{"camera": "top", "focus": 1.0, "brightness": 120.0, "alarms": []}]'
    from (select n, case when random() < 0.02 then 'NG' when random() < 0.003 then 'UNJUDGED' else 'OK' end o
          from generate_series(1, :parts) n) made""",
    """insert into hourly (hour, box, recipe, model, lot, shift, tool, camera, health, good, rejects, unjudged)
    select date_trunc('hour', taken_at), box, recipe, model, lot, shift, '', camera, '',
        count(*) filter (where outcome = 'OK'), count(*) filter (where outcome = 'NG'),
        count(*) filter (where outcome = 'UNJUDGED') from part group by 1, 2, 3, 4, 5, 6, 8""",
    """insert into hourly_figure (hour, box, recipe, camera, figure, n, total, squares, low, high)
    select date_trunc('hour', taken_at), box, recipe, camera, f, count(*), sum(score / threshold),
        sum((score / threshold) ^ 2), min(score / threshold), max(score / threshold)
    from part, unnest(array['score', 'focus', 'brightness']) f group by 1, 2, 3, 4, 5""",
    """insert into blob (sha256, size, state, first_box, at)
    select md5(seq::text) || md5(seq::text), 1000, 'have', box, taken_at from part where outcome = 'NG'""",
    """insert into picture (box, epoch, part_seq, sha256, kind, camera)
    select box, epoch, seq, md5(seq::text) || md5(seq::text), 'picture', 'top' from part where outcome = 'NG'""",
    """insert into sample (box, epoch, part_seq, at, why, priority, bundle, state, truth)
    select box, epoch, seq, taken_at, 'uncertain', 2, '', case when random() < 0.8 then 'settled' else 'open' end, ''
    from part where outcome = 'NG'""",
)


def questions(boxes: int) -> dict[str, Callable[[Session], Any]]:
    """What the pages ask, by the page."""

    def span(days: float, **more: Any) -> Terms:
        return Terms(NOW - timedelta(days=days), NOW, **more)

    return {
        "fleet, worst first": lambda db: standing.fleet(db, now=NOW),
        "fleet, searched": lambda db: standing.fleet(db, "press 7", now=NOW),
        "box": lambda db: standing.one_box(db, "box-7", NOW),
        "yield 24 h by recipe": lambda db: yields.by(db, span(1), "recipe"),
        "yield 30 d by box": lambda db: yields.by(db, span(30), "box"),
        "yield 30 d by hour": lambda db: yields.by(db, span(30), "hour"),
        "yield 30 d by lot, one line": lambda db: yields.by(db, span(30, line="line7"), "lot"),
        "drift 7 d": lambda db: drift.courses(db, span(7), "focus"),
        "drift 30 d": lambda db: drift.courses(db, span(30), "score"),
        "rollouts": lambda db: rollout_state.states(db),
        "review, next five": lambda db: review.queue(db, "person:local:ada", limit=5),
        "review, how many": lambda db: review.waiting(db, "person:local:ada"),
        "trace, serial": lambda db: trace_parts.find(db, "SN000123456"),
        "trace, begin of a serial": lambda db: trace_parts.find(db, "SN00012*"),
        "trace, lot": lambda db: trace_parts.find(db, "L200-1", "lot"),
        "causes 24 h": lambda db: trace_parts.causes(db, span(1)),
        "causes 7 d": lambda db: trace_parts.causes(db, span(7)),
        "causes 30 d": lambda db: trace_parts.causes(db, span(30)),
        "causes 24 h, scratches": lambda db: trace_parts.causes(db, span(1), "scratch"),
        "samples, a page of 100": lambda db: samples.page(db, span(30), samples.Wanted(outcome="NG"), limit=100),
        "export, a page of 2000": lambda db: samples.page(db, span(7), samples.Wanted(with_picture=False), limit=2000),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", type=int, default=1_000_000)
    parser.add_argument("--boxes", type=int, default=100, help="boxes that made the parts; 1000 are in the fleet")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", default="", help="questions whose name begins so")
    parser.add_argument("--plans", action="store_true", help="print the plan of each question that is over the mark")
    given = parser.parse_args()
    with postgres_server() as server:
        engine = open_database(server.url(server.fresh()))
        bring_up(engine)
        begun = time.monotonic()
        facts = {"parts": given.parts, "boxes": given.boxes, "fleet": max(1000, given.boxes), "now": NOW}
        facts["begin"] = NOW - timedelta(days=DAYS)
        with engine.begin() as connection:
            for sql in FILL:
                connection.execute(sa.text(sql), {k: v for k, v in facts.items() if f":{k}" in sql})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum analyze")
            counted = connection.scalar(sa.text("select sum(good + rejects + unjudged) from hourly"))
            rows = connection.scalar(sa.text("select count(*) from hourly"))
        assert counted == given.parts, (counted, given.parts)
        took_s, load = time.monotonic() - begun, os.getloadavg()[0]
        print(f"{given.parts:,} parts, {rows:,} rows by the hour, made in {took_s:.0f} s; load {load:.1f}")
        asked: list[tuple[str, Any]] = []

        @event.listens_for(engine, "before_cursor_execute")
        def note(_c: Any, _cursor: Any, sql: str, values: Any, _x: Any, _m: Any) -> None:
            asked.append((sql, values))

        over = 0
        for name, ask in questions(given.boxes).items():
            if not name.startswith(given.only):
                continue
            took = []
            for _ in range(given.runs):
                asked.clear()
                start = time.perf_counter()
                with reading(engine) as db:
                    ask(db)
                took.append((time.perf_counter() - start) * 1000)
            p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
            over += p95 > WANTED_MS
            mark = "  OVER" if p95 > WANTED_MS else ""
            print(f"{name:32} p50 {statistics.median(took):7.1f} ms   p95 {p95:7.1f} ms   {len(asked)} questions{mark}")
            if given.plans and p95 > WANTED_MS:
                plans = list(asked)
                with engine.connect() as connection:
                    for sql, values in plans:
                        lines = connection.exec_driver_sql(f"explain (analyze, buffers) {sql}", values)
                        print("\n".join(f"    {line}" for (line,) in lines))
        print(f"{over} of {len(questions(1))} over {WANTED_MS:.0f} ms")
        engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
