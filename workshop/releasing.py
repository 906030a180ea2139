"""A draft becomes a product: its models are proved and installed, its recipe written, a job number means it.

Each step leaves the box as it was until the last one, the settings, names it all. io is asked nothing: the product is
chosen by a change-over.
"""

import os
from typing import Any

from ..bus.clock import utc_now
from ..fleet.activate import proved
from ..inspect.job import job_of
from .box import Box
from .draft import Draft
from .drafts import Drafts
from .installing import install
from .jobs import Bench
from .jobs_of import free_number, point
from .recipe_of import base_of, recipe_data
from .recipe_text import as_text, save
from .signed import must_be_signed
from .trail import note


def release(bench: Bench) -> dict[str, Any]:
    """Release a draft. ValueError: the number is taken. BadBundle: not signed as asked, or it does not prove."""
    box, who, reason = bench.box, str(bench.order["who"]), str(bench.order.get("reason", ""))
    drafts = Drafts(box.drafts)
    draft = drafts.read(bench.order["draft"])
    number = bench.order.get("number") or _number(box, draft)
    if number in box.recipes and (draft.released is None or draft.released.job != number):
        raise ValueError(
            f"job {number} is taken: {box.recipes[number].name}; leave the number out for the next free one"
        )
    authorities = box.vouching()
    base = base_of(box, draft)
    for one in draft.taught.values():
        must_be_signed(box, one.digest, who)
    placed = {}
    for step, (name, one) in enumerate(draft.taught.items()):
        bench.tell(0.7 * step / len(draft.taught), f"proving the model of {name}")
        folder = drafts.place(draft) / one.bundle
        proved(folder, box.inspect.provider, box.inspect.threads, authorities)
        place = install(folder, box.bundles, f"{draft.name}-{name}")
        placed[name] = os.path.relpath(place, base.folder)
    bench.tell(0.8, "writing the recipe")
    old = box.recipes.get(number)
    text = as_text(recipe_data(draft, base, placed))
    told = {"draft": draft.name, "job": number, "models": {name: one.digest for name, one in draft.taught.items()}}
    note(box, who, "draft.release begun", {**told, "old": old.name if old else None}, reason)
    made = save(text, base.path, stem=draft.name)
    job_of(made, box.cameras)
    bench.tell(0.9, "writing the settings")
    after = point(box, number, made.path, bench.read_box)
    released = {"at": utc_now(), "who": who, "job": number, "recipe": made.path.name, "revision": made.revision}
    note(box, who, "draft.release done", {**told, "old": old.name if old else None, "new": made.path.name}, reason)
    return {
        "draft": {"released": released},
        "job": number,
        "recipe": made.path.name,
        "revision": made.revision,
        "old": old.name if old else "",
        "new": after.recipes[number].name,
    }


def _number(box: Box, draft: Draft) -> int:
    """The one it has, or the next free one."""
    if draft.released is not None and draft.released.job in box.recipes:
        return draft.released.job
    return free_number(box)
