"""How a profile is written to a GenICam camera: which feature after which, and what older cameras call it.

Order and names: EMVA Standard Features Naming Convention 2.7. A lost camera may come back streaming and locked; sizes
need offsets of 0 first; the exposure limits the frame rate. All is read back at the end: a camera may round silently.
"""

from dataclasses import replace
from typing import Protocol

from ..bus.errors import BadSettings
from .features import Feature, Value
from .profiles import Profile

OLDER: dict[str, tuple[str, ...]] = {
    "ExposureTime": ("ExposureTimeAbs",),
    "AcquisitionFrameRate": ("AcquisitionFrameRateAbs",),
    "AcquisitionFrameRateEnable": ("AcquisitionFrameRateEnabled",),
    "TriggerDelay": ("TriggerDelayAbs",),
    "LineDebouncerTime": ("LineDebouncerTimeAbs",),
    "Gain": ("GainAbs",),
    "AcquisitionBurstFrameCount": ("TriggerBurstCount",),
    "ExposureAuto": ("AutoExposure",),
    "TimestampLatch": ("GevTimestampControlLatch", "TimestampControlLatch"),
    "TimestampLatchValue": ("GevTimestampValue", "TimestampValue"),
}
"""Names of SFNC 1.x and of makers before it, in the same unit."""
SELECTORS = ("AcquisitionStart", "FrameBurstStart", "FrameStart", "LineStart")
OVERLAP = {"off": "Off", "readout": "ReadOut", "previous": "PreviousFrame"}
EDGE = {"rising": "RisingEdge", "falling": "FallingEdge"}
COUNTER = "Counter0"
_FLOAT_SLACK = 0.02
"""A camera rounds exposure, gain and rate to its own steps; what is read back may differ by this share."""


class Nodes(Protocol):
    """What is asked of the camera's features. BadSettings: it refuses, in words. CameraLost."""

    def has(self, name: str) -> bool:
        """True where the feature exists and is available now."""

    def describe(self, name: str) -> Feature:
        """What it is and may be."""

    def get(self, name: str) -> Value:
        """Read it."""

    def set(self, name: str, value: Value) -> None:
        """Write it."""

    def execute(self, name: str) -> None:
        """Run a command."""


def name_of(nodes: Nodes, name: str) -> str | None:
    """What this camera calls a feature of the SFNC; None: it has none."""
    return next((each for each in (name, *OLDER.get(name, ())) if nodes.has(each)), None)


