"""Register map 1.0: one declarative table.

The running map, `docs/protocol/registers.md`, `registers.csv` and `okng.st` come of it.

`python -m okng.plc_io.regmap [FOLDER]` writes the documents into FOLDER, or the Markdown page to standard output.
Addresses are those of the PDU, counted from 0.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from functools import cache
from operator import attrgetter

from .images import InImage, OutImage
from .signals import Command, Status, WireCode

MAP_VERSION = 0x0100
CANARY_U32 = 0x12345678
CANARY_F32 = 123.456
MIRROR = 1000
"""Holding register MIRROR + n is the read-only mirror of input register n."""


class Table(StrEnum):
    """The four tables of Modbus."""

    COIL = "coil"
    DISCRETE = "discrete input"
    INPUT = "input register"
    HOLDING = "holding register"


class Kind(StrEnum):
    """How a value lies in its registers."""

    BIT = "bit"
    BITS = "16 bits"
    U16 = "u16"
    U32 = "u32"
    F32 = "float"

    @property
    def words(self) -> int:
        """Registers it takes."""
        return 2 if self in (Kind.U32, Kind.F32) else 1


class WordOrder(StrEnum):
    """Which half of a u32 or float has the lower address. The canaries show the mistake at commissioning."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


@dataclass(frozen=True, slots=True)
class Point:
    """One value of the map. It has exactly one writer."""

    table: Table
    address: int
    name: str
    """Name in the documents; a tag of the PLC's program."""
    kind: Kind
    writer: str
    """`PLC` or `box`."""
    text: str
    field: str = ""
    """Field of the image; empty for a bit and for a constant."""
    fixed: float = 0
    """Value of a constant."""

    @property
    def last(self) -> int:
        """Last address it takes."""
        return self.address + self.kind.words - 1


def _bit(table: Table, flag: IntFlag, writer: str, text: str) -> Point:
    return Point(table, flag.value.bit_length() - 1, str(flag.name), Kind.BIT, writer, text)


def _coil(flag: Command, text: str) -> Point:
    return _bit(Table.COIL, flag, "PLC", text)


def _discrete(flag: Status, text: str) -> Point:
    return _bit(Table.DISCRETE, flag, "box", text)


def _holding(address: int, name: str, kind: Kind, text: str, field: str = "") -> Point:
    return Point(Table.HOLDING, address, name, kind, "PLC", text, field or name)


def _input(address: int, name: str, kind: Kind, text: str, field: str = "") -> Point:
    return Point(Table.INPUT, address, name, kind, "box", text, field or name)


def _fixed(address: int, name: str, kind: Kind, text: str, fixed: float) -> Point:
    return Point(Table.INPUT, address, name, kind, "box", text, "", fixed)


