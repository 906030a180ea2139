"""What `bench/fleet.py` measured, as docs/scale.md: every figure of the page comes from the JSON of one run."""

from typing import Any

INTRO = """# How far one fleet service goes

Written by `make bench-fleet`, which measured it: nothing here was typed in. {boxes:,} simulated boxes speak to
one service (`okng fleet serve`, {workers} workers, its own mutual TLS, PostgreSQL 15), each with its own
certificate and one connection that stays. They send what the records of a box send: bodies of about 1 kB a
part, one part in fifty rejected, a state every 30 s. **Service, database and all boxes shared one machine**
({machine}, load {load:.1f} before it began), so the rates are a lower bound; the CPU seconds are those of
service and database alone. {at}.
"""
ACCOUNT = """Parts sent {sent:,}, stored {stored:,}. With {size_parts:,} parts: {mb:,} MB a million parts,
indexes included. POST p95 at the pace of a plant with the database that full, against the nearly empty
one: {ratio:.2f}.
"""
COSTS = """## What so many boxes need

From the CPU time of service and database and the size above, for {a_minute:g} parts a minute and box, two
shifts of eight hours on 30 days. At its pace, a few parts and a state at a time, a part costs {pace_ms:.2f} ms;
in the large batches of boxes that come back {core_ms:.2f} ms. Peak: three times the mean, for shifts begin
together and boxes come back after hours away, so the pace and twice as much again in batches; no core is driven
beyond 60 %. One part in fifty is
a reject with a picture of {picture_mb} MB that leaves the plant. Records and pictures are kept for
{keep_months:g} months; cost is at the end of them.

Prices are an assumption, in no one's currency but meant as dollars: a core {core:g} a month, a gigabyte of
database {database_gb} and of S3 {s3_gb} a month. Requests are left out: an S3 server of one's own has none, and
at 0.005 for a thousand PUTs the rejects of a month of 1,000 boxes cost {puts:,.0f} more. Put in other prices:
`bench/fleet.py --price core=40`.
"""
LIMITS = """## Where it ends

* **Up to about {single:,} boxes** of this pace one machine of 8 cores holds service and database (60 % of them
  at the peak). Beyond, PostgreSQL gets a machine of its own, and workers are added on as many machines as one
  likes: they keep nothing (decision 0025), nginx spreads the boxes over them.
* **At 10,000 boxes** all parts of all boxes are {tenk_peak:,.0f} a second at the peak. It is one PostgreSQL
  that writes, and this was not measured: the row of the table is arithmetic. Its database grows by
  {tenk_gb:,.0f} GB a month; hold fewer months, and give each plant its own service: a box speaks to one
  service, and what is asked across plants is asked of the exports (Parquet, [fleet.md](fleet.md)).
* **All boxes back at once** after days away: the service takes {flood:,.0f} parts a second here. 1,000 boxes
  with a week of their own each have {week:,} parts: {drain:.1f} hours on this machine. Boxes keep what is not
  acknowledged, are asked to wait (429) and come again; the newest alarms go first.
* Pictures do not pass through the service where S3 is used: boxes send them to it by presigned addresses.
* Not measured: an S3 server at that rate, a network between service and database, PostgreSQL with replicas.
"""


def table(rows: list[list[str]]) -> str:
    """Lines of a table, the first column left, the others right."""
    head, *rest = rows
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def page(result: dict[str, Any]) -> str:
    """The whole page. result: as bench/fleet.json holds it."""
    prices, size, flood = result["prices"], result["size"], result["flood"]
    rates = [
        ["", "parts/s", "POST p50 ms", "p95 ms", "p99 ms", "state p95 ms", "failed", "service CPU s", "database CPU s"]
    ]
    names = {"pace": "the pace of a plant", "flood": "all back at once", "pace_when_full": "the pace, database filled"}
    for name, words in names.items():
        one = result[name]
        post = [f"{one['post_ms'].get(q, 0):,}" for q in ("p50", "p95", "p99")]
        state = f"{one['state_ms'].get('p95', 0):,}" if one["state_ms"] else "–"
        cpu = [f"{one['cpu'][who]:,}" for who in ("service", "database")]
        rates.append([words, f"{one['parts_a_second']:,}", *post, state, str(one["wrong"]), *cpu])
    costs = [
        [
            "boxes",
            "parts a month",
            "peak parts/s",
            "cores",
            "database GB a month",
            "pictures GB a month",
            "cost a month",
        ]
    ]
    keys = ("boxes", "parts_a_month", "peak_parts_a_second", "cores", "database_gb_a_month", "pictures_gb_a_month")
    costs += [[f"{row[key]:,}" for key in (*keys, "cost_a_month")] for row in result["costs"]]
    by_boxes = {row["boxes"]: row for row in result["costs"]}
    core_s = (flood["cpu"]["service"] + flood["cpu"]["database"]) / flood["parts"]
    pace = result["pace"]
    pace_s = (pace["cpu"]["service"] + pace["cpu"]["database"]) / pace["parts"]
    week = round(1_000 * result["parts_a_minute"] * 60 * 16 * 7)
    first, late = (result[name]["post_ms"].get("p95", 0.0) for name in ("pace", "pace_when_full"))
    about = result["machine"]
    return "\n".join(
        [
            INTRO.format(
                boxes=result["boxes"],
                workers=result["workers"],
                machine=f"{about['processor']}, {about['cores']} cores",
                load=result["load_before"],
                at=result["at"][:10],
            ),
            table(rates),
            ACCOUNT.format(
                sent=result["account"]["sent"],
                stored=result["account"]["stored"],
                size_parts=size["parts"],
                mb=size["mb_a_million"],
                ratio=late / max(first, 0.1),
            ),
            COSTS.format(
                core_ms=1000 * core_s,
                pace_ms=1000 * pace_s,
                a_minute=result["parts_a_minute"],
                puts=by_boxes[1_000]["parts_a_month"] * 0.02 / 1000 * 0.005,
                **prices,
            ),
            table(costs),
            LIMITS.format(
                single=int(8 * 1_000 / by_boxes[1_000]["cores"]) // 100 * 100,
                tenk_peak=by_boxes[10_000]["peak_parts_a_second"],
                tenk_gb=by_boxes[10_000]["database_gb_a_month"],
                flood=flood["parts_a_second"],
                week=week,
                drain=week / flood["parts_a_second"] / 3600,
            ),
        ]
    )
