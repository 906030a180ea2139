"""The ledger for an outside judge: each part as one flat mapping, oldest first, of the span and lot asked for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from .read import Ask, LedgerReader

_PAGE = 500
COLUMNS = (
    "part",
    "station",
    "taken_at",
    "outcome",
    "action",
    "why",
    "reasons",
    "score",
    "threshold",
    "delivery",
    "missed",
    "triggered_ns",
    "exposed_ns",
    "received_ns",
    "ready_ns",
    "started_ns",
    "done_ns",
    "published_ns",
    "acked_ns",
    "recipe",
    "revision",
    "model",
    "serial",
    "codes",
    "measures",
    "lot",
)
LABELS = ("label", "label_kind")
"""What a person said of the part last; null: nobody did."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which parts; all, where nothing is said."""

    since: str = ""
    """UTC as in `taken_at`, or its beginning, for example `2026-11-23`; inclusive."""
    until: str = ""
    """The same, exclusive."""
    lot: str = ""
    model: str = ""
    """Digest of the bundle."""
    recipe: str = ""
    revision: str = ""
    camera: str = ""
    """Whose picture decided."""


ALL = Chosen()


def lines(store: Path, chosen: Chosen = ALL) -> Iterator[dict[str, Any]]:
    """Yield the parts as mappings; times are ns on CLOCK_MONOTONIC, null where unknown. BadLedger.

    Keys: part, station, taken_at, outcome, action, why, reasons, score, threshold, delivery, missed, triggered_ns,
    exposed_ns, received_ns, ready_ns, started_ns, done_ns, published_ns, acked_ns, recipe, revision, model, serial,
    codes (list of mappings: name, text, kind, serial), measures (list of mappings: camera, region, name, value, unit,
    low, high; null: no limit, or not measured), lot, label (defect, good, unsure), label_kind.
    """
    reader, after = LedgerReader(store), 0
    terms = [("taken_at >= ?", chosen.since), ("taken_at < ?", chosen.until)]
    terms += [(f"{name} = ?", getattr(chosen, name)) for name in ("lot", "model", "recipe", "revision", "camera")]
    asked = [(term, value) for term, value in terms if value]
    where = "".join(f" and {term}" for term, _ in asked)
    sql = f"select seq, {', '.join(COLUMNS)} from part where seq > ?{where} order by seq limit {_PAGE}"
    while True:
        with reader.asking() as ask:
            page = list(ask(sql, [after, *(value for _, value in asked)]))
            labels = _labels(ask, [row["seq"] for row in page])
        for row in page:
            after = row.pop("seq")
            row["reasons"], row["missed"] = json.loads(row["reasons"]), bool(row["missed"])
            row["codes"], row["measures"] = json.loads(row["codes"]), json.loads(row["measures"])
            row["label"], row["label_kind"] = labels.get(after, (None, None))
            yield row
        if len(page) < _PAGE:
            return


def _labels(ask: Ask, seqs: list[int]) -> dict[int, tuple[str, str]]:
    """The label that counts of each part, the newest."""
    found = ask(
        "select seq, truth, kind from label where seq in (select value from json_each(?)) and undone_at is null"
        " and not second order by n",
        [json.dumps(seqs)],
    )
    return {row["seq"]: (row["truth"], row["kind"]) for row in found}


def export_jsonl(store: Path, out: TextIO, chosen: Chosen = ALL) -> int:
    """Write the parts as one JSON line each; return how many. BadLedger."""
    count = 0
    for row in lines(store, chosen):
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count
