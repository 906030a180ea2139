"""How a bundle does beside the champion, over all boxes of a plan, and how far that bounds what it misses."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from .causes import wilson
from .review import Contest, contest
from .rollout_state import RolloutState


@dataclass(frozen=True, slots=True)
class Shadow:
    """Figures that the boxes told with the steps of their ladders, and people's word on the disagreements."""

    parts: int
    """Seen by both."""
    ng: int
    """Of them NG by the champion."""
    contest: Contest

    @property
    def bound(self) -> float | None:
        """At most this share of the defects is missed, 95 %: 3/n where none was; None: nothing can be said."""
        if not self.ng:
            return None
        if not self.contest.missed:
            return min(1.0, 3 / self.ng)
        return wilson(min(self.contest.missed, self.ng), self.ng)[1]

    def told(self) -> dict[str, Any]:
        """As the API says it."""
        own = {name: getattr(self.contest, name) for name in ("wrong", "right", "missed", "checked_ng", "open", "sprt")}
        return {"parts": self.parts, "ng": self.ng, "missed_at_most": self.bound, "disagreements": own}


def shadow_of(session: Session, at: RolloutState) -> Shadow:
    """Sum over the boxes of a plan."""
    figures = [box[4] for ring in at.rings for box in ring.boxes]
    return Shadow(
        sum(_whole(one.get("parts")) for one in figures),
        sum(_whole(one.get("ng")) for one in figures),
        contest(session, at.rollout.bundle),
    )


def _whole(said: object) -> int:
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 2**53 else 0
