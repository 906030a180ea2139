"""The rules at work: challengers and new champions are watched, and what a rule says is done to the ladder."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..bus.ladder import ChallengerState, Compared, Rung
from ..bus.part import Verdict
from ..records.beside_read import Judged
from .climb_box import RecipeAt
from .climb_review import Differed
from .climb_watch import SURE, ChallengerWatch, ChampionWatch, Differing
from .ladder import count, hold, refuse, roll_back, stand_back
from .ladder_state import ON_THE_LINE, Ladder, NotAStep
from .rollback import Figures, Finding, Then, unsound

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rules:
    """Watches by recipe. One thread."""

    challengers: dict[str, ChallengerWatch] = field(default_factory=dict)
    champions: dict[str, ChampionWatch] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)
    """What was done and why, for people, the newest last."""
    _counted: dict[str, tuple[int, int]] = field(default_factory=dict)

    def tend(self, recipe: RecipeAt, ladder: Ladder, figures: Figures, at: float, watch_s: float) -> None:
        """Begin to watch who came onto the line, and leave who went."""
        name, champion, climber = recipe.name, ladder.champion(recipe.name), ladder.climber(recipe.name)
        known = self.challengers.get(name)
        if champion is None or climber is None or climber.rung not in ON_THE_LINE:
            self.challengers.pop(name, None)
            self._counted.pop(name, None)
        elif known is None or (known.bundle, known.champion) != (climber.bundle, champion.bundle):
            self.challengers[name] = ChallengerWatch(climber.bundle, champion.bundle, figures, 0.0)
            self._counted[name] = (0, 0)
        elif name not in self._counted:  # of before a restart: what it has counted is in the ladder already
            self._counted[name] = (known.parts, known.ng)
        watched = self.champions.get(name)
        if watched is not None and (
            champion is None or watched.bundle != champion.bundle or at - watched.since_s > watch_s
        ):
            del self.champions[name]

    def crowned(self, recipe: RecipeAt, bundle: str, figures: Figures, overrides_before: float, at: float) -> None:
        """A challenger has become champion: from now on it is watched against what was known of the one before."""
        before = self.challengers.pop(recipe.name, None)
        rate = before.reject_rate if before is not None else 0.0
        least = 1 / before.champion_judged if before is not None and before.champion_judged else 0.001
        self.champions[recipe.name] = ChampionWatch(
            bundle, figures, recipe.deadline_ms, max(rate, least), overrides_before, at
        )

    def hear(self, compared: Iterable[Compared], verdicts: Iterable[Verdict]) -> dict[str, Finding]:
        """Take up what inspect said; return the finding by bundle that speaks first."""
        found: dict[str, Finding] = {}
        for one in compared:
            for watch in self.challengers.values():
                if (said := watch.add(one)) is not None:
                    found.setdefault(watch.bundle, said)
        for verdict in verdicts:
            for champion in self.champions.values():
                if (said := champion.add(verdict)) is not None:
                    found.setdefault(champion.bundle, said)
        return found

    def dropped(self, state: ChallengerState | None, order: int) -> dict[str, Finding]:
        """What inspect itself did: it dropped the challenger of this very order."""
        if state is None or state.number != order:
            return {}
        for watch in self.challengers.values():
            if watch.bundle == state.bundle:
                watch.budget(state.budget_ms)
                if state.trouble:
                    return {state.bundle: unsound(state.trouble)}
        return {}

    def died(self, deaths: Mapping[str, int], at: float) -> dict[str, Finding]:
        """How many judges have died with each new champion within the last minutes, as inspect has written it down."""
        found: dict[str, Finding] = {}
        for champion in self.champions.values():
            for _ in range(deaths.get(champion.bundle, 0) - champion.deaths):
                champion.deaths += 1
                if (said := champion.died(at)) is not None:
                    found[champion.bundle] = said
        return found

    def asked(self) -> list[tuple[int, int]]:
        """Parts whose label is wanted."""
        wanted = []
        for watch in self.challengers.values():
            wanted += [place for place, truth in watch.agreed.items() if truth not in SURE]
            # Last, and so never cut off: on these the test of who is right goes by.
            wanted += [(one.part, one.at_ns) for one in watch.differing if one.truth not in SURE]
        return wanted

    def labelled(self, judged: Iterable[Judged]) -> dict[str, Finding]:
        """What people have said of differing parts."""
        by_part = {(one.part, one.at_ns): one for one in judged}
        found: dict[str, Finding] = {}
        for watch in self.challengers.values():
            for part in watch.differing:
                known = by_part.get((part.part, part.at_ns))
                if known is not None:
                    part.seq, part.taken_at = known.seq, known.taken_at
                    part.picture_kept, part.truth = known.picture_kept, known.truth
            for place in watch.agreed.keys() & by_part.keys():
                watch.agreed[place] = by_part[place].truth
            if (said := watch.judge()) is not None:
                found.setdefault(watch.bundle, said)
        return found

    def differed(self) -> tuple[Differed, ...]:
        """What the fleet may be told of each challenger: differing parts that were found in the ledger."""
        return tuple(
            Differed(recipe, watch.bundle, watch.champion, tuple(_told(one) for one in watch.differing if one.seq))
            for recipe, watch in self.challengers.items()
        )

    def reviewed(self, words: Mapping[str, Mapping[int, str]]) -> dict[str, Finding]:
        """All that reviewers at the fleet service say of differing parts, by bundle and number in the ledger.

        Only parts that this box itself saw differ can be spoken of, and only against a challenger (`judge`).
        """
        found: dict[str, Finding] = {}
        for watch in self.challengers.values():
            of = words.get(watch.bundle, {})
            for part in watch.differing:
                part.fleet = of.get(part.seq, "") if part.seq else ""
            if (said := watch.judge()) is not None:
                found[watch.bundle] = said
        return found

    def counted(self, ladder: Ladder) -> Ladder:
        """The ladder with what was counted since."""
        for name, watch in self.challengers.items():
            before = self._counted.get(name, (0, 0))
            parts, ng = watch.parts - before[0], watch.ng - before[1]
            if parts > 0 and ladder.entry(name, watch.bundle) is not None:
                ladder = count(ladder, name, watch.bundle, parts, max(0, ng))
                self._counted[name] = (watch.parts, watch.ng)
        return ladder

    def obey(self, recipe: str, bundle: str, finding: Finding, ladder: Ladder, at: float) -> Ladder:
        """Do what follows from a finding."""
        here = ladder.entry(recipe, bundle)
        if here is None or here.rung not in (*ON_THE_LINE, Rung.CHAMPION):
            return ladder
        watch = self.challengers.get(recipe)
        counted = watch.told() if watch is not None and watch.bundle == bundle else {}
        told = {"rule": finding.rule, **counted, **finding.figures}
        reason = f"{finding.rule}: {finding.detail}"
        try:
            if finding.then is Then.PAUSE:
                if here.rung is Rung.CHAMPION:  # there is nothing further to go to: people are told
                    return self._advise(ladder, reason)
                made = ladder if here.held else hold(ladder, recipe, bundle, reason, at, told)
            elif finding.then is Then.PEOPLE:
                made = stand_back(ladder, recipe, bundle, reason, at, hold=True, figures=told)
            elif finding.then is Then.REFUSED:
                made = refuse(ladder, recipe, bundle, reason, at, told)
            else:
                made = roll_back(ladder, recipe, bundle, reason, at, told)
        except NotAStep as error:
            return self._advise(ladder, f"{reason}; {error}")
        self.challengers.pop(recipe, None) if finding.then is not Then.PAUSE else None
        if made is not ladder:
            log.warning("recipe %s: bundle %.12s: %s: %s", recipe, bundle, finding.then, reason)
        return made

    def _advise(self, ladder: Ladder, words: str) -> Ladder:
        if words not in self.advice:
            log.error("%s", words)
            self.advice.append(words)
            del self.advice[:-20]
        return ladder


def _told(one: Differing) -> dict[str, Any]:
    """As `ladder.differs` takes it."""
    scores = {"champion_score": one.champion_score, "challenger_score": one.challenger_score}
    return {"seq": one.seq, "role": one.role, "champion": one.champion, "challenger": one.challenger, **scores}
