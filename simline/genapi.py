"""The simulated camera's feature list: GenApi XML for the GenTL consumer, register addresses for the C side.

Both come from the tables in `features.py` and `formats.py`, as a C header, so that they cannot differ.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from . import mishaps
from .features import CATEGORIES, HEIGHT_MAX, LOCK, NODES, WIDTH_MAX, Node, category_of
from .formats import FORMATS

__all__ = ("FORMATS", "NODES", "c_header", "camera_xml")

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
    """Its tip, and what decides whether it is there and can be written; the schema wants them before the value."""
    parts = [f"<ToolTip>{escape(node.tip)}</ToolTip>"] if node.tip else []
    if node.present:
        parts.append(f"<pIsAvailable>{node.present}</pIsAvailable>")
    if node.locked:
        parts.append(f"<pIsLocked>{node.locked}{'' if node.locked == LOCK else 'Reg'}</pIsLocked>")
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
    names = [category for category, _ in CATEGORIES]
    listed = "".join(f"<pFeature>{name}</pFeature>" for name in names)
    categories = "\n".join(
        f'<Category Name="{name}">'
        + "".join(f"<pFeature>{node.name}</pFeature>" for node in NODES if category_of(node) == name)
        + "</Category>"
        for name in names
    )
    body = "\n".join(_feature(node) for node in NODES)
    root = f'<Category Name="Root">{listed}</Category>'
    return f'{_HEAD}\n{root}\n{categories}\n{body}\n<Port Name="Device"/></RegisterDescription>\n'


def _constant(name: str) -> str:
    """`TLParamsLocked` becomes `TL_PARAMSLOCKED`."""
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
    lock = {"": "0", LOCK: "1"}.get(node.locked, "0")
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
