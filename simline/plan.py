"""What a simulated run is told: one JSON file, checked whole before anything moves."""

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

FAULT_KINDS = ("drop", "incomplete", "freeze", "repeat", "late", "unplug", "double_edge")
"""What can be done to one part: `drop`, `incomplete`, `freeze`, `repeat`, `late` and `unplug` happen in its
camera; `double_edge` makes its eye bounce."""
SPOILT_KINDS = ("wrong_size", "wrong_format", "black", "bright")
"""These too, where they are asked for by name: its picture comes, and is not what was asked for."""


class BadPlan(ValueError):
    """The plan cannot be run. The text names file, key, value and what was expected."""


def _bounded(default: Any, low: float, high: float, unit: str = "") -> Any:
    """Return a field that must lie in low..high (both included)."""
    return field(default=default, metadata={"low": low, "high": high, "unit": unit})


def _chosen(default: str, *allowed: str) -> Any:
    """Return a field that must be one of these words."""
    return field(default=default, metadata={"allowed": allowed})


@dataclass(frozen=True, slots=True)
class Source:
    """Where the parts' looks come from."""

    kind: str = _chosen("rendered", "rendered", "folder")
    folder: str | None = None
    """For `folder`: a folder in MVTec layout (`train/good`, `test/<label>`)."""
    pool: int = _bounded(240, 1, 5000)
    """For `rendered`: how many different parts are drawn before the run; they are used again in shuffled order."""
    defect_percent: float = _bounded(10.0, 0.0, 100.0, "%")
    """For `rendered`: share of parts with a defect."""


@dataclass(frozen=True, slots=True)
class Modbus:
    """How the PLC reaches the box."""

    host: str = "127.0.0.1"
    port: int = _bounded(5020, 1, 65535)
    word_order: str = _chosen("big", "big", "little")
    """`big`: the high word of a 32-bit value comes first."""
    timeout_ms: float = _bounded(80.0, 10.0, 1000.0, "ms")


@dataclass(frozen=True, slots=True)
class Belt:
    """Geometry and speed. Distances are measured from the eye, along the belt."""

    part_length_mm: float = _bounded(40.0, 5.0, 500.0, "mm")
    pitch_mm: float = _bounded(60.0, 10.0, 2000.0, "mm")
    """From leading edge to leading edge."""
    pitch_jitter_mm: float = _bounded(3.0, 0.0, 500.0, "mm")
    speed_mm_s: float = _bounded(300.0, 10.0, 6000.0, "mm/s")
    ramp_mm_s2: float = _bounded(2000.0, 100.0, 20000.0, "mm/s2")
    profile: str = _chosen("steady", "steady", "varying")
    """`varying`: seeded changes between 40 and 100 % of the speed, and stops."""
    eye_to_gate_mm: float = _bounded(400.0, 20.0, 10000.0, "mm")
    gate_to_confirm_mm: float = _bounded(100.0, 20.0, 2000.0, "mm")
    commit_mm: float = _bounded(60.0, 5.0, 2000.0, "mm")
    """So far before the gate the PLC decides: no OK by then is a reject."""
    counts_per_mm: float = _bounded(20.0, 1.0, 1000.0)
    valve_on_ms: float = _bounded(12.0, 0.0, 100.0, "ms")
    valve_off_ms: float = _bounded(8.0, 0.0, 100.0, "ms")
    valve_jitter_ms: float = _bounded(0.5, 0.0, 4.0, "ms")
    jet_mm: float = _bounded(4.0, 0.5, 50.0, "mm")


