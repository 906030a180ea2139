"""What the machine builder fixed about belt, eyes and gates, and the distances that follow from it. Pure.

Positions are millimetres along a lane, 0 at its trigger eye. A gate's own figures are worst cases of the data sheets: a
valve or a link that is faster does no harm.
"""

from dataclasses import dataclass
from functools import cached_property

REVERSE_MM = 5.0
"""How far a belt may creep back before a valve that is on has let go: kept free behind a part that passed."""
CLOSE_MM = 0.5
"""What counting and latching may be off."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One ejector over a lane: a valve whose air takes a part off the belt."""

    name: str
    distance_mm: float
    """Trigger eye to the middle of the jet."""
    valve_on_ms: float = 12.0
    """From the coil to air at the part, worst case."""
    valve_off_ms: float = 8.0
    link_ms: float = 0.0
    """From our output to the coil, worst case: the communication bound."""
    pulse_ms: float = 20.0
    """Shortest pulse the valve can follow."""
    before_mm: float = 2.0
    """Air is there before the leading edge comes this near; carries what an acceleration adds in the dead time."""
    after_mm: float = 10.0
    """Air stays until so much of the part is under the jet."""
    jet_mm: float = 4.0
    """Width of the jet along the belt."""
    resync_mm: float | None = None
    """Second eye, from the trigger eye, before the gate; None: there is none."""
    confirm_mm: float | None = None
    """Confirm eye, from the trigger eye, behind the gate: sees what went on. None: there is none."""
    kinds: tuple[str, ...] = ()
    """Kinds of defects whose parts leave here. Empty: all that no other gate of the lane takes."""

    def __post_init__(self) -> None:
        for name in ("distance_mm", "jet_mm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"gate {self.name}: {name} = {getattr(self, name)}: expected more than 0")
        for name in ("valve_on_ms", "valve_off_ms", "link_ms", "pulse_ms", "before_mm", "after_mm"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"gate {self.name}: {name} = {getattr(self, name)}: expected 0 or more")

    @property
    def near_mm(self) -> float:
        """Where the jet begins."""
        return self.distance_mm - self.jet_mm / 2

    @property
    def far_mm(self) -> float:
        """Where the jet ends."""
        return self.distance_mm + self.jet_mm / 2

    @property
    def on_ns(self) -> int:
        """From our output to air at the part, worst case."""
        return round((self.valve_on_ms + self.link_ms) * 1e6)

    @property
    def pulse_ns(self) -> int:
        """Shortest time our output stays on: the pulse, and never less than the air needs to come."""
        return max(round(self.pulse_ms * 1e6), self.on_ns)


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of parts with a trigger eye of its own."""

    name: str
    gates: tuple[Gate, ...]
    """One or more. A reject leaves at the first that takes its kind of defect, else at the first that takes all."""

    @property
    def gate(self) -> Gate:
        """The gate a part comes to first."""
        return min(self.gates, key=lambda each: each.distance_mm)

    def gate_of(self, kinds: frozenset[str]) -> Gate:
        """The gate where a part with these kinds of defects leaves; no kinds: one that nobody could judge."""
        gates = sorted(self.gates, key=lambda each: each.distance_mm)
        return next(
            (gate for gate in gates if kinds.intersection(gate.kinds)),
            next((gate for gate in gates if not gate.kinds), gates[0]),
        )


@dataclass(frozen=True)
class Belt:
    """The belt and all that stands beside it. ValueError names what does not fit and what was expected."""

    counts_per_mm: float
    lanes: tuple[Lane, ...]
    encoder_bits: int = 32
    """16 or 32: the count goes round there."""
    reversed: bool = False
    """The count falls when the belt goes forward."""
    max_speed_mm_s: float = 600.0
    part_length_mm: float = 40.0
    min_gap_mm: float = 15.0
    """Parts never stand closer: a closer edge is a phantom."""
    slip_mm: float = 0.0
    """How far a part may slip between trigger eye and second eye; an edge within it belongs to the part."""
    jump_mm: float = 50.0
    """A change of the count between two samples beyond this is a fault."""
    tick_ms: float = 2.0
    """How often the tracker is asked, at most this far apart while the belt moves."""
    edge_ms: float = 2.0
    """How late an edge may be told, its debounce time included; what is missing is asked for that much later."""

    def __post_init__(self) -> None:
        for name in (
            "counts_per_mm",
            "max_speed_mm_s",
            "part_length_mm",
            "min_gap_mm",
            "jump_mm",
            "tick_ms",
            "edge_ms",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)}: expected more than 0")
        if self.slip_mm < 0:
            raise ValueError(f"slip_mm = {self.slip_mm}: expected 0 or more")
        if self.encoder_bits not in (16, 32):
            raise ValueError(f"encoder_bits = {self.encoder_bits}: expected 16 or 32")
        if 2 * self.jump_mm * self.counts_per_mm >= 1 << self.encoder_bits:
            raise ValueError(f"jump_mm = {self.jump_mm:g}: expected less than half a turn of the encoder")
        gates = [gate.name for lane in self.lanes for gate in lane.gates]
        if not self.lanes or not all(lane.gates for lane in self.lanes):
            raise ValueError("lanes: expected one or more, each with a gate")
        for names in (gates, [lane.name for lane in self.lanes]):
            if len(set(names)) != len(names):
                raise ValueError(f"names: expected each once, found {', '.join(names)}")
        for lane in self.lanes:
            self._fits(lane)

    def _fits(self, lane: Lane) -> None:
        gate = lane.gate
        commit = gate.near_mm - self.commit_mm(gate)
        # Whether anything follows too closely has to be known before the part is let go.
        told = self.travel_mm(self.edge_ms)
        known = self.part_length_mm + max(self.before_gap_mm(each) for each in lane.gates) + told
        if commit < known:
            raise ValueError(
                f"gate {gate.name}: distance_mm = {gate.distance_mm:g}: expected at least "
                f"{gate.distance_mm + known - commit:.1f} mm for this valve, link, part and top speed"
            )
        latest = commit - self.slip_mm - CLOSE_MM - told
        for each in lane.gates:
            if each.resync_mm is not None and not 0 < each.resync_mm <= latest:
                raise ValueError(
                    f"gate {each.name}: resync_mm = {each.resync_mm:g}: expected more than 0 and at most {latest:.1f}, "
                    f"since parts are decided {gate.near_mm - commit:.1f} mm before the first jet"
                )
            behind = each.far_mm + each.after_mm
            if each.confirm_mm is not None and each.confirm_mm < behind:
                raise ValueError(f"gate {each.name}: confirm_mm = {each.confirm_mm:g}: expected {behind:.1f} or more")

    def travel_mm(self, *spans_ms: float) -> float:
        """How far the belt may go in these times at top speed."""
        return self.max_speed_mm_s * sum(spans_ms) / 1000

    def commit_mm(self, gate: Gate) -> float:
        """How far before the jet the leading edge is when the part's disposition is frozen.

        Two ticks: one for the part to be seen there, one for the coil to be told.
        """
        return gate.before_mm + self.travel_mm(gate.valve_on_ms, gate.link_ms, 2 * self.tick_ms)

    def before_gap_mm(self, gate: Gate) -> float:
        """Gap that a part which passes needs behind it when the next is rejected: air comes before that one does."""
        air = self.travel_mm(gate.valve_on_ms, gate.link_ms, 2 * self.tick_ms) + gate.before_mm
        return air + gate.jet_mm + REVERSE_MM + self._unsure_mm()

    def after_gap_mm(self, gate: Gate) -> float:
        """Gap that a part which passes needs before it when the one ahead is rejected: air goes after that one did."""
        on = max(gate.after_mm, self.travel_mm(gate.pulse_ns / 1e6))
        off = self.travel_mm(gate.valve_off_ms, gate.link_ms, 2 * self.tick_ms)
        return max(0.0, on + off + gate.jet_mm - self.part_length_mm) + CLOSE_MM + self._unsure_mm()

    def _unsure_mm(self) -> float:
        return 2 * self.slip_mm

    @cached_property
    def phantom_mm(self) -> float:
        """Two leading edges closer than this cannot be two parts."""
        return self.part_length_mm + self.min_gap_mm - CLOSE_MM

    def most(self, lane: Lane) -> int:
        """How many parts can be between the trigger eye and the last of a lane, with as many again to spare."""
        last = max(gate.confirm_mm or gate.far_mm for gate in lane.gates) + 2 * self.part_length_mm
        return 8 + 2 * round(last / self.phantom_mm)
