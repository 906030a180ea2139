"""The simulated camera's feature list: GenApi XML for the GenTL consumer, register addresses for the C side.

Both come from the one table below, as a C header, so that they cannot differ. Features follow the SFNC's names; those
that only a simulated camera has begin with `Sim`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

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
    kind: Literal["integer", "float", "enumeration", "command", "string"]
    address: int
    length: int = 4
    """Bytes of the register: 4 or 8 for numbers, 64 for strings."""
    access: Literal["RO", "RW", "WO"] = "RW"
    low: float | None = None
    high: float | str | None = None
    """A number, or the name of the node that holds it."""
    step: int | None = None
    unit: str = ""
    choices: tuple[tuple[str, int], ...] = ()
    locked: bool = False
    """Not writable while TLParamsLocked is 1."""
    signed: bool = False


_OFF_ON = (("Off", 0), ("On", 1))
_FORMATS = (("Mono8", 0x01080001), ("BayerRG8", 0x01080009), ("RGB8", 0x02180014))
NODES: tuple[Node, ...] = (
    Node("DeviceVendorName", "string", 0x2000, 64, "RO"),
    Node("DeviceModelName", "string", 0x2040, 64, "RO"),
    Node("DeviceSerialNumber", "string", 0x2080, 64, "RO"),
    Node("WidthMax", "integer", 0x1000, access="RO"),
    Node("HeightMax", "integer", 0x1004, access="RO"),
    Node("Width", "integer", 0x1008, low=16, high="WidthRoom", step=4, locked=True),
    Node("Height", "integer", 0x100C, low=16, high="HeightRoom", step=2, locked=True),
    Node("OffsetX", "integer", 0x1010, low=0, high="OffsetXRoom", step=2, locked=True),
    Node("OffsetY", "integer", 0x1014, low=0, high="OffsetYRoom", step=2, locked=True),
    Node("WidthRoom", "integer", 0x1018, access="RO"),
    Node("HeightRoom", "integer", 0x101C, access="RO"),
    Node("OffsetXRoom", "integer", 0x1020, access="RO"),
    Node("OffsetYRoom", "integer", 0x1024, access="RO"),
    Node("PixelFormat", "enumeration", 0x1028, choices=_FORMATS, locked=True),
    Node("PayloadSize", "integer", 0x102C, access="RO"),
    Node("AcquisitionMode", "enumeration", 0x1030, choices=(("Continuous", 0),)),
    Node("AcquisitionStart", "command", 0x1034, access="WO"),
    Node("AcquisitionStop", "command", 0x1038, access="WO"),
    Node("TriggerSelector", "enumeration", 0x103C, choices=(("FrameStart", 0),)),
    Node("TriggerMode", "enumeration", 0x1040, choices=_OFF_ON),
    Node("TriggerSource", "enumeration", 0x1044, choices=(("Software", 0), ("Line0", 1))),
    Node("TriggerActivation", "enumeration", 0x1048, choices=(("RisingEdge", 0),)),
    Node("TriggerSoftware", "command", 0x104C, access="WO"),
    Node("TLParamsLocked", "integer", 0x1050, low=0, high=1),
    Node("TimestampLatch", "command", 0x1054, access="WO"),
    Node("ExposureTime", "float", 0x1060, 8, low=10, high=1_000_000, unit="us"),
    Node("AcquisitionFrameRate", "float", 0x1068, 8, low=0.1, high=2000, unit="Hz"),
    Node("Gain", "float", 0x1070, 8, low=0, high=24, unit="dB"),
    Node("TimestampLatchValue", "integer", 0x1078, 8, "RO"),
    Node("SimClockOffset", "integer", 0x1080, 8, low=-(2**62), high=2**62, signed=True),
    Node("SimClockDrift", "float", 0x1088, 8, low=-1000, high=1000, unit="ppm"),
    Node("SimTimestamps", "enumeration", 0x1090, choices=_OFF_ON),
)


def _register(node: Node, suffix: str = "Reg") -> str:
    kind = "FloatReg" if node.kind == "float" else "IntReg"
    sign = "" if node.kind == "float" else f"<Sign>{'Signed' if node.signed else 'Unsigned'}</Sign>"
    return (
        f"<{kind} Name={quoteattr(node.name + suffix)}><Address>{node.address}</Address>"
        f"<Length>{node.length}</Length><AccessMode>{node.access}</AccessMode><pPort>Device</pPort>"
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


def _feature(node: Node) -> str:
    lock = "<pIsLocked>TLParamsLocked</pIsLocked>" if node.locked else ""
    value = f"<pValue>{node.name}Reg</pValue>"
    name = quoteattr(node.name)
    if node.kind == "string":
        return (
            f"<StringReg Name={name}><Address>{node.address}</Address><Length>{node.length}</Length>"
            "<AccessMode>RO</AccessMode><pPort>Device</pPort></StringReg>"
        )
    if node.kind == "command":
        return _register(node) + f"<Command Name={name}>{value}<CommandValue>1</CommandValue></Command>"
    if node.kind == "enumeration":
        entries = "".join(
            f"<EnumEntry Name={quoteattr(choice)}><Value>{number}</Value></EnumEntry>"
            for choice, number in node.choices
        )
        return _register(node) + f"<Enumeration Name={name}>{lock}{entries}{value}</Enumeration>"
    tag = node.kind.capitalize()
    return _register(node) + f"<{tag} Name={name}>{lock}{value}{_limits(node)}</{tag}>"


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


def _lines() -> Iterator[str]:
    yield "/* Written by simline/genapi.py: do not edit. */"
    yield f"#define WIDTH_MAX {WIDTH_MAX}u"
    yield f"#define HEIGHT_MAX {HEIGHT_MAX}u"
    for node in NODES:
        yield f"#define REG_{_constant(node.name)} {node.address:#x}u"
    yield "static const char CAMERA_XML[] ="
    for line in camera_xml().splitlines():
        text = line.replace("\\", "\\\\").replace('"', '\\"')
        yield f'    "{text}\\n"'
    yield "    ;"


def c_header() -> str:
    """Return `genapi.h`: the register addresses as `REG_...` and the XML as `CAMERA_XML`."""
    return "\n".join(_lines()) + "\n"
