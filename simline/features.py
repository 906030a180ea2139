"""The simulated camera's features, in one table.

Features follow the SFNC's names; those that only a simulated camera has begin with `Sim`.
"""

from dataclasses import dataclass
from typing import Literal

from .formats import FORMATS

WIDTH_MAX = HEIGHT_MAX = 4096
"""Largest region of the sensor in pixels."""


@dataclass(frozen=True, slots=True)
class Node:
    """One feature and its register."""

    name: str
    kind: Literal["integer", "float", "enumeration", "boolean", "command", "string"]
    address: int
    """Of its register; of a chunk, its ChunkID."""
    length: int = 4
    """Bytes of the register: 4 or 8 for numbers, 64 for strings."""
    access: Literal["RO", "RW", "WO"] = "RW"
    low: float | None = None
    high: float | str | None = None
    """A number, or the name of the node that holds it."""
    step: int | None = None
    unit: str = ""
    choices: tuple[tuple[str, int], ...] = ()
    locked: str = ""
    """Not writable while this feature is not 0."""
    present: str = ""
    """Not available while this feature is 0."""
    selects: tuple[str, ...] = ()
    """Features that stand for the selected one of several."""
    signed: bool = False
    chunk: bool = False
    """It comes with each frame, behind the pixels."""
    tip: str = ""
    """What it does, for those no convention explains."""


def _numbered(*names: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, number) for number, name in enumerate(names))


