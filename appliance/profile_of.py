"""What the recipe wants of one camera."""

from ..camera.profiles import Profile, Setup
from ..imaging.plan import plan_of
from ..inspect.recipe import ActiveRecipe, CameraSection


def profile_of(section: CameraSection) -> Profile:
    """Return the profile that the camera process applies at each start."""
    fields = section.model_dump(exclude={"develop", "features"})
    return Profile(**fields, features=tuple(section.features.items()))


def setup_of(number: int, active: ActiveRecipe, camera: str) -> Setup:
    """Return what that camera is set up for in that job. BadRecipe: a file is missing, or nothing is said of it."""
    section = active.recipe.section(camera)
    plan = plan_of(section.develop, active.folder, section.width, section.height)
    return Setup(number, active.revision, profile_of(section), plan)
