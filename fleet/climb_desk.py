"""What people ask of the ladder, and what they are shown.

    ladder.show    {}                         recipes: each with its bundles, what it waits for, figures; stopped
                   {recipe, bundle}           differing: the parts on which challenger and champion differ
    ladder.unlock  {recipe, bundle}, reason   a locked or held bundle may climb again
    ladder.stop    {on}, reason               the red button of this box: challengers out at once, nothing climbs
    ladder.waive   {recipe, bundle}, reason   a bundle taught here leaves the shadow early
    ladder.seen    {recipe, bundle}           the disagreements were looked at
    ladder.offer   {recipe, bundle}, reason   what was taught here begins to climb
    ladder.back    {recipe}, reason           the champion goes back to the last good one

All take the right `model.activate`.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from ..bus.asks import Ask, Handler
from ..bus.carried import forgive
from ..bus.errors import BadBundle, Refused
from ..bus.ladder import Rung
from ..models.manifest import digest, read_manifest
from .channel_offer import Standing
from .climb_box import ClimbBox, RecipeAt
from .climb_chores import Chore
from .climb_rules import Rules
from .climb_steps import Steps
from .ladder import look, roll_back, stand_back, stop, unlock, waive
from .ladder_state import CLIMBING, ON_THE_LINE, Entry, Ladder
from .rollback import escape_bound

MOST_SHOWN = 300
COMMANDS = tuple(f"ladder.{name}" for name in ("show", "unlock", "stop", "waive", "seen", "offer", "back"))
RUNGS = (Rung.CHAMPION, *reversed(CLIMBING), Rung.RETIRED, Rung.ROLLED_BACK, Rung.REFUSED)


class Climbing(Protocol):
    """What the desk changes."""

    ladder: Ladder
    rules: Rules
    steps: Steps

    @property
    def box(self) -> ClimbBox:
        """The box."""
        ...

    @property
    def recipes(self) -> tuple[RecipeAt, ...]:
        """As they were last read."""
        ...

    def standing(self) -> Standing:
        """What the channels last said."""
        ...

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def give(self, chore: Chore) -> bool:
        """Let the worker do something; False: it is busy."""
        ...

    def save(self, at: float) -> None:
        """Put the ladder on disk. StoreLost: it stays as it was."""
        ...

    def trouble(self, recipe: str) -> str:
        """Why the line does not go by the ladder yet."""
        ...


class ClimbDesk:
    """Answers in the climb's own thread."""

    def __init__(self, climb: Climbing) -> None:
        self._climb = climb
        self._names: dict[str, dict[str, Any]] = {}

    def handlers(self) -> dict[str, Handler]:
        """By command."""
        return {
            "ladder.show": self._show,
            "ladder.unlock": self._unlock,
            "ladder.stop": self._stop,
            "ladder.waive": self._waive,
            "ladder.seen": self._seen,
            "ladder.offer": self._offer,
            "ladder.back": self._back,
        }

    def told(self, at: float) -> list[dict[str, Any]]:
        """Where each bundle stands."""
        return [self._entry(one, at) for one in _sorted(self._climb.ladder)]

    def _entry(self, one: Entry, at: float) -> dict[str, Any]:
        climb = self._climb
        watch = climb.rules.challengers.get(one.recipe)
        beside = watch.told() if watch is not None and watch.bundle == one.bundle else {}
        return {
            **asdict(one),
            "rung": str(one.rung),
            "days": round(max(0.0, at - one.since) / 86_400, 2),
            "here": climb.box.place(one.bundle).is_dir(),
            "beside": beside,
            "last_good": climb.ladder.last_good.get(one.recipe) == one.bundle,
            "factory": climb.ladder.factory.get(one.recipe) == one.bundle,
            **self._named(one.bundle),
        }

    def _named(self, bundle: str) -> dict[str, Any]:
        """What its manifest calls it. A bundle never changes, so it is read once."""
        if bundle not in self._names:
            try:
                manifest = read_manifest(self._climb.box.place(bundle))
            except BadBundle:
                return {"name": "", "version": "", "budget_ms": None}
            told = {"name": manifest.name, "version": manifest.version, "budget_ms": manifest.budget_ms}
            self._names[bundle] = told
        return self._names[bundle]

    def _show(self, ask: Ask) -> dict[str, Any]:
        if "bundle" in ask.body:
            return self._differing(ask)
        climb, at = self._climb, self._climb.now()
        entries = self.told(at)
        standing = climb.standing()
        recipes = []
        for recipe in climb.recipes:
            needs = [
                {"ring": one.ring_of_this_box, "open": one.ring_open, "halted": one.halted, "bundle": one.bundle}
                | ({"shadow_parts": one.ring.shadow_parts, "canary_parts": one.ring.canary_parts} if one.ring else {})
                for one in standing.offers
                if one.recipe == recipe.name
            ]
            recipes.append(
                {
                    "recipe": recipe.name,
                    "job": recipe.job,
                    "trouble": recipe.trouble or climb.trouble(recipe.name),
                    "waits": climb.steps.said.get(recipe.name, ""),
                    "way_back": climb.ladder.way_back(recipe.name),
                    "figures": asdict(climb.steps.figures(recipe.name)),
                    "offers": needs,
                    "bundles": [one for one in entries if one["recipe"] == recipe.name],
                }
            )
        return {
            "recipes": recipes,
            "stopped": climb.ladder.stopped,
            "advice": list(climb.rules.advice),
            "expired": standing.expired,
            "why": standing.why,
            "unsent": len(climb.ladder.unsent),
        }

    def _differing(self, ask: Ask) -> dict[str, Any]:
        recipe, bundle = _two(ask)
        watch = self._climb.rules.challengers.get(recipe)
        if watch is None or watch.bundle != bundle:
            return {"differing": [], "bound": None, "checked": 0, "beside": {}}
        bound = escape_bound(watch.checked) if not watch.escapes else None
        return {
            "differing": [asdict(one) for one in watch.differing[: -MOST_SHOWN - 1 : -1]],
            "bound": bound,
            "checked": watch.checked,
            "beside": watch.told(),
        }

    def _unlock(self, ask: Ask) -> dict[str, Any]:
        recipe, bundle = _two(ask)
        done = self._set(unlock(self._climb.ladder, recipe, bundle, ask.who, _reason(ask), self._climb.now()))
        forgive(self._climb.box.run_dir, bundle)
        return done

    def unlock_from_fleet(self, digests: Collection[str]) -> None:
        """A person at the service unlocked these; each begins anew, and what is not locked stays as it is."""
        climb, at = self._climb, self._climb.now()
        made = climb.ladder
        for one in [one for one in made.entries if one.bundle in digests and (one.locked or one.held)]:
            made = unlock(made, one.recipe, one.bundle, "fleet", "unlocked at the fleet service", at)
        if made is not climb.ladder:
            self._set(made)

    def _waive(self, ask: Ask) -> dict[str, Any]:
        recipe, bundle = _two(ask)
        return self._set(waive(self._climb.ladder, recipe, bundle, ask.who, _reason(ask), self._climb.now()))

    def _seen(self, ask: Ask) -> dict[str, Any]:
        recipe, bundle = _two(ask)
        return self._set(look(self._climb.ladder, recipe, bundle, ask.who, self._climb.now()))

    def _stop(self, ask: Ask) -> dict[str, Any]:
        climb, at = self._climb, self._climb.now()
        if not ask.body.get("on", True):
            return self._set(stop(climb.ladder, ""))
        reason = f"{ask.who}: {_reason(ask)}"
        made = stop(climb.ladder, reason)
        for one in [one for one in made.entries if one.rung in ON_THE_LINE]:
            made = stand_back(made, one.recipe, one.bundle, f"stopped: {reason}", at)
        return self._set(made)

    def _back(self, ask: Ask) -> dict[str, Any]:
        climb = self._climb
        recipe = _text(ask.body, "recipe")
        champion = climb.ladder.champion(recipe)
        if champion is None:
            raise ValueError(f"recipe {recipe}: it has no champion")
        reason = f"{ask.who}: {_reason(ask)}"
        return self._set(roll_back(climb.ladder, recipe, champion.bundle, reason, climb.now()))

    def _offer(self, ask: Ask) -> dict[str, Any]:
        """What was taught on this box, by an engineer who was just asked who they are."""
        climb = self._climb
        recipe, bundle = _two(ask)
        if not climb.box.local_bundles:
            raise Refused("[fleet] local_bundles = false: nothing that was taught on this box may climb")
        if not any(one.name == recipe and not one.trouble for one in climb.recipes):
            raise ValueError(f"recipe {recipe}: there is none such that a bundle can climb for")
        folder = _found(climb.box, bundle)
        known = climb.ladder.entry(recipe, bundle)
        if known is not None and known.locked:
            raise ValueError(f"bundle {bundle[:12]} is locked: {known.reason}")
        if not climb.give(Chore("own", recipe, bundle, folder=folder, who=ask.who, reason=_reason(ask))):
            raise ValueError("another bundle is being tried just now: ask again in a minute")
        return {"offered": bundle}

    def _set(self, made: Ladder) -> dict[str, Any]:
        climb = self._climb
        climb.ladder = made
        climb.save(climb.now())
        return {}


def _found(box: ClimbBox, bundle: str) -> Path:
    """Where a bundle that was taught here lies. ValueError: nowhere."""
    for folder in (
        box.place(bundle),
        *(one for root in box.folders if root.is_dir() for one in sorted(root.iterdir())),
    ):
        try:
            if folder.is_dir() and digest(folder) == bundle:
                return folder
        except BadBundle:
            continue
    raise ValueError(f"bundle {bundle[:12]}: there is none such on this box")


def _sorted(ladder: Ladder) -> list[Entry]:
    return sorted(ladder.entries, key=lambda one: (one.recipe, RUNGS.index(one.rung), -one.since))


def _two(ask: Ask) -> tuple[str, str]:
    return _text(ask.body, "recipe"), _text(ask.body, "bundle")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ValueError(f"{name}: expected text")
    return value


def _reason(ask: Ask) -> str:
    if not ask.reason.strip():
        raise ValueError("expected a reason")
    return ask.reason.strip()[:500]
