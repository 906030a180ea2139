"""What one row of the fault matrix is, and what it gets to work with.

A file `row_*.py` beside this one has `ROWS`, a tuple of what `Row` describes; the runner finds it by itself. A row that
hurts the running line asks the stand for one, as often as it likes:

    with stand.line() as line:
        line.flow(5)
        strike = line.strike("kill inspect", lambda: os.kill(line.box.pid("inspect"), signal.SIGKILL))
        line.until_ready(strike)
    effect = line.evidence.effects()[0]

Every such line is judged when it ends, by the outside judge and by the ledger's check, whatever the row itself expects.
A row that needs no line (a power cut) asks for none.
"""

import contextlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .box import Box
from .evidence import Evidence
from .line import STRETCH, Line, running


@dataclass(frozen=True, slots=True)
class Finding:
    """What a row came to."""

    figures: Mapping[str, object]
    """What the matrix asks for, by name with its unit: numbers, words, or a `spread`."""
    complaints: tuple[str, ...] = ()
    """What this row expected and did not find, in words. Empty: the row holds."""
    notes: tuple[str, ...] = ()
    """What a reader has to know beside it, for example what was not done here."""


class Row(Protocol):
    """One row of the matrix."""

    number: int
    fault: str
    """What breaks, as the matrix has it."""
    how: str
    """How it is broken here."""
    expected: str

    def run(self, stand: "Stand") -> Finding:
        """Break it and say what came of it. AssertionError: the line itself could not be had."""


@dataclass
class Stand:
    """Where a row is run."""

    folder: Path
    """For what this run leaves behind."""
    short: bool = True
    """True: the short form, for the tests: one or a few injuries of a kind. False: the full length."""
    seed: int = 1
    times: int = 0
    """How many injuries of a kind, where the row has many; 0: what short or full length has."""
    many_asked: bool = False
    """Whether the row asked how many since this was last set to False."""
    evidence: list[Evidence] = field(default_factory=list)
    """Of every line of the row that runs."""
    _box: Box | None = None
    _lines: int = 0

    @property
    def box(self) -> Box:
        """The box, taught; its processes need not be up."""
        if self._box is None:
            self._box = Box(self.folder / "box")
        return self._box

    def dice(self, row: int) -> random.Random:
        """The row's own random numbers, by the seed."""
        return random.Random(self.seed * 1000 + row)

    def many(self, short: int, full: int) -> int:
        """How many injuries of a kind."""
        self.many_asked = True
        return self.times or (short if self.short else full)

    @contextlib.contextmanager
    def line(self, **plan: Any) -> Iterator[Line]:
        """A running line, READY and with parts on its belt; judged at its end. plan: values of the line's plan."""
        self._lines += 1
        box = self.box
        box.forgive()
        with running(box, self.folder / f"line-{self._lines:03d}", self._lines * STRETCH + 1, plan) as made:
            yield made
        assert made.evidence is not None
        self.evidence.append(made.evidence)

    def afresh(self) -> None:
        """Stop the box: the next line starts its processes anew."""
        if self._box is not None:
            self._box.stop()

    def renew(self) -> None:
        """The same, and with a ledger of its own: what is wrong with the one so far is told once."""
        self.afresh()
        if self._box is not None and self._box.space.store.is_dir():
            self._box.space.store.rename(self.folder / f"store-before-{self._lines + 1:03d}")

    def close(self) -> None:
        """Stop all. A second call does nothing."""
        if self._box is not None:
            self._box.close()
            self._box = None


def told(findings: Finding, evidence: list[Evidence]) -> list[str]:
    """Every reason why the row does not hold: its own, and what must never be."""
    return [*findings.complaints, *(words for each in evidence for words in each.objections)]
