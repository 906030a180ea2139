"""What a threshold or another model would have said of the last kept pictures. Nothing is changed by it.

Both words are said afresh by the line's own steps on the very same pictures: what is told here is what will be said
after the activation. (An OK sample is kept as JPEG: of that picture, not of the one the camera saw.)
"""

import os
from pathlib import Path
from typing import Any

from ..bus.part import Outcome
from ..inspect.recipe import ActiveRecipe, read_recipe
from .jobs import Bench
from .judging import Word, judging, words
from .past import PastPart, past_parts
from .recipe_text import as_data, as_text, drafted
from .shelf import place_of

JUDGING = "judging past pictures"


def preview(bench: Bench) -> dict[str, Any]:
    """Judge by the recipe in use and by the one that is looked ahead to."""
    box, order = bench.box, bench.order
    base = read_recipe(box.recipes[order["job"]])
    if order["bundle"]:
        text = with_bundle(base, order["region"], place_of(box, order["bundle"]))
    else:
        text = with_threshold(base, order["region"], float(order["threshold"]))
    bench.tell(0.0, "reading pictures")
    parts = list(past_parts(box.store, int(order["most"]), base.recipe.name))
    with judging(box, base) as judge:
        before = words(bench, judge, parts, 0.0, JUDGING)
    with drafted(base.path, text) as draft, judging(box, draft) as judge:
        after = words(bench, judge, parts, 0.5, JUDGING)
    return _told(base, parts, before, after)


def compare(bench: Bench) -> dict[str, Any]:
    """Judge by two models: the champion and the challenger, each with its own threshold."""
    box, order = bench.box, bench.order
    base = read_recipe(box.recipes[order["job"]])
    bench.tell(0.0, "reading pictures")
    parts = list(past_parts(box.store, int(order["most"]), base.recipe.name))
    said = []
    for place, key in enumerate(("a", "b")):
        text = with_bundle(base, order["region"], place_of(box, order[key]))
        with drafted(base.path, text) as draft, judging(box, draft) as judge:
            said.append(words(bench, judge, parts, place / 2, JUDGING))
    return _told(base, parts, *said)


def with_threshold(base: ActiveRecipe, region: str, threshold: float) -> str:
    """The recipe with another threshold of a region; of all that models look at where none is named."""
    content = _spread(base)
    for one in _asked(content, region):
        one["threshold"] = threshold
    return as_text(content)


def with_bundle(base: ActiveRecipe, region: str, place: Path) -> str:
    """The recipe with another model; a threshold or limits of its own were the old model's, and go."""
    content = _spread(base)
    for one in _asked(content, region):
        one["bundle"] = os.path.relpath(place, base.folder.resolve())
        for key in ("threshold", "limits"):
            one.pop(key, None)
    return as_text(content)


def _spread(base: ActiveRecipe) -> dict[str, Any]:
    """A recipe's content with every region written out, each with its bundle."""
    content = as_data(base)
    told = content.get("regions")
    if told is None:
        told = [{"name": region.name} for region in base.recipe.regions]
    content["regions"] = [{"bundle": base.recipe.bundle, **one} if base.recipe.bundle else dict(one) for one in told]
    return content


def _asked(content: dict[str, Any], region: str) -> list[dict[str, Any]]:
    found = [one for one in content["regions"] if not region or one.get("name", "whole") == region]
    if not found:
        raise ValueError(f"region = {region!r}: there is none such in this recipe")
    return found


def _told(base: ActiveRecipe, parts: list[PastPart], before: list[Word], after: list[Word]) -> dict[str, Any]:
    flips: list[dict[str, Any]] = []
    table = {str(left): {str(right): 0 for right in Outcome} for left in Outcome}
    scores = []
    for part, left, right in zip(parts, before, after, strict=True):
        table[str(left.outcome)][str(right.outcome)] += 1
        scores.append([part.seq, round(left.score, 4), round(right.score, 4)])
        if left.outcome is not right.outcome:
            flips.append({**part.told(), "before": left.told(), "after": right.told()})
    return {
        "recipe": base.recipe.name,
        "revision": base.revision,
        "looked_at": len(parts),
        "agreement": table,
        "flips": flips,
        "scores": scores,
        "pass_more": sum(one["after"]["outcome"] == "OK" for one in flips),
        "reject_more": sum(one["before"]["outcome"] == "OK" for one in flips),
    }
