"""What has been seen of one bundle on the line, and which rule speaks: a challenger's parts, then a new champion's."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..bus.ladder import Compared, Role
from ..bus.part import Outcome, Verdict
from .rollback import Crashes, Cusum, Disagreements, Figures, Finding, Overrides, Slowness, Sprt, unsound

LEAST_PARTS = 500
"""Before so many parts of the champion the reject rate is not compared with its own."""
MOST_DIFFERING = 2000
JUDGED = (Outcome.OK, Outcome.NG)
SURE = ("good", "defect")
_OF_THE_MODEL = ("NaN", "infinite", "output '", "heat map is constant", "out of range", "confidence ", "the model ")
"""What `models/reading.py` and its adapters say of output that nothing can be judged by."""


@dataclass(slots=True)
class Differing:
    """One part on which the two did not say the same."""

    part: int
    at_ns: int
    champion: str
    challenger: str
    champion_score: float
    challenger_score: float
    role: str
    truth: str = ""
    """What a person said: `good`, `defect`, `unsure`; empty: nothing yet."""
    seq: int = 0
    """In the ledger; 0: not found there yet."""
    taken_at: str = ""
    picture_kept: bool = False
    counted: bool = False
    """The test of who is right has taken it up."""
    fleet: str = ""
    """What reviewers at the fleet service say: `good`, `defect`; empty: nothing. What the line says goes before it."""


@dataclass(slots=True)
class ChallengerWatch:
    """A challenger beside a champion. One thread."""

    bundle: str
    champion: str
    figures: Figures
    budget_ms: float
    parts: int = 0
    ng: int = 0
    """Parts that either of the two called NG."""
    champion_judged: int = 0
    champion_ng: int = 0
    challenger_ng: int = 0
    agreed: dict[tuple[int, int], str] = field(default_factory=dict)
    """Parts by number and moment that both called NG, the newest, and what people said of each; empty: nothing yet."""
    differing: list[Differing] = field(default_factory=list)
    """The newest, the oldest first."""
    _sprt: Sprt = field(init=False)
    _raw: Disagreements = field(init=False)
    _slow: Slowness = field(init=False)
    _cusum: Cusum | None = field(init=False, default=None)
    _seen: set[tuple[int, int]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._sprt, self._raw = Sprt(self.figures), Disagreements(self.figures)
        self._slow = Slowness(self.budget_ms, self.figures)

    @property
    def reject_rate(self) -> float:
        """The champion's, 0..1."""
        return self.champion_ng / self.champion_judged if self.champion_judged else 0.0

    @property
    def checked(self) -> int:
        """Parts that people called defects, of those that either called NG."""
        return sum(truth == "defect" for truth in (*self.agreed.values(), *(one.truth for one in self.differing)))

    @property
    def escapes(self) -> int:
        """Of these the challenger called OK."""
        return sum(one.truth == "defect" and one.challenger == Outcome.OK for one in self.differing)

    def budget(self, budget_ms: float) -> None:
        """What inspect allows it, once that is known."""
        if budget_ms and not self.budget_ms:
            self.budget_ms = budget_ms
            self._slow = Slowness(budget_ms, self.figures)

    def add(self, one: Compared) -> Finding | None:
        """One part that both have seen. A part that comes twice counts once."""
        if (one.part, one.at_ns) in self._seen or one.challenger != self.bundle or one.champion != self.champion:
            return None
        self._seen.add((one.part, one.at_ns))
        if len(self._seen) > 4 * MOST_DIFFERING:  # the bus repeats nothing; this guards against the worst only
            self._seen.clear()
        self.parts += 1
        champion, challenger = one.champion_outcome, one.challenger_outcome
        self.ng += Outcome.NG in (champion, challenger)
        if champion in JUDGED:
            self.champion_judged += 1
            self.champion_ng += champion == Outcome.NG
        if challenger in JUDGED:
            self.challenger_ng += challenger == Outcome.NG
        found = [self._slow.add(one.took_ns / 1e6)]
        if champion in JUDGED and challenger in JUDGED:
            differ = champion != challenger
            if differ:
                self._note(one)
            elif challenger == Outcome.NG:
                self.agreed[one.part, one.at_ns] = ""
                if len(self.agreed) > MOST_DIFFERING:
                    del self.agreed[next(iter(self.agreed))]
            found.append(self._raw.add(differ=differ))
            found.append(self._rejects(reject=challenger == Outcome.NG))
        return worst(found)

    def _note(self, one: Compared) -> None:
        self.differing.append(
            Differing(
                one.part,
                one.at_ns,
                one.champion_outcome,
                one.challenger_outcome,
                one.champion_score,
                one.challenger_score,
                str(one.role),
            )
        )
        del self.differing[:-MOST_DIFFERING]

    def _rejects(self, *, reject: bool) -> Finding | None:
        if self._cusum is None:
            if self.champion_judged < LEAST_PARTS:
                return None
            # One reject is granted: of a clean line nobody knows how clean.
            self._cusum = Cusum(max(self.reject_rate, 1 / self.champion_judged), self.figures)
        return self._cusum.add(reject=reject)

    def judge(self) -> Finding | None:
        """Take up what people have said of differing parts since.

        Two tests, and either speaks: one goes by the words of the line alone, the other by these and the reviewers' of
        the fleet. So what comes from the fleet can take a challenger back and can never keep one.
        """
        found: list[Finding | None] = []
        for one in self.differing:
            if one.counted or one.truth not in SURE:
                continue
            one.counted = True
            found.append(self._sprt.add(challenger_wrong=_wrong(one, one.truth)))
        return worst((*found, self._with_fleet()))

    @property
    def reviewed(self) -> list[Differing]:
        """Parts that only reviewers at the fleet service judged."""
        return [one for one in self.differing if one.fleet in SURE and one.truth not in SURE]

    def _with_fleet(self) -> Finding | None:
        """Gone through anew each time: reviewers may take a word back."""
        reviewed = len(self.reviewed)
        if not reviewed:
            return None
        sprt, found = Sprt(self.figures), None
        for one in self.differing:
            truth = one.truth if one.truth in SURE else one.fleet
            if truth in SURE:
                found = sprt.add(challenger_wrong=_wrong(one, truth)) or found
        if found is None:
            return None
        detail = (
            f"of {sprt.judged} differing parts that people judged, {reviewed} of them at the fleet service,"
            f" it was wrong on {sprt.mistaken}"
        )
        told = {"judged": sprt.judged, "challenger_wrong": sprt.mistaken, "reviewed": reviewed}
        return Finding(found.rule, found.then, detail, told)

    def told(self) -> dict[str, Any]:
        """Figures for people and for the step."""
        return {
            "parts": self.parts,
            "ng": self.ng,
            "champion_ng": self.champion_ng,
            "challenger_ng": self.challenger_ng,
            "differing": len(self.differing),
            "judged": self._sprt.judged,
            "challenger_wrong": self._sprt.mistaken,
            "checked": self.checked,
            "escapes": self.escapes,
            "reviewed": len(self.reviewed),
            "reviewed_wrong": sum(_wrong(one, one.fleet) for one in self.reviewed),
            "worst_ms": round(self._slow.worst_ms, 2),
            "budget_ms": self.budget_ms,
        }


