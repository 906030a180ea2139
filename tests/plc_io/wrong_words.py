"""Wrong trackers, second part: which verdict counts, what eyes and faults mean, and what is told."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from okng.bus.messages import Counters
from okng.bus.part import Action, Disposition, Outcome, Trigger, Verdict, Why
from okng.plc_io.belt import Belt
from okng.plc_io.lane_track import LaneTrack, Tracked
from okng.plc_io.stop_rules import StopRules
from okng.plc_io.tracker import Outputs, Tracker

from .belt_words import verdict


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

    def lost(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "", reason: str = "") -> None:
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
