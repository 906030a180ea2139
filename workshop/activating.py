"""A model is put in place, or the one before it is taken back. Old or new, never neither.

Where the recipe names a slot (a link, as `okng sync` and `okng bundle activate` switch it) the link is switched; else
the recipe gets its next version, which names the model's folder, and the job's number means that. The line goes by it
after a change-over to the job.
"""

from pathlib import Path
from typing import Any

from ..bus.errors import BadSettings
from ..fleet.activate import LAST_GOOD, proved
from ..fleet.activate import activate as switch
from ..inspect.recipe import ActiveRecipe, read_recipe
from ..models.bundle import open_bundle
from ..models.parity import GoldenReport
from .jobs import Bench
from .jobs_of import point
from .previewing import with_bundle
from .recipe_text import save, versions
from .shelf import place_of
from .signed import must_be_signed
from .trail import note

LADDER = "ladder.json"
"""What `fleet/ladder_file.py` keeps beside the bundles that climb."""


def activate(bench: Bench) -> dict[str, Any]:
    """Put a model in place. BadBundle: damaged, not the digest that was asked for, not signed, or it does not prove."""
    box, order = bench.box, bench.order
    number, wanted = int(order["job"]), str(order["bundle"])
    base = read_recipe(box.recipes[number])
    place = place_of(box, wanted)
    authorities = box.vouching()
    bench.tell(0.1, "proving the model here")
    open_bundle(place, wanted)
    must_be_signed(box, wanted, str(order["who"]))
    slot = _slot(base, str(order["region"]))
    _may_switch(slot)
    before = _state(base)
    told = {"job": number, "region": order["region"], "model": wanted, "second": order.get("second", ""), "old": before}
    if slot is not None:
        proved(place, box.inspect.provider, box.inspect.threads, authorities)
        note(box, str(order["who"]), "model.activate begun", told, str(order["reason"]))
        report = switch(place, slot, box.inspect.provider, box.inspect.threads, authorities)
        made = read_recipe(base.path)
    else:
        report = proved(place, box.inspect.provider, box.inspect.threads, authorities)
        text = with_bundle(base, str(order["region"]), place)
        note(box, str(order["who"]), "model.activate begun", told, str(order["reason"]))
        made = save(text, base.path)
        point(box, number, made.path, bench.read_box)
    after = _state(made)
    note(box, str(order["who"]), "model.activate done", {**told, "new": after}, str(order["reason"]))
    return {"job": number, "old": before, "new": after, "active": number == box.active_job, **_proof(report)}


def back(bench: Bench) -> dict[str, Any]:
    """One step back: the model a slot held before, or the recipe's version before."""
    box, order = bench.box, bench.order
    number = int(order["job"])
    base = read_recipe(box.recipes[number])
    slot = _slot(base, str(order["region"]))
    _may_switch(slot)
    before = _state(base)
    told = {"job": number, "region": order["region"], "second": order.get("second", ""), "old": before}
    report = None
    if slot is not None:
        last = slot.with_name(LAST_GOOD)
        if not last.is_symlink() or not last.exists():
            raise BadSettings(f"{slot.name}: there is no model before this one")
        place = last.resolve()
        must_be_signed(box, open_bundle(place).digest, str(order["who"]))
        note(box, str(order["who"]), "model.back begun", told, str(order["reason"]))
        report = switch(place, slot, box.inspect.provider, box.inspect.threads, box.vouching())
        made = read_recipe(base.path)
    else:
        known = versions(base.path)
        here = next((at for at, path in enumerate(known) if path.name == base.path.name), 0)
        if here == 0:
            raise BadSettings(f"{base.path.name}: there is no version before this one")
        made = read_recipe(known[here - 1])
        for region in _state(made)["models"].values():
            must_be_signed(box, region, str(order["who"]))
        for folder in made.bundles.values():
            bench.tell(0.3, "proving the model here")
            report = proved(folder, box.inspect.provider, box.inspect.threads, box.vouching())
        note(box, str(order["who"]), "model.back begun", told, str(order["reason"]))
        point(box, number, made.path, bench.read_box)
    after = _state(made)
    note(box, str(order["who"]), "model.back done", {**told, "new": after}, str(order["reason"]))
    proof = {} if report is None else _proof(report)
    return {"job": number, "old": before, "new": after, "active": number == box.active_job, **proof}


def _slot(base: ActiveRecipe, region: str) -> Path | None:
    """The link that the asked regions name; None: they name folders. ValueError: no such region, or some of each."""
    names = {base.recipe.bundle_of(one) for one in base.recipe.regions if region in ("", one.name)}
    if not names:
        raise ValueError(f"region = {region!r}: there is none such with a model in this recipe")
    links = {name for name in names if (base.folder / name).is_symlink()}
    if not links:
        return None
    if len(names) > 1:
        raise ValueError("these regions have models of their own: name the region")
    others = [one.name for one in base.recipe.regions if region and one.name != region]
    (name,) = links
    shared = [
        one for one in others if any(base.recipe.bundle_of(r) == name for r in base.recipe.regions if r.name == one)
    ]
    return None if shared else base.folder / name  # of regions that share a slot one alone gets a folder of its own


def _may_switch(slot: Path | None) -> None:
    """BadSettings: the slot is on the ladder, where nobody skips a step and sync alone moves it."""
    if slot is not None and (slot.parent.parent.parent / LADDER).is_file():
        raise BadSettings(
            f"{slot}: models of this recipe climb the ladder: `okng ladder offer` lets one begin, `okng ladder back` "
            "takes the last good one back"
        )


def _state(active: ActiveRecipe) -> dict[str, Any]:
    """What is in use, for the trail."""
    found = {}
    for region in active.recipe.regions:
        folder = active.bundles[active.recipe.bundle_of(region)]
        found[region.name] = open_bundle(folder).digest
    return {"file": active.path.name, "revision": active.revision, "models": found}


def _proof(report: GoldenReport) -> dict[str, Any]:
    return {"proof": report.detail}
