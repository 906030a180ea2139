"""The state machine of OPC 40100-1 (VisionStateMachineType with its automatic mode), driven by the real line. Pure.

Mirror (holds = false): it follows the line, nobody can start or stop by it. Holding (holds = true): the line is kept
from READY unless a client has started it; Error is left only by Reset, as I10 of the line demands an explicit reset.

Transitions are named as in the companion specification: from, `To`, to, and what caused it.
"""

from dataclasses import dataclass
from enum import StrEnum

from ..bus.clock import MS
from .opcua_line import NOTHING, LineView

GRACE_NS = 500 * MS
"""Execution ends when the line is blocked for this long: a trigger that stands, say, passes."""


class Vision(StrEnum):
    """States of the vision state machine."""

    PREOPERATIONAL = "Preoperational"
    HALTED = "Halted"
    ERROR = "Error"
    OPERATIONAL = "Operational"


class Auto(StrEnum):
    """States of the automatic mode, within Operational."""

    INITIALIZED = "Initialized"
    READY = "Ready"
    SINGLE = "SingleExecution"
    CONTINUOUS = "ContinuousExecution"


EXECUTING = (Auto.SINGLE, Auto.CONTINUOUS)


@dataclass(frozen=True, slots=True)
class Changed:
    """One transition that happened."""

    transition: str
    """Browse name of the transition, for example `ReadyToContinuousExecution`; empty: the automatic mode was entered
    or left as a whole."""
    old: Vision | Auto | None
    new: Vision | Auto | None
    """None: the automatic mode is not active."""


class WrongStateError(Exception):
    """The method is not allowed now. The text says in which state it came."""


class OnlyMirrorsError(Exception):
    """The method would control the line, and the settings say that OPC UA only mirrors it."""


