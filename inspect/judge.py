"""The judge: what all regions and tools of one view mean together. Pure: no clock, no thread, no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..bus.agreement import poll
from ..bus.messages import Agreement
from ..bus.part import Defect, HeatMap, Measurement, Outcome, Vote
from .recipe import Rules
from .seen import Opinion, Seen, heat_map, measurements, opinion


class Named(Protocol):
    """A region or a tool of the recipe."""

    @property
    def name(self) -> str:
        """Different from all others of the recipe."""
        ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judge's part of a Verdict."""

    outcome: Outcome
    reasons: tuple[str, ...]
    defects: tuple[Defect, ...]
    score: float
    threshold: float
    """Of the region that is nearest to (or farthest above) its limit."""
    heat: tuple[HeatMap, ...]
    measures: tuple[Measurement, ...] = ()
    votes: tuple[Vote, ...] = ()
    apart: Outcome | None = None
    """As in a Verdict."""


def judge(
    rules: Rules,
    regions: Sequence[Named],
    seen: Sequence[Seen],
    doubtful: Sequence[str] = (),
    agreements: Sequence[Agreement] = (),
    camera: str = "",
) -> Judgement:
    """Judge one view of a part by its regions and tools.

    regions: regions and tools that this camera sees. doubtful: why it cannot be OK whatever they say: a code that was
    not read, a region out of the picture. agreements: all of the recipe; of those with members by another camera this
    view has its votes only. camera: whose view it is.

    NG wins over UNJUDGED: a defect that was seen is a defect, whatever the lamp does elsewhere. A score or map that is
    not a finite number, a region without a finding or outside its brightness is UNJUDGED, never OK.
    """
    by_name = {one.region: one for one in seen}
    held = {region.name: _held(region.name, by_name, rules, doubtful) for region in regions}
    votes: list[Vote] = []
    counted: list[Measurement] = []
    for agreement in agreements:
        names = [each.removeprefix(f"{camera}/") for each in agreement.members if each.startswith(f"{camera}/")]
        cast = [Vote(agreement.name, name, held[name].outcome, held[name].share) for name in names if name in held]
        if len(names) < len(agreement.members):
            votes += cast
            continue
        result = poll(agreement, [(camera, vote) for vote in cast], complete=True)
        counted.append(result.measure)
        held |= {name: _outvoted(held[name], result.outcome) for name in names if name in held}
    sound = [one for one in seen if one.sound]
    worst = max(sound, key=lambda one: one.score - one.threshold, default=None)
    objections = [reason for each in held.values() for reason in each.objections]
    doubts = [*doubtful, *(reason for each in held.values() for reason in each.doubts)]
    return Judgement(
        outcome=_outcome(held.values(), doubtful),
        reasons=tuple(objections + doubts),
        defects=tuple(defect for each in held.values() for defect in each.defects),
        score=worst.score if worst else 0.0,
        threshold=worst.threshold if worst else 0.0,
        heat=tuple(heat_map(one) for one in sound if one.heat.any() or not one.is_rule),
        measures=(*counted, *(measure for one in seen for measure in measurements(one, camera))),
        votes=tuple(votes),
        apart=_apart(held, {vote.region for vote in votes}, doubtful) if votes else None,
    )


def _held(name: str, by_name: dict[str, Seen], rules: Rules, doubtful: Sequence[str]) -> Opinion:
    if name in by_name:
        return opinion(by_name[name], rules)
    explained = any(f"region {name} " in doubt for doubt in doubtful)
    return Opinion(Outcome.UNJUDGED, doubts=() if explained else (f"no finding in region {name}",))


def _outvoted(mine: Opinion, decided: Outcome | None) -> Opinion:
    """A member's opinion once its agreement, all of which lies in this view, is decided."""
    if mine.outcome is not Outcome.NG or decided is Outcome.NG:
        return mine
    if decided is Outcome.OK:
        # A doubt stands for itself: it is no objection that others could outvote.
        return Opinion(Outcome.UNJUDGED if mine.doubts else Outcome.OK, doubts=mine.doubts, share=mine.share)
    return replace(mine, outcome=Outcome.UNJUDGED, objections=(), doubts=(*mine.objections, *mine.doubts), defects=())


def _apart(held: dict[str, Opinion], voting: set[str], doubtful: Sequence[str]) -> Outcome:
    """What the view says for itself. A doubt about a region that has a vote is no objection, and cannot be outvoted."""
    doubts = [reason for name in voting if name in held for reason in held[name].doubts]
    return _outcome([each for name, each in held.items() if name not in voting], [*doubtful, *doubts])


def _outcome(opinions: Iterable[Opinion], doubtful: Sequence[str]) -> Outcome:
    outcomes = {each.outcome for each in opinions}
    if Outcome.NG in outcomes:
        return Outcome.NG
    return Outcome.UNJUDGED if Outcome.UNJUDGED in outcomes or doubtful else Outcome.OK
