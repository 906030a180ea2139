"""A fresh ledger goes on above the numbers of the one before it, so that rescued rows come back under their own.

A part keeps its `seq` whatever happens to the file: labels, links and what other programs have read name parts by it.
"""

import apsw

from .bookkeeping import rows
from .lineage import Lineage

GAP = 1_000_000
"""Above the newest part that was noted: the note is a minute old at most."""
BILLION = 1_000_000_000
"""Each file of the line begins its other numbers in a billion of its own, and parts too where nothing was noted."""


def begin_above(db: apsw.Connection, before: Lineage) -> int:
    """Let every numbered table of a new file begin above the file before; return where parts do, for the trail.

    Inside a transaction.
    """
    own = (before.lineage + 1) * BILLION
    parts = before.seq + GAP if before.seq else own
    sql = "select name from sqlite_schema where type = 'table' and sql like '%autoincrement%'"
    for (table,) in rows(db, sql):
        first = parts if table == "part" else own
        db.execute("delete from sqlite_sequence where name = ?", (table,))
        db.execute("insert into sqlite_sequence values (?, ?)", (table, first))
    return parts


def go_above(db: apsw.Connection, newest: int) -> None:
    """Let parts of a restored file go on above all that were ever given. newest: the greatest one that is known of.

    What was stored after the copy is gone from here, and is known elsewhere by its number. Inside a transaction.
    """
    db.execute("delete from sqlite_sequence where name = 'part'")
    db.execute("insert into sqlite_sequence values ('part', ?)", (newest + GAP,))
