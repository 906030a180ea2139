"""What the belt of the virtual line is made of: lanes, gates, eyes, and the parts laid on it. No clock, no motion.

Positions are millimetres along a lane, 0 at its trigger eye, rising downstream. Travel is how far the belt has moved
since the start. A part's leading edge stands at the trigger eye when the travel is its `at_mm`; from there on it goes
with the belt, less what it slips.
"""

from dataclasses import dataclass, field

EYE = "eye"
"""The trigger eye of a lane."""
GATE_EYE = "gate_eye"
"""The second eye, shortly before a gate."""
CONFIRM = "confirm"
"""The eye behind a gate: it sees what went on."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One air valve over a lane."""

    name: str
    jet_at_mm: float
    """Middle of the jet."""
    jet_mm: float
    """Width of the jet along the belt."""
    on_s: float
    """From the coil to air at the part, at most."""
    off_s: float
    """From the coil to no air at the part, at most."""
    jitter: float = 0.0
    """Each delay is up to this share shorter than its most, 0..1."""
    link_s: float = 0.0
    """From the command to the coil, at most; at least 0."""
    eye_at_mm: float | None = None
    """Place of the second eye; None: there is none."""
    confirm_at_mm: float | None = None
    """Place of the confirm eye; None: there is none."""
    dead: bool = False
    """The coil switches and no air comes."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of parts, with its own trigger eye at 0."""

    name: str
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Laid:
    """One part as it is laid on the belt."""

    lane: str
    at_mm: float
    """Travel at which its leading edge stands at the trigger eye; above 0."""
    slip_mm: float = 0.0
    """How far it stays behind the belt in all; below 0: it runs ahead."""
    slip_from_mm: float = 0.0
    """Where its leading edge is when the slip begins."""
    slip_over_mm: float = 50.0
    """Over how much of its way it slips, more than -slip_mm."""
    unseen_by: frozenset[tuple[str, str]] = frozenset()
    """Eyes that miss it: (kind, name of the lane or gate)."""

    def travel_to(self, place_mm: float) -> float:
        """Return the travel at which its leading edge reaches a place."""
        gone = min(1.0, max(0.0, (place_mm - self.slip_from_mm) / self.slip_over_mm))
        return self.at_mm + place_mm + self.slip_mm * gone

    def place_at(self, travel_mm: float) -> float:
        """Return where its leading edge is at a travel: the inverse of `travel_to`."""
        along = travel_mm - self.at_mm
        if along <= self.slip_from_mm:
            return along
        if along >= self.slip_from_mm + self.slip_over_mm + self.slip_mm:
            return along - self.slip_mm
        share = self.slip_over_mm / (self.slip_over_mm + self.slip_mm)
        return self.slip_from_mm + (along - self.slip_from_mm) * share


@dataclass(frozen=True, slots=True)
class Ghost:
    """An edge an eye tells of though nothing is there."""

    kind: str
    name: str
    """Lane or gate."""
    at_mm: float
    """Belt travel at which it is told, once."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The machine and what lies on it."""

    lanes: tuple[Lane, ...]
    part_length_mm: float
    counts_per_mm: float
    encoder_bits: int
    """16 or 32: the counter goes round there."""
    encoder_start: int
    """What it reads at travel 0."""
    encoder_reversed: bool = False
    """It counts down when the belt goes forward."""
    ramp_mm_s2: float = 2000.0
    parts: tuple[Laid, ...] = ()
    ghosts: tuple[Ghost, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Edge:
    """A beam that was broken, or that an eye says was."""

    kind: str
    name: str
    counts: int
    """The encoder, latched at the very edge."""
    at_s: float
    part: int | None
    """Whose edge it was; None: a ghost's. For the judge: no controller may look."""
    backwards: bool = False
    """The belt ran in reverse: it was a trailing edge."""


@dataclass(frozen=True, slots=True)
class Touch:
    """The jet met a part; it is off the belt from then on."""

    gate: str
    at_s: float
    contact_mm: float
    """Nearest touched point, from the leading edge."""


@dataclass(slots=True)
class Fate:
    """What physically became of one part."""

    part: int
    lane: str
    reached_s: dict[str, float] = field(default_factory=dict)
    """When its leading edge first came to the upstream side of a gate's jet."""
    touch: Touch | None = None
    past_s: float | None = None
    """When its trailing edge had first left the last jet of its lane; None: not yet, or off the belt."""
    seen_s: float | None = None
    """When the trigger eye first saw it."""

    @property
    def final(self) -> bool:
        """Return whether there is nothing more to come."""
        return self.touch is not None or self.past_s is not None
