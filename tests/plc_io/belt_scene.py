"""What happens in one run on the virtual line: machine, parts, words about them, speeds, and what goes wrong."""

from dataclasses import dataclass

from okng.simline.belt_layout import Layout

TICK_S = 0.002
"""The usual control tick."""


@dataclass(frozen=True, slots=True)
class Word:
    """One message about a part, planned."""

    after_s: float
    """From the part's trigger."""
    view: str
    outcome: str
    """`OK`, `NG`, `UNJUDGED` or `LOST`."""
    kind: str = "anomaly"
    """Kind of the defect, where it is NG."""
    trick: str = ""
    """Empty: it is what it says. `moment`: the number with another trigger moment. `number`: a number nobody gave.
    `any`: LOST of no camera in particular."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that happens in one run."""

    layout: Layout
    words: tuple[tuple[Word, ...], ...]
    """For each part of the layout."""
    speeds: tuple[tuple[float, float], ...]
    """(for so long in s, towards this speed in mm/s); the last holds to the end and is above 0."""
    cold: bool = False
    """The box begins with the first part. False: an empty belt has run by before."""
    rolling: bool = False
    """The belt is at its first speed from the start."""
    views: tuple[str, ...] = ("top",)
    deadline_s: float = 0.6
    slip_mm: float = 0.0
    min_gap_mm: float = 15.0
    before_mm: float = 2.0
    after_mm: float = 10.0
    max_speed_mm_s: float = 2000.0
    jump_mm: float = 50.0
    pulse_ms: float = 20.0
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(gate, kinds of defects whose parts leave there); a gate that is not named takes all the rest."""
    rules: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    """consecutive, k, n, late_in_row, unconfirmed_in_row."""
    jumps: tuple[tuple[float, int], ...] = ()
    """(at this travel, so many counts)."""
    full_bins: tuple[tuple[float, str], ...] = ()
    """(at this travel, gate)."""
    obeys_stop: bool = True
    """The line stops when it is asked to, and is reset `reset_s` later. False: it runs on, and is reset as well."""
    reset_s: float = 0.3
    tick_s: float = TICK_S
    """The control tick, at most."""
    uneven: bool = False
    """Ticks come early at times."""
    late_ticks: int = 0
    """So many ticks after it came an edge reaches the tracker, its count latched: debouncers take their time."""
    edges_first: bool = False
    """Edges reach the tracker before the sample of the encoder that is younger than they are."""
    trembles: bool = False
    """While the belt stands the encoder reads a count more or less at times: the machine shakes."""
    numbered: bool = False
    """The PLC gives the numbers."""
    seed: int = 0
    """Of the jitter of links and valves."""

    @property
    def gates(self) -> tuple[str, ...]:
        """Return the gates of all lanes."""
        return tuple(gate.name for lane in self.layout.lanes for gate in lane.gates)

    @property
    def dead_mm(self) -> float:
        """Return how far the fastest belt goes in the dead time of the slowest gate, three ticks included."""
        gates = [gate for lane in self.layout.lanes for gate in lane.gates]
        return self.max_speed_mm_s * (max(gate.on_s + gate.link_s for gate in gates) + 3 * self.tick_s)

    @property
    def off_mm(self) -> float:
        """Return how far the fastest belt goes until the air is off."""
        gates = [gate for lane in self.layout.lanes for gate in lane.gates]
        return self.max_speed_mm_s * (max(gate.off_s + gate.link_s for gate in gates) + 3 * self.tick_s)

    @property
    def jet_mm(self) -> float:
        """Return the widest jet."""
        return max(gate.jet_mm for lane in self.layout.lanes for gate in lane.gates)

    @property
    def commit_mm(self) -> float:
        """Return where a verdict is certainly in time, before the jet."""
        return self.dead_mm + self.before_mm + self.jet_mm + 2 * self.slip_mm + 5

    @property
    def group_mm(self) -> float:
        """Return the gap beyond which no reject may need the neighbour's share of the air."""
        pulse_mm = self.max_speed_mm_s * max(self.pulse_ms / 1e3, self.dead_mm / self.max_speed_mm_s)
        behind_mm = max(self.after_mm, pulse_mm) + self.off_mm - self.layout.part_length_mm
        return max(self.dead_mm + self.before_mm, behind_mm) + self.jet_mm + 2 * self.slip_mm + 8
