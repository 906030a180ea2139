"""What the screens ask of the ledger. `records.read.LedgerReader` answers it; a test may answer with its own."""

from typing import Protocol

from ..records.read import ImageHistory, PartRow


class History(Protocol):
    """Read-only. Every method raises BadLedger when the ledger cannot be read: the page says so, live goes on."""

    def rows(
        self,
        limit: int,
        before_seq: int | None = None,
        action: str | None = None,
        outcome: str | None = None,
        text: str | None = None,
        find: str | None = None,
    ) -> list[PartRow]:
        """Up to limit parts, newest first, of a sequence below before_seq.

        find: a part number, or the beginning of a serial number. text: letters anywhere (slow).
        """
        ...

    def row(self, seq: int) -> PartRow | None:
        """One part; None: no such sequence."""
        ...

    def image(self, camera: str, limit: int) -> ImageHistory:
        """What the newest pictures of a camera were like, oldest first."""
        ...

    def alarm_since(self, camera: str, cause: str) -> str | None:
        """UTC since when an image alarm stands without a break; None: it does not."""
        ...


MOST = 1000


def rows_of_part(history: History, part: int, before_seq: int | None = None) -> list[PartRow]:
    """Every row of that part number, newest first. A number may come again after years, or after a new PLC program."""
    found = history.rows(limit=MOST, before_seq=before_seq, find=str(part))
    return [row for row in found if row.part == part]  # a serial number may begin with the same digits
