"""The encoder tracker: which parts are on the belt, what becomes of each, and when which valve is on. Pure.

It thinks in distance: a part has its place on the belt from the edge at its eye, and everything that happens to it
happens at a place. Time has two parts in it: a verdict is late at its deadline, and valve and link take a time that is
turned into millimetres by the belt's speed. A part's disposition is frozen once, at the latest `Belt.commit_mm` before
the jet; without an OK by then it is a reject. What comes later is counted and changes nothing.

    trigger eye ... second eye ... | commit ... jet ... | confirm eye
    part number     slip made up   | frozen     air     | went on, or did not

Rejects are blown off, so a dead box would let everything by: wire gates so that a dead box rejects (`pins.py`), or let
the PLC hold the shift register. A fault rejects all that is open and stops the line until `reset`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..bus.clock import utc_now
from ..bus.messages import Agreement, Counters
from ..bus.part import LAST_PART, Action, Delivery, Disposition, Outcome, Receipt, Record, Trigger, Verdict, Why
from ..bus.shift import Mode
from .belt import Belt, Gate, Lane
from .lane_track import LaneTrack, Tracked
from .line_mode import ground
from .stop_rules import StopRules, Stops
from .tally import Tally
from .travel import Travel
from .views import Views, no_picture

__all__ = ["Belt", "Gate", "Lane", "LineFault", "LineReset", "Outputs", "StopRules", "Tracker"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the outputs are to be from now on."""

    valves: frozenset[str]
    """Gates whose coil is on: what passes under them is rejected."""
    line_stop: bool
    """Ask the line to stop (a process stop, not a safety function)."""
    why: str
    """Why it is to stop, the first thing to look at; empty: it is not."""


@dataclass(frozen=True, slots=True)
class LineFault:
    """The line cannot be vouched for any more; all open parts were rejected."""

    reason: str
    rejected: int


@dataclass(frozen=True, slots=True)
class LineReset:
    """A person has looked, and the line may go on."""


Event = Trigger | Disposition | Record | LineFault | LineReset

_SILENT_NS = 100_000_000
"""Without a sample of the encoder for so long nobody knows where the parts are."""


