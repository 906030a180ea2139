"""The physics of the belt: parts, encoder, eyes, valve and jet. No clock in here: time is passed in.

Positions are millimetres of belt travel since the start. A part's leading edge reaches the eye when the travel is
its `at_mm`, the gate `gate_mm` later, the confirm eye `confirm_mm` later. Eyes latch the encoder in hardware, so
an edge carries the exact count however late it is looked at.
"""

import bisect
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

FINE_S = 0.0005
"""Step of time while the jet may act: 0.3 mm at 600 mm/s."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the machine builder fixed."""

    part_length_mm: float
    gate_mm: float
    """Eye to jet."""
    confirm_mm: float
    """Eye to confirm eye."""
    counts_per_mm: float
    jet_mm: float
    """Width of the jet along the belt."""
    ramp_mm_s2: float
    valve_on_s: float
    """From the output switching on to air at the part."""
    valve_off_s: float
    valve_jitter_s: float
    """The air comes up to this much later than that."""


@dataclass(frozen=True, slots=True)
class Window:
    """An order to the output module: air from one encoder count to another, dead times made up for."""

    number: int
    start: int
    end: int


@dataclass(slots=True)
class Part:
    """One thing on the belt and what became of it."""

    index: int
    at_mm: float
    """Belt travel at which its leading edge is at the eye."""
    contact_mm: float | None = None
    """Where the jet first touched it, from its leading edge. None: it was not touched, and stays on the belt."""
    contact_counts: int | None = None
    confirmed: bool = False
    """Seen by the confirm eye: it went on down the belt."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A leading edge at an eye."""

    eye: str
    """`eye`, `confirm`, or `bin` for a part that was blown off."""
    part: Part
    counts: int
    """The encoder, latched."""


class Valve:
    """An air valve: it follows its coil late, and a pulse too short for it never comes out."""

    def __init__(self, on_s: float, off_s: float, jitter_s: float, chance: Callable[[], float]) -> None:
        """Take the delays and a source of numbers in 0..1 for the jitter."""
        self._on_s, self._off_s, self._jitter_s, self._chance = on_s, off_s, jitter_s, chance
        self._turns: deque[tuple[float, bool]] = deque()
        self.coil = False
        self.is_open = False

    def command(self, on: bool, now_s: float) -> None:
        """Switch the coil."""
        if on == self.coil:
            return
        self.coil = on
        turn = now_s + (self._on_s + self._jitter_s * self._chance() if on else self._off_s)
        while self._turns and self._turns[-1][0] >= turn:
            self._turns.pop()
        self._turns.append((turn, on))

    def follow(self, now_s: float) -> bool:
        """Return whether air flows at now_s."""
        while self._turns and self._turns[0][0] <= now_s:
            self.is_open = self._turns.popleft()[1]
        return self.is_open

    @property
    def busy(self) -> bool:
        """Return whether air flows or soon will."""
        return self.is_open or bool(self._turns) or self.coil


