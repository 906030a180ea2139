"""The register map as IEC 61131-3 Structured Text: constants, types, pack and unpack, from the table alone."""

import struct
from collections.abc import Iterator

from .function_block import EXAMPLE, GATE, STATION_BODY, STATION_HEAD
from .regmap import CANARY_F32, CANARY_U32, MAP_VERSION, MIRROR, Kind, Point, Table, points, size
from .signals import FaultCode, WireCode

PROGRAM = "okng.st"
_TYPES = {Kind.U16: "UINT", Kind.U32: "UDINT", Kind.F32: "DWORD"}
"""A float comes as its bits: what DWORD_TO_REAL means differs from vendor to vendor."""
_EXTERNALS = {"OKNG_MAP_VERSION": "UINT", "OKNG_CANARY_U32": "UDINT", "OKNG_CANARY_U32_SWAPPED": "UDINT"}
_EXTERNALS |= {"OKNG_CANARY_F32": "DWORD", "OKNG_CODE_OK": "UINT"}
_HEAD = f"""\
(* okng, register map {MAP_VERSION >> 8}.{MAP_VERSION & 0xFF}, IEC 61131-3 Structured Text.
   Written by `okng plc map --format st`; change the table in plc_io/regmap.py, not this file.

   Import all of it. What lies between VAR_GLOBAL and END_VAR goes into a list of global variables where the tool keeps
   such lists apart. Addresses are those of the Modbus PDU and count from 0: add 1, or 30001 and 40001, where your
   client counts so. OKNG_STATION is the block to call; OKNG_EXAMPLE shows how. *)

"""
_NEXT = """\
(* The next number, 1..4294967295: it goes from the last one to 1 and never to 0. *)
FUNCTION OKNG_NEXT : UDINT
VAR_INPUT
    number : UDINT;
END_VAR
    IF number >= UDINT#4294967295 THEN
        OKNG_NEXT := UDINT#1;
    ELSE
        OKNG_NEXT := number + UDINT#1;
    END_IF;
END_FUNCTION

(* Two registers as they come, the lower address first, make 32 bits. *)
FUNCTION OKNG_JOIN : DWORD
VAR_INPUT
    lower : WORD;
    upper : WORD;
    low_first : BOOL;
END_VAR
    IF low_first THEN
        OKNG_JOIN := SHL(WORD_TO_DWORD(upper), 16) OR WORD_TO_DWORD(lower);
    ELSE
        OKNG_JOIN := SHL(WORD_TO_DWORD(lower), 16) OR WORD_TO_DWORD(upper);
    END_IF;
END_FUNCTION

(* One half of 32 bits, for the register of the lower or of the upper address. *)
FUNCTION OKNG_HALF : WORD
VAR_INPUT
    whole : DWORD;
    is_lower : BOOL;
    low_first : BOOL;
END_VAR
    IF is_lower = low_first THEN
        OKNG_HALF := DWORD_TO_WORD(whole AND DWORD#16#0000FFFF);
    ELSE
        OKNG_HALF := DWORD_TO_WORD(SHR(whole, 16) AND DWORD#16#0000FFFF);
    END_IF;
END_FUNCTION

"""
_SLOT = """\
TYPE OKNG_SLOT :                        (* one part between the eye and the gate *)
STRUCT
    part : UDINT;
    eye_count : UDINT;                  (* encoder when it was at the eye *)
    pass : BOOL;                        (* an OK of this very part was read in time *)
    void : BOOL;                        (* it can never pass *)
    committed : BOOL;                   (* the decision is final *)
END_STRUCT;
END_TYPE

"""


def _line(code: str, comment: str) -> str:
    return f"    {code:<50} (* {comment} *)\n"


def _globals() -> Iterator[str]:
    """Every address, bit number and code of the map."""
    bits = struct.unpack(">I", struct.pack(">f", CANARY_F32))[0]
    swapped = CANARY_U32 & 0xFFFF, CANARY_U32 >> 16
    yield "VAR_GLOBAL CONSTANT\n"
    yield _line(f"OKNG_MAP_VERSION : UINT := 16#{MAP_VERSION:04X};", "major byte, minor byte")
    yield _line(f"OKNG_CANARY_U32 : UDINT := 16#{CANARY_U32:08X};", "input registers as they have to come")
    yield _line(f"OKNG_CANARY_U32_SWAPPED : UDINT := 16#{swapped[0]:04X}{swapped[1]:04X};", "low_first is wrong")
    yield _line(f"OKNG_CANARY_F32 : DWORD := 16#{bits:08X};", f"the bits of {CANARY_F32}")
    yield "\n    (* coils, and bits of holding register 0: what the PLC says *)\n"
    yield from (_line(f"OKNG_COIL_{p.name} : UINT := {p.address};", p.text) for p in points(Table.COIL))
    yield "\n    (* discrete inputs, and bits of input register 0: what the box says *)\n"
    yield from (_line(f"OKNG_DI_{p.name} : UINT := {p.address};", p.text) for p in points(Table.DISCRETE))
    yield "\n    (* holding registers: what the PLC says *)\n"
    yield from (_line(f"OKNG_HR_{p.name.upper()} : UINT := {p.address};", p.text) for p in points(Table.HOLDING))
    yield _line(f"OKNG_HR_COUNT : UINT := {size(Table.HOLDING)};", "write them by one FC16 from 0")
    yield _line(f"OKNG_HR_MIRROR : UINT := {MIRROR};", "holding register OKNG_HR_MIRROR + n is input register n")
    yield "\n    (* input registers: what the box says *)\n"
    yield from (_line(f"OKNG_IR_{p.name.upper()} : UINT := {p.address};", p.text) for p in points(Table.INPUT))
    yield _line(f"OKNG_IR_COUNT : UINT := {size(Table.INPUT)};", "read them by one FC04 from 0")
    yield "\n    (* disposition, input register OKNG_IR_DISPOSITION: everything but OK means reject *)\n"
    yield from (f"    OKNG_CODE_{code.name} : UINT := {code.value};\n" for code in WireCode)
    yield "\n    (* input register OKNG_IR_FAULT *)\n"
    yield from (_line(f"OKNG_FAULT_{code.name} : UINT := {code.value};", code.words) for code in FaultCode)
    yield "END_VAR\n\n"


