"""What is known of the bundles of one box: where each stands, what each has seen, which change is under way."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..bus.errors import Refused
from ..bus.ladder import Rung

BEFORE_THE_LINE = (Rung.OFFERED, Rung.FETCHED, Rung.VERIFIED, Rung.LOADED, Rung.GOLDEN)
ON_THE_LINE = (Rung.SHADOW, Rung.CANARY)
CLIMBING = (*BEFORE_THE_LINE, *ON_THE_LINE)
OUT = (Rung.REFUSED, Rung.ROLLED_BACK)
NEXT = {
    **dict(zip(CLIMBING, (*CLIMBING[1:], Rung.CHAMPION), strict=True)),
    Rung.CHAMPION: Rung.RETIRED,
}
"""The one rung above each."""


class NotAStep(Refused):
    """The ladder has no such step from where this bundle stands. The text says what is missing."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a bundle has to see before it goes on, by the signed plan of this box's ring."""

    shadow_parts: int = 5000
    canary_parts: int = 20_000
    shadow_ng: int = 200
    """Parts that somebody called NG, among those of the shadow; fewer are enough after `shadow_days`."""
    shadow_days: float = 7.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One bundle for one recipe."""

    recipe: str
    bundle: str
    """Digest, 64 hex digits."""
    rung: Rung
    channel: str
    """Who offered it: `<line>/<recipe>/<role>`, `local/<recipe>` for what was taught here, empty: found in place."""
    seq: int
    """Its number in the channel; 0: found in place."""
    since: float
    """When it came to this rung, seconds since 1970."""
    local: bool = False
    """Taught on this box."""
    ticket: bool = False
    """It came by a signed way down for this box."""
    reason: str = ""
    """Why it stands where it stands, for people; empty: it climbed."""
    locked: bool = False
    """Refused or taken back: it stays out until a person unlocks it."""
    held: bool = False
    """It waits for people to look; unlocking ends that too."""
    parts: int = 0
    """Parts it has looked at on this rung."""
    ng: int = 0
    """Of them those that champion or challenger called NG."""
    seen: str = ""
    """Who has looked at the disagreements; empty: nobody yet."""
    waived: str = ""
    """Why an engineer let it skip the shadow's parts; empty: nobody did. Only of what was taught here."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change, for the audit trail and the stream `ladder`."""

    n: int
    """Counts up from 1 on this box."""
    at: float
    recipe: str
    bundle: str
    before: str
    """Rung; empty: it was not known."""
    after: str
    reason: str = ""
    who: str = ""
    """Person; empty: the box itself."""
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Swap:
    """A change of champion that was begun and is not yet ended."""

    recipe: str
    to: str
    """Digest that shall decide."""
    back: str
    """Digest that decided before."""
    up: bool
    """True: a canary becomes champion, and may be left where it was. False: the way back, which always ends."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Of one box. What may follow what is said by `fleet/ladder.py`; the methods here only put things down."""

    entries: tuple[Entry, ...] = ()
    floors: Mapping[str, int] = field(default_factory=dict)
    """Highest number trusted, by channel."""
    last_good: Mapping[str, str] = field(default_factory=dict)
    """Digest by recipe."""
    factory: Mapping[str, str] = field(default_factory=dict)
    """Digest by recipe: what was in place when the ladder began. Never collected."""
    swaps: tuple[Swap, ...] = ()
    orders: int = 0
    """Number of the newest order to inspect."""
    steps: int = 0
    unsent: tuple[Step, ...] = ()
    """Steps that records has not taken yet, oldest first."""
    stopped: str = ""
    """Why nothing climbs on this box, by a person's red button; empty: it may."""

    def entry(self, recipe: str, bundle: str) -> Entry | None:
        """Where a bundle stands; None: it was never offered."""
        return next((one for one in self.entries if (one.recipe, one.bundle) == (recipe, bundle)), None)

    def champion(self, recipe: str) -> Entry | None:
        """The bundle that decides; None: nothing is known of this recipe."""
        return next((one for one in self.entries if one.recipe == recipe and one.rung is Rung.CHAMPION), None)

    def climber(self, recipe: str) -> Entry | None:
        """The bundle that is on its way up, above OFFERED; None: none is."""
        return next(
            (one for one in self.entries if one.recipe == recipe and one.rung in CLIMBING[1:] and not one.locked), None
        )

    def swap(self, recipe: str) -> Swap | None:
        """The unfinished change of champion of a recipe."""
        return next((one for one in self.swaps if one.recipe == recipe), None)

    def way_back(self, recipe: str) -> str:
        """Digest of the bundle that takes over from the champion; empty: there is none."""
        here = self.champion(recipe)
        for bundle in (self.last_good.get(recipe, ""), self.factory.get(recipe, "")):
            known = self.entry(recipe, bundle)
            if known is not None and not known.locked and (here is None or bundle != here.bundle):
                return bundle
        return ""

    def known(self, recipe: str, bundle: str) -> Entry:
        """Where a bundle stands. NotAStep: it was never offered."""
        found = self.entry(recipe, bundle)
        if found is None:
            raise NotAStep(f"recipe {recipe}: bundle {bundle[:12]} was never offered")
        return found

    def put(self, entry: Entry) -> "Ladder":
        """With this entry in the place of its older self. No step."""
        others = tuple(one for one in self.entries if (one.recipe, one.bundle) != (entry.recipe, entry.bundle))
        return replace(self, entries=(*others, entry))

    def noted(
        self,
        at: float,
        entry: Entry,
        before: str,
        reason: str,
        figures: Mapping[str, Any] | None = None,
        who: str = "",
    ) -> "Ladder":
        """With a step to where the entry stands."""
        n = self.steps + 1
        step = Step(n, at, entry.recipe, entry.bundle, before, str(entry.rung), reason, who, dict(figures or {}))
        return replace(self, steps=n, unsent=(*self.unsent, step))

    def moved(
        self,
        here: Entry,
        to: Rung,
        at: float,
        reason: str = "",
        figures: Mapping[str, Any] | None = None,
        who: str = "",
    ) -> "Ladder":
        """With an entry on another rung, where it counts anew, and the step. Whether it may is the caller's matter."""
        told = {"parts": here.parts, "ng": here.ng, **(figures or {})} if here.parts else figures
        there = replace(here, rung=to, since=at, reason=reason, parts=0, ng=0)
        return self.put(there).noted(at, there, str(here.rung), reason, told, who)

    def swapping(self, recipe: str, swap: Swap | None) -> "Ladder":
        """With this change of champion under way for a recipe, or none."""
        others = tuple(one for one in self.swaps if one.recipe != recipe)
        return replace(self, swaps=others if swap is None else (*others, swap))

    def ordered(self) -> "Ladder":
        """With the number of one more order to inspect."""
        return replace(self, orders=self.orders + 1)

    def sent(self, n: int) -> "Ladder":
        """Without a step that is kept by records now."""
        return replace(self, unsent=tuple(one for one in self.unsent if one.n != n))

    def broken(self) -> list[str]:
        """What must never be and is, for people; empty: the ladder is sound."""
        found = []
        for recipe in sorted({one.recipe for one in self.entries}):
            mine = [one for one in self.entries if one.recipe == recipe]
            champions = [one for one in mine if one.rung is Rung.CHAMPION]
            if len({one.bundle for one in mine}) != len(mine):
                found.append(f"recipe {recipe}: a bundle stands twice")
            if len(champions) > 1:
                found.append(f"recipe {recipe}: two champions")
            if recipe in self.factory and not champions:
                found.append(f"recipe {recipe}: no champion")
            if sum(one.rung in CLIMBING[1:] for one in mine) > 1:
                found.append(f"recipe {recipe}: two bundles climb")
        for one in self.entries:
            if (one.rung in OUT) != one.locked:
                found.append(f"bundle {one.bundle[:12]}: at {one.rung} and {'' if one.locked else 'not '}locked")
            if one.seq > self.floors.get(one.channel, 0):
                found.append(f"bundle {one.bundle[:12]}: number {one.seq} is above what was trusted")
        return found
