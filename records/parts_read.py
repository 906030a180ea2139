"""Parts as other programs get them: one flat mapping a part, in the order of the ledger, from any point on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bus.part import Action
from .read import LedgerReader, condition

MOST = 1000
COLUMNS = (
    *("seq", "part", "station", "taken_at", "outcome", "verdict", "action", "why", "reasons", "defects"),
    *(
        "score",
        "threshold",
        "recipe",
        "revision",
        "model",
        "camera",
        "missed",
        "serial",
        "lot",
        "delivery",
        "confirmed",
    ),
    *("triggered_ns", "published_ns", "picture_sha256", "picture_kept", "recovered", "codes", "measures", "stored_at"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts."""

    after: int | None = None
    """Only with a greater `seq`, oldest first; None: the newest first."""
    before: int | None = None
    """Only with a smaller `seq`."""
    outcome: str = ""
    action: str = ""
    serial: str = ""
    since: str = ""
    """UTC as in `taken_at`, inclusive; empty: from the beginning."""
    until: str = ""
    """UTC, exclusive."""


def parts(store: Path, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """Up to limit parts (1..1000) as mappings by `COLUMNS`, lists unpacked, and `latency_ms`. BadLedger."""
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit {limit}: expected 1..{MOST}")
    terms: list[tuple[str, list[object]]] = []
    if wanted.after is not None:
        terms.append(("seq > ?", [wanted.after]))
    if wanted.before is not None:
        terms.append(("seq < ?", [wanted.before]))
    if wanted.outcome:
        terms.append(("outcome = ?", [wanted.outcome]))
    if wanted.action == Action.REJECT:
        terms.append(("action = 'REJECT'", []))  # written out, so that the partial index is taken
    elif wanted.action:
        terms.append(("action = ?", [wanted.action]))
    if wanted.serial:
        terms.append(("serial != '' and serial = ?", [wanted.serial]))
    if wanted.since:
        terms.append(("taken_at >= ?", [wanted.since]))
    if wanted.until:
        terms.append(("taken_at < ?", [wanted.until]))
    where, values = condition(terms)
    order = "asc" if wanted.after is not None else "desc"
    sql = f"select {', '.join(COLUMNS)} from part{where} order by seq {order} limit {limit}"
    with LedgerReader(store).asking() as ask:
        return [flat(row) for row in ask(sql, values)]


def part(store: Path, seq: int) -> dict[str, Any] | None:
    """One part, or None. BadLedger."""
    with LedgerReader(store).asking() as ask:
        found = ask.first(f"select {', '.join(COLUMNS)} from part where seq = ?", [seq])
        return flat(found) if found else None


def newest(store: Path) -> int:
    """The greatest `seq`; 0: there is no part yet. BadLedger."""
    with LedgerReader(store).asking() as ask:
        (found,) = ask("select coalesce(max(seq), 0) as newest from part")
        return int(found["newest"])


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `COLUMNS` with its lists unpacked, and `latency_ms`."""
    made = dict(row)
    for name in ("reasons", "defects", "codes", "measures"):
        made[name] = json.loads(made[name])
    for name in ("missed", "picture_kept", "recovered"):
        made[name] = bool(made[name])
    made["confirmed"] = None if made["confirmed"] is None else bool(made["confirmed"])
    triggered, published = made.pop("triggered_ns"), made.pop("published_ns")
    made["latency_ms"] = None if published is None else (published - triggered) / 1e6
    return made