def _bits(name: str, table: Table, comment: str) -> Iterator[str]:
    yield f"TYPE {name} :  (* {comment} *)\nSTRUCT\n"
    yield from (_line(f"{p.name} : BOOL;", p.text) for p in points(table))
    yield "END_STRUCT;\nEND_TYPE\n\n"


def _words(name: str, table: Table, bits: str, comment: str) -> Iterator[str]:
    yield f"TYPE {name} :  (* {comment} *)\nSTRUCT\n"
    for p in points(table):
        yield _line(f"{p.name} : {bits if p.kind is Kind.BITS else _TYPES[p.kind]};", p.text)
    yield "END_STRUCT;\nEND_TYPE\n\n"


def _types() -> Iterator[str]:
    for name, table in (("OKNG_INPUT_WORDS", Table.INPUT), ("OKNG_HOLDING_WORDS", Table.HOLDING)):
        yield f"TYPE {name} : ARRAY [0..{size(table) - 1}] OF WORD; END_TYPE\n"
    yield "\n"
    yield from _bits("OKNG_COMMAND", Table.COIL, "bits the PLC writes")
    yield from _bits("OKNG_STATUS", Table.DISCRETE, "bits the box writes")
    yield from _words("OKNG_PLC", Table.HOLDING, "OKNG_COMMAND", "all the PLC says")
    yield from _words("OKNG_BOX", Table.INPUT, "OKNG_STATUS", "all the box says")
    yield _SLOT


def _unpacked(p: Point) -> Iterator[str]:
    at = f"words[{p.address}]"
    if p.kind is Kind.BITS:
        bits = points(Table.DISCRETE)
        yield from (
            f"    box.{p.name}.{b.name} := ({at} AND WORD#16#{1 << b.address:04X}) <> WORD#16#0000;\n" for b in bits
        )
    elif p.kind is Kind.U16:
        yield f"    box.{p.name} := WORD_TO_UINT({at});\n"
    else:
        joined = f"OKNG_JOIN(lower := {at}, upper := words[{p.last}], low_first := low_first)"
        yield f"    box.{p.name} := {f'DWORD_TO_UDINT({joined})' if p.kind is Kind.U32 else joined};\n"


def _packed(p: Point) -> Iterator[str]:
    at = f"words[{p.address}]"
    if p.kind is Kind.BITS:
        yield f"    {at} := WORD#16#0000;\n"
        for bit in points(Table.COIL):
            yield f"    IF plc.{p.name}.{bit.name} THEN\n"
            yield f"        {at} := {at} OR WORD#16#{1 << bit.address:04X};\n    END_IF;\n"
    elif p.kind is Kind.U16:
        yield f"    {at} := UINT_TO_WORD(plc.{p.name});\n"
    else:
        whole = f"UDINT_TO_DWORD(plc.{p.name})" if p.kind is Kind.U32 else f"plc.{p.name}"
        for address, lower in ((p.address, "TRUE"), (p.last, "FALSE")):
            half = f"OKNG_HALF(whole := {whole}, is_lower := {lower}, low_first := low_first)"
            yield f"    words[{address}] := {half};\n"


def _functions() -> Iterator[str]:
    yield "(* Input registers as read, in the order of their addresses, to values. *)\n"
    yield "FUNCTION OKNG_UNPACK : OKNG_BOX\n"
    yield "VAR_INPUT\n    words : OKNG_INPUT_WORDS;\n    low_first : BOOL;\nEND_VAR\n"
    yield "VAR\n    box : OKNG_BOX;\nEND_VAR\n"
    for p in points(Table.INPUT):
        yield from _unpacked(p)
    yield "    OKNG_UNPACK := box;\nEND_FUNCTION\n\n"
    yield "(* Values to holding registers, in the order of their addresses. *)\n"
    yield "FUNCTION OKNG_PACK : OKNG_HOLDING_WORDS\n"
    yield "VAR_INPUT\n    plc : OKNG_PLC;\n    low_first : BOOL;\nEND_VAR\n"
    yield "VAR\n    words : OKNG_HOLDING_WORDS;\nEND_VAR\n"
    for p in points(Table.HOLDING):
        yield from _packed(p)
    yield "    OKNG_PACK := words;\nEND_FUNCTION\n\n"


def program() -> str:
    """Return the Structured Text, ASCII, whole."""
    externals = "".join(f"    {name} : {kind};\n" for name, kind in _EXTERNALS.items())
    parts = [_HEAD, *_globals(), *_types(), _NEXT, *_functions(), GATE, "\n", STATION_HEAD]
    parts += ["VAR_EXTERNAL CONSTANT\n", externals, "END_VAR\n", STATION_BODY, "\n", EXAMPLE]
    return "".join(parts)
