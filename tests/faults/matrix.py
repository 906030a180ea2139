"""All rows there are, and how one is run: what goes wrong in a row is that row's verdict, and the next one is run."""

import importlib
import logging
import time
from pathlib import Path

from okng.bus.clock import utc_now

from .report import Result, machine
from .row import Finding, Row, Stand, told

log = logging.getLogger(__name__)


def all_rows() -> list[Row]:
    """The rows of every `row_*.py` here, by number."""
    found: list[Row] = []
    for file in sorted(Path(__file__).parent.glob("row_*.py")):
        found += importlib.import_module(f".{file.stem}", __package__).ROWS
    return sorted(found, key=lambda row: row.number)


def run_row(row: Row, stand: Stand) -> Result:
    """Run one row and judge it."""
    begun, before = time.monotonic(), len(stand.evidence)
    stand.many_asked = False
    try:
        finding = row.run(stand)
    except Exception as error:
        log.exception("row %d broke off", row.number)
        finding = Finding({}, (f"broke off: {type(error).__name__}: {str(error)[-1500:]}",))
        stand.afresh()
    evidence = stand.evidence[before:]
    complaints = told(finding, evidence)
    notes = list(finding.notes)
    if overlooked := sum(len(each.overlooked) for each in evidence):
        notes.append(f"defective parts that the small model calls good also when nothing is hurt: {overlooked}")
    if complaints:
        stand.renew()  # a box that did not hold is no ground to hurt again
    return Result(
        number=row.number,
        fault=row.fault,
        how=row.how,
        expected=row.expected,
        figures=finding.figures,
        complaints=complaints,
        notes=notes,
        parts=sum(each.judgement.parts for each in evidence),
        escapes=sum(each.escapes for each in evidence),
        seconds=round(time.monotonic() - begun, 1),
        short=stand.short,
        times=stand.times if stand.many_asked else 0,
        seed=stand.seed,
        at=utc_now(),
        machine=machine(),
    )
