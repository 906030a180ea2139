"""A belt on a virtual clock: it takes valve commands, and tells what eyes saw and what the jets touched. Physics only.

Between two moments at which something switches the belt's speed is a straight line over time, so every crossing is
computed and none is sampled: a step of any length misses nothing.
"""

import bisect
import math
from collections import deque
from collections.abc import Callable

from .belt_layout import CONFIRM, EYE, GATE_EYE, Edge, Fate, Gate, Laid, Layout, Touch

ASIDE_MM = 20.0
"""A part whose trailing edge is so far behind the last jet is out of the reach of any reverse."""


class Air:
    """The valve of one gate: the command reaches the coil late, and the air follows the coil late."""

    def __init__(self, gate: Gate, chance: Callable[[], float]) -> None:
        """Take the delays and a source of numbers in 0..1 for their jitter."""
        self.gate = gate
        self.on = False
        """What flows now."""
        self.ordered = False
        """The last command."""
        self._chance = chance
        self._reached_s = -math.inf
        self.turns: deque[tuple[float, bool]] = deque()
        """Changes of the air to come, in order of time."""

    def order(self, on: bool, now_s: float) -> None:
        """Take a command. A link keeps the order of what it carries."""
        if on == self.ordered:
            return
        self.ordered = on
        gate = self.gate
        self._reached_s = max(self._reached_s, now_s + gate.link_s * self._chance())
        delay = (gate.on_s if on else gate.off_s) * (1 - gate.jitter * self._chance())
        turn = self._reached_s + delay
        while self.turns and self.turns[-1][0] >= turn:
            self.turns.pop()  # a pulse too short for the valve never comes out
        self.turns.append((turn, on and not gate.dead))


class _Beam:
    """One eye: at which travel which part breaks and frees it."""

    def __init__(self, kind: str, name: str, place_mm: float, parts: list[tuple[int, Laid]], length_mm: float) -> None:
        self.kind, self.name = kind, name
        seen = [(number, part) for number, part in parts if (kind, name) not in part.unseen_by]
        self.fronts = sorted((part.travel_to(place_mm), number) for number, part in seen)
        self.backs = sorted((part.travel_to(place_mm + length_mm), number) for number, part in seen)


class _Span:
    """A span of travel in which each part can be met by one jet, and how far from its leading edge."""

    def __init__(self, gate: Gate, parts: list[tuple[int, Laid]], length_mm: float) -> None:
        self.near = gate.jet_at_mm - gate.jet_mm / 2
        self.far = gate.jet_at_mm + gate.jet_mm / 2
        spans = [(part.travel_to(self.near), part.travel_to(self.far + length_mm), n) for n, part in parts]
        self.spans = sorted(spans)
        self.starts = [each[0] for each in self.spans]
        self.widest = max((end - start for start, end, _ in self.spans), default=0.0)


