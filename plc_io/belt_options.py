"""What a person may set about a belt whose gates the box fires itself."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .belt import Belt, Gate, Lane
from .pins_options import LineName, PinsOptions
from .stop_rules import StopRules

Mm = Annotated[float, Field(gt=0.0, le=100_000.0)]
Ms = Annotated[float, Field(ge=0.0, le=10_000.0)]
SIGNALS = ("ready", "ok", "run", "hb")
EDGE_MS = 4.0
"""How late an edge may be told by a busy box."""


class GateOptions(BaseModel):
    """One `[[plc.belt.gate]]`: a gate, the eyes of its lane, and where they stand. Positions count from the eye."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: LineName
    """Also the name of its output in `[plc.pins]`, active while the gate lets pass."""
    lane: LineName = "a"
    eye: LineName = "eye"
    """Input of the lane's trigger eye."""
    distance_mm: Mm
    """Trigger eye to the middle of the jet."""
    valve_on_ms: Ms = 12.0
    """From the coil to air at the part, worst case of the data sheet; the same for off."""
    valve_off_ms: Ms = 8.0
    link_ms: Ms = 1.0
    """From our output to the coil, worst case."""
    pulse_ms: Ms = 20.0
    """Shortest pulse the valve can follow."""
    before_mm: Annotated[float, Field(ge=0.5, le=500.0)] = 2.0
    """Air is there before the leading edge comes this near."""
    after_mm: Annotated[float, Field(ge=0.5, le=500.0)] = 10.0
    """Air stays until so much of the part is under the jet."""
    jet_mm: Annotated[float, Field(gt=0.0, le=500.0)] = 4.0
    second_eye: LineName | None = None
    """Input of the second eye, between trigger eye and gate, where slip is made up for."""
    second_eye_mm: Mm | None = None
    confirm_eye: LineName | None = None
    """Input of the confirm eye behind the gate."""
    confirm_eye_mm: Mm | None = None
    kinds: tuple[Annotated[str, Field(min_length=1, max_length=48)], ...] = Field(default=(), max_length=64)
    """Kinds of defects whose parts leave here; empty: all that no other gate of the lane takes."""
    bin_full: LineName | None = None
    """Input that is active while the bin is full."""

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        for eye in ("second_eye", "confirm_eye"):
            if (getattr(self, eye) is None) != (getattr(self, f"{eye}_mm") is None):
                raise ValueError(f"{eye} and {eye}_mm: expected both or neither")
        return self

    def gate(self) -> Gate:
        """The same for the tracker."""
        return Gate(
            name=self.name,
            distance_mm=self.distance_mm,
            valve_on_ms=self.valve_on_ms,
            valve_off_ms=self.valve_off_ms,
            link_ms=self.link_ms,
            pulse_ms=self.pulse_ms,
            before_mm=self.before_mm,
            after_mm=self.after_mm,
            jet_mm=self.jet_mm,
            resync_mm=self.second_eye_mm,
            confirm_mm=self.confirm_eye_mm,
            kinds=self.kinds,
        )


class StopOptions(BaseModel):
    """Section `[plc.belt.stop]`: when rejects ask for a stop of the line; 0: that rule is off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    consecutive: int = Field(default=10, ge=0, le=10_000)
    """Rejects in a row."""
    k: int = Field(default=0, ge=0, le=10_000)
    """So many rejects ..."""
    n: int = Field(default=0, ge=0, le=10_000)
    """... among the last so many parts."""
    late_in_row: int = Field(default=5, ge=0, le=10_000)
    """Parts in a row without a verdict in time."""
    unconfirmed_in_row: int = Field(default=2, ge=0, le=10_000)
    """Rejects in a row that the confirm eye saw going on."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.rules()
        return self

    def rules(self) -> StopRules:
        """The same for the tracker."""
        return StopRules(self.consecutive, self.k, self.n, self.late_in_row, self.unconfirmed_in_row)


class BeltOptions(BaseModel):
    """Section `[plc.belt]`: the box follows the belt by its encoder and fires the gates (role = "gates")."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    counts_per_mm: float = Field(gt=0.0, le=100_000.0)
    direction: Literal["up", "down"] = "up"
    """Whether the count rises or falls when the belt goes forward."""
    max_speed_mm_s: float = Field(gt=0.0, le=20_000.0)
    part_length_mm: Mm
    min_gap_mm: Mm
    """Parts never stand closer: a closer edge is a phantom, and a fault."""
    slip_mm: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.0
    """How far a part may slip until the second eye."""
    jump_mm: Mm = 50.0
    """A change of the count between two samples beyond this is a fault."""
    gate: tuple[GateOptions, ...] = Field(min_length=1, max_length=16)
    stop: StopOptions = StopOptions()
    enable: LineName | None = None
    """Input that has to be active for parts to be inspected; None: they always are."""
    reset: LineName | None = None
    """Input whose rising edge resets faults and stops. None: only a new start does."""

    def belt(self, encoder_bits: int, edge_ms: float = EDGE_MS) -> Belt:
        """The same for the tracker. ValueError: distances that do not fit valve, link and top speed.

        edge_ms: how late an edge may be told, the inputs' debounce time included.
        """
        lanes: dict[str, list[Gate]] = {}
        for gate in self.gate:
            lanes.setdefault(gate.lane, []).append(gate.gate())
        return Belt(
            counts_per_mm=self.counts_per_mm,
            lanes=tuple(Lane(name, tuple(gates)) for name, gates in lanes.items()),
            encoder_bits=encoder_bits,
            reversed=self.direction == "down",
            max_speed_mm_s=self.max_speed_mm_s,
            part_length_mm=self.part_length_mm,
            min_gap_mm=self.min_gap_mm,
            slip_mm=self.slip_mm,
            jump_mm=self.jump_mm,
            edge_ms=edge_ms,
        )

    @staticmethod
    def edge_ms(pins: PinsOptions) -> float:
        """How late an edge may be told at these inputs."""
        return EDGE_MS + max((one.debounce_us for one in pins.inputs.values()), default=0) / 1000

    def check_wiring(self, pins: PinsOptions) -> None:
        """ValueError: a gate or an eye has no line in `[plc.pins]`, or an output there belongs to nothing."""
        gates = {gate.name for gate in self.gate}
        if missing := sorted(gates - pins.outputs.keys()):
            raise ValueError(f"plc.pins.outputs: expected one for each gate, missing {', '.join(missing)}")
        if idle := sorted(pins.outputs.keys() - gates - set(SIGNALS)):
            raise ValueError(f"plc.pins.outputs: {', '.join(idle)} is no gate of [plc.belt] and none of {SIGNALS}")
        eyes = {name for gate in self.gate for name in (gate.eye, gate.second_eye, gate.confirm_eye, gate.bin_full)}
        wanted = {name for name in (*eyes, self.enable, self.reset) if name is not None}
        if missing := sorted(wanted - pins.inputs.keys()):
            raise ValueError(f"plc.pins.inputs: expected one for each eye and switch, missing {', '.join(missing)}")
        lanes: dict[str, str] = {}
        for gate in self.gate:
            if lanes.setdefault(gate.lane, gate.eye) != gate.eye:
                raise ValueError(
                    f"plc.belt.gate: lane {gate.lane} has two trigger eyes, {lanes[gate.lane]}, {gate.eye}"
                )
        if len(set(lanes.values())) != len(lanes):
            raise ValueError("plc.belt.gate: expected a trigger eye of its own for each lane")
