"""What passes between the virtual line and a tracker: its calls, its answers, the clock, and a verdict."""

from collections.abc import Sequence
from typing import Protocol

from okng.bus.part import Defect, Outcome, Verdict

EPOCH_NS = 5_000_000_000_000
"""The monotonic clock of the box at travel 0: no run may lean on it starting at 0."""


class Outputs(Protocol):
    """What a tick of the controller says."""

    @property
    def valves(self) -> frozenset[str]: ...
    @property
    def line_stop(self) -> bool: ...
    @property
    def why(self) -> str: ...


class Controller(Protocol):
    """What the line needs of a tracker."""

    def move(self, counts: int, now_ns: int) -> None: ...
    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int: ...
    def gate_eye(self, gate: str, counts: int, now_ns: int) -> None: ...
    def confirm_eye(self, gate: str, counts: int, now_ns: int) -> None: ...
    def submit(self, verdict: Verdict, now_ns: int) -> None: ...
    def lost(self, part: int, triggered_at_ns: int, now_ns: int, camera: str = "") -> None: ...
    def bin_full(self, gate: str, full: bool, now_ns: int) -> None: ...
    def reset(self, now_ns: int) -> None: ...
    def tick(self, now_ns: int) -> Outputs: ...
    def events(self) -> Sequence[object]: ...


def seconds(at_ns: int) -> float:
    """Return a moment of the box's clock on the line's clock."""
    return (at_ns - EPOCH_NS) / 1e9


def verdict(number: int, triggered_at_ns: int, view: str, outcome: str, now_ns: int, kind: str = "anomaly") -> Verdict:
    """Return what inspect would say of a part in one view."""
    return Verdict(
        part=number,
        outcome=Outcome(outcome),
        reasons=() if outcome == "OK" else (f"the plan says {outcome}",),
        defects=(Defect(kind, "whole", 1, 1, 5, 5, 7.0),) if outcome == "NG" else (),
        score=1.0,
        threshold=4.0,
        recipe="cap",
        revision="0123456789ab",
        model="f" * 64,
        camera=view,
        triggered_at_ns=triggered_at_ns,
        frame=None,
        heat=(),
        started_ns=now_ns,
        done_ns=now_ns,
    )
