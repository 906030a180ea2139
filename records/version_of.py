"""For who goes back to an older okng: which version a ledger that lies still is of, and the newest copy that suits."""

import re
from pathlib import Path

import apsw

from ..bus.errors import BadLedger
from . import schema

_COPY = re.compile(rf"^{re.escape(schema.FILE)}\.before-v(?P<version>\d+)-(?P<stamp>\w+)$")


def version_of(file: Path) -> int:
    """The version of a ledger, with what its -wal still holds. BadLedger: there is none, or SQLite does not open it."""
    if not file.is_file():
        raise BadLedger(f"{file}: there is no such file")
    try:
        db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            return int(next(iter(db.execute("pragma user_version")))[0])
        finally:
            db.close()
    except apsw.Error as error:
        raise BadLedger(f"{file}: no ledger of okng: {error}") from error


def copy_for(file: Path, known: int) -> Path | None:
    """The newest copy that was made before a migration and that an okng which knows that version reads; None: none."""
    found = [
        (match["stamp"], each)
        for each in file.parent.iterdir()
        if (match := _COPY.match(each.name)) and 1 <= int(match["version"]) <= known
    ]
    return max(found)[1] if found else None
