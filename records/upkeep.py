"""What is done for the ledger beside the line: the check of a large file, the rescue of a damaged one, copies."""

from collections.abc import Callable

from ..bus.clock import SECOND, now_ns
from .hourly import Hourly
from .ledger import Ledger, LedgerDamaged
from .options import RecordsOptions
from .salvage import Salvage


class Upkeep:
    """A few ms of it in each turn of the loop. The ledger's thread."""

    def __init__(self, ledger: Ledger, options: RecordsOptions) -> None:
        self._ledger = ledger
        self._salvage = Salvage(ledger, options.store)
        self._hourly = Hourly(ledger, options)
        self._due_ns = 0

    def salvage_text(self) -> str:
        """How the rescue of a damaged ledger stands or what came of it; empty: there was none."""
        return self._salvage.text

    def backup_trouble(self) -> str:
        """Why the last copy onto the second medium failed; empty: it did not."""
        return self._hourly.trouble

    def wait_ms(self, most: int) -> int:
        """How long the loop may wait at its doors: rows that are rescued do not wait for the next part."""
        return min(most, 1) if self._salvage.taking else most

    def turn(self, *, idle: bool, wanted: Callable[[], bool] = lambda: False) -> None:
        """Go on for a moment. LedgerStuck, LedgerDamaged: the ledger has to be opened afresh.

        idle: the line has nothing for us just now. wanted: True as soon as it has.
        """
        self._salvage.turn(idle=idle, wanted=wanted)
        now = now_ns()
        if now < self._due_ns:
            return
        self._due_ns = now + SECOND
        self._hourly.turn()
        if damaged := self._ledger.look_on():
            raise LedgerDamaged(f"{self._ledger.path}: {damaged}")

    def close(self) -> None:
        """Break off; what was begun goes on after the next start. Never raises."""
        self._salvage.close()
        self._hourly.close()
