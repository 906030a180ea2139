"""What the PLC remembers: one record for each part in its shift register, and its counters."""

from dataclasses import dataclass


@dataclass(slots=True)
class Tracked:
    """One part in the shift register."""

    number: int
    eye: int
    """Encoder count latched at the eye."""
    raised_ns: int | None = None
    written_ns: int | None = None
    """When the write that carried its trigger went out; None: no such write was confirmed."""
    trigger: str = "untriggered"
    """`accepted`, `missed`, `unanswered`, or `untriggered: <why>`."""
    disposition: str | None = None
    read_ns: int | None = None
    seq: int | None = None
    usable: bool = True
    """False: what was read for it must not let it pass."""
    action: str | None = None
    why: str = ""
    committed_ns: int | None = None
    commit_encoder: int | None = None
    window_whole: bool | None = None
    confirmed: bool = False

    def line(self) -> dict[str, object]:
        """Return the log's line."""
        names = [each for each in Tracked.__slots__ if each not in ("number", "usable")]
        late = self.read_ns is not None and self.committed_ns is not None and self.read_ns > self.committed_ns
        return {"kind": "part", "part": self.number} | {each: getattr(self, each) for each in names} | {"late": late}


@dataclass(slots=True)
class Tally:
    """The PLC's own counters."""

    parts: int = 0
    accepted: int = 0
    missed: int = 0
    unanswered: int = 0
    untriggered: int = 0
    passed: int = 0
    rejected: int = 0
    results: int = 0
    torn: int = 0
    """Blocks whose two sequence words differed."""
    foreign: int = 0
    """Results of a number that was not open."""
    late_results: int = 0
    """Results that came after their part was committed."""
    conflicts: int = 0
    phantom_edges: int = 0
    faults: int = 0
    line_stop_requests: int = 0
    box_deaths: int = 0
    link_losses: int = 0
    rejects_seen_after_gate: int = 0
    """Parts ordered out that the confirm eye saw all the same."""
