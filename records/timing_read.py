"""When each of the newest parts went from hand to hand: what the timing screen draws and reckons with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .read import LedgerReader

MOST = 20_000


@dataclass(frozen=True, slots=True)
class Moments:
    """One part, milliseconds after its trigger. None: that moment never came."""

    seq: int
    part: int
    outcome: str
    why: str
    exposed_ms: float | None
    ready_ms: float | None
    """The picture lay in the ring."""
    done_ms: float | None
    """The verdict was made."""
    committed_ms: float | None
    published_ms: float | None
    acked_ms: float | None
    deadline_ms: float
    confirmed: bool | None


_STEPS = ("exposed", "ready", "done", "committed", "published", "acked")


def moments(store: Path, limit: int, revision: str = "") -> list[Moments]:
    """Up to limit parts (1..20,000), the newest first; revision: of that recipe only. BadLedger.

    Parts that io missed or that were open when it died are left out.
    """
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit {limit}: expected 1..{MOST}")
    return [_moments(row) for row in LedgerReader(store).moments(limit, revision)]


def _moments(row: Mapping[str, Any]) -> Moments:
    after = {f"{name}_ms": _after(row["triggered_ns"], row[f"{name}_ns"]) for name in _STEPS}
    return Moments(
        seq=row["seq"],
        part=row["part"],
        outcome=row["outcome"],
        why=row["why"],
        deadline_ms=(row["deadline_ns"] - row["triggered_ns"]) / 1e6,
        confirmed=None if row["confirmed"] is None else bool(row["confirmed"]),
        **after,
    )


def _after(began_ns: int, at_ns: int | None) -> float | None:
    return None if at_ns is None else (at_ns - began_ns) / 1e6