class Conveyor:
    """The belt and all on it."""

    def __init__(self, geometry: Geometry, at_mm: Sequence[float], chance: Callable[[], float] = lambda: 0.0) -> None:
        """Lay parts with their leading edges at these travels (rising). chance: 0..1, for the valve's jitter."""
        self.geometry = geometry
        self.parts = [Part(index, at) for index, at in enumerate(at_mm)]
        self.travel_mm = 0.0
        self.speed_mm_s = 0.0
        self.now_s = 0.0
        self._valve = Valve(geometry.valve_on_s, geometry.valve_off_s, geometry.valve_jitter_s, chance)
        self._at = list(at_mm)
        self._windows: list[Window] = []
        self._firing: set[int] = set()
        self._next_eye = self._next_confirm = 0
        self._on_belt_from = 0

    @property
    def encoder(self) -> int:
        """Return the encoder's count."""
        return math.floor(self.travel_mm * self.geometry.counts_per_mm)

    @property
    def finished(self) -> bool:
        """Return whether every part is in the bin or past the confirm eye."""
        return self._next_confirm == len(self.parts)

    def room_mm(self, passed: int) -> float:
        """Return how far the belt may move before more than so many parts have passed the eye."""
        at = max(passed, self._next_eye)
        return self._at[at] - self.travel_mm if at < len(self._at) else math.inf

    @property
    def valve_open(self) -> bool:
        """Return whether air flows."""
        return self._valve.is_open

    def order(self, window: Window) -> None:
        """Give the output module a window."""
        bisect.insort(self._windows, window, key=lambda each: each.start)

    def advance(self, seconds: float, target_mm_s: float) -> list[Edge]:
        """Move on by a time, the belt ramping towards a speed. Return the edges seen meanwhile, in belt order."""
        edges: list[Edge] = []
        until = self.now_s + seconds
        while until - self.now_s > 1e-9:
            left = until - self.now_s
            self._step(min(left, FINE_S) if self._jet_near(left) else left, target_mm_s, edges)
        return edges

    def _jet_near(self, seconds: float) -> bool:
        if self._valve.busy:
            return True
        if not self._windows:
            return False
        fastest = self.speed_mm_s + self.geometry.ramp_mm_s2 * seconds
        reach = self.travel_mm + fastest * (seconds + self.geometry.valve_on_s) + 1
        return reach * self.geometry.counts_per_mm >= self._windows[0].start

    def _step(self, seconds: float, target_mm_s: float, edges: list[Edge]) -> None:
        before, change = self.speed_mm_s, target_mm_s - self.speed_mm_s
        most = self.geometry.ramp_mm_s2 * seconds
        self.speed_mm_s = target_mm_s if abs(change) <= most else before + math.copysign(most, change)
        ramping_s = min(seconds, abs(change) / self.geometry.ramp_mm_s2)
        self.travel_mm += (before + self.speed_mm_s) / 2 * ramping_s + self.speed_mm_s * (seconds - ramping_s)
        self.now_s += seconds
        self._see_eye(edges)
        self._switch()
        if self._valve.follow(self.now_s):
            self._blow(edges)
        self._see_confirm(edges)

    def _see_eye(self, edges: list[Edge]) -> None:
        while self._next_eye < len(self._at) and self._at[self._next_eye] <= self.travel_mm:
            part = self.parts[self._next_eye]
            self._next_eye += 1
            edges.append(Edge("eye", part, math.floor(part.at_mm * self.geometry.counts_per_mm)))

    def _see_confirm(self, edges: list[Edge]) -> None:
        while self._next_confirm < self._next_eye:
            part = self.parts[self._next_confirm]
            there = part.at_mm + self.geometry.confirm_mm
            if part.contact_mm is None:
                if there > self.travel_mm:
                    return
                part.confirmed = True
                edges.append(Edge("confirm", part, math.floor(there * self.geometry.counts_per_mm)))
            elif there + self.geometry.part_length_mm > self.travel_mm:
                return  # gone, but its place on the belt has to pass before the run may end
            self._next_confirm += 1

    def _switch(self) -> None:
        """Be the output module: compare the encoder, moved ahead by the valve's dead time at this speed."""
        geometry = self.geometry
        on_at = (self.travel_mm + self.speed_mm_s * geometry.valve_on_s) * geometry.counts_per_mm
        off_at = (self.travel_mm + self.speed_mm_s * geometry.valve_off_s) * geometry.counts_per_mm
        for window in self._windows:
            if window.start > on_at:
                break
            self._firing.add(window.number)
        done = [each for each in self._windows if each.number in self._firing and off_at >= each.end]
        for window in done:
            self._windows.remove(window)
            self._firing.discard(window.number)
        self._valve.command(bool(self._firing), self.now_s)

    def _blow(self, edges: list[Edge]) -> None:
        geometry, half = self.geometry, self.geometry.jet_mm / 2
        for index in range(self._on_belt_from, self._next_eye):
            part = self.parts[index]
            depth = self.travel_mm - part.at_mm - geometry.gate_mm
            if depth < -half:
                break
            if depth - half > geometry.part_length_mm:
                self._on_belt_from = index + 1
            elif part.contact_mm is None:
                part.contact_mm, part.contact_counts = max(0.0, depth - half), self.encoder
                edges.append(Edge("bin", part, self.encoder))


@dataclass(slots=True)
class SpeedProfile:
    """What speed the line's operator asks for over time, in seconds of belt time."""

    steps: list[tuple[float, float]]
    """(from this second, mm/s), rising in time. The last holds for ever."""
    _at: int = field(default=0)

    def target(self, now_s: float) -> float:
        """Return the speed asked for at now_s; now_s never falls from call to call."""
        while self._at + 1 < len(self.steps) and self.steps[self._at + 1][0] <= now_s:
            self._at += 1
        return self.steps[self._at][1]


def steady(speed_mm_s: float) -> SpeedProfile:
    """Return one speed for ever."""
    return SpeedProfile([(0.0, speed_mm_s)])


def varying(speed_mm_s: float, chance: Callable[[], float], seconds: float = 36_000.0) -> SpeedProfile:
    """Return changes every 2 to 6 s between 40 and 100 % of a speed, each fifth of them a stop of 0.3 to 1 s."""
    steps, at = [(0.0, speed_mm_s)], 2 + 4 * chance()
    while at < seconds:
        if chance() < 0.2:
            steps.append((at, 0.0))
            at += 0.3 + 0.7 * chance()
        steps.append((at, speed_mm_s * (0.4 + 0.6 * chance())))
        at += 2 + 4 * chance()
    return SpeedProfile(steps)


def lay(count: int, first_mm: float, pitch_mm: float, jitter_mm: float, chance: Callable[[], float]) -> list[float]:
    """Return leading edges: the pitch, each up to jitter_mm wider or narrower."""
    places, at = [], first_mm
    for _ in range(count):
        places.append(at)
        at += pitch_mm + jitter_mm * (2 * chance() - 1)
    return places
