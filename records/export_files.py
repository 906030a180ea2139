"""Parts as a file: JSON lines, CSV for a spreadsheet, Parquet for an analyst. Columns are those of `export.lines`.

What a person or a code reader wrote may begin like a formula: a spreadsheet would run it, so in CSV such a text gets an
apostrophe in front. Lists are JSON in one cell.
"""

import csv
import io
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Literal

from ..bus.errors import Refused
from .export import ALL, COLUMNS, LABELS, Chosen, export_jsonl, lines
from .rows import as_json

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv", "parquet")
HEADER = (*COLUMNS, *LABELS)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_GROUP = 20_000
"""Rows held at once, one row group of Parquet."""
_REALS = frozenset(("score", "threshold"))
_NUMBERS = frozenset(("part", *(name for name in COLUMNS if name.endswith("_ns"))))


def export_parts(store: Path, out: BinaryIO, kind: Format, chosen: Chosen = ALL) -> int:
    """Write the parts in that format to an open file, which need not be seekable; return how many.

    BadLedger. Refused: Parquet without pyarrow.
    """
    return _WRITERS[kind](store, out, chosen)


def guarded(value: object) -> object:
    """A cell of CSV: lists as JSON, and no text that a spreadsheet would take for a formula."""
    if isinstance(value, (list, dict)):
        value = as_json(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _jsonl(store: Path, out: BinaryIO, chosen: Chosen) -> int:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    try:
        return export_jsonl(store, text, chosen)
    finally:
        text.detach()


def _csv(store: Path, out: BinaryIO, chosen: Chosen) -> int:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    count = 0
    try:
        text.write("\ufeff")  # Excel takes UTF-8 for the local code page without it
        writer = csv.writer(text)
        writer.writerow(HEADER)
        for row in lines(store, chosen):
            writer.writerow([guarded(row[name]) for name in HEADER])
            count += 1
        text.flush()
    finally:
        text.detach()
    return count


def _parquet(store: Path, out: BinaryIO, chosen: Chosen) -> int:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise Refused(f"Parquet needs pyarrow: install okng[export] ({error})") from error
    types = {name: arrow.string() for name in HEADER}
    types |= dict.fromkeys(_NUMBERS, arrow.int64()) | dict.fromkeys(_REALS, arrow.float64()) | {"missed": arrow.bool_()}
    schema = arrow.schema([(name, types[name]) for name in HEADER])
    count = 0
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _groups(lines(store, chosen)):
            columns = {name: [_flat(row[name]) for row in group] for name in HEADER}
            writer.write_table(arrow.Table.from_pydict(columns, schema=schema))
            count += len(group)
    return count


def _flat(value: object) -> object:
    return as_json(value) if isinstance(value, (list, dict)) else value


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group


_WRITERS: dict[Format, Callable[[Path, BinaryIO, Chosen], int]] = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
