"""The climb of bundles on one box: what is offered is fetched, tried, shown to the line, and put in place, taken back.

    channel ──► Worker: fetch, verify, load, golden ──► Climb ──► ChallengerOrder ──► inspect
                                                         ▲  │                            │
    records ◄── each step ────────────────────────────────  └── model.swap ──► io        │
                                                         └───── ChallengerState, Compared ◄┘

Nothing here waits but the worker. The ladder is on the disk before anything follows from it, so that whoever is killed
between two steps goes on from the old one or the new one. What takes a bundle back asks neither the network nor people.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..bus.asks import Handler
from ..bus.carried import deaths
from ..bus.errors import BadLedger, ChannelLost, OkngError, StoreLost
from ..bus.ladder import ChallengerOrder, Role
from ..records.beside_read import BesideReader, Judged
from .channel_offer import Standing
from .channel_own import OwnWord
from .climb_box import ClimbBox, RecipeAt
from .climb_chores import Chore, Source, Worker
from .climb_desk import ClimbDesk
from .climb_line import Line
from .climb_notes import read_notes, write_notes
from .climb_review import Differed
from .climb_rules import Rules
from .climb_steps import Steps
from .climb_swap import Swapping, slot_digest, turn_swap
from .climb_watch import role_of
from .ladder import adopt
from .ladder_file import read_ladder, write_ladder
from .ladder_slots import active, fall_back, set_up
from .ladder_state import ON_THE_LINE, Ladder
from .shelf_keeper import sweep

log = logging.getLogger(__name__)
_SAVE_S = 5.0
_AT_ONCE = ("steps", "unsent", "swaps", "stopped", "floors")
"""What of the ladder is put on disk as soon as it changes; mere counts wait."""
_RECIPES_S = 5.0
_TELL_S = 1.0
_DEATHS_S = 2.0
_LABELS_S = 20.0
_SWEEP_S = 600.0


class Climb:
    """One box's. `turn` and `handlers` in one thread, `work` in another; `told` anywhere."""

    def __init__(
        self,
        box: ClimbBox,
        source: Source | None = None,
        own: OwnWord | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """source: None: nothing comes from outside. own: None: nothing taught here climbs. ChannelLost: no socket.

        BadLedger: the ladder's file is damaged: a person has to look; what runs on the line goes on.
        """
        self._box, self._source, self._wall = box, source, wall
        self.ladder: Ladder = read_ladder(box.bundles)
        self._saved = self.ladder
        self._saved_at = 0.0
        self._line = Line(box.run_dir)
        self._worker = Worker(box, own)
        self.rules = Rules(*read_notes(box.bundles))
        self.steps = Steps(box, self._worker, self.rules)
        self._recipes: tuple[RecipeAt, ...] = ()
        self._recipes_at = 0.0
        self._swaps: dict[str, Swapping] = {}
        self._lock = threading.Lock()
        self._standing = Standing()
        self._labels: tuple[list[Judged], dict[str, list[bool]]] | None = None
        self._wanted: tuple[list[tuple[int, int]], dict[str, str]] = ([], {})
        self._labels_at = self._sweep_at = 0.0
        self._differed: tuple[Differed, ...] | None = None
        self._words: Mapping[str, Mapping[int, str]] | None = None
        self._told: list[dict[str, Any]] = []
        self._told_at = self._deaths_at = 0.0
        self.desk = ClimbDesk(self)

    # -- the worker's thread

    def work(self) -> float:
        """Do what takes long: ask the channel, one chore, read labels. Return the seconds to wait."""
        try:
            said = self._source.standing() if self._source is not None else Standing()
            self._keep(replace(said, offers=(*self._worker.own_offers(), *said.offers)))
        except OkngError as error:
            log.debug("channel: %s", error)  # what was said last holds; its own words are said by the source
        did = self._worker.work(self._source)
        now = time.monotonic()
        if now - self._labels_at >= _LABELS_S:
            self._labels_at = now
            self._read_labels()
        return 0.0 if did else 0.25

    def _keep(self, said: Standing) -> None:
        with self._lock:
            self._standing = said

    def _read_labels(self) -> None:
        with self._lock:
            parts, models = self._wanted
        if not parts and not models:
            return
        reader = BesideReader(self._box.store)
        try:
            found = (reader.judged(parts), {model: reader.reviewed(model, since) for model, since in models.items()})
        except BadLedger as error:
            log.debug("labels: %s", error)
            return
        with self._lock:
            self._labels = found

    # -- the loop's thread

    def turn(self, now_ns: int) -> None:
        """Do what is due. Never waits and never raises: what the line uses goes on whatever happens here."""
        at = self._wall()
        try:
            self._line.turn(now_ns)
            self._read_recipes(at)
            self._hear(now_ns, at)
            for recipe in self._recipes:
                if not recipe.trouble:
                    self._recipe(recipe, now_ns, at)
            self._command(now_ns)
            self._tell_records(now_ns)
            self._sweep(at)
        except (StoreLost, ChannelLost, OSError) as error:
            log.warning("ladder: %s", error)
        self._remember(at)

    def _read_recipes(self, at: float) -> None:
        if self._recipes and abs(at - self._recipes_at) < _RECIPES_S:
            return
        self._recipes_at = at
        try:
            self._recipes = self._box.recipes()
        except OkngError as error:
            log.warning("ladder: recipes: %s", error)

    def _hear(self, now_ns: int, at: float) -> None:
        line, rules = self._line, self.rules
        compared, verdicts = list(line.compared), list(line.verdicts)
        line.compared.clear()
        line.verdicts.clear()
        found = rules.hear(compared, verdicts)
        order = line.order
        found |= rules.dropped(line.challenger(now_ns), order.number if order is not None else -1)
        if abs(at - self._deaths_at) >= _DEATHS_S:
            self._deaths_at = at
            run = self._box.run_dir
            found |= rules.died({one.bundle: deaths(run, one.bundle) for one in rules.champions.values()}, at)
        with self._lock:
            labels, self._labels = self._labels, None
            words, self._words = self._words, None
        if labels is not None:
            found |= rules.labelled(labels[0])
            for champion in rules.champions.values():
                if (said := champion.overrides(labels[1].get(champion.bundle, []))) is not None:
                    found[champion.bundle] = said
            self.steps.reviewed_before(rules, labels[1])
        if words is not None:
            found = rules.reviewed(words) | found  # what this box found itself goes before it
        self.ladder = rules.counted(self.ladder)
        for bundle, finding in found.items():
            for recipe in {one.recipe for one in self.ladder.entries if one.bundle == bundle}:
                self.ladder = rules.obey(recipe, bundle, finding, self.ladder, at)
        self.save_changed(at)

    def _recipe(self, recipe: RecipeAt, now_ns: int, at: float) -> None:
        if self.ladder.champion(recipe.name) is None:
            self._found_in_place(recipe, at)
            return
        with self._lock:
            standing = self._standing
        self.ladder = self.steps.climb(recipe, self.ladder, standing, at)
        self.save_changed(at)
        self._swap(recipe, now_ns, at)
        self.rules.tend(recipe, self.ladder, self.steps.figures(recipe.name), at, self._box.watch_s)
        self.save_changed(at)

    def _found_in_place(self, recipe: RecipeAt, at: float) -> None:
        """The bundle that the slot points at is the champion: the ladder begins with it."""
        found = slot_digest(recipe)
        if not found:
            self.steps.say(recipe.name, "its slot points at no bundle: `okng ladder adopt` sets it up")
            return
        if not self._box.place(found).is_dir():
            # It lies where an older okng or a hand put it: it comes to the others first.
            self._worker.give(Chore("bring", recipe.name, found, folder=active(recipe.slot)))
            self.ladder = self.steps.results(self.ladder, at)
            return
        self.ladder = adopt(self.ladder, recipe.name, found, at)
        self.save(at)
        set_up(recipe.slot, self._box.place(found))

    def _swap(self, recipe: RecipeAt, now_ns: int, at: float) -> None:
        name = recipe.name
        state = self._swaps.setdefault(name, Swapping())
        swap = self.ladder.swap(name)
        champion = self.ladder.champion(name)
        if swap is None and champion is not None:
            # Nobody but the ladder moves the slot: what a hand put there would not have climbed.
            place = self._box.place(champion.bundle)
            if active(recipe.slot) != place.resolve() and slot_digest(recipe) != champion.bundle and place.is_dir():
                log.error("recipe %s: its slot did not point at champion %.12s: put back", name, champion.bundle)
                fall_back(recipe.slot, place)
            return
        made = turn_swap(self._box, recipe, self.ladder, self._line, now_ns, at, state)
        if made is self.ladder:
            return
        done = swap is not None and swap.up and made.swap(name) is None
        if swap is not None and swap.up and not done:
            self.steps.wait(name, state.told, at)
        self.ladder = made
        self.save(at)
        if done and swap is not None:
            self.rules.crowned(recipe, swap.to, self.steps.figures(name), self.steps.overrides_before, at)
            self.steps.crowned(name)

    def _command(self, now_ns: int) -> None:
        """Order of inspect what the ladder says of the active job; without a word of io the last order stays."""
        line, station = self._line, self._line.station(now_ns)
        before = line.order
        if station is None:
            if before is None:
                line.command(ChallengerOrder(self.ladder.orders, 0, "", "", "", "", Role.NONE))
            return
        climber, champion = self.ladder.climber(station.job.recipe), self.ladder.champion(station.job.recipe)
        wanted = ChallengerOrder(0, 0, "", "", "", "", Role.NONE)
        if climber is not None and champion is not None and climber.rung in ON_THE_LINE and not self.ladder.stopped:
            wanted = ChallengerOrder(
                0,
                station.job_number,
                station.job.revision,
                climber.bundle,
                str(self._box.place(climber.bundle)),
                champion.bundle,
                role_of(climber.rung),
            )
        if before is None or replace(before, number=0) != wanted:
            self.ladder = self.ladder.ordered()
            self.save(self._wall())
            line.command(replace(wanted, number=self.ladder.orders))

    def _tell_records(self, now_ns: int) -> None:
        for n in sorted(self._line.taken):
            self.ladder = self.ladder.sent(n)
        self._line.taken.clear()
        self.save_changed(self._wall())
        if self.ladder.unsent:
            self._line.tell(self._box.name, self.ladder.unsent[0], now_ns)

    def _sweep(self, at: float) -> None:
        if abs(at - self._sweep_at) < _SWEEP_S:
            return
        self._sweep_at = at
        for gone in sweep(self._box, self.ladder, self._recipes):
            log.info("bundle %.12s was collected", gone)

    # -- kept

    def save(self, at: float) -> None:
        """Put the ladder on disk now, before anything follows from it. StoreLost: it stays as it was, here as there."""
        try:
            write_ladder(self._box.bundles, self.ladder)
        except StoreLost:
            self.ladder = self._saved
            raise
        self._saved, self._saved_at = self.ladder, at
        write_notes(self._box.bundles, self.rules.challengers, self.rules.champions)

    def save_changed(self, at: float) -> None:
        """The same where a step was made or something begun; mere counting waits for some seconds. StoreLost."""
        old, new = self._saved, self.ladder
        if new is old or new == old:
            return
        if any(getattr(new, name) != getattr(old, name) for name in _AT_ONCE) or abs(at - self._saved_at) >= _SAVE_S:
            self.save(at)

    def _remember(self, at: float) -> None:
        if abs(at - self._told_at) < _TELL_S:
            return
        self._told_at = at
        told = self.desk.told(at)
        with self._lock:
            self._told = told
            self._wanted = (self.rules.asked(), self.steps.reviewed(self.rules))
            self._differed = self.rules.differed()

    # -- told and asked

    @property
    def recipes(self) -> tuple[RecipeAt, ...]:
        """As they were last read."""
        return self._recipes

    @property
    def box(self) -> ClimbBox:
        """The box."""
        return self._box

    def standing(self) -> Standing:
        """What the channels last said."""
        with self._lock:
            return self._standing

    def give(self, chore: Chore) -> bool:
        """Let the worker do something; False: it is busy."""
        return self._worker.give(chore)

    def now(self) -> float:
        """Seconds since 1970."""
        return self._wall()

    def trouble(self, recipe: str) -> str:
        """Why the line does not go by the ladder of a recipe yet, for people; empty: it does."""
        state = self._swaps.get(recipe)
        return state.trouble if state is not None else ""

    def told(self) -> list[dict[str, Any]]:
        """Where each bundle stands, for the report: recipe, bundle, rung, reason, parts, days. Any thread."""
        with self._lock:
            return [
                {name: one[name] for name in ("recipe", "bundle", "rung", "reason", "parts", "days")}
                for one in self._told
            ]

    def differed(self) -> tuple[Differed, ...] | None:
        """What the challengers on the line differ on; None: not known yet. Any thread."""
        with self._lock:
            return self._differed

    def reviewed(self, words: Mapping[str, Mapping[int, str]]) -> None:
        """What reviewers at the fleet service say now. Any thread."""
        with self._lock:
            self._words = words

    def handlers(self) -> dict[str, Handler]:
        """By command of owner `sync`."""
        return self.desk.handlers()

    def close(self) -> None:
        """Keep what was counted and let go. Never raises."""
        try:
            if self.ladder is not self._saved:
                self.save(self._wall())
        except StoreLost as error:
            log.warning("ladder: %s", error)
        self._line.close()

    def run(self, stop: threading.Event) -> None:
        """Turn until told to stop; `work` is somebody else's thread."""
        while not stop.is_set():
            self.turn(time.monotonic_ns())
            stop.wait(0.1)