@dataclass(frozen=True, slots=True)
class Faults:
    """What is broken on purpose, drawn with the run's seed."""

    percent: float = _bounded(0.0, 0.0, 100.0, "%")
    """Share of parts that get one fault."""
    kinds: tuple[str, ...] = FAULT_KINDS
    late_ms: float = _bounded(200.0, 1.0, 5000.0, "ms")
    unplug_ms: float = _bounded(400.0, 10.0, 60000.0, "ms")


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of the line."""

    out: str
    """Folder for `world.jsonl`, `plc.jsonl` and the wires."""
    scenes: str
    """Folder the simulated cameras look at (their `OKNG_SIM`)."""
    count: int | None = None
    """Parts to run; None: each picture of the source once."""
    serial: str = "SN0000"
    others: tuple[str, ...] = ()
    """Serials of further cameras that see the same part, in half the size."""
    seed: int = _bounded(1, 0, 2**63 - 1)
    width: int | None = _bounded(None, 16, 4096, "px")
    """Field of view; None: 320 for rendered parts, for a folder the median of its pictures."""
    height: int | None = _bounded(None, 16, 4096, "px")
    colour: bool | None = None
    """None: as the pictures are; rendered parts are grey."""
    px_per_mm: float = _bounded(0.0, 0.0, 1000.0)
    """How far the picture moves with the belt after the eye; 0: it does not."""
    noise: int = _bounded(2, 0, 64)
    """Sensor noise, grey levels."""
    reference_exposure_us: float = _bounded(0.0, 0.0, 1_000_000.0, "us")
    """Exposure at which the picture is as bright as drawn; 0: exposure and gain change nothing."""
    trigger: str = _chosen("software", "software", "line0")
    """`line0`: the eye is also wired to the camera. The PLC tells the box the part number in both cases."""
    scan_ms: float = _bounded(5.0, 1.0, 100.0, "ms")
    tick_ms: float = _bounded(2.0, 0.5, 10.0, "ms")
    hold_ms: float = _bounded(20.0, 5.0, 50.0, "ms")
    """The belt waits while the PLC's last scan is older (see `world.py`)."""
    step_ms: float = _bounded(10.0, 1.0, 20.0, "ms")
    """Longest step of belt time after a stall of the host."""
    first_part: int = _bounded(1, 1, 2**32 - 1)
    wait_ready_s: float = _bounded(60.0, 0.0, 3600.0, "s")
    """The belt starts when the box says READY; 0: at once. Past this the run ends with an error."""
    metered: int = _bounded(0, 0, 1000)
    """Above 0: a stop before the eye lets the next part in when the box is READY, the trigger's channel free, and fewer
    parts than this wait for their result: the line goes as fast as box and PLC take parts, and no part comes unasked.
    The belt's time stands still meanwhile. 0: no stop."""
    prompt: bool = False
    """A scan begins as soon as a cycle of the communication module is through, and `scan_ms` later at the latest; the
    next cycle begins at once where the scan has something new to say, else `scan_ms` after the last."""
    realtime: bool = False
    """Ask for SCHED_FIFO: world and PLC stand for hardware of their own. Without permission it is skipped."""
    source: Source = field(default_factory=Source)
    modbus: Modbus = field(default_factory=Modbus)
    belt: Belt = field(default_factory=Belt)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        belt, complaints = self.belt, []
        if self.count is not None and not 1 <= self.count <= 10_000_000:
            complaints.append(f"count = {self.count}: expected 1..10000000 or null")
        if self.count is None and self.source.kind == "rendered":
            complaints.append("count = null: expected a number, rendered parts never end")
        if self.source.kind == "folder" and not self.source.folder:
            complaints.append("source.folder = null: expected a folder in MVTec layout for kind folder")
        gap = belt.pitch_mm - belt.pitch_jitter_mm - belt.part_length_mm
        if gap < belt.jet_mm + 6:
            complaints.append(
                f"belt.pitch_mm = {belt.pitch_mm}: expected at least "
                f"{belt.part_length_mm + belt.pitch_jitter_mm + belt.jet_mm + 6:g} "
                "(part, jitter, jet and 6 mm for the valve)"
            )
        if belt.commit_mm < self.least_commit_mm:
            complaints.append(
                f"belt.commit_mm = {belt.commit_mm}: expected at least {self.least_commit_mm:.1f} at "
                f"{belt.speed_mm_s:g} mm/s (valve, scans, host stalls)"
            )
        if belt.eye_to_gate_mm <= belt.commit_mm:
            complaints.append(f"belt.eye_to_gate_mm = {belt.eye_to_gate_mm}: expected above commit_mm")
        known = (*FAULT_KINDS, *SPOILT_KINDS)
        unknown = set(self.faults.kinds) - set(known)
        if unknown:
            complaints.append(f"faults.kinds = {sorted(unknown)}: expected some of {', '.join(known)}")
        if self.faults.percent and not self.faults.kinds:
            complaints.append("faults.kinds = []: expected at least one where percent is above 0")
        if complaints:
            raise BadPlan("; ".join(complaints))

    @property
    def least_commit_mm(self) -> float:
        """Shortest commit distance at which a window always reaches the output module whole (`world.py`)."""
        belt = self.belt
        delay_s = (belt.valve_on_ms + self.hold_ms + self.step_ms + 2 * self.tick_ms) / 1000
        return belt.speed_mm_s * delay_s + belt.jet_mm / 2 + 5

    def counts(self, distance_mm: float) -> int:
        """Return a distance in encoder counts, rounded."""
        return round(distance_mm * self.belt.counts_per_mm)


