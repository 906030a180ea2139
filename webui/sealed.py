"""What the screens and papers say of the seal: the newest signed head in short, and a report's own digest."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..bus.errors import BadLedger, OkngError
from ..records.seal_read import SealReader, Signature
from .facts import Facts

SHORT = 16
"""Digits of a hash on a screen; the whole of it is in the file of heads."""


@dataclass(frozen=True, slots=True)
class ShortHead:
    """A signed head as people write it down."""

    utc: str
    trail: int
    trail_hash: str
    link: int
    link_hash: str
    part: int
    key: str
    """Fingerprint of the box's key, in groups of four."""


def short_head(store: Path) -> ShortHead | None:
    """The newest signed head; None: there is none, or it cannot be read now."""
    try:
        head = SealReader(store).head()
        if head is None:
            return None
        key = grouped(head.fingerprint)
    except (OkngError, ValueError, KeyError, TypeError):
        return None
    return ShortHead(
        head.utc, head.trail_n, head.trail_hash[:SHORT], head.link_n, head.link_hash[:SHORT], head.part, key
    )


def grouped(fingerprint: str) -> str:
    """Hex digits in groups of four, as people compare them."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


def report_digest(facts: Facts, escapes: Sequence[Any]) -> str:
    """SHA-256 of what a report says: its span, counts, judgements, versions and what was found downstream."""
    said = {
        "period": [facts.period.kind, facts.period.name, facts.period.span.since, facts.period.span.until],
        "sums": asdict(facts.sums),
        "judged": asdict(facts.judged),
        "versions": [asdict(one) for one in facts.versions],
        "escapes": [asdict(one) for one in escapes],
    }
    packed = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(packed.encode()).hexdigest()


def signatures_of(store: Path, kind: str, *, digest: str = "", name: str = "") -> list[Signature]:
    """Signatures of a record; none where the ledger cannot be read."""
    try:
        return SealReader(store).signatures(kind, digest=digest, name=name)
    except BadLedger:
        return []


def box_wrote(store: Path, signatures: Sequence[Signature]) -> set[int]:
    """Numbers of those that the box's key vouches for."""
    pem = SealReader(store).public_pem()
    return {one.n for one in signatures if pem and one.holds(pem)}