POINTS: tuple[Point, ...] = (
    _coil(Command.TRIGGER, "0 to 1: a part is at the eye; hold it until TRIG_ACK is 1"),
    _coil(Command.TRIG_ENABLE, "1: triggers are allowed"),
    _coil(Command.RESULT_ACK, "0 to 1: result taken (for a PLC that does not use ack_seq)"),
    _coil(Command.BUFFER_EN, "1: READY returns after the exposure, up to 8 results wait"),
    _coil(Command.JOB_EXEC, "0 to 1: change to job_req; drop it after JOB_DONE or JOB_FAIL"),
    _coil(Command.FAULT_RESET, "0 to 1: leave FAULT"),
    _coil(Command.COUNTER_RESET, "0 to 1: the counters below start again"),
    _coil(Command.LINE_RUN, "1: the line runs (for the record)"),
    _coil(Command.PLC_HB, "heartbeat as a bit, for a PLC that does not count in plc_hb"),
    _discrete(Status.READY, "1: the next trigger will be accepted"),
    _discrete(Status.TRIG_ACK, "1: the trigger was taken; drop TRIGGER"),
    _discrete(Status.BUSY, "1: a part has no decision yet"),
    _discrete(Status.RESULT_VALID, "1: the result block holds a result that is not acknowledged"),
    _discrete(Status.OK, "result: pass. OK = NG = 0 and OK = NG = 1 both mean reject"),
    _discrete(Status.NG, "result: reject"),
    _discrete(Status.UNJUDGED, "result: reject, nobody could tell (also LATE)"),
    _discrete(Status.FAULT, "1: see the fault code; leave by FAULT_RESET"),
    _discrete(Status.HB, "toggles every 100 ms while camera, inspection and io move"),
    _discrete(Status.JOB_BUSY, "1: job change under way"),
    _discrete(Status.JOB_DONE, "1: the asked job is active"),
    _discrete(Status.JOB_FAIL, "1: refused, the old job stays active"),
    _discrete(Status.MISSED_TRIG, "a trigger came while READY was 0; until the next accepted one"),
    _discrete(Status.OVERRUN, "a result was not acknowledged in time, or the queue was full"),
    _discrete(Status.LINE_STOP_REQ, "1: stop the line, several parts in a row got no verdict"),
    _discrete(Status.DEGRADED, "1: the line is judged, but something needs a look"),
    _holding(0, "command", Kind.BITS, "command bits: coils 0-15"),
    _holding(1, "plc_hb", Kind.U16, "any change is a sign of life", "heartbeat"),
    _holding(2, "job_req", Kind.U16, "number of the job asked for", "job_request"),
    _holding(3, "job_token", Kind.U16, "a new number for each job change; the same again repeats the answer"),
    _holding(4, "part", Kind.U32, "part number of the next trigger; 0: the box numbers"),
    _holding(6, "ack_seq", Kind.U16, "seq of the result taken; 0 acknowledges nothing"),
    _input(0, "status", Kind.BITS, "status bits: discrete inputs 0-15"),
    _fixed(1, "map_version", Kind.U16, "major byte, minor byte; another major: do not run", MAP_VERSION),
    _input(2, "hb", Kind.U16, "heartbeat counter; its lowest bit is HB", "heartbeat"),
    _input(3, "seq_begin", Kind.U16, "number of the result, 1..65535; 0: none", "seq"),
    _input(4, "part", Kind.U32, "part number of the result"),
    _input(6, "disposition", Kind.U16, "0 none, 1 OK, 2 NG, 3 UNJUDGED, 4 LATE; all but 1 reject"),
    _input(7, "defect", Kind.U16, "defect class: 0 none, 1 without a class"),
    _input(8, "score_milli", Kind.U16, "score x 1000, saturates at 65535"),
    _input(9, "inference_ms", Kind.U16, "time of the inspection, ms"),
    _input(10, "latency_ms", Kind.U16, "trigger to result, ms"),
    _input(11, "job", Kind.U16, "active job"),
    _input(12, "job_token", Kind.U16, "token of the last job change answered"),
    _input(13, "fault", Kind.U16, "fault code, 0: none"),
    _input(14, "depth", Kind.U16, "results that wait behind the one shown"),
    _input(15, "seq_end", Kind.U16, "the block is whole only if it equals seq_begin", "seq"),
    _input(16, "triggers", Kind.U32, "every rising TRIGGER, missed ones included"),
    _input(18, "ok", Kind.U32, "results OK"),
    _input(20, "ng", Kind.U32, "results NG"),
    _input(22, "unjudged", Kind.U32, "results UNJUDGED and LATE, and parts rejected by a fault"),
    _input(24, "missed", Kind.U32, "triggers while READY was 0"),
    _input(26, "confirmed", Kind.U32, "rejects whose result was acknowledged"),
    _fixed(30, "canary_u32", Kind.U32, "0x12345678", CANARY_U32),
    _fixed(32, "canary_f32", Kind.F32, "123.456 (0x42F6E979)", CANARY_F32),
)
"""The table."""
BITS = 16
"""Coils, and discrete inputs: the bits of one register."""


def points(table: Table) -> tuple[Point, ...]:
    """The rows of one table, by address."""
    return tuple(sorted((p for p in POINTS if p.table is table), key=lambda p: p.address))


@cache
def size(table: Table) -> int:
    """Addresses of a table, unused ones between its rows included. Bits: all 16 of their register."""
    if table in (Table.COIL, Table.DISCRETE):
        return BITS
    return max(p.last for p in points(table)) + 1


@cache
def used(table: Table) -> frozenset[int]:
    """Addresses of a table that hold a value."""
    return frozenset(a for p in points(table) for a in range(p.address, p.last + 1))


