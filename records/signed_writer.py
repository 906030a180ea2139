"""Keeps the list of signed recipes beside the ledger as the ledger has it. The ledger's thread."""

import logging
from pathlib import Path

from ..bus.clock import SECOND
from .bookkeeping import rows
from .ledger import Ledger
from .signed_list import write_signed

log = logging.getLogger(__name__)
EVERY_NS = 10 * SECOND
"""So often it is looked whether signatures came or went without having been made here."""
WHOLE_DIGITS = 64


class SignedWriter:
    """Writes the list when it has to be written."""

    def __init__(self, ledger: Ledger, store: Path) -> None:
        self._ledger, self._store = ledger, store
        self._written: tuple[int, int] | None = None
        self._looked_ns: int | None = None

    def look(self, now_ns: int) -> None:
        """Look now and then. LedgerStuck, LedgerDamaged."""
        if self._looked_ns is None or now_ns - self._looked_ns >= EVERY_NS:
            self._looked_ns = now_ns
            self.write()

    def write(self) -> None:
        """Write the list where it differs from the ledger. LedgerStuck, LedgerDamaged."""
        with self._ledger.transaction() as db:
            count, newest = rows(db, "select count(*), coalesce(max(n), 0) from signature")[0]
            state = int(count), int(newest)
            if state == self._written:
                return
            found = rows(
                db,
                "select distinct digest, meaning from signature where kind = 'recipe' and length(digest) = ?",
                (WHOLE_DIGITS,),
            )
        signed: dict[str, set[str]] = {}
        for digest, meaning in found:
            signed.setdefault(str(digest), set()).add(str(meaning))
        try:
            write_signed(self._store, signed)
        except OSError as error:
            log.warning("%s: the list of signed recipes stays as it was: %s", self._store, error)
        else:
            self._written = state
