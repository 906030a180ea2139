"""What follows from what a box said, in the very transaction that stores it: so it has its effect exactly once.

Parts are counted by the hour and may join the queue of the review; a label that contradicts a verdict does too, and a
part that a challenger differs on; a step of the ladder moves the bundle's rung; a state says how the box is.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import drift, review, review_labels, rollout_state, rollouts, standing, yields
from .tables import Part


def arrived(
    session: Session,
    box: str,
    stream: str,
    epoch: int,
    events: Sequence[Mapping[str, Any]],
    parts: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Newly stored events of one stream: mappings with seq, kind, at, body; parts: the rows drawn from them."""
    if parts:
        yields.count(session, parts)
        drift.measure(session, parts)
        review.queue_parts(session, parts)
    if stream == "labels":
        said = [one for one in events if isinstance(one.get("body"), Mapping)]
        bodies = [one["body"] for one in said]
        review_labels.keep_labels(session, box, epoch, said)
        for body in bodies:
            if body.get("what") == "withdrawn":
                _withdraw(session, box, body)
        review.queue_overridden(session, box, bodies)
    if stream == "ladder":
        rollout_state.climbed(session, box, epoch, events)
        review.queue_differing(session, box, events)


def told(session: Session, box: str, state: Mapping[str, Any], now: datetime | None = None) -> dict[str, Any]:
    """A box told its state; what it is answered: {"rings": bool, "unlock": [digest, …]}."""
    standing.told(session, box, state)
    return rollouts.waits_for(session, box, now or datetime.now(UTC))


def _withdraw(session: Session, box: str, body: Mapping[str, Any]) -> None:
    """Another part took this one's place: it does not count any more."""
    epoch, seq = body.get("part_epoch"), body.get("seq")
    if type(epoch) is not int or type(seq) is not int or not 0 < seq < 2**62 or not 0 < epoch < 2**62:
        return
    part = session.get(Part, (box, epoch, seq))
    if part is None:
        return
    names = ("box", "taken_at", "recipe", "model", "lot", "shift", "camera", "image", "outcome")
    yields.count(session, [{name: getattr(part, name) for name in names}], times=-1)
    session.execute(sa.delete(Part).where(Part.box == box, Part.epoch == epoch, Part.seq == seq))