class BeltWorld:
    """The belt, all that lies on it, its eyes and its valves."""

    def __init__(self, layout: Layout, chance: Callable[[], float] = lambda: 1.0) -> None:
        """chance: 0..1, for every jitter; the default is the slowest valve and link."""
        self.layout = layout
        self.now_s = self.travel_mm = self.speed_mm_s = self.target_mm_s = 0.0
        self.fates = [Fate(number, part.lane) for number, part in enumerate(layout.parts)]
        self.air = {gate.name: Air(gate, chance) for lane in layout.lanes for gate in lane.gates}
        self._jumped = 0
        self._ghosts = deque(sorted(layout.ghosts, key=lambda each: each.at_mm))
        self._beams: list[_Beam] = []
        self._spans: dict[str, _Span] = {}
        self._past: dict[str, deque[tuple[float, int]]] = {}
        length = layout.part_length_mm
        for lane in layout.lanes:
            parts = [(n, part) for n, part in enumerate(layout.parts) if part.lane == lane.name]
            self._beams.append(_Beam(EYE, lane.name, 0.0, parts, length))
            for gate in lane.gates:
                self._spans[gate.name] = _Span(gate, parts, length)
                if gate.eye_at_mm is not None:
                    self._beams.append(_Beam(GATE_EYE, gate.name, gate.eye_at_mm, parts, length))
                if gate.confirm_at_mm is not None:
                    self._beams.append(_Beam(CONFIRM, gate.name, gate.confirm_at_mm, parts, length))
            last = max(self._spans[gate.name].far for gate in lane.gates) + length + ASIDE_MM
            self._past[lane.name] = deque(sorted((part.travel_to(last), n) for n, part in parts))

    @property
    def counts(self) -> int:
        """Return what the encoder reads."""
        return self._counts_at(self.travel_mm)

    @property
    def finished(self) -> bool:
        """Return whether nothing more can become of any part."""
        return all(fate.final for fate in self.fates)

    def command(self, gate: str, on: bool) -> None:
        """Switch an output now; coil and air follow."""
        self.air[gate].order(on, self.now_s)

    def jump(self, counts: int) -> None:
        """Make the encoder lose its count by so much, from now on."""
        self._jumped += counts

    def advance(self, seconds: float) -> list[Edge]:
        """Move on by a time, the belt ramping towards `target_mm_s`. Return what eyes told meanwhile, in order."""
        edges: list[Edge] = []
        end = self.now_s + seconds
        while end - self.now_s > 1e-12:
            until = end
            for air in self.air.values():
                while air.turns and air.turns[0][0] <= self.now_s:
                    air.on = air.turns.popleft()[1]
                if air.turns and air.turns[0][0] < until:
                    until = air.turns[0][0]
            self._glide(until, edges)
        edges.sort(key=lambda each: each.at_s)
        return edges

    def _counts_at(self, travel_mm: float) -> int:
        layout = self.layout
        counts = math.floor(travel_mm * layout.counts_per_mm) + self._jumped
        return (layout.encoder_start + (-counts if layout.encoder_reversed else counts)) % (1 << layout.encoder_bits)

    def _glide(self, until_s: float, edges: list[Edge]) -> None:
        """Move on while air, acceleration and direction stay what they are, at most until then."""
        start_s, before, speed = self.now_s, self.travel_mm, self.speed_mm_s
        # Zero lies between two speeds of different sign: the belt turns there, and a step ends.
        goal = 0.0 if speed * self.target_mm_s < 0 else self.target_mm_s
        acceleration = math.copysign(self.layout.ramp_mm_s2, goal - speed) if goal != speed else 0.0
        took = until_s - start_s
        if acceleration and abs((goal - speed) / acceleration) <= took:
            took, self.speed_mm_s = abs((goal - speed) / acceleration), goal
            self.now_s = min(until_s, start_s + took)
        else:
            self.speed_mm_s, self.now_s = speed + acceleration * took, until_s
        self.travel_mm = before + speed * took + acceleration * took * took / 2
        if self.travel_mm == before:
            self._blow(before, start_s, speed, acceleration)  # air may have come on over a part that stands
            return
        self._see(before, start_s, speed, acceleration, edges)
        self._blow(before, start_s, speed, acceleration)
        self._leave()

    def _when(self, travel_mm: float, before: float, start_s: float, speed: float, acceleration: float) -> float:
        """Return when the travel was passed in the step just made."""
        far = travel_mm - before
        if abs(acceleration) < 1e-9:
            return start_s + far / speed if speed else start_s
        root = math.sqrt(max(0.0, speed * speed + 2 * acceleration * far))
        towards = self.travel_mm - before
        after = (-speed + math.copysign(root, towards)) / acceleration
        return min(self.now_s, max(start_s, start_s + after))

    def _see(self, before: float, start_s: float, speed: float, acceleration: float, edges: list[Edge]) -> None:
        now, backwards = self.travel_mm, self.travel_mm < before
        for beam in self._beams:
            crossings = beam.backs if backwards else beam.fronts
            low, high = (now, before) if backwards else (before, now)
            at = (
                bisect.bisect_right(crossings, (low, math.inf))
                if not backwards
                else bisect.bisect_left(crossings, (low, -1))
            )
            while at < len(crossings) and (crossings[at][0] < high if backwards else crossings[at][0] <= high):
                travel, number = crossings[at]
                at += 1
                fate = self.fates[number]
                moment = self._when(travel, before, start_s, speed, acceleration)
                if fate.touch is not None and fate.touch.at_s <= moment:
                    continue
                if beam.kind == EYE and fate.seen_s is None:
                    fate.seen_s = moment
                edges.append(Edge(beam.kind, beam.name, self._counts_at(travel), moment, number, backwards))
        while self._ghosts and self._ghosts[0].at_mm <= now:
            ghost = self._ghosts.popleft()
            moment = self._when(max(before, ghost.at_mm), before, start_s, speed, acceleration)
            edges.append(Edge(ghost.kind, ghost.name, self._counts_at(max(before, ghost.at_mm)), moment, None))

    def _blow(self, before: float, start_s: float, speed: float, acceleration: float) -> None:
        now = self.travel_mm
        low, high = min(before, now), max(before, now)
        for name, span in self._spans.items():
            at = bisect.bisect_left(span.starts, low - span.widest)
            while at < len(span.spans) and span.spans[at][0] <= high:
                start, end, number = span.spans[at]
                at += 1
                fate = self.fates[number]
                if fate.touch is not None or end < low:
                    continue
                first = min(max(before, start), end)
                moment = self._when(first, before, start_s, speed, acceleration)
                if start <= now:
                    fate.reached_s.setdefault(name, moment)
                if self.air[name].on:
                    contact = self.layout.parts[number].place_at(first) - span.far
                    fate.touch = Touch(name, moment, min(max(0.0, contact), self.layout.part_length_mm))

    def _leave(self) -> None:
        for waiting in self._past.values():
            while waiting and waiting[0][0] <= self.travel_mm:
                fate = self.fates[waiting.popleft()[1]]
                if fate.touch is None:
                    fate.past_s = self.now_s