_OFF_ON = _numbered("Off", "On")
_EDGES = _numbered("RisingEdge", "FallingEdge")
_TRIGGER = ("TriggerMode", "TriggerSource", "TriggerActivation", "TriggerDelay", "TriggerOverlap", "TriggerSoftware")
_COUNTER = ("CounterEventSource", "CounterEventActivation", "CounterReset", "CounterValue")
_SETS = _numbered("Default", "UserSet1", "UserSet2")
LOCK = "TLParamsLocked"
"""1 while the stream runs: harvesters and others set it."""
NODES: tuple[Node, ...] = (
    Node("DeviceVendorName", "string", 0x2000, 64, "RO"),
    Node("DeviceModelName", "string", 0x2040, 64, "RO"),
    Node("DeviceSerialNumber", "string", 0x2080, 64, "RO"),
    Node("WidthMax", "integer", 0x1000, access="RO"),
    Node("HeightMax", "integer", 0x1004, access="RO"),
    Node("Width", "integer", 0x1008, low=16, high="WidthRoom", step=4, locked=LOCK),
    Node("Height", "integer", 0x100C, low=16, high="HeightRoom", step=2, locked=LOCK),
    Node("OffsetX", "integer", 0x1010, low=0, high="OffsetXRoom", step=2, locked=LOCK),
    Node("OffsetY", "integer", 0x1014, low=0, high="OffsetYRoom", step=2, locked=LOCK),
    Node("WidthRoom", "integer", 0x1018, access="RO"),
    Node("HeightRoom", "integer", 0x101C, access="RO"),
    Node("OffsetXRoom", "integer", 0x1020, access="RO"),
    Node("OffsetYRoom", "integer", 0x1024, access="RO"),
    Node("PixelFormat", "enumeration", 0x1028, choices=FORMATS, locked=LOCK),
    Node("PayloadSize", "integer", 0x102C, access="RO"),
    Node("AcquisitionMode", "enumeration", 0x1030, choices=_numbered("Continuous")),
    Node("AcquisitionStart", "command", 0x1034, access="WO"),
    Node("AcquisitionStop", "command", 0x1038, access="WO"),
    Node(
        "TriggerSelector", "enumeration", 0x103C, choices=_numbered("FrameStart", "FrameBurstStart"), selects=_TRIGGER
    ),
    Node("TriggerMode", "enumeration", 0x1040, choices=_OFF_ON),
    Node("TriggerSource", "enumeration", 0x1044, choices=_numbered("Software", "Line0", "Line1")),
    Node("TriggerActivation", "enumeration", 0x1048, choices=_EDGES),
    Node("TriggerSoftware", "command", 0x104C, access="WO"),
    Node("TLParamsLocked", "integer", 0x1050, low=0, high=1),
    Node("TimestampLatch", "command", 0x1054, access="WO", present="SimHasClock"),
    Node("ExposureTime", "float", 0x1060, 8, low=10, high=1_000_000, unit="us", locked="ExposureAuto"),
    Node("AcquisitionFrameRate", "float", 0x1068, 8, low=0.1, high=2000, unit="Hz"),
    Node("Gain", "float", 0x1070, 8, low=0, high=24, unit="dB", locked="GainAuto"),
    Node("TimestampLatchValue", "integer", 0x1078, 8, "RO", present="SimHasClock"),
    Node(
        "SimClockOffset",
        "integer",
        0x1080,
        8,
        low=-(2**62),
        high=2**62,
        signed=True,
        tip="What the device's clock is ahead of the host's monotonic clock, in ns.",
    ),
    Node(
        "SimClockDrift",
        "float",
        0x1088,
        8,
        low=-1000,
        high=1000,
        unit="ppm",
        tip="How much faster the device's clock runs.",
    ),
    Node("SimTimestamps", "enumeration", 0x1090, choices=_OFF_ON, tip="Off: frames come without a stamp."),
    Node("AcquisitionFrameRateEnable", "boolean", 0x1094),
    Node("AcquisitionBurstFrameCount", "integer", 0x1098, low=1, high=1024),
    Node("TriggerOverlap", "enumeration", 0x109C, choices=_numbered("Off", "ReadOut", "PreviousFrame")),
    Node("TriggerDelay", "float", 0x10A0, 8, low=0, high=10_000_000, unit="us"),
    Node("LineSelector", "enumeration", 0x10A8, choices=_numbered("Line0", "Line1"), selects=("LineDebouncerTime",)),
    Node("LineMode", "enumeration", 0x10AC, access="RO", choices=_numbered("Input")),
    Node("LineDebouncerTime", "float", 0x10B0, 8, low=0, high=1_000_000, unit="us"),
    Node("CounterSelector", "enumeration", 0x10B8, choices=_numbered("Counter0"), selects=_COUNTER),
    Node(
        "CounterEventSource",
        "enumeration",
        0x10BC,
        choices=_numbered("Off", "FrameTrigger", "FrameTriggerMissed", "FrameStart", "Line0", "Line1"),
    ),
    Node("CounterEventActivation", "enumeration", 0x10C0, choices=_EDGES),
    Node("CounterReset", "command", 0x10C4, access="WO"),
    Node("CounterValue", "integer", 0x10C8, 8, low=0, high=2**62),
    Node("ChunkModeActive", "boolean", 0x10D0, locked=LOCK),
    Node(
        "ChunkSelector",
        "enumeration",
        0x10D4,
        choices=_numbered("FrameID", "Timestamp", "ExposureTime", "CounterValue"),
        selects=("ChunkEnable",),
    ),
    Node("ChunkEnable", "boolean", 0x10D8, locked=LOCK),
    Node("ChunkCounterSelector", "enumeration", 0x10DC, choices=_numbered("Counter0"), selects=("ChunkCounterValue",)),
    Node("UserSetSelector", "enumeration", 0x10E0, choices=_SETS, selects=("UserSetLoad", "UserSetSave")),
    Node("UserSetLoad", "command", 0x10E4, access="WO", locked=LOCK),
    Node("UserSetSave", "command", 0x10E8, access="WO"),
    Node("UserSetDefault", "enumeration", 0x10EC, choices=_SETS),
    Node("ExposureAuto", "enumeration", 0x10F0, choices=_numbered("Off", "Once")),
    Node("GainAuto", "enumeration", 0x10F4, choices=_numbered("Off", "Once")),
    Node("BlackLevel", "float", 0x10F8, 8, low=0, high=64, unit="DN"),
    Node(
        "SimStrobeDelay",
        "float",
        0x1100,
        8,
        low=0,
        high=1_000_000,
        unit="us",
        tip="From the trigger to the start of the lamp's pulse.",
    ),
    Node(
        "SimStrobeDuration",
        "float",
        0x1108,
        8,
        low=0,
        high=1_000_000,
        unit="us",
        tip="The lamp's pulse; only light during the exposure counts. 0: the lamp is always on.",
    ),
    Node(
        "SimReadoutTime",
        "float",
        0x1110,
        8,
        low=0,
        high=1_000_000,
        unit="us",
        tip="From the end of an exposure until its frame is delivered.",
    ),
    Node(
        "SimLineScan",
        "enumeration",
        0x1118,
        choices=_OFF_ON,
        tip="On: each frame of a burst shows the lines below those of the frame before.",
    ),
    Node(
        "SimMissedTriggers",
        "integer",
        0x1120,
        8,
        access="RO",
        tip="Triggers of this stream that the camera could not take.",
    ),
    Node("SimHasClock", "integer", 0x1128, access="RO", tip="0: there is no clock, and no TimestampLatch."),
    Node("ChunkFrameID", "integer", 0xC000, 8, access="RO", chunk=True),
    Node("ChunkTimestamp", "integer", 0xC008, 8, access="RO", chunk=True),
    Node("ChunkExposureTime", "float", 0xC010, 8, access="RO", unit="us", chunk=True),
    Node("ChunkCounterValue", "integer", 0xC018, 8, access="RO", chunk=True),
)

CATEGORIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("DeviceControl", ("Device", "TimestampLatch")),
    ("ImageFormatControl", ("Width", "Height", "Offset", "PixelFormat")),
    ("AcquisitionControl", ("Acquisition", "Trigger", "Exposure")),
    ("AnalogControl", ("Gain", "BlackLevel")),
    ("DigitalIOControl", ("Line",)),
    ("CounterAndTimerControl", ("Counter",)),
    ("ChunkDataControl", ("Chunk",)),
    ("UserSetControl", ("UserSet",)),
    ("TransportLayerControl", ("PayloadSize", "TLParamsLocked")),
    ("SimulationControl", ("Sim",)),
)
"""Categories of the SFNC, and how the names of their features begin."""


def category_of(node: Node) -> str:
    """Return the category a feature is listed in; empty: it is not a feature, only the limit of one."""
    if node.name.endswith("Room"):
        return ""
    return next(category for category, beginnings in CATEGORIES if node.name.startswith(beginnings))
