"""What the screens ask of the ledger. `records.read.LedgerReader` answers it; a test may answer with its own."""

from typing import Protocol

from ..records.read import PartRow


class History(Protocol):
    """Read-only. Every method raises BadLedger when the ledger cannot be read: the page says so, live goes on."""

    def rows(
        self,
        limit: int,
        before_seq: int | None = None,
        action: str | None = None,
        outcome: str | None = None,
        text: str | None = None,
    ) -> list[PartRow]:
        """Up to limit parts, newest first, of a sequence below before_seq; text: a part number, or letters."""
        ...

    def row(self, seq: int) -> PartRow | None:
        """One part; None: no such sequence."""
        ...


MOST = 1000


def rows_of_part(history: History, part: int, before_seq: int | None = None) -> list[PartRow]:
    """Every row of that part number, newest first. A number may come again after years, or after a new PLC program."""
    # The ledger's text search also finds the digits inside reasons.
    found = history.rows(limit=MOST, before_seq=before_seq, text=str(part))
    return [row for row in found if row.part == part]
