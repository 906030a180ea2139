"""The camera's profile as the recipe wants it."""

from ..camera.profiles import Profile
from ..inspect.recipe import Recipe


def profile_of(recipe: Recipe) -> Profile:
    """Return the profile that the camera process applies at each start."""
    return Profile(**recipe.camera.model_dump())
