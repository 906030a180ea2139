"""The short form of every row, on one box that stays up between them. `make faults` runs the full length."""

import os
import signal
from collections.abc import Iterator

import pytest

from .matrix import all_rows, run_row
from .report import figure_words
from .row import Finding, Row, Stand

pytestmark = [pytest.mark.line, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    made = Stand(tmp_path_factory.mktemp("faults"))
    yield made
    made.close()


COMPARES_TIMES = {20}
"""Rows that hold one stretch's times against another's: the other half of the tests runs beside them and may hit one of
them. Such a row is tried twice more, and pytest names it then."""
ROWS = [
    pytest.param(row, marks=[pytest.mark.flaky(reruns=2)] if row.number in COMPARES_TIMES else [], id=f"{row.number}")
    for row in all_rows()
]


@pytest.mark.parametrize("row", ROWS)
def test_the_row_holds(stand: Stand, row: Row) -> None:
    found = run_row(row, stand)
    assert found.complaints == [], figure_words(found.figures)
    assert found.escapes == 0


class PassAll:
    """An io that shows an OK whatever the verdict was."""

    number, fault, how, expected = 99, "an io that breaks the promise", "`liar.py`", "the judge tells"

    def run(self, stand: Stand) -> Finding:
        stand.afresh()
        stand.box.wrappers["io"] = "liar"
        try:
            with stand.line() as line:
                line.flow(4)
                line.strike("stop inspect", lambda: os.kill(line.box.pid("inspect"), signal.SIGSTOP))
                line.flow(8)
        finally:
            stand.box.wrappers.clear()
            stand.afresh()
        return Finding({})


def test_an_io_that_passes_without_an_ok_is_told_by_the_judge(stand: Stand) -> None:
    found = run_row(PassAll(), stand)
    assert found.escapes > 0
    assert any(words.startswith("passed without ok") for words in found.complaints), found.complaints
