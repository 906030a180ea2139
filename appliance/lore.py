"""What a box goes by now, to be written down once for each digest: recipes, models, how the cameras are set up."""

import hashlib
import json
from collections.abc import Iterator

from ..bus.errors import OkngError
from ..inspect.job import model_of
from ..inspect.recipe import ActiveRecipe
from ..models.manifest import MANIFEST, digest
from ..records.known import Gather, Known
from ..settings import Settings
from .jobs import Jobs

_ADDRESS = "video"
"""Of a camera: may hold a password."""


def lore_of(settings: Settings, jobs: Jobs) -> Gather:
    """Return what reads it. What of it does not read is left out: parts are judged by what does."""

    def gather() -> Iterator[Known]:
        for number in sorted(jobs.recipes):
            try:
                active = jobs.recipe(number)
                yield Known("recipe", active.revision, active.recipe.name, active.path.read_text(encoding="utf-8"))
                yield from _models(active)
            except (OkngError, OSError, UnicodeDecodeError):
                continue
        for name, camera in settings.camera.items():
            body = json.dumps(camera.model_dump(mode="json", exclude={_ADDRESS}), sort_keys=True)
            yield Known("camera", hashlib.sha256(f"{name}\n{body}".encode()).hexdigest(), name, body)

    return gather


def _models(active: ActiveRecipe) -> Iterator[Known]:
    """The bundles of a recipe and, of several, what stands for all of them."""
    found = {name: digest(folder) for name, folder in active.bundles.items()}
    for name, folder in active.bundles.items():
        yield Known("model", found[name], name, (folder / MANIFEST).read_text(encoding="utf-8"))
    if len(set(found.values())) > 1:
        yield Known("model", model_of(found.values()), active.recipe.name, json.dumps({"bundles": found}))