class Machine:
    """Both machines. The caller tells what it sees of the line and hands methods in."""

    def __init__(self, *, holds: bool) -> None:
        self._holds = holds
        self.vision = Vision.PREOPERATIONAL
        self.auto: Auto | None = None
        self.job_id = ""
        """Of the execution that was started last."""
        self.meas_id = ""
        self._view: LineView = NOTHING
        self._stopping = False
        self._part: int | None = None  # of a single execution
        self._blocked_ns: int | None = None
        self._changes: list[Changed] = []

    # -- what it tells -----------------------------------------------------------------------------------------------

    @property
    def hold(self) -> str | None:
        """Why READY is to be held off now; None: let go."""
        if not self._holds:
            return None
        if self.vision is not Vision.OPERATIONAL:
            return f"OPC UA: {self.vision.value}"
        if self.auto in EXECUTING:
            if self._stopping:
                return "OPC UA: Stop"
            if self._part is None:
                return None
            return "OPC UA: a single job has its part"
        return f"OPC UA: not started ({self.auto})"

    @property
    def view(self) -> LineView:
        """The line as last seen."""
        return self._view

    def changes(self) -> list[Changed]:
        """What happened since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    # -- the line ----------------------------------------------------------------------------------------------------

    def look(self, view: LineView, at_ns: int) -> None:
        """Take how the line stands, and go as far as it leads by itself."""
        self._view = view
        if not view.blocked:
            self._blocked_ns = None
        elif self._blocked_ns is None:
            self._blocked_ns = at_ns
        self._follow(at_ns)

    def trigger(self, part: int, *, missed: bool) -> None:
        """A part came. The first one is that of a single execution: the line is held from here on."""
        if self.auto is Auto.SINGLE and self._part is None and not missed and not self._stopping:
            self._part = part

    def record(self, part: int) -> None:
        """A part is done with."""
        if self.auto is Auto.SINGLE and part == self._part:
            self._to_auto(Auto.READY, "Stop" if self._stopping else "Auto")

    def _follow(self, at_ns: int) -> None:
        while self._step(at_ns):
            pass

    def _step(self, at_ns: int) -> bool:
        """One transition that happens by itself. False: none."""
        view = self._view
        if self.vision is Vision.HALTED:
            return False
        wrong = view.fault or not view.alive
        if self.vision is Vision.ERROR:
            if not wrong and not self._holds:
                return self._to(Vision.OPERATIONAL, "Auto")
            return False
        if self.vision is Vision.PREOPERATIONAL:
            if view.fault:
                return self._to(Vision.ERROR, "Auto")
            return view.alive and not self._holds and self._to(Vision.OPERATIONAL, "Auto")
        if wrong:
            return self._to(Vision.ERROR, "Auto")
        return self._step_auto(at_ns)

    def _step_auto(self, at_ns: int) -> bool:
        view = self._view
        if self.auto is Auto.INITIALIZED:
            return not view.blocked and self._to_auto(Auto.READY, "Auto")
        if self.auto is Auto.READY:
            if view.blocked:
                return self._to_auto(Auto.INITIALIZED, "Auto")
            return not self._holds and view.running and self._to_auto(Auto.CONTINUOUS, "Auto")
        if not self._holds:
            return not view.running and self._to_auto(Auto.READY, "Auto")
        if self._stopping and view.held and view.in_flight == 0:
            return self._to_auto(Auto.READY, "Stop")
        if self._blocked_ns is not None and at_ns - self._blocked_ns >= GRACE_NS:
            return self._to_auto(Auto.READY, "Auto")
        return False

    # -- methods -----------------------------------------------------------------------------------------------------

    def select_automatic(self) -> None:
        """SelectModeAutomatic. WrongStateError, OnlyMirrorsError."""
        self._controls()
        self._allow(self.vision is Vision.PREOPERATIONAL and self._view.alive)
        self._to(Vision.OPERATIONAL, "")

    def start(self, mode: Auto, job_id: str, meas_id: str) -> None:
        """StartSingleJob or StartContinuous, mode SINGLE or CONTINUOUS. WrongStateError, OnlyMirrorsError."""
        self._controls()
        self._allow(self.auto is Auto.READY)
        self.job_id, self.meas_id = job_id, meas_id
        self._to_auto(mode, "")

    def stop(self) -> None:
        """Stop: no new part; Ready when those under way are done. WrongStateError, OnlyMirrorsError."""
        self._controls()
        self._allow(self.auto in EXECUTING)
        self._stopping = True

    def abort(self) -> None:
        """Abort: Ready at once. Parts under way get their own disposition. WrongStateError, OnlyMirrorsError."""
        self._controls()
        self._allow(self.auto in EXECUTING)
        self._to_auto(Auto.READY, "Abort")

    def halt(self) -> None:
        """Halt. WrongStateError, OnlyMirrorsError."""
        self._controls()
        self._allow(self.vision is not Vision.HALTED)
        self._to(Vision.HALTED, "")

    def reset(self) -> None:
        """Reset: Preoperational. A cause that still stands leads back to Error. WrongStateError, OnlyMirrorsError."""
        self._controls()
        self._allow(self.vision is not Vision.PREOPERATIONAL)
        self._to(Vision.PREOPERATIONAL, "")

    def allow_simulation(self) -> None:
        """SimulationMode is asked for. WrongStateError: it is not the time for it."""
        self._allow(self.auto in (Auto.INITIALIZED, Auto.READY))

    def allow_preparing(self) -> None:
        """A recipe is to be prepared. WrongStateError: not now. Where OPC UA only mirrors, io alone decides."""
        idle = self.auto in (Auto.INITIALIZED, Auto.READY)
        self._allow(idle if self._holds else self.vision is Vision.OPERATIONAL)

    def _controls(self) -> None:
        if not self._holds:
            raise OnlyMirrorsError("opcua.holds = false: OPC UA only mirrors the line")

    def _allow(self, allowed: bool) -> None:
        if not allowed:
            raise WrongStateError(f"not in {self.vision}" + (f", {self.auto}" if self.auto else ""))

    # -- transitions -------------------------------------------------------------------------------------------------

    def _to(self, new: Vision, suffix: str) -> bool:
        old, self.vision = self.vision, new
        self._changes.append(Changed(f"{old}To{new}{suffix}", old, new))
        auto = Auto.INITIALIZED if new is Vision.OPERATIONAL else None
        if auto is not self.auto:
            self._changes.append(Changed("", self.auto, auto))
            self.auto = auto
        self._forget()
        return True

    def _to_auto(self, new: Auto, suffix: str) -> bool:
        old, self.auto = self.auto, new
        self._changes.append(Changed(f"{old}To{new}{suffix}", old, new))
        self._forget()
        return True

    def _forget(self) -> None:
        self._stopping, self._part = False, None
        self._blocked_ns = None
