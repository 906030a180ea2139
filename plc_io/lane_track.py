"""One lane of the tracker: the parts on it in the order of the belt, who endangers whom, and the gate's air. Pure.

A jet needs time to come and to go, so a reject takes some of the belt before and behind it with it. A part that passes
has to be far enough from every reject: `Belt.before_gap_mm` ahead of one, `Belt.after_gap_mm` behind one. Parts that
stand closer pass together or not at all, and are decided together when the first of them has to be (group reject).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..bus.part import Action, Disposition, Trigger, Verdict, Why
from ..bus.shift import Mode
from .belt import CLOSE_MM, REVERSE_MM, Belt, Gate, Lane
from .travel import TURN_MM, Travel
from .views import Views

_CONFIRM_MM = 2.0
"""What a part may be off at the confirm eye on top of what it may slip."""
_AGAIN_MM = 2.0
"""What an edge may be off where a known part is seen again."""
_MOVES_MM_S = 1.0
_LATE_MM = 2.0
"""Air that comes so far behind a leading edge is late."""
_BURST_NS = 50_000_000
_MOST_BURSTS = 2
"""An eye that sees so many edges, apart in time, while the count stands: it is the encoder that stands."""


@dataclass(slots=True)
class Tracked:
    """One part on the belt."""

    trigger: Trigger
    taken_at: str
    lane: "LaneTrack"
    lead_mm: float
    """Belt travel at which its leading edge was at the trigger eye, slip made up for."""
    views: Views
    mode: Mode = Mode.PRODUCTION
    """What the line was doing when it was at the eye."""
    doubtful: bool = False
    """Its edge came where no part can be: nobody expects to see it again."""
    verdict: Verdict | None = None
    """Of all its views; an OK waits for the commit point."""
    lost: str = ""
    """Why there is no picture of it, as a reason of a verdict."""
    disposition: Disposition | None = None
    gate: Gate | None = None
    """Where it leaves; None: it is not rejected."""
    fired_ns: int | None = None
    """Since when its air is ordered; None: it is not."""
    taken_back: bool = False
    """Its air was ordered and taken back in reverse."""
    blown: bool = False
    """Its air has come and gone."""
    closed: bool = False
    confirmed: bool | None = None
    """What the confirm eye says: it went where it was sent. None: nobody looked."""
    met: set[str] = field(default_factory=set)
    """Eyes that have seen it or should have: `eye/gate`."""

    @property
    def number(self) -> int:
        """Part number."""
        return self.trigger.part

    @property
    def passes(self) -> bool:
        """It was let go."""
        return self.disposition is not None and self.disposition.action is Action.PASS

    @property
    def rejected(self) -> bool:
        """It was ordered out."""
        return self.disposition is not None and self.disposition.action is Action.REJECT

    @property
    def told_verdict(self) -> Verdict | None:
        """The verdict for the record: heat maps stay where the picture is."""
        return None if self.verdict is None else replace(self.verdict, heat=())


class LaneTrack:
    """The parts of one lane."""

    def __init__(self, belt: Belt, lane: Lane, travel: Travel) -> None:
        self._belt, self._lane, self._travel = belt, lane, travel
        self._gates = sorted(lane.gates, key=lambda each: each.distance_mm)
        self._gate = self._gates[0]
        self._parts: list[Tracked] = []  # in the order of the belt, the furthest down first
        self._edge_mm: float | None = None
        self._edge_ns, self._bursts = 0, 0
        self._eye_mm: dict[str, float] = {}
        self.begun = False
        """What lay behind the eye when the box began has gone by."""
        self.late = ""
        """Air that came or went too late, in words; the caller takes it."""
        self._commit_mm = belt.commit_mm(self._gate)
        self._before_gap_mm = max(belt.before_gap_mm(gate) for gate in lane.gates)
        self._after_gap_mm = max(belt.after_gap_mm(gate) for gate in lane.gates)
        self._most = belt.most(lane)
        self._watched = [gate for gate in self._gates if gate.confirm_mm is not None]
        self._last_watched = self._watched[-1].name if self._watched else ""
        ends = [gate.far_mm for gate in self._gates] + [gate.confirm_mm or 0.0 for gate in self._watched]
        self._end_mm = max(ends) + belt.part_length_mm + max(self._before_gap_mm, self._after_gap_mm) + belt.slip_mm

    # -- the trigger eye ---------------------------------------------------------------------------------------------

    def is_same_edge(self, at_mm: float) -> bool:
        """True for an edge where the last one was: the part stands in the beam and shakes."""
        return self._edge_mm is not None and abs(at_mm - self._edge_mm) < TURN_MM

    def stands(self, now_ns: int) -> str:
        """Take an edge where the last one was. Returns why that cannot be a part that shakes, empty: it can."""
        self._bursts += now_ns - self._edge_ns > _BURST_NS
        self._edge_ns = now_ns
        if self._bursts <= _MOST_BURSTS:
            return ""
        return f"lane {self._lane.name}: the eye sees edge after edge and the encoder stands: does it count?"

    def _is_repeat(self, mark: str, at_mm: float) -> bool:
        last = self._eye_mm.get(mark)
        self._eye_mm[mark] = at_mm
        return last is not None and abs(at_mm - last) < TURN_MM

    def knows(self, at_mm: float, eye_mm: float = 0.0) -> bool:
        """True when a part is known to have been in the beam of an eye at that travel: it is seen again in reverse."""
        near, far = -_AGAIN_MM, self._belt.part_length_mm + self._belt.min_gap_mm / 2
        return any(near <= at_mm - eye_mm - part.lead_mm <= far for part in self._parts)

    def crowded(self, at_mm: float) -> str:
        """Why there cannot be a part whose leading edge is there; empty: there can. The edge counts either way."""
        last, self._edge_mm = self._edge_mm, at_mm
        self._bursts = 0
        if last is not None and at_mm - last < self._belt.phantom_mm:
            if self._parts:
                self._parts[-1].doubtful = True
            return (
                f"lane {self._lane.name}: two edges at the eye {at_mm - last:.1f} mm apart, "
                f"expected at least {self._belt.phantom_mm:.1f} mm: a phantom or a part too close"
            )
        if len(self._parts) >= self._most:
            return f"lane {self._lane.name}: more than {self._most} parts are on the way: does the encoder count?"
        return ""

    def add(self, part: Tracked) -> None:
        """A part is at the eye."""
        self._parts.append(part)

    def send_out(self, part: Tracked) -> None:
        """A part was rejected: choose its gate."""
        defects = () if part.verdict is None else part.verdict.defects
        part.gate = self._lane.gate_of(frozenset(defect.kind for defect in defects))

    # -- decisions ---------------------------------------------------------------------------------------------------

    def due(self) -> Iterator[tuple[Tracked, Why]]:
        """Yield each part that has to be decided now, with the ground. The caller freezes it before it goes on."""
        travelled = self._travel.mm
        for index, part in enumerate(self._parts):
            if part.lead_mm + self._gate.near_mm - travelled > self._commit_mm:
                return
            if part.disposition is not None:
                continue
            if part.verdict is None:
                yield part, Why.LATE
                continue
            group = self._group(index)
            if not group:
                yield part, Why.GROUP
            for each in group:
                yield each, Why.OK

    def _group(self, index: int) -> list[Tracked]:
        """The part and all behind it that have to pass with it, all of them OK; empty: it cannot pass."""
        part = self._parts[index]
        if index and self._parts[index - 1].rejected and self._gap_mm(index - 1) < self._after_gap_mm:
            return []
        group = [part]
        while index + 1 < len(self._parts) and self._gap_mm(index) < self._before_gap_mm:
            index += 1
            behind = self._parts[index]
            if behind.passes:
                break
            if behind.rejected or behind.verdict is None:
                return []
            group.append(behind)
        # What has not been told of yet may be a reject: its air would reach back into the row.
        clear_mm = group[-1].lead_mm + self._belt.part_length_mm + self._before_gap_mm
        if index + 1 == len(self._parts) and clear_mm > self._travel.told_mm:
            return []
        return group

    def _gap_mm(self, index: int) -> float:
        """From the trailing edge of a part to the leading edge of the next."""
        return self._parts[index + 1].lead_mm - self._parts[index].lead_mm - self._belt.part_length_mm

    # -- the other eyes ----------------------------------------------------------------------------------------------

    def at_second_eye(self, name: str, at_mm: float) -> str:
        """Take an edge there. Returns what is wrong, empty: nothing."""
        gate = self._named(name)
        if gate.resync_mm is None:
            return ""
        mark = f"second/{name}"
        if self._is_repeat(mark, at_mm) or at_mm - gate.resync_mm < -self._belt.slip_mm - CLOSE_MM:
            return ""  # seen already, or it lay behind the trigger eye when the box began
        nearest = self._nearest(mark, at_mm - gate.resync_mm, gate)
        off = None if nearest is None else at_mm - gate.resync_mm - nearest.lead_mm
        if nearest is not None and off is not None and abs(off) < self._belt.phantom_mm / 2:
            # Also where it slipped too far: its air has the better chance at the place where it was seen.
            nearest.lead_mm += off
            nearest.met.add(mark)
            if abs(off) <= self._belt.slip_mm + CLOSE_MM:
                return ""
            return (
                f"gate {name}: part {nearest.number} slipped {off:.1f} mm, expected at most {self._belt.slip_mm:g} mm"
            )
        return f"gate {name}: the second eye sees a part that nobody triggered"

    def at_confirm_eye(self, name: str, at_mm: float) -> str:
        """Take an edge there: a part went on. Returns what is wrong, empty: nothing."""
        gate = self._named(name)
        if gate.confirm_mm is None:
            return ""
        mark = f"confirm/{name}"
        if self._is_repeat(mark, at_mm) or at_mm - gate.confirm_mm < -self._confirm_tolerance_mm:
            return ""
        nearest = self._nearest(mark, at_mm - gate.confirm_mm, gate)
        if nearest is None or abs(at_mm - gate.confirm_mm - nearest.lead_mm) > self._confirm_tolerance_mm:
            return f"gate {name}: the confirm eye sees a part that nobody triggered"
        nearest.met.add(mark)
        if nearest.gate is not None:
            if nearest.gate.distance_mm <= gate.distance_mm:
                nearest.confirmed = False
        elif name == self._last_watched:
            nearest.confirmed = True
        return ""

    def missing(self) -> str:
        """What should have been seen by now and was not; empty: nothing. Each is told once."""
        told = self._travel.told_mm
        trouble = ""
        for part in self._parts:
            for gate in self._gates:
                gone = part.gate is not None and part.gate.distance_mm < gate.distance_mm
                if gate.resync_mm is not None and not gone:
                    late = told > part.lead_mm + gate.resync_mm + self._belt.slip_mm + CLOSE_MM
                    if late and self._unmet(part, f"second/{gate.name}") and not part.doubtful:
                        trouble = trouble or f"gate {gate.name}: the second eye did not see part {part.number}"
                if gate.confirm_mm is not None and part.disposition is not None:
                    late = told > part.lead_mm + gate.confirm_mm + self._confirm_tolerance_mm
                    if late and self._unmet(part, f"confirm/{gate.name}"):
                        if part.passes and not part.doubtful:
                            trouble = (
                                trouble or f"gate {gate.name}: the confirm eye did not see part {part.number} go on"
                            )
                        elif part.gate is not None and gate.name == self._watcher(part.gate):
                            part.confirmed = True if part.confirmed is None else part.confirmed
        return trouble

    @property
    def _confirm_tolerance_mm(self) -> float:
        return self._belt.slip_mm + _CONFIRM_MM + CLOSE_MM

    def _watcher(self, gate: Gate) -> str:
        """The gate whose confirm eye sees first what did not leave at this gate; empty: none does."""
        return next((each.name for each in self._watched if each.distance_mm >= gate.distance_mm), "")

    @staticmethod
    def _unmet(part: Tracked, mark: str) -> bool:
        """True the first time a part is asked for at an eye that did not see it."""
        if mark in part.met:
            return False
        part.met.add(mark)
        return True

    def _nearest(self, mark: str, lead_mm: float, gate: Gate) -> Tracked | None:
        waiting = [
            part
            for part in self._parts
            if mark not in part.met and not (part.blown and part.gate is not None and part.gate is not gate)
        ]
        return min(waiting, key=lambda part: abs(part.lead_mm - lead_mm), default=None)

    def _named(self, name: str) -> Gate:
        return next(gate for gate in self._gates if gate.name == name)

    # -- air ---------------------------------------------------------------------------------------------------------

    def valves(self, now_ns: int, *, everything: bool) -> set[str]:
        """Gates whose coil is to be on. everything: all that moves under the jet is rejected, save what was let go."""
        travel, on = self._travel, set[str]()
        # What lay behind the eye when the box began is nobody's: it is rejected.
        self.begun = self.begun or travel.mm >= self._gates[-1].far_mm + self._belt.part_length_mm
        everything = everything or not self.begun
        moves = travel.forward and travel.speed_mm_s > _MOVES_MM_S
        for part in self._parts:
            if part.gate is not None and not part.blown:
                self._blow(part, part.gate, now_ns)
        for gate in self._gates:
            if any(part.fired_ns is not None and part.gate is gate for part in self._parts) or (
                everything and moves and not self._in_reach(gate)
            ):
                on.add(gate.name)
        return on

    def _blow(self, part: Tracked, gate: Gate, now_ns: int) -> None:
        """Order a part's air, or take it back."""
        travel = self._travel
        if not travel.forward:
            # What was let go may come back under the jet; the part itself comes again.
            part.taken_back = part.taken_back or part.fired_ns is not None
            part.fired_ns = None
            return
        ahead_mm = part.lead_mm + gate.near_mm - travel.mm
        gone_mm = travel.mm - part.lead_mm - gate.far_mm
        if part.fired_ns is None:
            lead_ms = gate.valve_on_ms + gate.link_ms + self._belt.tick_ms
            if ahead_mm <= gate.before_mm + max(0.0, travel.speed_mm_s) * lead_ms / 1000 + CLOSE_MM / 2:
                part.fired_ns = now_ns
                late_mm = travel.speed_mm_s * gate.on_ns / 1e9 - ahead_mm
                if late_mm > _LATE_MM and not part.taken_back:
                    self.late = f"gate {gate.name}: air of part {part.number} comes {late_mm:.1f} mm too late"
        elif gone_mm >= gate.after_mm and now_ns - part.fired_ns >= gate.pulse_ns:
            part.fired_ns, part.blown = None, True
            off_mm = travel.speed_mm_s * (gate.valve_off_ms + gate.link_ms) / 1000
            at_mm, length_mm = travel.mm - gate.near_mm, self._belt.part_length_mm
            if any(each.passes and -length_mm < each.lead_mm - at_mm < off_mm for each in self._parts):
                self.late = f"gate {gate.name}: air of part {part.number} goes too late for the next"

    def _in_reach(self, gate: Gate) -> bool:
        """A part that was let go is so near the jet that air ordered now, or on its way out, could meet it."""
        belt, travelled = self._belt, self._travel.mm
        off_mm = belt.travel_mm(gate.valve_off_ms, gate.link_ms, 2 * belt.tick_ms) + CLOSE_MM
        for part in self._parts:
            ahead_mm = part.lead_mm + gate.near_mm - travelled
            behind_mm = travelled - part.lead_mm - gate.far_mm - belt.part_length_mm
            if not part.rejected and ahead_mm <= off_mm and behind_mm <= 2 * REVERSE_MM:
                return True
        return False

    # -- the end -----------------------------------------------------------------------------------------------------

    def finished(self) -> list[Tracked]:
        """Parts whose record can be made now, each once; those far down the belt are forgotten."""
        found = [part for part in self._parts if not part.closed and self._over(part)]
        for part in found:
            part.closed = True
        while self._parts and self._parts[0].closed and self._travel.mm - self._parts[0].lead_mm > self._end_mm:
            del self._parts[0]
        return found

    def _over(self, part: Tracked) -> bool:
        """Nothing more can be learnt of a part."""
        if part.gate is not None:
            watcher = self._watcher(part.gate)
            return part.blown and (not watcher or f"confirm/{watcher}" in part.met)
        if not part.passes:
            return False
        if self._last_watched:
            return f"confirm/{self._last_watched}" in part.met
        return self._travel.mm - part.lead_mm > self._gates[-1].far_mm + self._belt.part_length_mm