def read_plan(path: Path) -> Plan:
    """Read and check a plan.

    Raises BadPlan naming the file and every complaint at once.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as why:
        raise BadPlan(f"{path}: {why.strerror}") from why
    except ValueError as why:
        raise BadPlan(f"{path}: not JSON: {why}") from why
    try:
        return parse_plan(found)
    except BadPlan as why:
        raise BadPlan(f"{path}: {why}") from why


def parse_plan(found: object) -> Plan:
    """Make a Plan of decoded JSON. Raises BadPlan with every complaint at once."""
    complaints: list[str] = []
    made = _build(Plan, found, "", complaints)
    if complaints:
        raise BadPlan("; ".join(complaints))
    assert isinstance(made, Plan)
    return made


def _build(kind: type[Any], found: object, where: str, complaints: list[str]) -> object:
    if not isinstance(found, Mapping):
        complaints.append(f"{where.rstrip('.') or 'the plan'} = {found!r}: expected an object")
        return None
    known = {each.name: each for each in fields(kind)}
    hints = get_type_hints(kind)
    complaints += [
        f"{where}{name}: unknown key, expected one of {', '.join(known)}" for name in found if name not in known
    ]
    before, values = len(complaints), {}
    for name, each in known.items():
        if name in found:
            values[name] = _value(hints[name], dict(each.metadata), found[name], f"{where}{name}", complaints)
        elif each.default is MISSING and each.default_factory is MISSING:
            complaints.append(f"{where}{name}: missing")
    if len(complaints) > before:
        return None
    try:
        return kind(**values)
    except BadPlan as why:
        complaints.append(str(why))
        return None


def _value(hint: Any, limits: Mapping[str, Any], found: object, where: str, complaints: list[str]) -> object:
    if get_origin(hint) in (Union, types.UnionType):
        if found is None:
            return None
        hint = next(each for each in get_args(hint) if each is not type(None))
    if hasattr(hint, "__dataclass_fields__"):
        return _build(hint, found, f"{where}.", complaints)
    if get_origin(hint) is tuple:
        if isinstance(found, list | tuple) and all(isinstance(each, str) for each in found):
            return tuple(found)
        complaints.append(f"{where} = {found!r}: expected a list of words")
        return None
    if hint is float and isinstance(found, int) and not isinstance(found, bool):
        found = float(found)
    if type(found) is not hint or (isinstance(found, float) and not math.isfinite(found)):
        complaints.append(f"{where} = {found!r}: expected {hint.__name__}")
    elif "low" in limits and not limits["low"] <= found <= limits["high"]:
        unit = f" {limits['unit']}" if limits["unit"] else ""
        complaints.append(f"{where} = {found!r}: expected {limits['low']}..{limits['high']}{unit}")
    elif "allowed" in limits and found not in limits["allowed"]:
        complaints.append(f"{where} = {found!r}: expected one of {', '.join(limits['allowed'])}")
    return found
