"""One recipe's way up: which offer it is about, what is done next, and what it waits for, in words."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from ..bus.errors import Refused
from ..bus.ladder import Rung
from .channel_offer import Offer, Standing, Ticket
from .climb_box import ClimbBox, RecipeAt
from .climb_chores import Chore, Result, Worker
from .climb_rules import Rules
from .ladder import begin_swap, missing, offer, refuse, rise, roll_back, stand_back
from .ladder_state import Entry, Ladder, Needs, NotAStep
from .rollback import Figures, golden

log = logging.getLogger(__name__)
_KINDS = {
    Rung.OFFERED: ("fetch", Rung.FETCHED),
    Rung.FETCHED: ("verify", Rung.VERIFIED),
    Rung.VERIFIED: ("load", Rung.LOADED),
    Rung.LOADED: ("golden", Rung.GOLDEN),
}
"""The chore that each rung before the line waits for, and where it leads."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 600.0
_SWAP_WAIT_S = 30.0


class Steps:
    """Of all recipes. One thread."""

    def __init__(self, box: ClimbBox, worker: Worker, rules: Rules) -> None:
        self._box, self._worker, self._rules = box, worker, rules
        self.said: dict[str, str] = {}
        """What each recipe waits for, for people."""
        self.overrides_before = 0.0
        """Share of the present champion's reviewed rejects that were good."""
        self._figures: dict[str, Figures] = {}
        self._retry: dict[tuple[str, str], tuple[float, float]] = {}
        self._tickets: dict[str, Ticket] = {}
        self._nightly: dict[str, tuple[str, float]] = {}

    def say(self, recipe: str, words: str) -> None:
        """What it waits for."""
        if self.said.get(recipe, "") != words and words:
            log.info("recipe %s: %s", recipe, words)
        self.said[recipe] = words

    def figures(self, recipe: str) -> Figures:
        """Thresholds of its rules, by the signed plan that it goes by."""
        return self._figures.get(recipe, Figures())

    def wait(self, recipe: str, why: str, at: float) -> None:
        """The line did not take its new champion: it is tried again later."""
        self.say(recipe, why)
        self._retry[recipe, "swap"] = (at + _SWAP_WAIT_S, _SWAP_WAIT_S)

    def crowned(self, recipe: str) -> None:
        """Its climber has arrived."""
        self.say(recipe, "")

    def climb(self, recipe: RecipeAt, ladder: Ladder, standing: Standing, at: float) -> Ladder:
        """Do what is next for one recipe."""
        ladder = self.results(ladder, at)
        offers = [one for one in standing.offers if one.recipe == recipe.name]
        ladder = self._stopped(recipe, ladder, offers, at)
        ladder = self._ticket(recipe, ladder, standing.ticket, at)
        ladder = self._offered(recipe, ladder, offers, at)
        try:
            return self._next(recipe, ladder, offers, at)
        except NotAStep as error:
            self.say(recipe.name, str(error))
            return ladder

    # -- what came of chores

    def results(self, ladder: Ladder, at: float) -> Ladder:
        """Take up what the worker has done."""
        result = self._worker.take()
        if result is None:
            return ladder
        chore, key = result.chore, (result.chore.recipe, result.chore.kind)
        if result.later:
            wait_s = min(_LONGEST_WAIT_S, 2 * self._retry.get(key, (0.0, _FIRST_WAIT_S / 2))[1])
            self._retry[key] = (at + wait_s, wait_s)
            self.say(chore.recipe, result.trouble)
            return ladder
        self._retry.pop(key, None)
        if result.trouble and chore.kind in ("own", "bring"):
            self.say(chore.recipe, result.trouble)
            return ladder
        if chore.kind == "nightly":
            self._nightly[chore.recipe] = (chore.bundle, at)
            if result.trouble:
                return self._rules.obey(chore.recipe, chore.bundle, golden(result.trouble), ladder, at)
            return ladder
        if chore.kind == "ticket" and isinstance(chore.offer, Ticket):
            return self._down(chore.offer, ladder, at)
        return self._judged(chore, result, ladder, at)

    def _judged(self, chore: Chore, result: Result, ladder: Ladder, at: float) -> Ladder:
        entry = ladder.entry(chore.recipe, chore.bundle)
        if entry is None or _KINDS.get(entry.rung, ("",))[0] != chore.kind or entry.held:
            return ladder
        try:
            if result.trouble:
                return refuse(ladder, chore.recipe, chore.bundle, result.trouble, at, result.figures)
            return rise(ladder, chore.recipe, chore.bundle, _KINDS[entry.rung][1], Needs(), at, result.figures)
        except NotAStep as error:
            self.say(chore.recipe, str(error))
            return ladder

    # -- what is offered

    def _stopped(self, recipe: RecipeAt, ladder: Ladder, offers: Sequence[Offer], at: float) -> Ladder:
        """The fleet's red button: a challenger is out at once, a champion where the signed plan says so."""
        for one in (one for one in offers if one.halted):
            entry = ladder.entry(recipe.name, one.bundle)
            if entry is None or entry.locked:
                continue
            climber = ladder.climber(recipe.name)
            if climber is not None and climber.bundle == one.bundle:
                ladder = stand_back(ladder, recipe.name, one.bundle, "the fleet halted it", at)
            elif entry.rung is Rung.CHAMPION and one.rules.get("stop_takes_champion"):
                try:
                    ladder = roll_back(ladder, recipe.name, one.bundle, "the fleet halted it", at)
                except NotAStep as error:
                    self.say(recipe.name, str(error))
        return ladder

    def _ticket(self, recipe: RecipeAt, ladder: Ladder, ticket: Ticket | None, at: float) -> Ladder:
        """A signed way down: burnt first, durable, then offered."""
        if ticket is None or ticket.recipe != recipe.name or not self._due(recipe.name, "ticket", at):
            return ladder
        known = ladder.entry(recipe.name, ticket.to_bundle)
        if known is not None and (known.locked or known.rung is Rung.CHAMPION):
            self.say(recipe.name, f"ticket {ticket.number}: bundle {known.bundle[:12]} stands at {known.rung} here")
            return ladder
        self._worker.give(Chore("ticket", recipe.name, ticket.to_bundle, ticket))
        return ladder

    def _down(self, ticket: Ticket, ladder: Ladder, at: float) -> Ladder:
        try:
            made = offer(ladder, ticket.recipe, ticket.to_bundle, ticket.channel, ticket.from_seq, at, ticket=True)
        except NotAStep as error:
            self.say(ticket.recipe, str(error))
            return ladder
        self._tickets[ticket.recipe] = ticket
        return made

    def _offered(self, recipe: RecipeAt, ladder: Ladder, offers: Sequence[Offer], at: float) -> Ladder:
        champion, climber = ladder.champion(recipe.name), ladder.climber(recipe.name)
        if climber is not None and climber.ticket:
            return ladder
        why = ""
        for one in sorted(offers, key=lambda one: (not one.local, one.role != "champion")):
            if champion is not None and one.bundle == champion.bundle:
                continue
            if not (one.local or one.takes):
                why = why or one.refused or _gate_words(one)
                continue
            try:
                figures = Figures.of(one.rules)
                made = offer(ladder, recipe.name, one.bundle, one.channel, one.seq, at, local=one.local)
            except Refused as error:
                why = why or str(error)
                continue
            self._figures[recipe.name] = figures
            return made
        if climber is None:
            self.say(recipe.name, why)
        return ladder

    # -- what is next

    def _next(self, recipe: RecipeAt, ladder: Ladder, offers: Sequence[Offer], at: float) -> Ladder:
        entry = ladder.climber(recipe.name) or self._first(recipe, ladder, offers)
        if entry is None or ladder.swap(recipe.name) is not None:
            self._prove_champion(recipe, ladder, at)
            return ladder
        mine = next((one for one in offers if one.bundle == entry.bundle), None)
        needs = self._needs(recipe, mine)
        if waits := missing(ladder, entry, needs, at) or self._gate(entry, mine):
            self.say(recipe.name, waits)
            self._prove_champion(recipe, ladder, at)
            return ladder
        if entry.rung in _KINDS:
            kind = _KINDS[entry.rung][0]
            if self._due(recipe.name, kind, at):
                what = mine or self._tickets.get(recipe.name)
                self._worker.give(Chore(kind, recipe.name, entry.bundle, what))
                self.say(recipe.name, "")
            return ladder
        if entry.rung is Rung.GOLDEN:
            return rise(ladder, recipe.name, entry.bundle, Rung.SHADOW, needs, at)
        watch = self._rules.challengers.get(recipe.name)
        told = watch.told() if watch is not None and watch.bundle == entry.bundle else None
        if entry.rung is Rung.SHADOW:
            return rise(ladder, recipe.name, entry.bundle, Rung.CANARY, needs, at, told)
        if not self._due(recipe.name, "swap", at):
            return ladder
        return begin_swap(ladder, recipe.name, entry.bundle, needs, at)

    def _first(self, recipe: RecipeAt, ladder: Ladder, offers: Sequence[Offer]) -> Entry | None:
        """What stands at the beginning and is offered still."""
        mine = [one for one in ladder.entries if one.recipe == recipe.name and one.rung is Rung.OFFERED]
        for one in sorted(offers, key=lambda one: (not one.local, one.role != "champion")):
            found = next((entry for entry in mine if entry.bundle == one.bundle and not entry.held), None)
            if found is not None:
                return found
        return next((entry for entry in mine if entry.ticket and not entry.held), None)

    def _needs(self, recipe: RecipeAt, mine: Offer | None) -> Needs:
        figures, ring = self.figures(recipe.name), mine.ring if mine is not None else None
        plain = Needs()
        return Needs(
            plain.shadow_parts if ring is None else ring.shadow_parts,
            plain.canary_parts if ring is None else ring.canary_parts,
            int(figures.shadow_ng),
            figures.shadow_days,
        )

    def _gate(self, entry: Entry, mine: Offer | None) -> str:
        """Why it may not go on though nothing is missing here, for people; empty: it may."""
        if entry.ticket:
            return ""
        if entry.local:
            return "" if self._box.local_bundles else "[fleet] local_bundles = false: nothing taught here may climb"
        if mine is None:
            return "it is not offered any more"
        return mine.refused or ("" if mine.takes else _gate_words(mine))

    def _prove_champion(self, recipe: RecipeAt, ladder: Ladder, at: float) -> None:
        """Run the champion's golden pictures, at the start and once a night: the box may have changed beneath it."""
        champion = ladder.champion(recipe.name)
        if champion is None or not self._due(recipe.name, "nightly", at):
            return
        bundle, before = self._nightly.get(recipe.name, ("", 0.0))
        if bundle == champion.bundle and abs(at - before) < self._box.nightly_s:
            return
        self._worker.give(Chore("nightly", recipe.name, champion.bundle))

    def _due(self, recipe: str, kind: str, at: float) -> bool:
        due, wait_s = self._retry.get((recipe, kind), (0.0, 0.0))
        return at >= due or due - at > 2 * wait_s  # the clock may have been set back

    # -- what people said

    def reviewed(self, rules: Rules) -> dict[str, str]:
        """Models whose reviewed rejects are wanted, each with the moment from which on."""
        wanted = {one.champion: "" for one in rules.challengers.values()}
        since = {
            one.bundle: f"{datetime.fromtimestamp(one.since_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
            for one in rules.champions.values()
        }
        return wanted | since

    def reviewed_before(self, rules: Rules, found: dict[str, list[bool]]) -> None:
        """How often people called the present champion's rejects good."""
        for watch in rules.challengers.values():
            if reviewed := found.get(watch.champion):
                self.overrides_before = sum(reviewed) / len(reviewed)


def _gate_words(one: Offer) -> str:
    if one.halted:
        return "halted by the fleet"
    if one.expired:
        return "what was signed has run out: what runs goes on"
    if not one.ring_of_this_box:
        return "this box is in no ring"
    return f"ring {one.ring_of_this_box} is not open yet"
