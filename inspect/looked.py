"""What one model's look at a view leaves for another model to look at the same, and what that one says. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..bus.part import Outcome
from .judge import Judgement
from .seen import Seen
from .view import Cut, View


@dataclass(frozen=True, slots=True)
class Looked:
    """One view of one part as the judge saw it. The pictures in it are its own: the ring's slot may be used again."""

    view: View
    cuts: tuple[Cut, ...]
    seen: tuple[Seen, ...]
    doubts: tuple[str, ...]
    """Why it cannot be OK whatever models say."""
    judged: Judgement


@dataclass(frozen=True, slots=True)
class Again:
    """What another model says of it, with all that the two have in common."""

    judged: Judgement
    trouble: str
    """Why nothing can be judged by it, for people: no number, another shape, no run. Empty: it is sound."""
    share: float
    """Worst score of the regions it looked at, as a share of the limit; 0 where there is none."""
    other_share: float
    """The same of the one before it, in the same regions."""
    other: Outcome
    """What that one had said."""

    @classmethod
    def of(cls, looked: Looked, seen: Sequence[Seen], judged: Judgement) -> "Again":
        """seen: what it found in its regions. judged: of the whole view, with that in its place."""
        names = {one.region for one in seen}
        before = [one for one in looked.seen if one.region in names]
        unsound = next((one for one in seen if not one.sound), None)
        trouble = "" if unsound is None else f"{unsound.trouble or 'it gave no number'} in region {unsound.region}"
        return cls(judged, trouble, _worst(seen), _worst(before), looked.judged.outcome)


def seen_again(looked: Looked, seen: Sequence[Seen]) -> list[Seen]:
    """All that was seen of the view, with some of it seen anew."""
    anew = {one.region: one for one in seen}
    return [anew.get(one.region, one) for one in looked.seen]


def _worst(seen: Sequence[Seen]) -> float:
    return max((one.share for one in seen), default=0.0)
