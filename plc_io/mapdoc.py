"""The documents of the register map, written from the table alone."""

import csv
import io
import sys
from pathlib import Path

from .regmap import BITS, MAP_VERSION, MIRROR, POINTS, Point, Table, points, size, used
from .signals import FaultCode
from .structured_text import PROGRAM, program

PAGE = "registers.md"
SHEET = "registers.csv"
FORMATS = ("csv", "md", "st")
_HEAD = f"""# Register map {MAP_VERSION >> 8}.{MAP_VERSION & 0xFF}

This page is written by `python -m okng.plc_io.regmap docs/protocol`.
Change the table in `plc_io/regmap.py`, not this page. The same as CSV: [registers.csv](registers.csv); as IEC 61131-3
Structured Text with a function block: [okng.st](okng.st). How to wire it: [plc.md](../plc.md).

The box is a Modbus TCP server. Addresses are those of the PDU and count from 0: tools that count from 1 (mbpoll `-r`),
or write 3xxxx and 4xxxx, add 1. Function codes 01, 02, 03, 04, 05, 06, 15, 16; any other is answered by exception 01.
An address outside the map, a request for unused addresses only, and a write to the mirror are answered by exception 02;
unused addresses inside a longer read hold 0. Unit identifier: 0, 255 or the configured one.

- Coils 0-15 are the bits of holding register 0, discrete inputs 0-15 those of input register 0 (bit n = address n).
- u32 and float: high word first (`word_order = "low_first"` swaps); the canaries show the mistake at commissioning.
- Read the result as **one** request for input registers 0..15; it is whole only if register 3 equals register 15.
- A write may set TRIGGER and the part number at once; the number is taken from that same write.
- Holding register {MIRROR} + n is a read-only mirror of input register n, for a PLC that cannot read input registers.
- The PLC is alive while holding register 1 or coil 8 changes. When the connection that changes it is closed, all the
  PLC wrote goes back to 0 and READY has to be earned again.
- `ack_seq` equal to `seq_begin` acknowledges. RESULT_ACK (rising) does the same once the PLC has read the result.
- The parts balance: triggers = ok + ng + unjudged + missed + parts in flight.
"""


def _addresses(point: Point, offset: int = 0) -> str:
    first, last = point.address + offset, point.last + offset
    return str(first) if first == last else f"{first}-{last}"


def _unused(table: Table) -> str:
    free = sorted(set(range(size(table))) - used(table))
    return f"\nUnused: {', '.join(map(str, free))}.\n" if free else ""


def page() -> str:
    """Return the Markdown page."""
    parts = [_HEAD]
    titles = {
        Table.COIL: "Coils: what the PLC says",
        Table.DISCRETE: "Discrete inputs: what the box says",
        Table.HOLDING: "Holding registers: what the PLC says",
        Table.INPUT: "Input registers: what the box says",
    }
    for table, title in titles.items():
        parts.append(f"\n## {title}\n\n| address | name | kind | written by | |\n|---|---|---|---|---|\n")
        parts += [f"| {_addresses(p)} | {p.name} | {p.kind} | {p.writer} | {p.text} |\n" for p in points(table)]
        parts.append(_unused(table))
    parts.append("\n## Fault codes (input register 13)\n\n| code | name | |\n|---|---|---|\n")
    parts += [f"| {code.value} | {code.name} | {code.words} |\n" for code in FaultCode]
    return "".join(parts)


def sheet() -> str:
    """Return the table as CSV, mirror included, for import into a PLC project."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "address", "words", "name", "kind", "writer", "text"])
    for p in POINTS:
        words = "" if p.address < BITS and p.kind == "bit" else p.kind.words
        writer.writerow([p.table, p.address, words, p.name, p.kind, p.writer, p.text])
    for p in points(Table.INPUT):
        text = f"read-only mirror of input register {_addresses(p)}"
        writer.writerow([Table.HOLDING, p.address + MIRROR, p.kind.words, p.name, p.kind, p.writer, text])
    return out.getvalue()


def document(form: str) -> str:
    """Return the map as `csv`, `md` or `st`. ValueError: another form."""
    match form:
        case "csv":
            return sheet()
        case "md":
            return page()
        case "st":
            return program()
    raise ValueError(f"{form!r}: expected one of {', '.join(FORMATS)}")


def main(arguments: list[str]) -> int:
    """Write the documents into the folder given, or the page to standard output."""
    if not arguments:
        sys.stdout.write(page())
        return 0
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(page(), encoding="utf-8")
    (folder / SHEET).write_text(sheet(), encoding="utf-8")
    (folder / PROGRAM).write_text(program(), encoding="ascii")
    return 0
