"""An operating point for people; and the regions of a recipe that a bundle judges."""

from collections.abc import Iterator
from pathlib import Path

from ..bus.errors import BadSettings
from ..inspect.recipe import read_recipe
from ..models.box import Box
from ..training.operating import HIGHEST, Operating

NAMED = 5


def lines(found: Operating) -> Iterator[str]:
    """Yield what holds, what was found and what may be claimed, a line each."""
    if found.taught:
        yield f"left aside, the bundle was taught from them: {_named(found.taught)}"
    if found.unjudged:
        yield f"unjudged, no threshold lets them pass: {_named(found.unjudged)}"
    yield f"{found.goods} good parts, {found.defects} defective ones"
    for name, limit in found.found.items():
        what = f"limit of {name}" if name else "threshold"
        yield f"{what}: {found.held[name]:.4g} holds, {limit.value:.4g} found ({limit.method})"
        low, high = 100 * limit.low, 100 * limit.high
        yield f"  overkill expected: {100 * limit.overkill:.2f} % (95 %: {low:.2f} .. {high:.2f} %)"
        if limit.escape is not None and limit.escape_low is not None and limit.escape_high is not None:
            low, high = 100 * limit.escape_low, 100 * limit.escape_high
            yield f"  escape expected: {100 * limit.escape:.2f} % (95 %: {low:.2f} .. {high:.2f} %)"
        if name and found.defects and limit.escape is None:
            yield f"  no defective part among them is a {name}: the limit is put by good parts alone"
        if name and limit.value >= HIGHEST:
            yield f"  no confidence is above it: {name} would never be NG, so no bundle is written with it"
        for kind, (events, of) in limit.classes.items():
            yield f"  {kind}: {events} of {of} would escape"
        for claim in limit.claims:
            yield f"  {claim}"


def regions_of(recipe: Path, bundle: Path) -> dict[str, tuple[Box | None, float | None]]:
    """Return the regions of a recipe that a bundle judges, and the threshold each has of its own.

    None: the whole picture; the bundle's threshold. BadRecipe; BadSettings: none.
    """
    active = read_recipe(recipe)
    folders = active.bundles
    found: dict[str, tuple[Box | None, float | None]] = {}
    for region in active.recipe.regions:
        if folders[active.recipe.bundle_of(region)].resolve() == bundle.resolve():
            found[region.name] = (None if region.box == "full" else Box(*region.box), region.threshold)
    if not found:
        raise BadSettings(f"--recipe {recipe}: no region of it is judged by {bundle}")
    return found


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
