"""What one camera sees of a part: its regions in the developed picture, and what that picture is compared with."""

from ..models.box import Box
from .image_watch import ImageWatch
from .recipe import ActiveRecipe, Region


class View:
    """One camera's share of a recipe. Made once for each job."""

    def __init__(self, active: ActiveRecipe, camera: str) -> None:
        """BadRecipe: the recipe says nothing of that camera."""
        recipe = active.recipe
        self.camera, self.section = camera, recipe.section(camera)
        self.regions = tuple(region for region in recipe.regions if region.camera in (None, camera))
        """The recipe's regions that this camera sees."""
        self.boxes = {region.name: _box(region, *self.section.size) for region in self.regions}
        """By the region's name."""
        health = recipe.health_of(camera)
        self.watch = None if health is None else ImageWatch(camera, health, active.folder, self.section.size)
        """None: nothing was commissioned for this camera."""


def _box(region: Region, width: int, height: int) -> Box:
    return Box(0, 0, width, height) if region.box == "full" else Box(*region.box)