@dataclass(slots=True)
class ChampionWatch:
    """A new champion, against what was known of the one before. One thread."""

    bundle: str
    figures: Figures
    deadline_ms: float
    reject_rate: float
    """Of the champion before, 0..1."""
    overrides_before: float
    """Share of its reviewed rejects that were good."""
    since_s: float
    """When it took over, seconds since 1970."""
    parts: int = 0
    ng: int = 0
    reviewed: int = 0
    deaths: int = 0
    """Judges that died with it."""
    _cusum: Cusum = field(init=False)
    _slow: Slowness = field(init=False)
    _crashes: Crashes = field(init=False)

    def __post_init__(self) -> None:
        self._cusum = Cusum(self.reject_rate, self.figures)
        self._slow = Slowness(self.deadline_ms, self.figures)
        self._crashes = Crashes(self.since_s, self.figures)

    def add(self, verdict: Verdict) -> Finding | None:
        """One verdict of it."""
        if verdict.model != self.bundle or verdict.frame is None:
            return None
        self.parts += 1
        found = [self._slow.add((verdict.done_ns - verdict.started_ns) / 1e6)]
        if verdict.outcome is Outcome.UNJUDGED:
            trouble = next((one for one in verdict.reasons if _unsound(one)), "")
            if trouble:
                found.append(unsound(trouble))
        else:
            self.ng += verdict.outcome is Outcome.NG
            found.append(self._cusum.add(reject=verdict.outcome is Outcome.NG))
        return worst(found)

    def died(self, at_s: float) -> Finding | None:
        """The judge died."""
        return self._crashes.add(at_s)

    def overrides(self, reviewed: list[bool]) -> Finding | None:
        """All of its rejects that were reviewed since it took over, the oldest first; True: it was good."""
        if len(reviewed) <= self.reviewed:
            return None
        self.reviewed = len(reviewed)
        rule = Overrides(self.overrides_before, self.figures)
        return worst([rule.add(good=one) for one in reviewed])

    def told(self) -> dict[str, Any]:
        """Figures for people and for the step."""
        return {"parts": self.parts, "ng": self.ng, "reviewed": self.reviewed}


def _wrong(one: Differing, truth: str) -> bool:
    """Whether the challenger was, where that is the truth."""
    return one.challenger != (Outcome.OK if truth == "good" else Outcome.NG)


def role_of(name: str) -> Role:
    """The role of a rung on the line."""
    return {"SHADOW": Role.SHADOW, "CANARY": Role.CANARY}.get(name, Role.NONE)


def worst(found: Iterable[Finding | None]) -> Finding | None:
    """The finding with the hardest consequence; None: no rule has spoken."""
    order = ("pause", "people", "last-good", "refused")
    real = [one for one in found if one is not None]
    return max(real, key=lambda one: order.index(one.then), default=None)


def _unsound(reason: str) -> bool:
    """Whether a doubt speaks of the model itself and not of the picture."""
    return any(word in reason for word in _OF_THE_MODEL)
