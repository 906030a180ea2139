"""The ladder on this box's settings: where bundles lie, which slot a recipe takes, and how it is given one."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from ..bus.errors import BadSettings, OkngError, StoreLost
from ..fleet.climb_beside import LadderBeside
from ..fleet.climb_box import ClimbBox, RecipeAt
from ..fleet.climb_chores import bring_in
from ..fleet.fleet_options import FleetOptions
from ..fleet.ladder_slots import set_up
from ..inspect.recipe import ActiveRecipe, read_recipe
from ..models.manifest import MANIFEST, digest
from ..settings import Settings, read_settings
from ..workshop.jobs_of import point
from ..workshop.recipe_text import as_data, as_text, save
from .workshop_of import box_of

CURRENT = "current"


def bundles_of(settings: Settings) -> Path:
    """Where bundles lie: as `[fleet] bundles` says, else beside the folder of the ledger."""
    told = settings.fleet.bundles if settings.fleet is not None else None
    return told or settings.records.store.parent / "bundles"


def slot_of(settings: Settings, recipe: str) -> Path:
    """The link that a recipe names its bundle by when it is on the ladder."""
    return bundles_of(settings) / "slots" / recipe / CURRENT


def ladder_box(settings: Settings, settings_file: Path) -> ClimbBox:
    """The box as the climb sees it."""
    options = settings.fleet
    taught = settings.workshop.bundles or settings.workshop.folder / "bundles"
    box = ClimbBox(
        name=settings.box.name,
        run_dir=settings.box.run_dir,
        store=settings.records.store,
        bundles=bundles_of(settings),
        recipes=lambda: recipes_of(read_settings(settings_file)),
        provider=settings.inspect.provider,
        threads=settings.inspect.threads,
        authorities=options.authorities if options is not None else (),
        folders=(taught, settings.recipe.resolve().parent / "bundles"),
    )
    if options is None:
        return box
    return dataclasses.replace(
        box, local_bundles=options.local_bundles, keep_bundles=options.keep_bundles, keep_gb=options.keep_gb
    )


def ladder_beside(settings: Settings, settings_file: Path, state: Path) -> LadderBeside:
    """The ladder for the process `sync`. state: its folder, where the channel is remembered. BadSettings: no fleet."""
    options: FleetOptions | None = settings.fleet
    if options is None:
        raise BadSettings(f"{settings_file}: [fleet]: missing; expected service and ca of the fleet service")
    lines = options.channels or (options.line or settings.box.station,)
    own = options.local_authority.parent if options.local_authority is not None else state / "own"
    own_word = own if options.local_bundles else None
    return LadderBeside(ladder_box(settings, settings_file), options.roots, state / "channel", lines, own_word)


def recipes_of(settings: Settings) -> tuple[RecipeAt, ...]:
    """Every recipe of the box once, by its name; one that cannot be read is left out, as nothing can climb for it."""
    found: dict[str, RecipeAt] = {}
    for job, path in settings.recipes.items():
        try:
            active = read_recipe(path)
        except OkngError:
            continue
        found.setdefault(active.recipe.name, _at(job, active))
    return tuple(found.values())


def _at(job: int, active: ActiveRecipe) -> RecipeAt:
    names = active.recipe.bundles
    slot = active.folder / (names[0] if names else CURRENT)
    trouble = ""
    if len(names) != 1:
        trouble = f"the recipe names {len(names)} bundles: only one with a single bundle can climb"
    elif not slot.is_symlink():
        trouble = f"the recipe names a folder and no slot: `okng ladder adopt --job {job}` sets one up"
    elif not os.access(slot.parent, os.W_OK):
        trouble = f"{slot.parent} cannot be written: `okng ladder adopt --job {job}` sets a slot up that can"
    return RecipeAt(active.recipe.name, job, active.revision, slot, float(active.recipe.deadline_ms), trouble)


def adopt(settings_file: Path, job: int) -> Iterator[str]:
    """Put a job's recipe on the ladder: its bundle comes to the others, slots point at it, the recipe names the slot.

    Yields lines for a person. The recipe gets its next version; the line goes by it after a change-over to the job.
    BadSettings: no such job, or several bundles. StoreLost, BadBundle.
    """
    settings = read_settings(settings_file)
    if job not in settings.recipes:
        raise BadSettings(f"{settings_file}: job {job}: expected one of {', '.join(map(str, settings.recipes))}")
    base = read_recipe(settings.recipes[job])
    names = base.recipe.bundles
    if len(names) != 1:
        raise BadSettings(f"{base.path}: names {len(names)} bundles: only a recipe with a single one can climb")
    bundles, slot = bundles_of(settings), slot_of(settings, base.recipe.name)
    folder = base.bundles[names[0]]
    found = digest(folder)
    _ours(bundles)
    bring_in(folder, bundles / found, found)
    yield f"bundle {found[:12]} lies in {bundles / found}"
    set_up(slot, bundles / found)
    _own(bundles)
    yield f"slots current, last-good and factory of recipe {base.recipe.name} point at it"
    if (base.folder / names[0]) == slot or os.path.realpath(base.folder / names[0]) == str(slot):
        return
    content = as_data(base)
    if content.get("bundle"):
        content["bundle"] = str(slot)
    for region in content.get("regions") or []:
        if region.get("bundle"):
            region["bundle"] = str(slot)
    made = save(as_text(content), base.path)
    point(box_of(settings_file), job, made.path, box_of)
    yield f"{made.path.name} names the slot; job {job} means it from the next change-over on"


def move_in(old: Path, bundles: Path) -> int:
    """Copy bundles that an older okng put beside the recipes to where they belong; return how many.

    What lies beside the recipes stays: a recipe may name it still. StoreLost.
    """
    if not old.is_dir() or old.resolve() == bundles.resolve():
        return 0
    moved = 0
    for folder in sorted(old.iterdir()):
        if folder.is_symlink() or not (folder / MANIFEST).is_file() or folder.name.endswith(".partial"):
            continue
        try:
            found = digest(folder)
            if found == folder.name and not (bundles / found).exists():
                bring_in(folder, bundles / found, found)
                moved += 1
        except StoreLost:
            raise
        except OkngError:
            continue  # damaged there: it comes again from where it came
    return moved


def _ours(bundles: Path) -> None:
    try:
        bundles.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreLost(f"{bundles}: cannot be made: {error.strerror or error}") from error


def _own(bundles: Path) -> None:
    """What root has made belongs to who owns the folder: the process that switches slots is not root."""
    if os.geteuid() != 0:
        return
    owner = bundles.stat()
    for path in (bundles, *bundles.rglob("*")):
        os.lchown(path, owner.st_uid, owner.st_gid)
