"""The audit trail as a file: every line as it was hashed, or as a table."""

import csv
import io
import json
from pathlib import Path
from typing import BinaryIO

from .read import LedgerReader
from .rows import as_json

COLUMNS = ("n", "at", "who", "what", "object", "old", "new", "why", "hash")
_PAGE = 1000


def export_trail(store: Path, out: BinaryIO, kind: str, since: str = "", until: str = "") -> int:
    """Write the lines of a span, oldest first; return how many. BadLedger.

    kind: `jsonl`, one object a line with the very text that was hashed, or `csv`. since, until: UTC, until exclusive.
    """
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    if kind == "csv":
        writer.writerow(COLUMNS)
    done = after = 0
    try:
        while True:
            with LedgerReader(store).asking() as ask:
                page = list(ask("select n, body, hash from audit where n > ? order by n limit ?", [after, _PAGE]))
            if not page:
                return done
            for row in page:
                after = row["n"]
                said = json.loads(row["body"])
                if not (said["at"] >= since and (not until or said["at"] < until)):
                    continue
                done += 1
                if kind == "csv":
                    writer.writerow([_cell({**said, "n": row["n"], "hash": row["hash"]}.get(name)) for name in COLUMNS])
                else:
                    text.write(as_json({"n": row["n"], "body": row["body"], "hash": row["hash"]}) + "\n")
    finally:
        text.detach()


def _cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in "=+-@\t\r":  # no spreadsheet takes it for a formula
        return "'" + value
    return as_json(value) if isinstance(value, dict | list) else value
