"""The products of a box for its screens: what each recipe sets, as short words that can be compared."""

from collections.abc import Iterator
from pathlib import Path

from ..bus.errors import OkngError
from ..inspect.job import model_of
from ..inspect.recipe import ActiveRecipe, read_recipe
from ..models.manifest import digest
from ..settings import read_settings
from ..webui.products import Product

Fact = tuple[str, str, str]


def products_of(settings_file: Path) -> tuple[Product, ...]:
    """Read settings and recipes afresh. What cannot be read says why; settings that cannot be read: no products."""
    try:
        recipes = read_settings(settings_file).recipes
    except OkngError:
        return ()
    return tuple(_product(number, path) for number, path in sorted(recipes.items()))


def _product(number: int, path: Path) -> Product:
    try:
        active = read_recipe(path)
        digests = {name: digest(folder) for name, folder in active.bundles.items()}
    except OkngError as error:
        return Product(number, path.stem, "", "", "", trouble=str(error))
    recipe = active.recipe
    facts = tuple(_facts(active, digests))
    return Product(number, recipe.name, recipe.description, active.revision, model_of(digests.values()), facts)


def _facts(active: ActiveRecipe, digests: dict[str, str]) -> Iterator[Fact]:
    recipe, away = active.recipe, active.recipe.distances
    yield "deadline", "", f"{recipe.deadline_ms} ms"
    for region in recipe.regions:
        yield "model", region.name, digests[recipe.bundle_of(region)][:8]
        yield "threshold", region.name, "" if region.threshold is None else f"{region.threshold:g}"
        for name, limit in region.limits.items():
            yield "limit", f"{region.name} {name}", f"{limit:g}"
        box = region.box
        yield "place", region.name, "" if box == "full" else f"{box[2]} x {box[3]} px @ {box[0]}, {box[1]}"
    for tool in recipe.tools:
        yield "tool", tool.name, tool.kind
    for code in recipe.codes:
        yield "code", code.name, "+"
    cameras = recipe.cameras or ({"": recipe.camera} if recipe.camera else {})
    for name, camera in cameras.items():
        yield "size", name, f"{camera.size[0]} x {camera.size[1]} px"
        yield "exposure", name, f"{camera.exposure_us:g} µs"
        yield "gain", name, f"{camera.gain_db:g} dB"
        yield "delay", name, f"{camera.trigger_delay_us:g} µs"
    yield "gate", "", f"{away.eye_to_gate_mm:g} mm"
    yield "speed", "", f"{away.max_speed_mm_s:g} mm/s"
    yield "margin", "", f"{away.margin_ms:g} ms"