class Writer:
    """Writes one profile. Made anew each time."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._wanted: list[tuple[str, Value]] = []
        """What is read back: this camera's names, and what was written."""
        self.counts_triggers = False
        """True: each frame carries how many trigger edges the camera has seen (`ChunkCounterValue`)."""

    def write(self, profile: Profile) -> Profile:
        """Set everything in order; return the profile as it was read back. BadSettings: feature, wanted, allowed."""
        nodes = self._nodes
        if nodes.has("AcquisitionStop"):
            nodes.execute("AcquisitionStop")
        self._prefer("TLParamsLocked", 0)
        if profile.user_set:
            self._load(profile.user_set)
        self._one_component()
        self._prefer("AcquisitionMode", "Continuous")
        self._region(profile)
        self._trigger(profile)
        self._prefer("ExposureAuto", "Off")
        self._prefer("GainAuto", "Off")
        if name_of(nodes, "ExposureTime"):
            self._set("ExposureTime", float(profile.exposure_us))
        self._unless("Gain", float(profile.gain_db), 0.0)
        if profile.trigger == "off":
            self._prefer("AcquisitionFrameRateEnable", True)
            if name_of(nodes, "AcquisitionFrameRate"):
                self._set("AcquisitionFrameRate", float(profile.frame_rate_hz))
        else:
            self._prefer("AcquisitionFrameRateEnable", False)
        self._chunks(profile)
        for name, value in profile.features:
            self._further(name, value)
        return self._read_back(profile)

    # ---- steps ----

    def _load(self, user_set: str) -> None:
        nodes = self._nodes
        if not nodes.has("UserSetSelector") or not nodes.has("UserSetLoad"):
            raise BadSettings(f"user_set = {user_set}: the camera keeps no settings of its own")
        nodes.set("UserSetSelector", user_set)
        nodes.execute("UserSetLoad")

    def _one_component(self) -> None:
        """A 3-D camera sends range and confidence, too: ten times the bytes, and nothing here reads them."""
        nodes = self._nodes
        if not nodes.has("ComponentSelector") or not nodes.has("ComponentEnable"):
            return
        choices = nodes.describe("ComponentSelector").choices
        if "Intensity" not in choices:
            return
        for choice in (*(name for name in choices if name != "Intensity"), "Intensity"):
            nodes.set("ComponentSelector", choice)  # Intensity last: PixelFormat is that of the selected one
            if nodes.describe("ComponentEnable").writable:
                nodes.set("ComponentEnable", choice == "Intensity")

    def _region(self, profile: Profile) -> None:
        self._set("PixelFormat", profile.pixel_format)
        self._prefer("OffsetX", 0)
        self._prefer("OffsetY", 0)
        self._set("Width", profile.width)
        self._set("Height", profile.frame_height)
        self._unless("OffsetX", profile.offset_x, 0)
        self._unless("OffsetY", profile.offset_y, 0)

    def _trigger(self, profile: Profile) -> None:
        nodes = self._nodes
        if not nodes.has("TriggerMode"):
            if profile.trigger != "off":
                raise BadSettings(f"trigger = {profile.trigger}: the camera has no TriggerMode, expected off")
            return
        selectors = nodes.describe("TriggerSelector").choices if nodes.has("TriggerSelector") else ()
        wanted = "FrameBurstStart" if profile.frames > 1 and profile.trigger != "off" else "FrameStart"
        for selector in selectors:  # one of another kind left on would hold every frame back
            if selector in SELECTORS and selector != wanted:
                nodes.set("TriggerSelector", selector)
                self._prefer("TriggerMode", "Off")
        if selectors and (wanted in selectors or profile.trigger != "off"):
            nodes.set("TriggerSelector", wanted)
        elif wanted == "FrameBurstStart":
            raise BadSettings(f"frames = {profile.frames}: the camera has no trigger for a burst of frames, expected 1")
        if profile.trigger == "off":
            self._set("TriggerMode", "Off")
            return
        if wanted == "FrameBurstStart":
            self._set("AcquisitionBurstFrameCount", profile.frames)
        self._set("TriggerMode", "On")
        self._set("TriggerSource", "Software" if profile.trigger == "software" else profile.trigger_line)
        if profile.trigger == "hardware":
            self._unless("TriggerActivation", EDGE[profile.trigger_edge], "RisingEdge")
            self._debounce(profile)
        self._unless("TriggerDelay", float(profile.trigger_delay_us), 0.0)
        if profile.overlap != "camera":
            self._set("TriggerOverlap", OVERLAP[profile.overlap])

    def _debounce(self, profile: Profile) -> None:
        nodes = self._nodes
        if nodes.has("LineSelector") and profile.trigger_line in nodes.describe("LineSelector").choices:
            nodes.set("LineSelector", profile.trigger_line)
            self._prefer("LineMode", "Input")
        self._unless("LineDebouncerTime", float(profile.debounce_us), 0.0)

    def _chunks(self, profile: Profile) -> None:
        """Let each frame carry the count of trigger edges, where the camera can; else it is told by time alone."""
        nodes = self._nodes
        if not nodes.has("ChunkModeActive"):
            return
        if profile.trigger != "hardware" or not self._counter(profile.trigger_line):
            self._prefer("ChunkModeActive", False)
            return
        nodes.set("ChunkModeActive", True)
        for choice in nodes.describe("ChunkSelector").choices:
            nodes.set("ChunkSelector", choice)
            if nodes.describe("ChunkEnable").writable:
                nodes.set("ChunkEnable", choice in ("CounterValue", "FrameID", "Timestamp"))
        self.counts_triggers = True

    def _counter(self, line: str) -> bool:
        nodes = self._nodes
        if not all(nodes.has(name) for name in ("ChunkSelector", "CounterSelector", "CounterEventSource")):
            return False
        if "CounterValue" not in nodes.describe("ChunkSelector").choices:
            return False
        nodes.set("CounterSelector", COUNTER)
        if line not in nodes.describe("CounterEventSource").choices:
            return False
        nodes.set("CounterEventSource", line)
        if nodes.has("CounterReset"):
            nodes.execute("CounterReset")
        return True

    def _further(self, name: str, value: Value) -> None:
        kind = self._nodes.describe(name).kind
        if kind == "command":
            if value is not True:
                raise BadSettings(f"features: {name} = {value}: a command, expected true: run it")
            self._nodes.execute(name)
            return
        asked = float(value) if kind == "float" and isinstance(value, int) and not isinstance(value, bool) else value
        self._nodes.set(name, asked)
        if not name.endswith("Selector"):  # one selector may be used several times
            self._remember(name, asked)

    # ---- writing and reading ----

    def _remember(self, name: str, value: Value) -> None:
        self._wanted = [each for each in self._wanted if each[0] != name] + [(name, value)]

    def _set(self, name: str, value: Value) -> None:
        own = name_of(self._nodes, name)
        if own is None:
            raise BadSettings(f"{name} = {value}: the camera has no such feature")
        self._nodes.set(own, value)
        self._remember(own, value)

    def _unless(self, name: str, value: Value, default: Value) -> None:
        """A camera without the feature is good enough while nothing but the default is asked of it."""
        if name_of(self._nodes, name):
            self._set(name, value)
        elif value != default:
            raise BadSettings(f"{name} = {value}: the camera has no such feature, expected {default}")

    def _prefer(self, name: str, value: Value) -> None:
        """Write it where the camera has it and lets it be."""
        own = name_of(self._nodes, name)
        if own is None:
            return
        feature = self._nodes.describe(own)
        if not feature.fault(value):
            self._nodes.set(own, value)

    def _read_back(self, profile: Profile) -> Profile:
        """What the camera says it is set to. BadSettings where that is not what was wanted."""
        found: dict[str, Value] = {}
        for name, value in self._wanted:
            found[name] = got = self._nodes.get(name)
            if not agrees(value, got):
                allowed = self._nodes.describe(name).allowed
                raise BadSettings(f"{name}: wanted {value}, the camera made it {got}; allowed {allowed}")

        def real(name: str, default: float) -> float:
            return float(found.get(name_of(self._nodes, name) or "", default))

        return replace(
            profile,
            exposure_us=real("ExposureTime", profile.exposure_us),
            gain_db=real("Gain", profile.gain_db),
            frame_rate_hz=real("AcquisitionFrameRate", profile.frame_rate_hz),
            trigger_delay_us=real("TriggerDelay", profile.trigger_delay_us),
            debounce_us=real("LineDebouncerTime", profile.debounce_us),
        )


def agrees(wanted: Value, found: Value) -> bool:
    """True where a camera made of a value what was wanted, its own rounding of numbers aside."""
    if isinstance(wanted, float) and isinstance(found, int | float):
        return abs(found - wanted) <= max(abs(wanted) * _FLOAT_SLACK, 0.11)
    return wanted == found
