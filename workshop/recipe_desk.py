"""What may be asked of recipes. A recipe that a job uses is never changed: what is saved is its next version.

    recipe.read    {job?}                          job, text, recipe (as data), whole (with defaults), revision, file,
                                                   versions, jobs, active
    recipe.judge   {job?, text | recipe, only?}    work: id; verdicts on the last kept pictures; only: just check it
    recipe.save    {job?, text | recipe, base}     job, revision, file, old, active
    recipe.camera  {job?, camera, section, base}   the same; only that camera's section is changed
    recipe.timing  {job?, deadline_ms?, distances?, cameras?: {name: {trigger...}}, base}    the same

base: revision of the recipe it was made from. What is no recipe is refused, with `errors` (loc, type, ctx, msg, input).
A job that runs goes by the new version after the next change-over to it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..bus.asks import Ask, Handler
from ..inspect.recipe import ActiveRecipe, read_recipe
from . import taken
from .box import Box, ReadBox
from .jobs_of import point
from .recipe_text import as_data, as_text, drafted, save, versions
from .works import Works

TIMING = frozenset(("trigger", "trigger_line", "trigger_edge", "trigger_delay_us", "debounce_us", "overlap"))
"""What of a camera's section belongs to the timing."""


class RecipeDesk:
    """Answers what is asked of recipes. One thread: the workshop's."""

    def __init__(self, settings_file: Path, read_box: ReadBox, works: Works) -> None:
        self._file, self._read, self._works = settings_file, read_box, works

    def handlers(self) -> dict[str, Handler]:
        """By command."""
        return {
            "recipe.read": self._show,
            "recipe.judge": self._judge,
            "recipe.save": self._save,
            "recipe.camera": self._camera,
            "recipe.timing": self._timing,
        }

    def _active(self, ask: Ask) -> tuple[Box, int, ActiveRecipe]:
        box = self._read(self._file)
        number = taken.job(ask, box)
        return box, number, read_recipe(box.recipes[number])

    def _show(self, ask: Ask) -> dict[str, Any]:
        box, number, active = self._active(ask)
        return {
            "job": number,
            "text": active.path.read_text(encoding="utf-8"),
            "recipe": as_data(active),
            "whole": active.recipe.model_dump(mode="json"),
            "revision": active.revision,
            "file": active.path.name,
            "versions": [path.name for path in versions(active.path)],
            "jobs": {str(each): path.name for each, path in box.recipes.items()},
            "active": number == box.active_job,
        }

    def _judge(self, ask: Ask) -> dict[str, Any]:
        _, number, active = self._active(ask)
        text = _text(ask)
        with drafted(active.path, text) as draft:
            told = {"whole": draft.recipe.model_dump(mode="json"), "revision": draft.revision}
        if taken.flag(ask, "only"):
            return {"errors": [], **told}
        order = {"job": number, "text": text, "base": str(active.path)}
        return {"work": self._works.begin("judge", active.recipe.name, ask.who, order), "errors": [], **told}

    def _save(self, ask: Ask) -> dict[str, Any]:
        box, number, active = self._active(ask)
        return self._saved(ask, box, number, active, _text(ask))

    def _camera(self, ask: Ask) -> dict[str, Any]:
        box, number, active = self._active(ask)
        content, name = as_data(active), taken.text(ask, "camera")
        section = ask.body.get("section")
        if name not in box.cameras or not isinstance(section, Mapping):
            raise ValueError(f"recipe.camera: expected a camera of {', '.join(box.cameras)} and its section")
        _set_camera(content, name, {str(key): value for key, value in section.items()}, box.cameras)
        return self._saved(ask, box, number, active, as_text(content))

    def _timing(self, ask: Ask) -> dict[str, Any]:
        box, number, active = self._active(ask)
        content = as_data(active)
        if "deadline_ms" in ask.body:
            content["deadline_ms"] = ask.body["deadline_ms"]
        if "distances" in ask.body:
            content["distances"] = {**content.get("distances", {}), **_mapping(ask, "distances")}
        for name, more in (_mapping(ask, "cameras") if "cameras" in ask.body else {}).items():
            if name not in box.cameras or not isinstance(more, Mapping) or set(more) - TIMING:
                raise ValueError(f"recipe.timing: cameras: {name}: expected of a camera no more than {sorted(TIMING)}")
            _set_camera(content, name, {**_camera_of(content, name), **more}, box.cameras)
        return self._saved(ask, box, number, active, as_text(content))

    def _saved(self, ask: Ask, box: Box, number: int, active: ActiveRecipe, text: str) -> dict[str, Any]:
        if taken.text(ask, "base") != active.revision:
            raise ValueError("this recipe was changed meanwhile: look at it again")
        with drafted(active.path, text) as draft:
            _same_models(active, draft)
        made = save(text, active.path)
        for camera in box.cameras:
            made.recipe.section(camera)
        point(box, number, made.path, self._read)
        return {
            "job": number,
            "revision": made.revision,
            "file": made.path.name,
            "old": {"revision": active.revision, "file": active.path.name},
            "active": number == box.active_job,
        }


def _same_models(active: ActiveRecipe, draft: ActiveRecipe) -> None:
    """ValueError: the draft names another model: that is `model.activate`, which proves it and asks for its right."""
    used = {one.name: active.bundles[active.recipe.bundle_of(one)] for one in active.recipe.regions}
    for region in draft.recipe.regions:
        place = draft.bundles[draft.recipe.bundle_of(region)]
        if place not in used.values() or place != used.get(region.name, place):
            raise ValueError(f"the model of region {region.name} is not changed here: put it in place on Models")


def _text(ask: Ask) -> str:
    if "recipe" in ask.body:
        return as_text(_mapping(ask, "recipe"))
    text = ask.body.get("text")
    if not isinstance(text, str):
        raise ValueError(f"{ask.name}: expected `text`, YAML, or `recipe`, the same as data")
    return text


def _mapping(ask: Ask, key: str) -> Mapping[str, Any]:
    value = ask.body.get(key)
    if not isinstance(value, Mapping):
        raise ValueError(f"{ask.name}: {key}: expected a mapping")
    return value


def _camera_of(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    by_name = content.get("cameras") or {}
    return dict(by_name.get(name) or content.get("camera") or {})


def _set_camera(content: dict[str, Any], name: str, section: dict[str, Any], cameras: tuple[str, ...]) -> None:
    """One camera's section; a recipe that sets all alike gets a section for each, unless there is but one camera."""
    if "camera" in content and len(cameras) == 1:
        content["camera"] = section
        return
    if "camera" in content:
        place = list(content).index("camera")
        shared = content.pop("camera")
        entries = list(content.items())
        entries.insert(place, ("cameras", {each: dict(shared) for each in cameras}))
        content.clear()
        content.update(entries)
    content["cameras"][name] = section
