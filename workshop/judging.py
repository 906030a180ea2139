"""Past pictures judged by a recipe, as the line would: the same models, crops, masks, tools and judge.

A part's word is made of all its views as io makes it, agreements across cameras included.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bus.agreement import alone, polls
from ..bus.part import Outcome, Verdict
from ..inspect.inspector import Inspector
from ..inspect.job import agreements_of
from ..inspect.recipe import ActiveRecipe, read_recipe
from .box import Box
from .jobs import Bench
from .past import PastPart, past_parts
from .recipe_text import drafted

MOST_REASONS = 4


@dataclass(frozen=True, slots=True)
class Word:
    """What a recipe says of one part."""

    outcome: Outcome
    score: float
    threshold: float
    reasons: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    def told(self) -> dict[str, Any]:
        """As plain data, without pictures."""
        return {
            "outcome": str(self.outcome),
            "score": round(self.score, 4),
            "threshold": round(self.threshold, 4),
            "reasons": list(self.reasons[:MOST_REASONS]),
        }


class Judge:
    """One recipe with its models, proved on this box. Close it."""

    def __init__(self, box: Box, active: ActiveRecipe) -> None:
        """BadRecipe, BadBundle, BadSettings."""
        self.active, self._cameras = active, box.cameras
        self._inspector = Inspector(0, active, box.inspect, box.cameras, box.run_dir)
        self._agreements = agreements_of(active, box.cameras)

    def word(self, part: PastPart) -> Word:
        """What it says of a part, by the views that were kept."""
        return self.word_of({view.camera: view.picture for view in part.views})

    def word_of(self, pictures: dict[str, Any]) -> Word:
        """The same of developed pictures by camera. A view that is missing is not held against the part."""
        verdicts = tuple(
            self._inspector.look(name, picture) for name, picture in pictures.items() if name in self._cameras
        )
        complete = len(verdicts) == len(self._cameras)
        outcomes = [alone(verdict, self._agreements) for verdict in verdicts]
        reasons = [reason for verdict in verdicts for reason in verdict.reasons]
        for poll in polls(self._agreements, verdicts, complete=complete):
            if poll.outcome is not None:
                outcomes.append(poll.outcome)
                reasons += [poll.reason] if poll.reason else []
        worst = max(verdicts, key=lambda verdict: verdict.score - verdict.threshold, default=None)
        return Word(
            _worst(outcomes),
            worst.score if worst else 0.0,
            worst.threshold if worst else 0.0,
            tuple(reasons),
            verdicts,
        )

    def close(self) -> None:
        """Let go of the models."""
        self._inspector.close()


@contextmanager
def judging(box: Box, active: ActiveRecipe) -> Iterator[Judge]:
    """A judge, closed in the end."""
    judge = Judge(box, active)
    try:
        yield judge
    finally:
        judge.close()


def judge_recipe(bench: Bench) -> dict[str, Any]:
    """Judge the last kept pictures by a recipe that is not saved, and by the one it is made from."""
    box, order = bench.box, bench.order
    base = read_recipe(Path(order["base"]))
    bench.tell(0.0, "reading pictures")
    parts = list(past_parts(box.store, box.options.trial_pictures, base.recipe.name))
    with judging(box, base) as judge:
        before = words(bench, judge, parts, 0.0, "judging by the recipe in use")
    with drafted(base.path, order["text"]) as draft, judging(box, draft) as judge:
        after = words(bench, judge, parts, 0.5, "judging by the draft")
    judged = list(zip(parts, before, after, strict=True))
    return {
        "parts": [
            {**part.told(), "before": left.told(), "after": {**right.told(), "defects": defects_of(right)}}
            for part, left, right in judged
        ],
        "flips": [part.seq for part, left, right in judged if left.outcome is not right.outcome],
    }


def words(bench: Bench, judge: Judge, parts: Sequence[PastPart], begin: float, detail: str) -> list[Word]:
    """What a recipe says of each part: half of a work that judges twice. begin: share that is done. detail: told."""
    found = []
    for number, part in enumerate(parts):
        bench.tell(begin + number / (2 * len(parts)), detail)
        found.append(judge.word(part))
    return found


def defects_of(word: Word) -> list[dict[str, Any]]:
    """Places that were found, for an overlay."""
    return [
        {"camera": verdict.camera, "kind": d.kind, "region": d.region, "box": [d.x, d.y, d.w, d.h], "score": d.score}
        for verdict in word.verdicts
        for d in verdict.defects
    ]


def _worst(outcomes: Iterable[Outcome]) -> Outcome:
    found = set(outcomes)
    if Outcome.NG in found:
        return Outcome.NG
    return Outcome.UNJUDGED if Outcome.UNJUDGED in found or not found else Outcome.OK
