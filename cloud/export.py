"""Parts as one file, however many: CSV for a spreadsheet, JSON lines for a program, Parquet for an analyst.

Streamed: memory holds a few thousand parts. What a code reader or a person wrote may begin like a formula, and a
spreadsheet would run it: in CSV such a text gets an apostrophe in front. Lists are JSON in one cell.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from typing import Any

from sqlalchemy.engine import Engine

from ..bus.errors import Refused
from .database import reading
from .part_told import COLUMNS, key_of, labels_of, told
from .samples import Wanted, walk
from .search_terms import Terms

KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}
LABELS = ("label", "label_kind", "label_by")
"""The newest word of a person, the review before the line; null: nobody said anything."""
HEADER = (*COLUMNS, *LABELS)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_REALS, _NUMBERS = frozenset(("score", "threshold")), frozenset(("epoch", "seq"))
_CHUNK = 2000


def rows(engine: Engine, terms: Terms, wanted: Wanted) -> Iterator[list[dict[str, Any]]]:
    """Yield mappings with the keys of HEADER, a few thousand at a time, oldest first."""
    for chunk in walk(engine, terms, wanted, _CHUNK):
        with reading(engine) as session:
            labels = labels_of(session, [part for part, _ in chunk])
        out = []
        for part, box in chunk:
            said = sorted(labels.get(key_of(part), []), key=lambda one: one["from"] != "review")
            first = said[0] if said else {"truth": None, "kind": None, "who": None}
            out.append(told(part, box) | dict(zip(LABELS, (first["truth"], first["kind"], first["who"]), strict=True)))
        yield out


def stream(engine: Engine, kind: str, terms: Terms, wanted: Wanted) -> Iterator[bytes]:
    """The file, piece by piece. Refused: no such kind, or Parquet without pyarrow; said before the first piece."""
    if kind not in KINDS:
        raise Refused(f"export: {kind[:20]!r}: expected one of {', '.join(KINDS)}")
    if kind == "parquet":
        _pyarrow()
    return _WRITERS[kind](rows(engine, terms, wanted))


def guarded(value: object) -> object:
    """A cell of CSV: lists as JSON, and no text that a spreadsheet would take for a formula."""
    if isinstance(value, list | dict):
        value = _json(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _csv(chunks: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    text = io.StringIO()
    text.write("\ufeff")  # Excel takes UTF-8 for the local code page without it
    writer = csv.writer(text)
    writer.writerow(HEADER)
    yield text.getvalue().encode()
    for chunk in chunks:
        text.seek(0)
        text.truncate()
        writer.writerows([guarded(row[name]) for name in HEADER] for row in chunk)
        yield text.getvalue().encode()


def _jsonl(chunks: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    for chunk in chunks:
        yield "".join(_json(row) + "\n" for row in chunk).encode()


class _Pipe(io.RawIOBase):
    """Takes what a writer writes until somebody fetches it."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        held = bytes(data)
        self._held.append(held)
        self._at += len(held)
        return len(held)

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        """What was written since the last call."""
        held, self._held = b"".join(self._held), []
        return held


def _parquet(chunks: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    arrow, parquet = _pyarrow()
    kinds = {"taken_at": arrow.timestamp("us", tz="UTC")}
    kinds |= dict.fromkeys(_REALS, arrow.float64()) | dict.fromkeys(_NUMBERS, arrow.int64())
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in HEADER])
    pipe = _Pipe()
    with parquet.ParquetWriter(pipe, schema, compression="zstd") as writer:
        for chunk in chunks:
            columns = [
                arrow.array([_cell(name, row[name]) for row in chunk], schema.field(name).type) for name in HEADER
            ]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
            if taken := pipe.taken():
                yield taken
    yield pipe.taken()


def _cell(name: str, value: Any) -> Any:
    if name == "taken_at":
        return datetime.fromisoformat(value)
    return _json(value) if isinstance(value, list | dict) else value


def _pyarrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise Refused("export: parquet: expected pyarrow to be installed (pip install 'okng[export]')") from error


_WRITERS: dict[str, Callable[[Iterator[list[dict[str, Any]]]], Iterator[bytes]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
