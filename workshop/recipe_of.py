"""The recipe that a draft becomes."""

from typing import Any

from ..inspect.recipe import ActiveRecipe, read_recipe
from .box import Box
from .draft import Draft
from .recipe_text import as_data

_TAKEN = ("deadline_ms", "rules", "distances")
"""What a new product takes over from the recipe it was begun from, besides the cameras."""


def recipe_data(draft: Draft, base: ActiveRecipe, bundles: dict[str, str]) -> dict[str, Any]:
    """The recipe of a draft as plain data. bundles: by region, relative to the recipe.

    What belongs to the old part stays behind: where it lies, tools, codes, agreements and what its pictures were like.
    """
    old = as_data(base)
    regions = []
    for region in draft.regions:
        told = region.model_dump(mode="json", exclude_defaults=True, exclude={"threshold", "bundle", "limits"})
        threshold = draft.taught[region.name].threshold
        regions.append({"name": region.name, **told, "bundle": bundles[region.name], "threshold": round(threshold, 6)})
    return {
        "name": draft.name,
        "description": f"Taught beside the line from {len(draft.of('good'))} good parts.",
        **{key: old[key] for key in ("deadline_ms",) if key in old},
        **{key: old[key] for key in ("camera", "cameras") if key in old},
        "regions": regions,
        **{key: old[key] for key in _TAKEN[1:] if key in old},
    }


def base_of(box: Box, draft: Draft) -> ActiveRecipe:
    """The recipe that a draft was begun from, as it is now. ValueError: its job is gone."""
    if draft.base_job not in box.recipes:
        raise ValueError(f"job {draft.base_job}, which this draft was begun from, is no job any more")
    return read_recipe(box.recipes[draft.base_job])
