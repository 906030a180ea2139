"""The way of a part from the eye to the gate, as the recipe and the box say."""

from ..inspect.recipe import Recipe
from ..plc_io.budget import Way
from ..plc_io.check_options import CheckOptions


def way_of(recipe: Recipe, options: CheckOptions) -> Way:
    """The distances and speeds of a recipe on this box."""
    away = recipe.distances
    return Way(
        distance_mm=away.eye_to_gate_mm,
        max_speed_mm_s=away.max_speed_mm_s,
        deadline_ms=recipe.deadline_ms,
        margin_ms=away.margin_ms,
        valve_ms=options.valve_ms,
        spare_ms=options.spare_ms,
    )
