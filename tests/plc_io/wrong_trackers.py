"""Trackers broken on purpose, each by a bug somebody could write: the real one with one thing done otherwise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from okng.plc_io.belt import Belt
from okng.plc_io.lane_track import LaneTrack
from okng.plc_io.stop_rules import StopRules
from okng.plc_io.tracker import Tracker

from . import wrong_belts as belts
from . import wrong_words as words
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
    Wrong("time instead of distance", made(belts.ByTime), "stops", "I5"),
    Wrong("edges are not latched", made(belts.Unlatched), "edges 10 ms late at 2 m/s", "I7"),
    Wrong("counts do not go round", made(belts.NoRollover), "16 bits go round", "I6"),
    Wrong("bits off by one", told(forced(encoder_bits=17)), "16 bits go round", "I6"),
    Wrong("direction ignored", told(forced(reversed=False)), "counts down", "I2"),
    Wrong("a jump is believed", made(belts.JumpBelieved), "encoder jumps", "I10"),
    Wrong("top speed not watched", made(belts.FastBelieved), "the belt is faster than told", "I10"),
    Wrong("no valve time", told(gates(valve_on_ms=0.0)), "2 m/s", "I7"),
    Wrong("valve time without the link", told(gates(link_ms=0.0)), "close pairs, second bad", "I9"),
    Wrong("lead of the speed at the trigger", laned(belts.SpeedOfTheTrigger), "speeds up on the way", "I7"),
    Wrong("commits at the gate", laned(belts.CommitsLate), "mixed", "I9"),
    Wrong("fires again in reverse", laned(belts.FiresAgain), "backs off fast from close pairs", "I4"),
    Wrong("decides anew after a reverse", made(words.DecidesAnewAfterReverse), "backs off before a late OK", "I8"),
    Wrong("a fault blows off the passed", laned(belts.BlowsThePassed), "a fault with a good part at the gate", "I4"),
    Wrong("neighbours not grouped", laned(belts.NoGroups), "close pairs, second bad", "I4"),
    Wrong("neighbour ahead forgotten", laned(belts.NotTheOneAhead), "close pairs, second bad", "I4"),
    Wrong("neighbour behind forgotten", laned(belts.NotTheOneBehind), "close pairs of short parts, first bad", "I6"),
    Wrong("far neighbours grouped", laned(belts.GroupsAll), "bad, good, bad", "I6"),
    Wrong("rejects all", made(words.RejectsAll), "mixed", "I6"),
    Wrong("late verdict applied", _later(0, times=8), "late by the clock", "I8"),
    Wrong("late by a nanosecond too late", _later(1), "at the very deadline", "I8"),
    Wrong("verdict goes to the next part", made(words.NextPart), "words after the next trigger", "I3"),
    Wrong("verdict by number alone", made(words.AnyMoment), "OK of another moment", "I3"),
    Wrong("default OK", made(words.DefaultOk), "mixed", "I3"),
    Wrong("UNJUDGED is OK", made(words.UnjudgedIsOk), "mixed", "I3"),
    Wrong("lost picture ignored", made(words.LostIgnored), "lost and then OK", "I3"),
    Wrong("duplicate verdict overwrites", made(words.LastWordWins), "NG and then OK", "I3"),
    Wrong("missing view is OK", _first_view, "two views, one NG", "I3"),
    Wrong("decides twice", made(words.DecidesTwice), "late by seconds", "I8"),
    Wrong("expires while the belt stands", laned(words.ExpiresAtStop), "stops", "I2"),
    Wrong("slip not made up for", laned(words.SlipStays), "runs ahead", "I7"),
    Wrong("second eye ignored", made(words.GateEyeIgnored), "watched by all eyes", "I6"),
    Wrong("confirm eye not known", told(gates(confirm_mm=None)), "one reject is not blown off", "I5"),
    Wrong("confirm eye ignored", made(words.ConfirmIgnored), "one reject is not blown off", "I5"),
    Wrong("full bin ignored", made(words.BinIgnored), "the bin is full", "I10"),
    Wrong("fault forgotten", made(words.FaultForgotten), "bounces at the eye", "I6"),
    Wrong("fault lets open parts pass", made(words.FaultPasses), "bounces at the eye", "I10"),
    Wrong("fault without a stop", made(words.FaultRunsOn), "bounces at the eye", "I10"),
    Wrong("a bounce is a part", laned(words.BounceTaken), "bounces at the eye and runs on", "I10"),
    Wrong("missing edge forgiven", laned(words.MissingForgiven), "unseen by the gate's eye", "I10"),
    Wrong("all on one lane", made(words.OneLane), "two lanes", "I2"),
    Wrong("numbers used again", made(words.NumbersAgain), "mixed", "I1"),
    Wrong("late parts not counted", made(words.CountsNoLate), "mixed", "I11"),
    Wrong("late verdicts not counted", made(words.CountsNoStale), "late by seconds", "I8"),
]
