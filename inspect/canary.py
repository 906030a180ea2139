"""Two models before one verdict: what only one of them calls OK is not OK. Pure."""

from dataclasses import replace

from ..bus.part import Outcome, Verdict, Vote
from .looked import Again

OBJECTS = "canary: the model on trial objects"
"""Reason of a verdict; those of the model on trial follow it."""
SILENT = "canary: the model on trial gave no verdict"
_WORSE = {Outcome.OK: 0, Outcome.UNJUDGED: 1, Outcome.NG: 2}


def can_pass(verdict: Verdict) -> bool:
    """The part may still be OK by this view: where several views have to agree an objection may be outvoted."""
    return verdict.outcome is Outcome.OK or verdict.apart is Outcome.OK


def both(verdict: Verdict, again: Again) -> Verdict:
    """What the two say together: the worse of them, in the outcome and in each vote.

    verdict: of the model that decides. again: of the one on trial; unsound: no part is OK by it.
    """
    if again.trouble:
        return silent(verdict, again.trouble)
    other = again.judged
    outcome = _worse(verdict.outcome, other.outcome)
    votes = _votes(verdict.votes, other.votes)
    apart = None if verdict.apart is None or other.apart is None else _worse(verdict.apart, other.apart)
    if outcome is Outcome.OK or (outcome, votes, apart) == (verdict.outcome, verdict.votes, verdict.apart):
        return replace(verdict, votes=votes)
    shown = verdict
    if _WORSE[other.outcome] > _WORSE[verdict.outcome]:
        shown = replace(
            verdict, outcome=outcome, reasons=(OBJECTS,), score=other.score, threshold=other.threshold, heat=other.heat
        )
    return replace(
        shown,
        outcome=outcome,
        reasons=(*verdict.reasons, OBJECTS, *(each for each in other.reasons if each not in verdict.reasons)),
        defects=(*verdict.defects, *(each for each in other.defects if each not in verdict.defects)),
        votes=votes,
        apart=apart,
    )


def silent(verdict: Verdict, why: str) -> Verdict:
    """The model on trial has no word for this part, so it is not OK. A defect that was seen stays one."""
    return replace(
        verdict,
        outcome=_worse(verdict.outcome, Outcome.UNJUDGED),
        reasons=(*verdict.reasons, f"{SILENT}: {why}"),
        apart=None if verdict.apart is None else _worse(verdict.apart, Outcome.UNJUDGED),
    )


def _worse(one: Outcome, other: Outcome) -> Outcome:
    return max(one, other, key=_WORSE.__getitem__)


def _votes(mine: tuple[Vote, ...], others: tuple[Vote, ...]) -> tuple[Vote, ...]:
    """Each vote as the worse of the two has it."""
    by_name = {(each.agreement, each.region): each for each in others}
    found = []
    for vote in mine:
        other = by_name.get((vote.agreement, vote.region), vote)
        worse = _WORSE[other.outcome] > _WORSE[vote.outcome]
        share = max(vote.share, other.share)
        found.append(replace(other if worse else vote, share=share))
    return tuple(found)
