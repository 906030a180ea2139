"""The models of a box: every bundle that a recipe uses, that lies beside one, or was made here, and who uses it."""

from pathlib import Path
from typing import Any

from ..bus.errors import BadBundle, OkngError
from ..inspect.recipe import ActiveRecipe, read_recipe
from ..models.manifest import MANIFEST, SIGNATURE, digest, read_manifest
from .box import Box

LAST_GOOD = "last-good"
"""As `fleet.activate` calls the link to the bundle before."""


def models_of(box: Box) -> dict[str, Any]:
    """All of them, and what each job uses. Only manifests are read: whether a bundle is whole its proof tells."""
    jobs: list[dict[str, Any]] = []
    used: dict[str, list[dict[str, Any]]] = {}
    for number, path in sorted(box.recipes.items()):
        try:
            active = read_recipe(path)
        except OkngError as error:
            jobs.append({"job": number, "file": path.name, "trouble": str(error), "regions": []})
            continue
        regions = []
        for region in active.recipe.regions:
            name = active.recipe.bundle_of(region)
            found = _digest(active.bundles[name])
            used.setdefault(found, []).append({"job": number, "region": region.name})
            regions.append(
                {
                    "name": region.name,
                    "camera": region.camera,
                    "bundle": name,
                    "digest": found,
                    "slot": (active.folder / name).is_symlink(),
                    "threshold": region.threshold,
                }
            )
        jobs.append(
            {
                "job": number,
                "name": active.recipe.name,
                "file": path.name,
                "revision": active.revision,
                "digest": active.digest,
                "active": number == box.active_job,
                "trouble": "",
                "regions": regions,
            }
        )
    models = [told(place, used.get(found, []), box) for found, place in places(box).items()]
    models.sort(key=lambda one: (not one["used"], one.get("created_at", "")), reverse=False)
    return {
        "models": models,
        "jobs": jobs,
        "require_signed": box.options.require_signed,
        "four_eyes": box.options.four_eyes,
    }


def places(box: Box) -> dict[str, Path]:
    """Where each bundle lies, by its digest."""
    folders: dict[Path, None] = {}
    for path in box.recipes.values():
        try:
            active = read_recipe(path)
        except OkngError:
            continue
        for place in _folders(active):
            folders.setdefault(place, None)
    for root in (box.bundles, *{folder.parent for folder in folders}):
        if root.is_dir():
            for place in sorted(root.iterdir()):
                if (place / MANIFEST).is_file():
                    folders.setdefault(place.resolve(), None)
    found: dict[str, Path] = {}
    for folder in folders:
        name = _digest(folder)
        if name:
            found.setdefault(name, folder)
    return found


def place_of(box: Box, wanted: str) -> Path:
    """Where a bundle of a digest lies. ValueError: there is none such here."""
    found = places(box).get(wanted)
    if found is None:
        raise ValueError(f"model {wanted[:12]}: there is none such on this box")
    return found


def told(folder: Path, used: list[dict[str, Any]], box: Box) -> dict[str, Any]:
    """What a person is to know of one bundle."""
    signed = (folder / SIGNATURE).is_file()
    one: dict[str, Any] = {
        "folder": folder.name,
        "digest": _digest(folder),
        "used": used,
        "signed": signed,
        "trouble": "",
    }
    try:
        manifest = read_manifest(folder)
    except BadBundle as error:
        return one | {"name": folder.name, "version": "", "created_at": "", "trouble": str(error)}
    threshold = manifest.threshold
    return one | {
        "name": manifest.name,
        "version": manifest.version,
        "created_at": manifest.created_at,
        "input": [manifest.input.width, manifest.input.height, manifest.input.channels],
        "classes": list(manifest.output.classes),
        "budget_ms": manifest.budget_ms,
        "threshold": threshold.value,
        "overkill": [threshold.overkill_percent, threshold.overkill_low_percent, threshold.overkill_high_percent],
        "goods": threshold.goods,
        "escape": [threshold.escape_percent, threshold.escape_low_percent, threshold.escape_high_percent],
        "defects": threshold.defects,
        "method": str(manifest.train.get("method", "")),
        "taught_from": manifest.train.get("goods"),
        "golden": sum(name.startswith("golden/") and name.endswith(".png") for name in manifest.files),
        "report": "report.html" in manifest.files,
        "here": folder.is_relative_to(box.bundles),
    }


def _folders(active: ActiveRecipe) -> list[Path]:
    """Folders of a recipe's bundles, and what their slots held before."""
    found = []
    for name, folder in active.bundles.items():
        found.append(folder)
        before = (active.folder / name).with_name(LAST_GOOD)
        if before.is_symlink() and before.exists():
            found.append(before.resolve())
    return found


def _digest(folder: Path) -> str:
    try:
        return digest(folder)
    except BadBundle:
        return ""
