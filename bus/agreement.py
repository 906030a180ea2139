"""What several views say of one place, counted together. Pure; io decides by it, and the screen shows the same.

An agreement is never sure of OK before all its members have spoken. A member that could not be judged makes it
UNJUDGED, unless those that object are enough without it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .messages import Agreement
from .part import Measurement, Outcome, Verdict, Vote


@dataclass(frozen=True, slots=True)
class Poll:
    """How an agreement stands."""

    agreement: Agreement
    outcome: Outcome | None
    """None: not decided until more members have spoken."""
    value: float
    """Members that object, or the mean share of those that have spoken."""

    @property
    def reason(self) -> str:
        """Why it is NG or UNJUDGED, for people; empty: it is not."""
        name, members = self.agreement.name, len(self.agreement.members)
        if self.outcome is Outcome.UNJUDGED:
            return f"not all views of {name} could be judged"
        if self.outcome is not Outcome.NG:
            return ""
        if self.agreement.needed == 0:
            return f"mean {self.value:.2f} above 1.00 over the views of {name}"
        return f"{self.value:.0f} of {members} views object to {name}, limit {self.agreement.needed}"

    @property
    def measure(self) -> Measurement:
        """The same as a figure, also where it is good: an objection that was outvoted is not forgotten."""
        name = self.agreement.name
        if self.agreement.needed == 0:
            return Measurement("", name, "mean score", self.value, "share", None, 1.0)
        return Measurement("", name, "objections", self.value, "count", None, self.agreement.needed - 1.0)


def poll(agreement: Agreement, said: Iterable[tuple[str, Vote]], *, complete: bool) -> Poll:
    """Count the votes. said: camera and vote, of any agreement. complete: no more will come, missing ones stay so."""
    votes = {
        f"{camera}/{vote.region}": vote
        for camera, vote in said
        if vote.agreement == agreement.name and f"{camera}/{vote.region}" in agreement.members
    }
    against = sum(vote.outcome is Outcome.NG for vote in votes.values())
    whole = len(votes) == len(agreement.members)
    unjudged = any(vote.outcome is Outcome.UNJUDGED for vote in votes.values())
    shares = [vote.share for vote in votes.values()]
    value = float(against) if agreement.needed else sum(shares) / len(shares) if shares else 0.0
    outcome: Outcome | None
    if agreement.needed and against >= agreement.needed:
        outcome = Outcome.NG
    elif unjudged or (complete and not whole) or not all(map(math.isfinite, shares)):
        outcome = Outcome.UNJUDGED
    elif not whole:
        outcome = None
    else:
        outcome = Outcome.NG if agreement.needed == 0 and value > 1.0 else Outcome.OK
    return Poll(agreement, outcome, value)


def polls(agreements: Sequence[Agreement], heard: Sequence[Verdict], *, complete: bool) -> list[Poll]:
    """How each agreement stands by the verdicts heard so far. complete: they are all the views there are."""
    said = [(verdict.camera, vote) for verdict in heard for vote in verdict.votes]
    return [poll(agreement, said, complete=complete) for agreement in agreements]


def alone(verdict: Verdict, agreements: Sequence[Agreement]) -> Outcome:
    """What a view says for itself, whatever the others see. A vote that no agreement knows counts as its own word."""
    known = {agreement.name: agreement.members for agreement in agreements}
    strange = [vote for vote in verdict.votes if f"{verdict.camera}/{vote.region}" not in known.get(vote.agreement, ())]
    if verdict.apart is None or strange or not verdict.votes:
        return verdict.outcome
    return verdict.apart


def objector(agreement: Agreement, heard: Sequence[Verdict]) -> Verdict | None:
    """The view that objects most to what an agreement is about; None: none does."""
    against = [
        (vote.share, place, verdict)
        for place, verdict in enumerate(heard)
        for vote in verdict.votes
        if vote.agreement == agreement.name and vote.outcome is Outcome.NG
    ]
    return max(against, key=lambda each: (each[0], -each[1]))[2] if against else None
