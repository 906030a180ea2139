"""What a recipe makes of a box: the job that io, inspect and all others have to mean when they speak of it. No numpy.

All of them make it here, from the same files, so that they cannot differ in anything but what they read.
"""

import hashlib
from collections.abc import Iterable, Mapping

from ..bus.clock import MS
from ..bus.errors import BadRecipe
from ..bus.messages import Agreement, Job
from ..models.manifest import digest
from .recipe import ActiveRecipe, Recipe
from .sections import AgreementSection


def job_of(active: ActiveRecipe, cameras: Iterable[str], digests: Mapping[str, str] | None = None) -> Job:
    """Return the job of a recipe on a box with these cameras.

    digests: of its bundles, by what the recipe calls each; None: they are read from the disk.
    BadRecipe: it does not fit these cameras. BadBundle: a bundle is not there.
    """
    if digests is None:
        digests = {name: digest(folder) for name, folder in active.bundles.items()}
    return Job(
        recipe=active.recipe.name,
        revision=active.revision,
        model=model_of(digests.values()),
        deadline_ns=active.recipe.deadline_ms * MS,
        agreements=tuple(each for each in agreements_of(active, tuple(cameras)) if _cameras(each) > 1),
    )


def model_of(digests: Iterable[str]) -> str:
    """Return what stands for all models of a job, 64 hex digits: the digest of the one bundle, or the digest of many.

    Of several bundles it is the sha256 of their digests, sorted, one a line: which of them looks at which region is the
    recipe's word and in its revision. Of none (tools and codes only) it is the sha256 of nothing.
    """
    different = sorted(set(digests))
    if len(different) == 1:
        return different[0]
    return hashlib.sha256("".join(f"{each}\n" for each in different).encode("ascii")).hexdigest()


def agreements_of(active: ActiveRecipe, cameras: tuple[str, ...]) -> tuple[Agreement, ...]:
    """Return who has to agree with whom. Those within one camera's picture are inspect's own matter.

    BadRecipe: more objections are asked for than there are views, or an agreement has none.
    """
    recipe = active.recipe
    found = []
    for section in recipe.agreements:
        members = _members(recipe, section, cameras)
        most, asked = len(members), section.ng_when
        where = f"{active.path}: agreements: {section.name}"
        if not members:
            raise BadRecipe(f"{where}: no camera of this box sees any of its regions")
        if isinstance(asked, int) and asked > most:
            raise BadRecipe(f"{where}: ng_when = {asked}: expected 1..{most}, so many views are there")
        needed = {"any": 1, "all": most, "mean": 0}[asked] if isinstance(asked, str) else asked
        found.append(Agreement(section.name, members, needed))
    return tuple(found)


def _members(recipe: Recipe, section: AgreementSection, cameras: tuple[str, ...]) -> tuple[str, ...]:
    seen_by = {each.name: each.camera for each in (*recipe.regions, *recipe.tools)}
    return tuple(
        f"{camera}/{name}" for name in section.regions for camera in cameras if seen_by[name] in (None, camera)
    )


def _cameras(agreement: Agreement) -> int:
    return len({member.partition("/")[0] for member in agreement.members})
