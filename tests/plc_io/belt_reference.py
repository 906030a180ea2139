"""A small controller that is right on lines without faults, and can be made wrong. It shows the judge can be passed.

It is no product and no pattern for one: it knows one gate a lane, no second eye, and no fault.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from okng.bus.part import Action, Delivery, Disposition, Outcome, Receipt, Record, Trigger, Verdict, Why

from .belt_scene import Scene


@dataclass(frozen=True, slots=True)
class Said:
    """What a tick says."""

    valves: frozenset[str]
    line_stop: bool = False
    why: str = ""


@dataclass(slots=True)
class _Part:
    trigger: Trigger
    lane: str
    at_mm: float
    said: dict[str, Outcome] = field(default_factory=dict)
    done: Disposition | None = None
    noted: bool = False


class Reference:
    """The controller. wrong: what it does wrong on purpose, one word of the tests."""

    def __init__(self, scene: Scene, wrong: str = "") -> None:
        self.scene, self.wrong = scene, wrong
        self.parts: list[_Part] = []
        self.stale = 0
        self._events: list[object] = []
        self._last_counts: int | None = None
        self._mm = self._speed = 0.0
        self._samples: deque[tuple[int, float]] = deque(maxlen=6)
        self._gate = {lane.name: lane.gates[0] for lane in scene.layout.lanes}

    # -- in --------------------------------------------------------------------------------------------------------

    def _mm_of(self, counts: int) -> float:
        layout, last = self.scene.layout, self._last_counts
        if last is None:
            return 0.0
        turn = 2**layout.encoder_bits if self.wrong != "no rollover" else 2**40
        gone = (counts - last + turn // 2) % turn - turn // 2
        return self._mm + (-gone if layout.encoder_reversed else gone) / layout.counts_per_mm

    def move(self, counts: int, now_ns: int) -> None:
        self._mm, self._last_counts = self._mm_of(counts), counts
        self._samples.append((now_ns, self._mm))
        (then_ns, then_mm), span = self._samples[0], now_ns - self._samples[0][0]
        self._speed = (self._mm - then_mm) / span * 1e9 if span else 0.0
        assert then_ns <= now_ns

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        at_mm = self._mm_of(counts)
        if self._speed < 0 or any(
            p.lane == lane and abs(p.at_mm - at_mm) < self.scene.layout.part_length_mm for p in self.parts
        ):
            return 0  # the same part, seen again in reverse
        number = part or len(self.parts) + 1
        deadline_ns = now_ns + round(self.scene.deadline_s * 1e9)
        trigger = Trigger(number, "line", now_ns, counts, deadline_ns, "cap")
        self.parts.append(_Part(trigger, lane, at_mm))
        self._events.append(trigger)
        return number

    def gate_eye(self, gate: str, counts: int, now_ns: int) -> None:
        """It has no use for one."""

    def confirm_eye(self, gate: str, counts: int, now_ns: int) -> None:
        """It has no use for one."""

    def submit(self, verdict: Verdict, now_ns: int) -> None:
        part = self._find(verdict.part)
        open_ = part is not None and part.done is None and now_ns < part.trigger.deadline_ns
        if self.wrong == "late counts" and part is not None:
            open_ = part.done is None
        if part is None or not open_ or part.trigger.at_ns != verdict.triggered_at_ns:
            self.stale += self.wrong != "stale not counted"
        elif self.wrong == "default ok" and verdict.outcome is Outcome.UNJUDGED:
            part.said[verdict.camera] = Outcome.OK
        elif part.said.setdefault(verdict.camera, verdict.outcome) is not verdict.outcome:
            part.said[verdict.camera] = Outcome.NG

    def lost(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "") -> None:
        found = self._find(part)
        if found is not None and found.trigger.at_ns == triggered_at_ns:
            found.said["lost"] = Outcome.UNJUDGED

    def bin_full(self, gate: str, full: bool, now_ns: int) -> None:
        """It has no bin."""

    def reset(self, now_ns: int) -> None:
        """It knows no fault."""

    # -- out -------------------------------------------------------------------------------------------------------

    def events(self) -> list[object]:
        events, self._events = self._events, []
        return events

    def tick(self, now_ns: int) -> Said:
        for part in self.parts:
            if part.done is None and self._mm >= self._near(part) - self._commit_mm():
                self._commit(part, now_ns)
        on = {
            self._gate[part.lane].name
            for part in self.parts
            if part.done is not None and part.done.action is Action.REJECT and self._blows(part)
        }
        self._write()
        return Said(frozenset(on))

    def counters(self) -> dict[str, int]:
        done = [part.done for part in self.parts if part.done is not None]
        ok = sum(each.action is Action.PASS for each in done) + (self.wrong == "miscounts")
        ng = sum(each.why is Why.NG for each in done)
        return {
            "triggers": len(self.parts),
            "ok": ok,
            "ng": ng,
            "unjudged": sum(each.action is Action.REJECT for each in done) - ng,
            "in_flight": len(self.parts) - len(done),
            "stale": self.stale,
        }

    # -- inside ----------------------------------------------------------------------------------------------------

    def _find(self, number: int) -> _Part | None:
        found = next((each for each in self.parts if each.trigger.part == number), None)
        if self.wrong == "next part" and found is not None:
            after = self.parts.index(found) + 1
            return self.parts[after] if after < len(self.parts) else None
        return found

    def _near(self, part: _Part) -> float:
        gate = self._gate[part.lane]
        return part.at_mm + gate.jet_at_mm - gate.jet_mm / 2

    def _commit_mm(self) -> float:
        return self.scene.commit_mm - 4 if self.wrong != "commits late" else 6.0

    def _is_good(self, part: _Part) -> bool:
        views = self.scene.views
        if self.wrong == "missing view ok":
            return bool(part.said) and all(each is Outcome.OK for each in part.said.values())
        return set(part.said) == set(views) and all(each is Outcome.OK for each in part.said.values())

    def _commit(self, first: _Part, now_ns: int) -> None:
        """Decide a part, and with it all that stand so close that they could not be told apart by the jet."""
        scene = self.scene
        row = sorted((p for p in self.parts if p.lane == first.lane and p.done is None), key=lambda p: p.at_mm)
        together, last_mm = [first], first.at_mm
        for part in row[row.index(first) + 1 :]:
            if part.at_mm - last_mm - scene.layout.part_length_mm > scene.group_mm - 1 or self.wrong == "no groups":
                break
            together.append(part)
            last_mm = part.at_mm
        followed = self._mm - last_mm < scene.group_mm + scene.layout.part_length_mm and self.wrong != "no groups"
        good = all(self._is_good(each) for each in together) and not followed and self.wrong != "rejects all"
        for part in together:
            why = Why.OK if good else Why.LATE if not part.said else Why.NG
            action = Action.PASS if good else Action.REJECT
            part.done = Disposition(part.trigger.part, action, why, now_ns, now_ns, 0)
            self._events.append(part.done)
            if self.wrong == "decides twice":
                self._events.append(replace(part.done, action=Action.REJECT, why=Why.LATE))

    def _blows(self, part: _Part) -> bool:
        gate, scene = self._gate[part.lane], self.scene
        dead_s = gate.on_s + gate.link_s + 2 * scene.tick_s
        if self.wrong == "no valve time":
            dead_s = 2 * scene.tick_s
        speed = max(0.0, self._speed)
        start = self._near(part) - scene.before_mm - speed * dead_s
        if self.wrong == "time":
            gone_s = (self._samples[-1][0] - part.trigger.at_ns) / 1e9
            return 0 <= gone_s * 400 - (start - part.at_mm) <= scene.after_mm + speed * dead_s
        if self.wrong == "misses" and part.trigger.part % 2:
            return False
        return start <= self._mm <= self._near(part) + gate.jet_mm + scene.after_mm

    def _write(self) -> None:
        for part in self.parts:
            if part.done is not None and not part.noted and self._mm > self._near(part) + 80:
                part.noted = True
                done = part.done
                if self.wrong == "record differs" and done.why is Why.NG:
                    done = replace(done, action=Action.PASS, why=Why.OK)
                receipt = Receipt(part.trigger.part, Delivery.DELIVERED, None)
                self._events.append(Record(part.trigger, None, done, receipt, ""))
