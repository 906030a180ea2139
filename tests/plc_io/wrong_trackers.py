"""Trackers broken on purpose, each by a bug somebody could write: the real one with one thing done otherwise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from okng.bus.messages import Counters
from okng.bus.part import Action, Disposition, Outcome, Trigger, Verdict, Why
from okng.plc_io.belt import Belt, Gate
from okng.plc_io.lane_track import LaneTrack, Tracked
from okng.plc_io.stop_rules import StopRules
from okng.plc_io.tracker import Outputs, Tracker
from okng.plc_io.travel import Travel

from .belt_line import verdict
from .belt_trial import Maker


def told(change: Callable[[Belt], Belt]) -> Maker:
    """Return a maker of the right tracker that goes by wrong figures."""
    return lambda belt, rules, views, deadline_ns: Tracker(change(belt), rules, views=views, deadline_ns=deadline_ns)


def made(kind: type[Tracker]) -> Maker:
    """Return a maker of a wrong kind of tracker."""
    return lambda belt, rules, views, deadline_ns: kind(belt, rules, views=views, deadline_ns=deadline_ns)


def laned(kind: type[LaneTrack]) -> Maker:
    """Return a maker of a tracker with a wrong kind of lane."""

    def make(belt: Belt, rules: StopRules, views: tuple[str, ...], deadline_ns: int) -> Tracker:
        tracker = Tracker(belt, rules, views=views, deadline_ns=deadline_ns)
        lanes = {lane.name: kind(belt, lane, tracker._travel) for lane in belt.lanes}
        tracker._lanes = dict(lanes)
        tracker._lane_of = {gate.name: lanes[lane.name] for lane in belt.lanes for gate in lane.gates}
        return tracker

    return make


def gates(**changes: Any) -> Callable[[Belt], Belt]:
    """Return a change of every gate of a belt."""

    def change(belt: Belt) -> Belt:
        lanes = (replace(lane, gates=tuple(replace(gate, **changes) for gate in lane.gates)) for lane in belt.lanes)
        return replace(belt, lanes=tuple(lanes))

    return change


def forced(**changes: Any) -> Callable[[Belt], Belt]:
    """Return a change of a belt's figures past its own checks."""

    def change(belt: Belt) -> Belt:
        copy = replace(belt)
        for name, value in changes.items():
            object.__setattr__(copy, name, value)
        return copy

    return change


class Remembers(Tracker):
    """No bug yet: it keeps what a bug needs to know."""

    def __init__(self, belt: Belt, rules: StopRules, *, views: tuple[str, ...], deadline_ns: int) -> None:
        super().__init__(belt, rules, views=views, deadline_ns=deadline_ns)
        self.triggers: dict[int, int] = {}
        self.done: dict[int, Disposition] = {}
        self.granted: set[int] = set()
        self.revised: list[Disposition] = []
        self.words: dict[int, dict[str, Verdict]] = {}

    def events(self) -> list[Any]:
        events: list[Any] = list(super().events())
        for event in events:
            if isinstance(event, Trigger):
                self.triggers[event.part] = event.at_ns
            if isinstance(event, Disposition):
                self.done[event.part] = event
        events += self.revised
        self.revised = []
        return events


# -- where the belt is -------------------------------------------------------------------------------------------------


