"""The ledger as the mqtt process reads it: parts in their order, each as the report that systems outside know."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bus.clock import MS
from ..plc_io.mqtt_ledger import Stored
from ..plc_io.part_report import MOST_DEFECTS, MOST_REASONS, RESULT_SCHEMA, Json
from ..records.read import LedgerReader
from ..records.rows import unpack_json

_SQL = (
    "select p.*, e.name as run, t.recipe as asked from part p join epoch e on e.n = p.epoch"
    " left join trigger t on t.epoch = p.epoch and t.part = p.part and t.at_ns = p.triggered_ns"
    " where p.seq > ? order by p.seq limit ?"
)


class LedgerSource:
    """See `plc_io.mqtt_ledger.Source`."""

    def __init__(self, store: Path, box: str) -> None:
        """box: name of the box, for the reports."""
        self._reader, self._name = LedgerReader(store), box

    def box(self) -> str:
        """Which box's it is. BadLedger."""
        return self._reader.identity().box

    def newest(self) -> int:
        """Number of the newest part; 0: none yet. BadLedger."""
        with self._reader.asking() as ask:
            (found,) = ask("select coalesce(max(seq), 0) as seq from part")
            return int(found["seq"])

    def after(self, seq: int, limit: int) -> Sequence[Stored]:
        """The next parts with greater numbers, in order. BadLedger."""
        with self._reader.asking() as ask:
            return [Stored(row["seq"], report_of(row, self._name)) for row in ask(_SQL, [seq, limit])]


def report_of(row: Mapping[str, Any], box: str) -> Json:
    """The report of one part as the ledger has it: the same document that io's record makes."""
    codes = unpack_json(row["codes"])
    found: Json = {
        "schema": RESULT_SCHEMA,
        "id": f"{row['run']}-{row['part']}-{row['triggered_ns']}",
        "box": box,
        "station": row["station"],
        "epoch": row["run"],
        "part": row["part"],
        "serial": row["serial"],
        "lot": row["lot"],
        "codes": [{name: one[name] for name in ("name", "text", "kind")} for one in codes],
        "triggered_ns": row["triggered_ns"],
        "taken_at": row["taken_at"],
        "pass": row["action"] == "PASS",
        "action": row["action"],
        "why": row["why"],
        "missed": bool(row["missed"]),
        "delivery": row["delivery"],
        "recipe": row["asked"] or row["recipe"],
        "latency_ms": _ms(row["triggered_ns"], row["committed_ns"]),
        "verdict": None,
    }
    if row["verdict"] is not None and row["done_ns"] is not None:
        defects = unpack_json(row["defects"])
        found["verdict"] = {
            "outcome": row["verdict"],
            "reasons": unpack_json(row["reasons"])[:MOST_REASONS],
            "score": _finite(row["score"]),
            "threshold": _finite(row["threshold"]),
            "recipe": row["recipe"],
            "revision": row["revision"],
            "model": row["model"],
            "camera": row["camera"],
            "inference_ms": _ms(row["started_ns"], row["done_ns"]),
            "defect_count": len(defects),
            "defects": [{**one, "score": _finite(one["score"])} for one in defects[:MOST_DEFECTS]],
        }
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ms(begin_ns: int | None, end_ns: int | None) -> float | None:
    """None: it never came to that, as for a part that io left open when it died."""
    return None if begin_ns is None or end_ns is None else round((end_ns - begin_ns) / MS, 3)
