"""The simulated camera's feature list: GenApi XML for the GenTL consumer, register addresses for the C side.

Both come from the one table below, as a C header, so that they cannot differ. Features follow the SFNC's names; those
that only a simulated camera has begin with `Sim`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from . import mishaps

WIDTH_MAX = HEIGHT_MAX = 4096
"""Largest region of the sensor in pixels."""

_GUIDS = 'ProductGuid="6f6b6e67-0001-4000-8000-73696d6c696e" VersionGuid="6f6b6e67-0001-4000-8001-73696d6c696e"'
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<RegisterDescription xmlns="http://www.genicam.org/GenApi/Version_1_1" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.genicam.org/GenApi/Version_1_1 '
    'http://www.genicam.org/GenApi/GenApiSchema_Version_1_1.xsd" '
    'ModelName="okngsim" VendorName="okng" StandardNameSpace="None" '
    'SchemaMajorVersion="1" SchemaMinorVersion="1" SchemaSubMinorVersion="0" '
    f'MajorVersion="1" MinorVersion="0" SubMinorVersion="0" {_GUIDS}>'
)


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


FORMATS: tuple[tuple[str, int], ...] = (
    ("Mono8", 0x01080001),
    ("Mono10", 0x01100003),
    ("Mono10p", 0x010A0046),
    ("Mono10Packed", 0x010C0004),
    ("Mono12", 0x01100005),
    ("Mono12p", 0x010C0047),
    ("Mono12Packed", 0x010C0006),
    ("Mono16", 0x01100007),
    ("BayerGR8", 0x01080008),
    ("BayerRG8", 0x01080009),
    ("BayerGB8", 0x0108000A),
    ("BayerBG8", 0x0108000B),
    ("BayerGR10", 0x0110000C),
    ("BayerRG10", 0x0110000D),
    ("BayerGB10", 0x0110000E),
    ("BayerBG10", 0x0110000F),
    ("BayerBG10p", 0x010A0052),
    ("BayerGB10p", 0x010A0054),
    ("BayerGR10p", 0x010A0056),
    ("BayerRG10p", 0x010A0058),
    ("BayerGR10Packed", 0x010C0026),
    ("BayerRG10Packed", 0x010C0027),
    ("BayerGB10Packed", 0x010C0028),
    ("BayerBG10Packed", 0x010C0029),
    ("BayerGR12", 0x01100010),
    ("BayerRG12", 0x01100011),
    ("BayerGB12", 0x01100012),
    ("BayerBG12", 0x01100013),
    ("BayerBG12p", 0x010C0053),
    ("BayerGB12p", 0x010C0055),
    ("BayerGR12p", 0x010C0057),
    ("BayerRG12p", 0x010C0059),
    ("BayerGR12Packed", 0x010C002A),
    ("BayerRG12Packed", 0x010C002B),
    ("BayerGB12Packed", 0x010C002C),
    ("BayerBG12Packed", 0x010C002D),
    ("BayerGR16", 0x0110002E),
    ("BayerRG16", 0x0110002F),
    ("BayerGB16", 0x01100030),
    ("BayerBG16", 0x01100031),
    ("RGB8", 0x02180014),
    ("BGR8", 0x02180015),
    ("YUV422_8", 0x02100032),
    ("YUV422_8_UYVY", 0x0210001F),
)
"""Name and number of each pixel format. Source: EMVA Pixel Format Naming Convention, 32-bit values."""


def _numbered(*names: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, number) for number, name in enumerate(names))


_OFF_ON = _numbered("Off", "On")
_EDGES = _numbered("RisingEdge", "FallingEdge")
_TRIGGER = ("TriggerMode", "TriggerSource", "TriggerActivation", "TriggerDelay", "TriggerOverlap", "TriggerSoftware")
_COUNTER = ("CounterEventSource", "CounterEventActivation", "CounterReset", "CounterValue")
_SETS = _numbered("Default", "UserSet1", "UserSet2")
_LOCK = "TLParamsLocked"
NODES: tuple[Node, ...] = (
    Node("DeviceVendorName", "string", 0x2000, 64, "RO"),
    Node("DeviceModelName", "string", 0x2040, 64, "RO"),
    Node("DeviceSerialNumber", "string", 0x2080, 64, "RO"),
    Node("WidthMax", "integer", 0x1000, access="RO"),
    Node("HeightMax", "integer", 0x1004, access="RO"),
    Node("Width", "integer", 0x1008, low=16, high="WidthRoom", step=4, locked=_LOCK),
    Node("Height", "integer", 0x100C, low=16, high="HeightRoom", step=2, locked=_LOCK),
    Node("OffsetX", "integer", 0x1010, low=0, high="OffsetXRoom", step=2, locked=_LOCK),
    Node("OffsetY", "integer", 0x1014, low=0, high="OffsetYRoom", step=2, locked=_LOCK),
    Node("WidthRoom", "integer", 0x1018, access="RO"),
    Node("HeightRoom", "integer", 0x101C, access="RO"),
    Node("OffsetXRoom", "integer", 0x1020, access="RO"),
    Node("OffsetYRoom", "integer", 0x1024, access="RO"),
    Node("PixelFormat", "enumeration", 0x1028, choices=FORMATS, locked=_LOCK),
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
    Node("SimClockOffset", "integer", 0x1080, 8, low=-(2**62), high=2**62, signed=True),
    Node("SimClockDrift", "float", 0x1088, 8, low=-1000, high=1000, unit="ppm"),
    Node("SimTimestamps", "enumeration", 0x1090, choices=_OFF_ON),
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
    Node("ChunkModeActive", "boolean", 0x10D0, locked=_LOCK),
    Node(
        "ChunkSelector",
        "enumeration",
        0x10D4,
        choices=_numbered("FrameID", "Timestamp", "ExposureTime", "CounterValue"),
        selects=("ChunkEnable",),
    ),
    Node("ChunkEnable", "boolean", 0x10D8, locked=_LOCK),
    Node("ChunkCounterSelector", "enumeration", 0x10DC, choices=_numbered("Counter0"), selects=("ChunkCounterValue",)),
    Node("UserSetSelector", "enumeration", 0x10E0, choices=_SETS, selects=("UserSetLoad", "UserSetSave")),
    Node("UserSetLoad", "command", 0x10E4, access="WO", locked=_LOCK),
    Node("UserSetSave", "command", 0x10E8, access="WO"),
    Node("UserSetDefault", "enumeration", 0x10EC, choices=_SETS),
    Node("ExposureAuto", "enumeration", 0x10F0, choices=_numbered("Off", "Once")),
    Node("GainAuto", "enumeration", 0x10F4, choices=_numbered("Off", "Once")),
    Node("BlackLevel", "float", 0x10F8, 8, low=0, high=64, unit="DN"),
    Node("SimStrobeDelay", "float", 0x1100, 8, low=0, high=1_000_000, unit="us"),
    Node("SimStrobeDuration", "float", 0x1108, 8, low=0, high=1_000_000, unit="us"),
    Node("SimReadoutTime", "float", 0x1110, 8, low=0, high=1_000_000, unit="us"),
    Node("SimLineScan", "enumeration", 0x1118, choices=_OFF_ON),
    Node("SimMissedTriggers", "integer", 0x1120, 8, access="RO"),
    Node("SimHasClock", "integer", 0x1128, access="RO"),
    Node("ChunkFrameID", "integer", 0xC000, 8, access="RO", chunk=True),
    Node("ChunkTimestamp", "integer", 0xC008, 8, access="RO", chunk=True),
    Node("ChunkExposureTime", "float", 0xC010, 8, access="RO", unit="us", chunk=True),
    Node("ChunkCounterValue", "integer", 0xC018, 8, access="RO", chunk=True),
)


def _register(node: Node, suffix: str = "Reg") -> str:
    kind = "FloatReg" if node.kind == "float" else "IntReg"
    sign = "" if node.kind == "float" else f"<Sign>{'Signed' if node.signed else 'Unsigned'}</Sign>"
    address, port = (0, f"{node.name}Port") if node.chunk else (node.address, "Device")
    return (
        f"<{kind} Name={quoteattr(node.name + suffix)}><Address>{address}</Address>"
        f"<Length>{node.length}</Length><AccessMode>{node.access}</AccessMode><pPort>{port}</pPort>"
        f"<Cachable>NoCache</Cachable>{sign}<Endianess>LittleEndian</Endianess></{kind}>"
    )


def _limits(node: Node) -> str:
    parts = [] if node.low is None else [f"<Min>{node.low}</Min>"]
    if isinstance(node.high, str):
        parts.append(f"<pMax>{node.high}</pMax>")
    elif node.high is not None:
        parts.append(f"<Max>{node.high}</Max>")
    if node.step is not None:
        parts.append(f"<Inc>{node.step}</Inc>")
    if node.unit:
        parts.append(f"<Unit>{escape(node.unit)}</Unit>")
    return "".join(parts)


def _conditions(node: Node) -> str:
    """What decides whether it is there and can be written; the schema wants them before the value."""
    parts = [f"<pIsAvailable>{node.present}</pIsAvailable>"] if node.present else []
    if node.locked:
        parts.append(f"<pIsLocked>{node.locked}{'' if node.locked == _LOCK else 'Reg'}</pIsLocked>")
    return "".join(parts)


def _feature(node: Node) -> str:
    conditions = _conditions(node)
    value = f"<pValue>{node.name}Reg</pValue>"
    name = quoteattr(node.name)
    selected = "".join(f"<pSelected>{each}</pSelected>" for each in node.selects)
    port = f'<Port Name="{node.name}Port"><ChunkID>{node.address:x}</ChunkID></Port>' if node.chunk else ""
    if node.kind == "string":
        return (
            f"<StringReg Name={name}><Address>{node.address}</Address><Length>{node.length}</Length>"
            "<AccessMode>RO</AccessMode><pPort>Device</pPort></StringReg>"
        )
    if node.kind == "command":
        return _register(node) + f"<Command Name={name}>{conditions}{value}<CommandValue>1</CommandValue></Command>"
    if node.kind == "boolean":
        onoff = "<OnValue>1</OnValue><OffValue>0</OffValue>"
        return _register(node) + f"<Boolean Name={name}>{conditions}{value}{onoff}</Boolean>"
    if node.kind == "enumeration":
        entries = "".join(
            f"<EnumEntry Name={quoteattr(choice)}><Value>{number}</Value></EnumEntry>"
            for choice, number in node.choices
        )
        return _register(node) + f"<Enumeration Name={name}>{conditions}{entries}{value}{selected}</Enumeration>"
    tag = node.kind.capitalize()
    return port + _register(node) + f"<{tag} Name={name}>{conditions}{value}{_limits(node)}</{tag}>"


def camera_xml() -> str:
    """Return the GenApi description of the remote device."""
    listed = "".join(f"<pFeature>{node.name}</pFeature>" for node in NODES if not node.name.endswith("Room"))
    body = "\n".join(_feature(node) for node in NODES)
    return f'{_HEAD}\n<Category Name="Root">{listed}</Category>\n{body}\n<Port Name="Device"/></RegisterDescription>\n'


def _constant(name: str) -> str:
    """`TLParamsLocked` becomes `TL_PARAMS_LOCKED`."""
    letters = ""
    for at, letter in enumerate(name):
        after_small = at > 0 and letter.isupper() and not name[at - 1].isupper()
        before_small = at > 0 and letter.isupper() and name[at - 1].isupper() and name[at + 1 : at + 2].islower()
        letters += ("_" if after_small or before_small else "") + letter.upper()
    return letters


def _row(node: Node) -> str:
    """Register, form, writable, locked by, least, most, step: what the C side checks before it stores a value."""
    form = "F64" if node.kind == "float" else "U32" if node.length == 4 else "I64" if node.signed else "U64"
    low, high = node.low or 0, node.high if isinstance(node.high, int | float) else 2**32 - 1
    if node.kind == "boolean":
        high = 1
    elif node.choices and node.choices is not FORMATS:
        high = len(node.choices) - 1
    lock = {"": "0", _LOCK: "1"}.get(node.locked, "0")
    writable = int(node.access != "RO")
    return f"REG_{_constant(node.name)}, {form}, {writable}, {lock}, {float(low)!r}, {float(high)!r}, {node.step or 0}"


def _lines() -> Iterator[str]:
    yield "/* Written by simline/genapi.py: do not edit. */"
    yield f"#define WIDTH_MAX {WIDTH_MAX}u"
    yield f"#define HEIGHT_MAX {HEIGHT_MAX}u"
    for node in NODES:
        name = _constant(node.name)
        if node.chunk:
            yield f"#define ID_{name} {node.address:#x}u"
            continue
        yield f"#define REG_{name} {node.address:#x}u"
        yield f"#define ROW_{name} {_row(node)}"
        if node.choices is not FORMATS:
            yield from (f"#define {name}_{_constant(choice)} {number}u" for choice, number in node.choices)
    yield from (f"#define PFNC_{name.upper()} {number:#010x}u" for name, number in FORMATS)
    yield from mishaps.c_lines()


def _xml_lines() -> Iterator[str]:
    yield "#ifdef WITH_CAMERA_XML"
    yield "static const char CAMERA_XML[] ="
    for line in camera_xml().splitlines():
        text = line.replace("\\", "\\\\").replace('"', '\\"')
        yield f'    "{text}\\n"'
    yield "    ;"
    yield "#endif"


def c_header() -> str:
    """Return `genapi.h`: registers as `REG_...` and `ROW_...`, choices, formats, mishaps, the XML as `CAMERA_XML`."""
    return "\n".join([*_lines(), *_xml_lines()]) + "\n"