class Tracker:
    """The core of a box that fires its gates itself. `now_ns` never falls from call to call."""

    def __init__(
        self,
        belt: Belt,
        rules: StopRules,
        *,
        views: tuple[str, ...] = ("top",),
        deadline_ns: int,
        station: str = "line1",
        recipe: str = "",
        utc: Callable[[], str] = utc_now,
    ) -> None:
        """views: cameras that have to say OK of each part. deadline_ns: from the trigger to the last of them."""
        if deadline_ns <= 0:
            raise ValueError(f"deadline {deadline_ns} ns: expected more than 0")
        Views(views)
        self.belt, self.views, self.deadline_ns = belt, views, deadline_ns
        self.station, self.recipe = station, recipe
        self.agreements: tuple[Agreement, ...] = ()
        """Of the active job: where several views have to object before a part is NG."""
        self.tally = Tally()
        self.mode = Mode.PRODUCTION
        """What a part is that comes now."""
        self.accepts = True
        """False: the box is not ready. A part that comes is missed: numbered, recorded, rejected."""
        self.fault = ""
        """The fault that stands, in words; empty: none."""
        self._utc = utc
        self._travel = Travel(belt)
        self._stops = Stops(rules)
        self._stop_why = ""
        self._full: set[str] = set()
        self._open: dict[int, Tracked] = {}  # not yet decided, by number, in the order of the triggers
        self._lanes = {lane.name: LaneTrack(belt, lane, self._travel) for lane in belt.lanes}
        self._lane_of = {gate.name: self._lanes[lane.name] for lane in belt.lanes for gate in lane.gates}
        self._events: list[Event] = []
        self._number = 0

    # -- what comes in -----------------------------------------------------------------------------------------------

    def move(self, counts: int, now_ns: int) -> None:
        """Take a sample of the encoder, 0..2**bits - 1."""
        trouble = self._travel.move(counts, now_ns)
        if trouble:
            self.trip(trouble, now_ns)

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        """Take a leading edge at a trigger eye. Returns the part's number, 0 where the edge is no new part.

        counts: latched at the edge. part: the number somebody else gave it; 0: the tracker numbers. KeyError: no such
        lane.
        """
        track = self._lanes[lane]
        at_mm = self._travel.at(counts)
        stray = self._travel.strays(at_mm)
        if stray:
            at_mm = self._travel.mm  # there is a part, and nobody knows better where
        elif track.is_same_edge(at_mm):
            self._trip_if(track.stands(now_ns), now_ns)
            return 0
        if not stray and self._travel.is_old_ground(at_mm):
            if not track.knows(at_mm):
                self.trip(f"lane {lane}: the eye sees a part in reverse that nobody triggered", now_ns)
            return 0
        trouble = stray or track.crowded(at_mm)
        if part in self._open:
            trouble = trouble or f"part {part} was triggered again while it is open: number the parts anew"
        number = part if part and part not in self._open else self._next_number()
        trigger = Trigger(
            part=number,
            station=self.station,
            at_ns=now_ns,
            encoder=counts,
            deadline_ns=now_ns + self.deadline_ns,
            recipe=self.recipe,
            missed=not self.accepts,
        )
        tracked = Tracked(
            trigger,
            self._utc(),
            track,
            at_mm,
            Views(self.views, self.agreements),
            mode=self.mode,
            doubtful=bool(trouble),
        )
        track.add(tracked)
        self._open[number] = tracked
        self.tally.trigger(missed=trigger.missed)
        self._events.append(trigger)
        if trouble:
            self.trip(trouble, now_ns)
        elif self.fault or trigger.missed:
            self._freeze(tracked, Why.FAULT if self.fault else Why.LOST, now_ns)
        return number

    def gate_eye(self, gate: str, counts: int, now_ns: int) -> None:
        """Take a leading edge at the second eye of a gate: slip is made up for. KeyError: no such gate."""
        at_mm = self._travel.at(counts)
        if not self._travel.is_old_ground(at_mm):
            trouble = self._travel.strays(at_mm) or self._lane_of[gate].at_second_eye(gate, at_mm)
            self._trip_if(trouble, now_ns)

    def confirm_eye(self, gate: str, counts: int, now_ns: int) -> None:
        """Take a leading edge at the confirm eye of a gate: that part went on down the belt. KeyError: no such gate."""
        at_mm = self._travel.at(counts)
        if not self._travel.is_old_ground(at_mm):
            trouble = self._travel.strays(at_mm) or self._lane_of[gate].at_confirm_eye(gate, at_mm)
            self._trip_if(trouble, now_ns)

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        """Take one view's verdict. One that is late, foreign, double or of no open part is counted and dropped."""
        if verdict.outcome is not Outcome.OK:
            self._contradict(verdict.part, verdict.triggered_at_ns, verdict.camera, now_ns)
        part = self._open_part(verdict.part, verdict.triggered_at_ns, now_ns)
        if part is None or verdict.camera not in part.views.open:
            self.tally.stale += 1
            return
        whole = part.views.add(verdict)
        if whole is None:
            return
        part.verdict = whole
        if whole.outcome is not Outcome.OK:
            self._freeze(part, Why.NG if whole.outcome is Outcome.NG else Why.LOST, now_ns)
        elif part.mode is not Mode.PRODUCTION:
            self._freeze(part, Why.OK, now_ns)  # it does not pass: its neighbours have to know at once

    def lost(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "", reason: str = "") -> None:
        """There will be no picture of a part by that camera (empty: by any): it is rejected."""
        self._contradict(part, triggered_at_ns, camera, now_ns)
        found = self._open_part(part, triggered_at_ns, now_ns)
        if found is None or (camera and camera not in found.views.open):
            return
        found.lost = no_picture(reason)
        found.verdict = found.views.lost(camera, found.lost) if camera else None
        self._freeze(found, Why.LOST, now_ns)

    def bin_full(self, gate: str, full: bool, now_ns: int) -> None:
        """The bin of a gate is full, or has been emptied: rejecting goes on, the line is asked to stop."""
        if gate not in self._lane_of:
            raise KeyError(gate)
        (self._full.add if full else self._full.discard)(gate)

    def trip(self, reason: str, now_ns: int) -> None:
        """Go to FAULT: all open parts are rejected, and so is what is triggered until `reset`."""
        rejected = self.reject_open(now_ns)
        if not self.fault:
            self.fault = reason
            self._events.append(LineFault(reason, rejected))

    def belt_is_clear(self) -> None:
        """A person has cleared the belt between the eyes and the gates.

        Without that, what lies there when the box begins is nobody's: it is rejected until all of it is past the gates.
        """
        for track in self._lanes.values():
            track.begun = True

    def reject_open(self, now_ns: int) -> int:
        """Reject all that has no disposition yet; return how many parts that were."""
        rejected = len(self._open)
        for part in tuple(self._open.values()):
            self._freeze(part, Why.FAULT, now_ns)
        return rejected

    def reset(self, now_ns: int) -> None:
        """Leave FAULT and every stop that was asked for. What was rejected stays rejected."""
        if self.fault or self._stop_why:
            self._events.append(LineReset())
        self.fault = self._stop_why = ""
        self._stops.reset()

    # -- what goes out -----------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> Outputs:
        """Do what has become due at this place and time; return what the outputs are to be."""
        sampled_ns = self._travel.sampled_ns
        if sampled_ns is not None and now_ns - sampled_ns > _SILENT_NS:
            self.trip(f"encoder: no sample for {(now_ns - sampled_ns) // 1_000_000} ms", now_ns)
        for track in self._lanes.values():
            self._trip_if(track.missing(), now_ns)  # before anything is let go in the same tick
        for part in tuple(self._open.values()):
            if part.verdict is None and now_ns >= part.trigger.deadline_ns:
                self._freeze(part, Why.LATE, now_ns)  # an OK that is there waits for its place, however long
        for track in self._lanes.values():
            for part, why in track.due():
                self._freeze(part, why, now_ns)
        valves: set[str] = set()
        for track in self._lanes.values():
            valves |= track.valves(now_ns, everything=bool(self.fault))
            late, track.late = track.late, ""
            self._trip_if(late, now_ns)
            for part in track.finished():
                self._close(part, now_ns)
        stop = self.fault or self._stop_why
        if not stop and self._full:
            stop = f"bin of gate {min(self._full)} is full"
        return Outputs(frozenset(valves), bool(stop), stop)

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def next_ns(self) -> int | None:
        """When the next verdict is late; None: none is waited for."""
        return min((p.trigger.deadline_ns for p in self._open.values() if p.verdict is None), default=None)

    @property
    def open(self) -> int:
        """Parts without a disposition."""
        return len(self._open)

    def counters(self) -> Counters:
        """The totals of this run."""
        return self.tally.counters()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _next_number(self) -> int:
        while True:
            self._number = self._number % LAST_PART + 1
            if self._number not in self._open:
                return self._number

    def _contradict(self, number: int, triggered_at_ns: int, camera: str, now_ns: int) -> None:
        """Somebody takes an OK back before the commit point: what is unclear is a reject, whoever has yet to speak."""
        part = self._open.get(number)
        if part is None or part.trigger.at_ns != triggered_at_ns:
            return
        if part.verdict is not None or (camera in self.views and camera not in part.views.open):
            self._freeze(part, Why.LOST, now_ns)

    def _open_part(self, number: int, triggered_at_ns: int, now_ns: int) -> Tracked | None:
        part = self._open.get(number)
        if part is None or part.trigger.at_ns != triggered_at_ns:
            return None
        if part.verdict is not None:
            return None
        if now_ns >= part.trigger.deadline_ns:
            self._freeze(part, Why.LATE, now_ns)
            return None
        return part

    def _trip_if(self, trouble: str, now_ns: int) -> None:
        if trouble:
            self.trip(trouble, now_ns)

    def _freeze(self, part: Tracked, why: Why, now_ns: int) -> None:
        """Give a part its one disposition."""
        del self._open[part.number]
        why = ground(part.mode, why, missed=part.trigger.missed)
        part.disposition = Disposition(
            part=part.number,
            action=Action.PASS if why is Why.OK else Action.REJECT,
            why=why,
            committed_ns=now_ns,
            published_ns=now_ns,
            sequence=0,
        )
        if why is not Why.OK:
            part.lane.send_out(part)
        self.tally.decide(why)
        self._events.append(part.disposition)
        self._stop_why = self._stop_why or self._stops.decided(why)

    def _close(self, part: Tracked, now_ns: int) -> None:
        """Make the record of a part that is past everything that could tell of it."""
        disposition = part.disposition
        if disposition is None:  # pragma: no cover - a part is decided long before it is past its gate
            raise RuntimeError(f"part {part.number} is past its gate without a disposition")
        delivery = Delivery.UNCONFIRMED if part.confirmed is False else Delivery.DELIVERED
        if disposition.action is Action.REJECT:
            self.tally.receipt(confirmed=part.confirmed is not False)
            if part.confirmed is not None:
                self._stop_why = self._stop_why or self._stops.confirmed(part.confirmed)
        receipt = Receipt(part.number, delivery, now_ns, part.confirmed)
        self._events.append(Record(part.trigger, part.told_verdict, disposition, receipt, part.taken_at, part.lost))
