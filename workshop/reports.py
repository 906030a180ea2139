"""Reports that take long. Each kind is one line in `REPORTS`: where its code is, so that only that is loaded."""

import importlib
from typing import Any

from .jobs import Bench

REPORTS: dict[str, str] = {}
"""`module:function` by what the ask calls `table`, relative to the package. The function takes the bench and the ask's
body, and returns plain data; files it writes lie in the bench's folder."""


def make_report(bench: Bench) -> dict[str, Any]:
    """Make the report that was asked for. ValueError: there is none such."""
    body = bench.order["body"]
    table = str(body.get("table", ""))
    if table not in REPORTS:
        raise ValueError(f"report.make: table = {table!r}: expected one of {', '.join(REPORTS) or 'none yet'}")
    module, _, name = REPORTS[table].partition(":")
    found: dict[str, Any] = getattr(importlib.import_module(module, __package__), name)(bench, body)
    return found
