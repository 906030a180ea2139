"""Several sets become one: one sample a picture, and what people say of a picture in two ways is kept apart, by name.

A person's word goes before a model's. Two persons' words that differ are nobody's: such a picture teaches nothing until
it is settled.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from .dataset import Dataset, LeftOut, SaidBy, Sample

_RANK: dict[SaidBy, int] = {"verdict": 0, "file": 1, "operator": 1}


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of it."""

    dataset: Dataset
    contradictions: tuple[LeftOut, ...]
    """Pictures of which two persons say different things; they are in `dataset.left_out` as well."""
    twice: int
    """Samples of pictures that are there already and say the same."""


def merged(sets: Sequence[Dataset], *, newer_wins: bool = False) -> Merged:
    """Return one set of several; their samples keep their order.

    newer_wins: of what two sets say of a picture the later one's counts, as after people have looked again.
    """
    said: dict[str, list[tuple[int, Sample]]] = {}
    for at, one in enumerate(sets):
        for sample in one.samples:
            said.setdefault(sample.sha256, []).append((at, sample))
    kept, against, twice = [], [], 0
    for placed in said.values():
        newest = max(at for at, _ in placed)
        found = [one for at, one in placed if at == newest or not newer_wins]
        rank = max(_RANK[one.said_by] for one in found)
        best = [one for one in found if _RANK[one.said_by] == rank]
        if _differ(best):
            against.append(LeftOut(best[0].name, f"contradiction: {_told(best)}"))
            continue
        twice += len(placed) - 1
        sides = {one.split for _, one in placed if one.split is not None}
        chosen = max(best, key=lambda one: (one.drawn, bool(one.annotations), one.seen is not None))
        kept.append(chosen if chosen.split or len(sides) != 1 else replace(chosen, split=sides.pop()))
    classes = dict.fromkeys(name for one in sets for name in one.classes)
    whole = Dataset(
        samples=tuple(_unique(kept)),
        origin=" + ".join(dict.fromkeys(one.origin for one in sets)),
        classes=tuple(classes),
        left_out=(*(each for one in sets for each in one.left_out), *against),
        notes=tuple(note for one in sets for note in one.notes),
    )
    return Merged(whole, tuple(against), twice)


def _differ(samples: Sequence[Sample]) -> bool:
    """True when they say different things; where one draws more than another names it is no other thing."""
    drawn = {one.kinds for one in samples if one.annotations}
    return len({one.label for one in samples}) > 1 or len(drawn) > 1


def _told(samples: Sequence[Sample]) -> str:
    return " against ".join(dict.fromkeys(f"{one.label} ({one.name}, by {one.said_by})" for one in samples))


def _unique(samples: Iterable[Sample]) -> list[Sample]:
    """The samples, each with a name of its own: two folders may each have an a.png."""
    samples = list(samples)
    count = Counter(sample.name for sample in samples)
    found = []
    for sample in samples:
        if count[sample.name] > 1:
            path = PurePosixPath(sample.name)
            sample = replace(sample, name=str(path.with_name(f"{path.stem}-{sample.sha256[:12]}{path.suffix}")))
        found.append(sample)
    return found
