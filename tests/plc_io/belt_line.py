"""A line on the virtual clock: the belt's physics on one side, a tracker on the other, and a log between them.

It carries messages and nothing else. What is right is asked by `simline/belt_judge.py` afterwards.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from okng.bus.part import Disposition, Record, Trigger
from okng.simline.belt_evidence import Cause, Evidence, Given, Heard, Ordered, Spell, Written
from okng.simline.belt_layout import CONFIRM, GATE_EYE, Edge
from okng.simline.belt_physics import BeltWorld

from .belt_causes import marks_of
from .belt_scene import Scene, Word
from .belt_words import EPOCH_NS, Controller, seconds, verdict

__all__ = ["Line", "verdict"]


@dataclass(slots=True)
class _Standing:
    """A state of the controller that comes and goes."""

    spells: list[Spell] = field(default_factory=list)
    since_s: float | None = None
    why: str = ""

    def note(self, on: bool, now_s: float, why: str) -> None:
        if on and self.since_s is None:
            self.since_s, self.why = now_s, why
        elif not on and self.since_s is not None:
            self.spells.append(Spell(self.since_s, now_s, self.why))
            self.since_s = None

    def close(self) -> list[Spell]:
        if self.since_s is not None:
            self.spells.append(Spell(self.since_s, math.inf, self.why))
        return self.spells


class Line:
    """One run."""

    def __init__(self, scene: Scene, controller: Controller, fault_of: Callable[[], str]) -> None:
        """fault_of: the fault that stands in the controller, empty: none."""
        self.scene, self.controller, self.fault_of = scene, controller, fault_of
        self._chance = random.Random(scene.seed)
        self.world = BeltWorld(scene.layout, self._chance.random)
        self.evidence = Evidence(
            scene.layout,
            self.world.fates,
            scene.views,
            scene.deadline_s,
            scene.commit_mm,
            scene.group_mm,
            grace_s=2.25 * scene.tick_s,
        )
        self.met: set[str] = set()
        """Situations that truly came about."""
        if any(gate.dead for lane in scene.layout.lanes for gate in lane.gates):
            self.evidence.causes.append(Cause("dead valve", 0.0))
            self.met.add("dead valve")
        if any(scene.rules):
            self.evidence.causes.append(Cause("a rule of the line", 0.0))
        self._moments: dict[int, int] = {}
        self._post: list[tuple[float, int, int, int, Word]] = []
        self._posted = 0
        self._seen: set[int] = set()
        self._faults, self._stops = _Standing(), _Standing()
        self._resets: float | None = None
        self._late: deque[list[Edge]] = deque([[] for _ in range(scene.late_ticks)])
        self._counts = self.world.counts
        self._fast_s: float | None = None
        self._marks = deque(marks_of(scene))
        self._causes: dict[int, int] = {}
        self._jumps = deque(sorted(scene.jumps))
        self._full = deque(sorted(scene.full_bins))
        self._is_full: set[str] = set()

    def run(self, limit_s: float = 90.0) -> Evidence:
        """Run to the end and return what was logged. limit_s: of virtual time; beyond it the line is stuck."""
        world, scene = self.world, self.scene
        last_mm = max(gate.confirm_at_mm or gate.jet_at_mm for lane in scene.layout.lanes for gate in lane.gates)
        places = [part.at_mm for part in scene.layout.parts] + [ghost.at_mm for ghost in scene.layout.ghosts]
        end_mm = max(places, default=0.0) + last_mm + scene.layout.part_length_mm + 3 * scene.slip_mm + 200
        self._lead_in()
        speeds = deque(scene.speeds)
        until_s = world.now_s + speeds[0][0]
        after_s = 0.0
        while world.travel_mm < end_mm or self._post or after_s < scene.deadline_s + 0.1:
            after_s = after_s + self.scene.tick_s if world.travel_mm >= end_mm and not self._post else 0.0
            if world.now_s >= limit_s:
                self.evidence.quiet, self.evidence.stuck = False, True
                break
            while len(speeds) > 1 and world.now_s >= until_s:
                speeds.popleft()
                until_s += speeds[0][0]
            stopped = self._resets is not None and scene.obeys_stop
            world.target_mm_s = 0.0 if stopped else speeds[0][1]
            self._turn()
        evidence = self.evidence
        evidence.faults, evidence.stops = self._faults.close(), self._stops.close()
        return evidence

    def _lead_in(self) -> None:
        """Let an empty belt run by, and come to travel 0 at the speed the scene begins with."""
        world, scene = self.world, self.scene
        if not scene.cold:
            places = [gate.jet_at_mm + gate.jet_mm for lane in scene.layout.lanes for gate in lane.gates]
            world.travel_mm = -(max(places) + scene.layout.part_length_mm)
            world.speed_mm_s = world.target_mm_s = scene.max_speed_mm_s
            self._counts = world.counts
            while world.travel_mm < 0:
                self._turn()
        world.speed_mm_s = scene.speeds[0][1] if scene.rolling else 0.0

    def _turn(self) -> None:
        """One control tick."""
        world, controller = self.world, self.controller
        while self._jumps and self._jumps[0][0] <= world.travel_mm:
            self._jump(self._jumps.popleft()[1])
        edges = world.advance(self.scene.tick_s * (self._chance.uniform(0.3, 1.0) if self.scene.uneven else 1.0))
        now_s = world.now_s
        now_ns = EPOCH_NS + round(now_s * 1e9)
        self._note(now_s)
        self._late.append(edges)
        told = self._late.popleft()
        if self.scene.edges_first:
            self._tell(told, now_s, now_ns)
        controller.move(self._sample(), now_ns)
        if not self.scene.edges_first:
            self._tell(told, now_s, now_ns)
        self._read(now_s)
        self._look(edges)
        while self._post and self._post[0][0] <= now_s:
            _, _, number, part, word = heapq.heappop(self._post)
            self._hand_in(number, part, word, now_s, now_ns)
        while self._full and self._full[0][0] <= world.travel_mm:
            gate = self._full.popleft()[1]
            self._is_full.add(gate)
            self.evidence.causes.append(Cause("bin full", now_s, now_s + 2 * self.scene.tick_s))
            self.met.add("bin full")
            controller.bin_full(gate, True, now_ns)
        said = controller.tick(now_ns)
        self._read(now_s)
        for gate in self.scene.gates:
            world.command(gate, gate in said.valves)
        self._faults.note(bool(self.fault_of()), now_s, self.fault_of())
        self._stops.note(said.line_stop, now_s, said.why)
        if said.line_stop and self._resets is None:
            self._resets = now_s + self.scene.reset_s
        if self._resets is not None and now_s >= self._resets:
            self._reset(now_s, now_ns)

    def _sample(self) -> int:
        counts = self.world.counts
        if self.scene.trembles and self.world.speed_mm_s == 0:
            counts += self._chance.choice((-1, 0, 0, 1))
        return counts % (1 << self.scene.layout.encoder_bits)

    def _look(self, edges: list[Edge]) -> None:
        """Note what the belt itself does."""
        world, parts = self.world, self.scene.layout.parts
        if world.speed_mm_s < 0:
            self.met.add("reverse")
        elif world.speed_mm_s == 0 and world.travel_mm > 0:
            self.met.add("standstill")
        if world.speed_mm_s > 1.1 * self.scene.max_speed_mm_s:
            if self._fast_s is None:
                self._fast_s = world.now_s
                self.evidence.causes.append(Cause("too fast", world.now_s, world.now_s + 0.2))
                self.met.add("too fast")
        elif world.speed_mm_s < self.scene.max_speed_mm_s:
            self._fast_s = None
        if abs(world.counts - self._counts) > 1 << (self.scene.layout.encoder_bits - 1):
            self.met.add("rollover")
        self._counts = world.counts
        if any(edge.kind == GATE_EYE and edge.part is not None and parts[edge.part].slip_mm for edge in edges):
            self.met.add("slip at a second eye")

    def _reset(self, now_s: float, now_ns: int) -> None:
        for gate in self._is_full:
            self.controller.bin_full(gate, False, now_ns)
        self._is_full.clear()
        self._resets = None
        self.met.add("reset")
        self.controller.reset(now_ns)
        self._read(now_s)
        self._faults.note(bool(self.fault_of()), now_s, self.fault_of())

    def _tell(self, edges: list[Edge], now_s: float, now_ns: int) -> None:
        controller, scene = self.controller, self.scene
        for edge in edges:
            if edge.backwards:
                self.evidence.causes.append(Cause("an eye saw a part in reverse", edge.at_s))
                self.met.add("reverse over an eye")
            if edge.kind == GATE_EYE:
                controller.gate_eye(edge.name, edge.counts, now_ns)
            elif edge.kind == CONFIRM:
                controller.confirm_eye(edge.name, edge.counts, now_ns)
            else:
                asked = 7000 + len(self.evidence.given) if scene.numbered else 0
                number = controller.eye(edge.name, edge.counts, now_ns, asked)
                self._read(now_s)
                again = edge.part is None or edge.part in self._seen
                self.evidence.given.append(Given(number, now_s, None if again else edge.part))
                if edge.part is not None and not again:
                    self._seen.add(edge.part)
                    self._plan_words(edge.part, number, now_s)

    def _plan_words(self, part: int, number: int, now_s: float) -> None:
        for word in self.scene.words[part]:
            self._posted += 1
            heapq.heappush(self._post, (now_s + word.after_s, self._posted, number, part, word))

    def _hand_in(self, number: int, part: int, word: Word, now_s: float, now_ns: int) -> None:
        """Hand a message in. A part that was given no number cannot be spoken of."""
        if not number:
            return
        moment = self._moments.get(number, now_ns)
        true_to: int | None = part
        if word.trick == "moment":
            moment, true_to = moment - 1_000_000, None
        if word.trick == "number":
            number, true_to = number + 900_000, None
        self.evidence.heard.append(Heard(now_s, number, word.view, word.outcome, true_to))
        if word.outcome == "LOST":
            self.controller.lost(number, moment, now_ns, "" if word.trick == "any" else word.view)
        else:
            self.controller.submit(verdict(number, moment, word.view, word.outcome, now_ns, word.kind), now_ns)
            if true_to is not None and word.outcome == "NG":
                self.evidence.meant.setdefault(part, self._gate_for(part, word.kind))
        self._read(now_s)

    def _gate_for(self, part: int, kind: str) -> str:
        """Return where a part with such a defect has to leave."""
        lane = next(each for each in self.scene.layout.lanes if each.name == self.scene.layout.parts[part].lane)
        kinds = dict(self.scene.kinds)
        special = [gate.name for gate in lane.gates if kind in kinds.get(gate.name, ())]
        return (special or [gate.name for gate in lane.gates if gate.name not in kinds])[0]

    def _read(self, now_s: float) -> None:
        """Read what the controller tells, whoever makes it."""
        for event in self.controller.events():
            if isinstance(event, Trigger):
                self._moments[event.part] = event.at_ns
            elif isinstance(event, Disposition):
                at_s = seconds(event.committed_ns)
                self.evidence.ordered.append(Ordered(now_s, event.part, event.action.value, event.why.value, at_s))
            elif isinstance(event, Record):
                done = event.disposition
                at_s = seconds(done.committed_ns)
                confirmed = event.receipt.confirmed
                self.evidence.written.append(
                    Written(now_s, done.part, done.action.value, done.why.value, at_s, confirmed)
                )

    def _jump(self, counts: int) -> None:
        world, evidence = self.world, self.evidence
        world.jump(counts)
        self.met.add("jump")
        evidence.causes.append(Cause("encoder jump", world.now_s, world.now_s + 3 * self.scene.tick_s))
        for number, part in enumerate(self.scene.layout.parts):
            if part.at_mm <= world.travel_mm and not self.world.fates[number].final:
                evidence.astray.setdefault(number, world.now_s)

    def _note(self, now_s: float) -> None:
        evidence = self.evidence
        while self._marks and self._marks[0].travel_mm <= self.world.travel_mm:
            mark = self._marks.popleft()
            if mark.what == "timely":
                evidence.timely_until_s[mark.number] = now_s - self.scene.tick_s
            elif mark.what == "clear":
                evidence.clear_s[mark.number] = now_s + self.scene.late_ticks * self.scene.tick_s
            elif mark.what == "astray":
                evidence.astray.setdefault(mark.number, now_s - self.scene.tick_s)
            elif mark.what == "cause":
                self.met.add(mark.kind)
                self._causes[mark.number] = len(evidence.causes)
                evidence.causes.append(Cause(mark.kind, now_s - self.scene.tick_s))
            elif mark.part is None or self.world.fates[mark.part].touch is None:
                at = self._causes[mark.number]
                evidence.causes[at] = replace(
                    evidence.causes[at], by_s=now_s + (2 + self.scene.late_ticks) * self.scene.tick_s
                )