COMMAND_MASK = sum(Command)
"""Command bits that mean something; the others read as 0."""
_INPUT = points(Table.INPUT)
_HOLDING = points(Table.HOLDING)
_NARROW = tuple(point for point in _INPUT if point.field and point.kind.words == 1)
_NARROW_AT = tuple(point.address for point in _NARROW)
_NARROW_OF = attrgetter(*(point.field for point in _NARROW))
_WIDE = tuple(point for point in _INPUT if point.field and point.kind.words == 2)


def _halves(kind: Kind, value: float, order: WordOrder) -> tuple[int, ...]:
    if kind.words == 1:
        return (min(max(int(value), 0), 0xFFFF),)
    whole = struct.unpack(">I", struct.pack(">f", value))[0] if kind is Kind.F32 else int(value) & 0xFFFFFFFF
    high, low = whole >> 16, whole & 0xFFFF
    return (high, low) if order is WordOrder.HIGH_FIRST else (low, high)


def _value(point: Point, words: Sequence[int], order: WordOrder) -> float:
    first = words[point.address]
    if point.kind.words == 1:
        return first
    second = words[point.address + 1]
    whole = first << 16 | second if order is WordOrder.HIGH_FIRST else second << 16 | first
    return float(struct.unpack(">f", struct.pack(">I", whole))[0]) if point.kind is Kind.F32 else whole


def values(table: Table, words: Sequence[int], order: WordOrder = WordOrder.HIGH_FIRST) -> dict[str, float]:
    """Every value of a table of registers by its name, whatever it means; words from address 0. For a monitor."""
    return {p.name: _value(p, words, order) for p in points(table)}


def bits(table: Table, word: int) -> dict[str, bool]:
    """Every bit by its name: of coils out of holding register 0, of discrete inputs out of input register 0."""
    return {p.name: bool(word >> p.address & 1) for p in points(table)}


def pack_out(image: OutImage, order: WordOrder = WordOrder.HIGH_FIRST) -> tuple[int, ...]:
    """Return input registers 0..33 of an image."""
    words = list(_constants(order))
    for address, value in zip(_NARROW_AT, _NARROW_OF(image), strict=True):
        whole = int(value)
        words[address] = whole if 0 <= whole <= 0xFFFF else min(max(whole, 0), 0xFFFF)
    for point in _WIDE:
        words[point.address : point.address + 2] = _halves(point.kind, getattr(image, point.field), order)
    return tuple(words)


@cache
def _constants(order: WordOrder) -> tuple[int, ...]:
    """Input registers with nothing but the constants in them."""
    words = [0] * size(Table.INPUT)
    for point in _INPUT:
        if not point.field:
            words[point.address : point.last + 1] = _halves(point.kind, point.fixed, order)
    return tuple(words)


def unpack_out(words: Sequence[int], order: WordOrder = WordOrder.HIGH_FIRST) -> OutImage:
    """Return the image of input registers 0..33, for a monitor. ValueError: the block is torn or of another map."""
    found = {p.field: int(_value(p, words, order)) for p in _INPUT if p.field}
    if words[1] >> 8 != MAP_VERSION >> 8 or words[3] != words[15]:
        raise ValueError(f"map version {words[1]:#06x}, seq {words[3]}..{words[15]}: not a whole block of this map")
    status, code = Status(found.pop("status")), WireCode(found.pop("disposition"))
    return OutImage(status=status, disposition=code, **found)


def pack_in(image: InImage, order: WordOrder = WordOrder.HIGH_FIRST) -> tuple[int, ...]:
    """Return holding registers 0..6 of an image, as a PLC would write them."""
    words = [0] * size(Table.HOLDING)
    for point in _HOLDING:
        words[point.address : point.last + 1] = _halves(point.kind, getattr(image, point.field), order)
    return tuple(words)


def unpack_in(
    words: Sequence[int], at_ns: int, seen_seq: int | None = None, order: WordOrder = WordOrder.HIGH_FIRST
) -> InImage:
    """Return the image of holding registers 0..6 as they stand after one whole write."""
    found = {p.field: int(_value(p, words, order)) for p in _HOLDING}
    command = Command(found.pop("command") & COMMAND_MASK)
    return InImage(at_ns=at_ns, command=command, seen_seq=seen_seq, **found)


if __name__ == "__main__":
    import sys

    from .mapdoc import main

    sys.exit(main(sys.argv[1:]))
