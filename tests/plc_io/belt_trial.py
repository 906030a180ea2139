"""The real tracker on the virtual line: built from a scene's figures, run, and its record judged."""

from collections.abc import Callable
from dataclasses import dataclass

from okng.plc_io.tracker import Belt, Gate, Lane, StopRules, Tracker
from okng.simline.belt_case import Case, Violation
from okng.simline.belt_evidence import Evidence
from okng.simline.belt_judge import judge

from .belt_line import Line
from .belt_scene import Scene

Maker = Callable[[Belt, StopRules, tuple[str, ...], int], Tracker]


def belt_of(scene: Scene) -> Belt:
    """Return the tracker's settings for a scene: what the machine's builder would type in."""
    layout = scene.layout
    lanes = tuple(
        Lane(
            name=lane.name,
            gates=tuple(
                Gate(
                    name=gate.name,
                    distance_mm=gate.jet_at_mm,
                    valve_on_ms=gate.on_s * 1e3,
                    valve_off_ms=gate.off_s * 1e3,
                    link_ms=gate.link_s * 1e3,
                    pulse_ms=scene.pulse_ms,
                    before_mm=scene.before_mm,
                    after_mm=scene.after_mm,
                    resync_mm=gate.eye_at_mm,
                    confirm_mm=gate.confirm_at_mm,
                    kinds=dict(scene.kinds).get(gate.name, ()),
                )
                for gate in lane.gates
            ),
        )
        for lane in layout.lanes
    )
    return Belt(
        counts_per_mm=layout.counts_per_mm,
        encoder_bits=layout.encoder_bits,
        reversed=layout.encoder_reversed,
        max_speed_mm_s=scene.max_speed_mm_s,
        part_length_mm=layout.part_length_mm,
        min_gap_mm=scene.min_gap_mm,
        lanes=lanes,
        slip_mm=scene.slip_mm,
        jump_mm=scene.jump_mm,
        tick_ms=scene.tick_s * 1e3,
        edge_ms=(1 + scene.late_ticks) * scene.tick_s * 1e3,
    )


def make_tracker(belt: Belt, rules: StopRules, views: tuple[str, ...], deadline_ns: int) -> Tracker:
    """Make the product's own."""
    return Tracker(belt, rules, views=views, deadline_ns=deadline_ns)


@dataclass(frozen=True, slots=True)
class Trial:
    """One run and what the judge says."""

    violations: list[Violation]
    evidence: Evidence
    met: set[str]

    @property
    def broken(self) -> set[str]:
        """Return the names of the broken invariants."""
        return {each.invariant for each in self.violations}


def run(scene: Scene, make: Maker = make_tracker) -> Trial:
    """Run a scene to its end and judge it."""
    consecutive, k, n, late, unconfirmed = scene.rules
    rules = StopRules(consecutive=consecutive, k=k, n=n, late_in_row=late, unconfirmed_in_row=unconfirmed)
    tracker = make(belt_of(scene), rules, scene.views, round(scene.deadline_s * 1e9))
    tracker.belt_is_clear()
    line = Line(scene, tracker, lambda: tracker.fault)
    evidence = line.run()
    counters = tracker.counters()
    evidence.counters = {
        "triggers": counters.triggers,
        "ok": counters.ok,
        "ng": counters.ng,
        "unjudged": counters.unjudged,
        "in_flight": counters.in_flight,
        "stale": counters.stale_verdicts,
        "unconfirmed": counters.unconfirmed,
    }
    return Trial(judge(evidence), evidence, line.met | situations(scene, evidence))


def situations(scene: Scene, evidence: Evidence) -> set[str]:
    """Return what a run has seen, by physics and the tracker's answers."""
    case, met = Case(evidence), set[str]()
    orders = {part: case.order(part) for part in range(len(evidence.fates))}
    for part, order in orders.items():
        if order is None:
            continue
        met.add(order.action)
        met.add(f"why {order.why}")
        if order.action == "REJECT" and case.good_s(part) < case.deadline_s(part) and len(case.clusters[part]) > 1:
            met.add("good part rejected with its neighbour")
        if order.action == "PASS" and len(case.clusters[part]) > 1:
            met.add("close neighbours passed")
        late = [word for word in case.words[part] if word.at_s > order.told_s]
        met.update({"late word"} if late else set())
        if len(case.words[part]) > len(scene.views):
            met.add("more words than views")
    passed = [fate for fate in evidence.fates if fate.touch and fate.touch.contact_mm == 0.0]
    met.update({"met at the very edge"} if passed else set())
    met.update({"word of no part"} if any(word.part is None for word in evidence.heard) else set())
    met.update({"words out of order"} if _out_of_order(evidence) else set())
    met.update({"several views"} if len(scene.views) > 1 else set())
    met.update({"several lanes"} if len(scene.layout.lanes) > 1 else set())
    met.update({"2 m/s"} if any(speed == 2000 for _, speed in scene.speeds) else set())
    met.update({"fault"} if evidence.faults else set())
    met.update({"line stop"} if evidence.stops else set())
    return met


def _out_of_order(evidence: Evidence) -> bool:
    told = [word.part for word in evidence.heard if word.part is not None]
    return told != sorted(told)
