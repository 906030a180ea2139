"""What may leave the box, pure: decided here, on the box, and nowhere else."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from ..bus.part import Action, Outcome, Why

Rule = Literal["nothing", "records", "crops", "pictures"]
_WITHOUT_GOODS = frozenset((Why.CHALLENGE.value, Why.BYPASS.value))


class Priority(IntEnum):
    """Which pictures go first."""

    REJECT = 0
    UNCERTAIN = 1
    OK_SAMPLE = 2


DIFFERING = 3
"""Pictures that are kept of parts on which a challenger and the champion differ: right after the rejects. A part is
known to be one only after it was stored, so this is no priority of a part, and retention holds nothing back for it."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The privacy rule of a box, of `[fleet]`."""

    rule: Rule = "records"
    """Nothing at all, records without pictures, cut-outs round defects, whole pictures."""
    ok_sample_percent: float = 1.0
    """How many of the pictures kept of OK parts leave, 0..100."""
    uncertain: float = 0.1
    """So near to its limit, as a share of it, a score is uncertain."""
    quota_gb: float = 20.0
    """So much of the disk is held back for what has not been sent; 0: no bound but the disk's own."""

    @property
    def records(self) -> bool:
        """Streams leave."""
        return self.rule != "nothing"

    @property
    def pictures(self) -> bool:
        """Pictures leave, or what is cut out of them."""
        return self.rule in ("crops", "pictures")

    def priority(self, part: Mapping[str, Any]) -> Priority | None:
        """How soon the pictures of a part leave; None: they do not.

        part: columns action, why, outcome, score, threshold, defects (JSON), triggered_ns, part, taken_at. The same
        part has the same answer always: it goes by what is fixed of it.
        """
        if not self.pictures or part["why"] in _WITHOUT_GOODS:
            return None
        if self.rule == "crops" and part["defects"] in ("", "[]"):
            return None  # there is nothing to cut out
        if part["outcome"] == Outcome.NG:
            return Priority.REJECT
        if part["action"] == Action.REJECT or self._is_near(part):
            return Priority.UNCERTAIN
        return Priority.OK_SAMPLE if self._is_sampled(part) else None

    def differing(self, part: Mapping[str, Any]) -> bool:
        """Whether the pictures of a part leave because a challenger differs on it. part: as above."""
        if not self.pictures or part["why"] in _WITHOUT_GOODS:
            return False
        return self.rule == "pictures" or part["defects"] not in ("", "[]")

    def _is_near(self, part: Mapping[str, Any]) -> bool:
        limit = float(part["threshold"])
        return limit > 0 and abs(float(part["score"]) / limit - 1) <= self.uncertain

    def _is_sampled(self, part: Mapping[str, Any]) -> bool:
        """By a hash of the part: nobody chooses, and a second look chooses the same."""
        said = f"{part['part']} {part['triggered_ns']} {part['taken_at']}".encode()
        drawn = int.from_bytes(hashlib.sha256(said).digest()[:8], "big") / 2**64
        return drawn * 100 < self.ok_sample_percent