class ByTime(Tracker):
    """Distance is time: the belt is taken to run on as it did over the first 100 ms."""

    _began: tuple[int, int] | None = None
    _rate = 0.0

    def _made_up(self, counts: int, now_ns: int) -> int:
        if self._began is None:
            self._began = (now_ns, counts)
        (at_ns, at), turn = self._began, 1 << self.belt.encoder_bits
        passed = now_ns - at_ns
        if passed <= 100_000_000:
            self._rate = ((counts - at + turn // 2) % turn - turn // 2) / passed if passed else 0.0
        return (at + round(self._rate * passed)) % turn

    def move(self, counts: int, now_ns: int) -> None:
        super().move(self._made_up(counts, now_ns), now_ns)

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        return super().eye(lane, self._made_up(counts, now_ns), now_ns, part)


class Unlatched(Tracker):
    """The place of an edge is where the belt is when the edge is told."""

    _now = 0

    def move(self, counts: int, now_ns: int) -> None:
        super().move(counts, now_ns)
        self._now = counts

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        return super().eye(lane, self._now, now_ns, part)


class NoRollover(Tracker):
    """Counts are subtracted as they are."""

    def __init__(self, belt: Belt, rules: StopRules, *, views: tuple[str, ...], deadline_ns: int) -> None:
        super().__init__(belt, rules, views=views, deadline_ns=deadline_ns)
        self._travel._turn = 1 << 48


class JumpBelieved(Tracker):
    """An encoder that jumps is believed."""

    def trip(self, reason: str, now_ns: int) -> None:
        if not reason.startswith("encoder"):
            super().trip(reason, now_ns)


class FastBelieved(Tracker):
    """A belt faster than declared is taken as it comes."""

    def trip(self, reason: str, now_ns: int) -> None:
        if not reason.startswith("belt"):
            super().trip(reason, now_ns)


# -- when air comes ----------------------------------------------------------------------------------------------------


class FiresAgain(LaneTrack):
    """A window is a place: whenever it is under the jet there is air, also the second time and in reverse."""

    def valves(self, now_ns: int, *, everything: bool) -> set[str]:
        gate, travel = self._gate, self._travel
        on = super().valves(now_ns, everything=everything)
        lead_ms = gate.valve_on_ms + gate.link_ms + self._belt.tick_ms
        for part in self._parts:
            ahead_mm = part.lead_mm + gate.near_mm - travel.mm
            start_mm = gate.before_mm + abs(travel.speed_mm_s) * lead_ms / 1000
            if part.rejected and -gate.after_mm - gate.jet_mm <= ahead_mm <= start_mm:
                on.add(gate.name)
        return on


class SpeedOfTheTrigger(LaneTrack):
    """The lead is that of the speed at the trigger."""

    def add(self, part: Tracked) -> None:
        super().add(part)
        self._speeds = getattr(self, "_speeds", {}) | {part.number: self._travel.speed_mm_s}

    def _blow(self, part: Tracked, gate: Gate, now_ns: int) -> None:
        travel = self._travel
        self._travel = _Paced(travel, self._speeds[part.number])  # type: ignore[assignment]
        super()._blow(part, gate, now_ns)
        self._travel = travel


class _Paced:
    """The belt's travel at another speed."""

    def __init__(self, travel: Travel, speed_mm_s: float) -> None:
        self.speed_mm_s, self.mm, self.forward = speed_mm_s, travel.mm, travel.forward


class CommitsLate(LaneTrack):
    """The decision waits until the part is at the gate."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._commit_mm = self._gate.before_mm


class BlowsThePassed(LaneTrack):
    """In a fault there is air, whoever is under the jet."""

    def _in_reach(self, gate: Gate) -> bool:
        return False


# -- who is rejected together ------------------------------------------------------------------------------------------


class NoGroups(LaneTrack):
    """Each part is decided by itself."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._before_gap_mm = self._after_gap_mm = 0.0


class NotTheOneAhead(LaneTrack):
    """A reject is thought to endanger only the part behind it."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._before_gap_mm = 0.0


class NotTheOneBehind(LaneTrack):
    """A reject is thought to endanger only the part ahead of it."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._after_gap_mm = 0.0


class GroupsAll(LaneTrack):
    """Every reject takes all that is within 300 mm with it."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._before_gap_mm = self._after_gap_mm = 300.0


# -- which verdict counts ----------------------------------------------------------------------------------------------


class NextPart(Remembers):
    """A verdict goes to the part triggered after its own."""

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        numbers = list(self.triggers)
        if verdict.part in self.triggers and verdict.part != numbers[-1]:
            number = numbers[numbers.index(verdict.part) + 1]
            verdict = replace(verdict, part=number, triggered_at_ns=self.triggers[number])
        super().submit(verdict, now_ns)


class AnyMoment(Remembers):
    """A verdict counts by its number alone."""

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        moment = self.triggers.get(verdict.part, verdict.triggered_at_ns)
        super().submit(replace(verdict, triggered_at_ns=moment), now_ns)


class DefaultOk(Remembers):
    """Silence is OK: what nobody said 0.2 s after the trigger is granted."""

    def tick(self, now_ns: int) -> Outputs:
        for number, at_ns in self.triggers.items():
            if now_ns >= at_ns + 200_000_000 and number not in self.granted:
                self.granted.add(number)
                for view in self.views:
                    super().submit(verdict(number, at_ns, view, "OK", now_ns), now_ns)
        return super().tick(now_ns)


class UnjudgedIsOk(Tracker):
    """Whatever is not NG is OK."""

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        if verdict.outcome is Outcome.UNJUDGED:
            verdict = replace(verdict, outcome=Outcome.OK, reasons=())
        super().submit(verdict, now_ns)


class LostIgnored(Tracker):
    """Word that there is no picture goes nowhere."""

    def lost(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "") -> None:
        """Nothing."""


class LastWordWins(Remembers):
    """A view's later verdict takes the place of its earlier one."""

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        part = self._open_part(verdict.part, verdict.triggered_at_ns, now_ns)
        if part is None or verdict.camera not in self.views:
            self.tally.stale += 1
            return
        said = self.words.setdefault(verdict.part, {})
        said[verdict.camera] = verdict
        good = set(said) == set(self.views) and all(each.outcome is Outcome.OK for each in said.values())
        part.verdict = verdict if good else None


class RejectsAll(Tracker):
    """On the safe side: no OK is believed."""

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        if verdict.outcome is not Outcome.OK:
            super().submit(verdict, now_ns)


class DecidesTwice(Remembers):
    """What was rejected is let go when an OK comes after all."""

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        super().submit(verdict, now_ns)
        done = self.done.get(verdict.part)
        if done is not None and verdict.outcome is Outcome.OK and done.action is Action.REJECT:
            self.revised.append(replace(done, action=Action.PASS, why=Why.OK))


class DecidesAnewAfterReverse(Tracker):
    """A part that comes back up the belt is decided a second time."""

    def move(self, counts: int, now_ns: int) -> None:
        super().move(counts, now_ns)
        for track in self._lanes.values():
            for part in track._parts:
                back = part.lead_mm + track._gate.near_mm - self._travel.mm > track._commit_mm + 2
                if part.disposition is not None and not self._travel.forward and back:
                    part.disposition = None
                    self._open[part.number] = part


class ExpiresAtStop(LaneTrack):
    """A part that is on the belt for longer than a second is forgotten."""

    def due(self) -> Iterator[tuple[Tracked, Why]]:
        yield from super().due()

    def valves(self, now_ns: int, *, everything: bool) -> set[str]:
        for part in self._parts:
            if now_ns - part.trigger.at_ns > 1_000_000_000 and part.rejected:
                part.blown = True
        return super().valves(now_ns, everything=everything)


# -- the other eyes and faults -----------------------------------------------------------------------------------------


class SlipStays(LaneTrack):
    """The second eye is asked whether a part is there, and not where."""

    def at_second_eye(self, name: str, at_mm: float) -> str:
        places = {part.number: part.lead_mm for part in self._parts}
        trouble = super().at_second_eye(name, at_mm)
        for part in self._parts:
            part.lead_mm = places[part.number]
        return trouble


class GateEyeIgnored(Tracker):
    """The second eye is wired and not read."""

    def gate_eye(self, gate: str, counts: int, now_ns: int) -> None:
        """Nothing."""


class ConfirmIgnored(Tracker):
    """The confirm eye is wired and not read."""

    def confirm_eye(self, gate: str, counts: int, now_ns: int) -> None:
        """Nothing."""


class BinIgnored(Tracker):
    """A full bin stops nothing."""

    def bin_full(self, gate: str, full: bool, now_ns: int) -> None:
        """Nothing."""


class FaultForgotten(Tracker):
    """A fault goes away by itself."""

    def tick(self, now_ns: int) -> Outputs:
        said = super().tick(now_ns)
        if self.fault:
            self.reset(now_ns)
        return said


class FaultPasses(Tracker):
    """A fault stops the line and leaves what is open to its verdicts."""

    def trip(self, reason: str, now_ns: int) -> None:
        self.fault = self.fault or reason


class FaultRunsOn(Tracker):
    """A fault rejects, and the line is not stopped."""

    def tick(self, now_ns: int) -> Outputs:
        return replace(super().tick(now_ns), line_stop=False)


class BounceTaken(LaneTrack):
    """An edge where no part can be is a part like any other."""

    def crowded(self, at_mm: float) -> str:
        super().crowded(at_mm)
        return ""


class MissingForgiven(LaneTrack):
    """What the second eye did not see is not missed."""

    def missing(self) -> str:
        super().missing()
        return ""


class OneLane(Tracker):
    """Every part is on the first lane."""

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        return super().eye(self.belt.lanes[0].name, counts, now_ns, part)


# -- what is told ------------------------------------------------------------------------------------------------------


class NumbersAgain(Tracker):
    """Numbers begin anew after three parts."""

    def _next_number(self) -> int:
        number = super()._next_number()
        self._number %= 3
        return number


class CountsNoLate(Tracker):
    """Late parts are left out of the sums."""

    def counters(self) -> Counters:
        counters = super().counters()
        return replace(counters, unjudged=counters.unjudged - counters.late)


class CountsNoStale(Tracker):
    """What comes late leaves no trace."""

    def counters(self) -> Counters:
        return replace(super().counters(), stale_verdicts=0)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong tracker."""

    name: str
    make: Maker
    scene: str
    """The named scene that shows it."""
    invariant: str
    """What it breaks there, at least."""


def _later(by: int, times: int = 1) -> Maker:
    """Return a maker of a tracker with another deadline."""
    return lambda belt, rules, views, deadline_ns: Tracker(
        belt, rules, views=views, deadline_ns=deadline_ns * times + by
    )


def _first_view(belt: Belt, rules: StopRules, views: tuple[str, ...], deadline_ns: int) -> Tracker:
    return Tracker(belt, rules, views=views[:1], deadline_ns=deadline_ns)


WRONG = [
    Wrong("time instead of distance", made(ByTime), "stops", "I5"),
    Wrong("edges are not latched", made(Unlatched), "edges 10 ms late at 2 m/s", "I7"),
    Wrong("counts do not go round", made(NoRollover), "16 bits go round", "I6"),
    Wrong("bits off by one", told(forced(encoder_bits=17)), "16 bits go round", "I6"),
    Wrong("direction ignored", told(forced(reversed=False)), "counts down", "I2"),
    Wrong("a jump is believed", made(JumpBelieved), "encoder jumps", "I10"),
    Wrong("top speed not watched", made(FastBelieved), "the belt is faster than told", "I10"),
    Wrong("no valve time", told(gates(valve_on_ms=0.0)), "2 m/s", "I7"),
    Wrong("valve time without the link", told(gates(link_ms=0.0)), "close pairs, second bad", "I9"),
    Wrong("lead of the speed at the trigger", laned(SpeedOfTheTrigger), "speeds up on the way", "I7"),
    Wrong("commits at the gate", laned(CommitsLate), "mixed", "I9"),
    Wrong("fires again in reverse", laned(FiresAgain), "backs off fast from close pairs", "I4"),
    Wrong("decides anew after a reverse", made(DecidesAnewAfterReverse), "backs off before a late OK", "I8"),
    Wrong("a fault blows off what was let go", laned(BlowsThePassed), "a fault with a good part at the gate", "I4"),
    Wrong("neighbours not grouped", laned(NoGroups), "close pairs, second bad", "I4"),
    Wrong("neighbour ahead forgotten", laned(NotTheOneAhead), "close pairs, second bad", "I4"),
    Wrong("neighbour behind forgotten", laned(NotTheOneBehind), "close pairs of short parts, first bad", "I4"),
    Wrong("far neighbours grouped", laned(GroupsAll), "bad, good, bad", "I6"),
    Wrong("rejects all", made(RejectsAll), "mixed", "I6"),
    Wrong("late verdict applied", _later(0, times=8), "late by the clock", "I8"),
    Wrong("late by a nanosecond too late", _later(1), "at the very deadline", "I8"),
    Wrong("verdict goes to the next part", made(NextPart), "words after the next trigger", "I3"),
    Wrong("verdict by number alone", made(AnyMoment), "OK of another moment", "I3"),
    Wrong("default OK", made(DefaultOk), "mixed", "I3"),
    Wrong("UNJUDGED is OK", made(UnjudgedIsOk), "mixed", "I3"),
    Wrong("lost picture ignored", made(LostIgnored), "lost and then OK", "I3"),
    Wrong("duplicate verdict overwrites", made(LastWordWins), "NG and then OK", "I3"),
    Wrong("missing view is OK", _first_view, "two views, one NG", "I3"),
    Wrong("decides twice", made(DecidesTwice), "late by seconds", "I8"),
    Wrong("expires while the belt stands", laned(ExpiresAtStop), "stops", "I2"),
    Wrong("slip not made up for", laned(SlipStays), "runs ahead", "I7"),
    Wrong("second eye ignored", made(GateEyeIgnored), "watched by all eyes", "I6"),
    Wrong("confirm eye not known", told(gates(confirm_mm=None)), "one reject is not blown off", "I5"),
    Wrong("confirm eye ignored", made(ConfirmIgnored), "one reject is not blown off", "I5"),
    Wrong("full bin ignored", made(BinIgnored), "the bin is full", "I10"),
    Wrong("fault forgotten", made(FaultForgotten), "bounces at the eye", "I6"),
    Wrong("fault lets open parts pass", made(FaultPasses), "bounces at the eye", "I10"),
    Wrong("fault without a stop", made(FaultRunsOn), "bounces at the eye", "I10"),
    Wrong("a bounce is a part", laned(BounceTaken), "bounces at the eye and runs on", "I10"),
    Wrong("missing edge forgiven", laned(MissingForgiven), "unseen by the gate's eye", "I10"),
    Wrong("all on one lane", made(OneLane), "two lanes", "I2"),
    Wrong("numbers used again", made(NumbersAgain), "mixed", "I1"),
    Wrong("late parts not counted", made(CountsNoLate), "mixed", "I11"),
    Wrong("late verdicts not counted", made(CountsNoStale), "late by seconds", "I8"),
]
