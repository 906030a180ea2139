"""What the state machine of OPC UA has to know of the line, read from io's own state, pure."""

from dataclasses import dataclass

from ..bus.messages import StationState

WHO = "opcua"
"""Name of this process on the bus."""
_OURS = f"{WHO} holds the line:"
_NO_BLOCKER = "records does not answer"  # io says it, and stays READY
RUNNING = frozenset(("READY", "ACQUIRING", "INSPECTING", "RESULT_VALID"))
"""States of the station in which parts are inspected."""


@dataclass(frozen=True, slots=True)
class LineView:
    """How the line stands."""

    alive: bool
    """io has said its state lately."""
    fault: bool
    """FAULT: only FAULT_RESET of the PLC ends it."""
    running: bool
    """READY, or a part is under way."""
    blocked: bool
    """Something else than our own hold keeps it from READY."""
    held: bool
    """io knows of our hold."""
    in_flight: int
    """Parts under way."""


NOTHING = LineView(alive=False, fault=False, running=False, blocked=True, held=False, in_flight=0)
"""io has said nothing yet, or nothing for too long."""


def view_of(state: StationState, *, changing: bool) -> LineView:
    """Read the station's state. changing: a job change is under way."""
    others = [reason for reason in state.reasons if not reason.startswith((_OURS, _NO_BLOCKER))]
    return LineView(
        alive=True,
        fault=state.state == "FAULT",
        running=state.state in RUNNING,
        blocked=changing or bool(others),
        held=any(reason.startswith(_OURS) for reason in state.reasons),
        in_flight=state.counters.in_flight,
    )
