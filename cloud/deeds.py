"""The trail of the service: every change of state is a deed, and each deed holds the hash of the one before.

Who can write to the database can write a whole new chain: hand its newest hash (`newest`) to somebody else from time to
time, and what was written before that cannot be changed unseen.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from .tables import Deed

FIRST = "0" * 64
LOCK = 0x6F6B6465
"""Of PostgreSQL's advisory locks, the one that keeps the chain in order."""


def note(
    connection: Session | Connection, who: str, what: str, subject: str, detail: dict[str, Any] | None = None
) -> str:
    """Put a deed at the end of the chain, in the caller's transaction, which must be one that writes; its hash, hex.

    who: `person:<sub>`, `token:<id>`, `box:<id>`, `service` or `cli:<user>`. Other transactions wait here until the
    caller's ends: note last.
    """
    if (
        connection.get_bind().dialect.name == "postgresql"
        if isinstance(connection, Session)
        else (connection.dialect.name == "postgresql")
    ):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    last = connection.execute(sa.select(Deed.id, Deed.sha256).order_by(Deed.id.desc()).limit(1)).first()
    number, before = (last.id + 1, last.sha256) if last is not None else (1, FIRST)
    at = datetime.now(UTC)
    found = _sealed(number, at, who, what, subject, detail or {}, before)
    connection.execute(
        sa.insert(Deed).values(
            id=number, at=at, who=who, what=what, subject=subject, detail=detail or {}, before=before, sha256=found
        )
    )
    return found


def broken(connection: Session | Connection) -> int | None:
    """Number of the first deed that does not follow from the one before; None: the chain holds."""
    before, expected = FIRST, 1
    for row in connection.execute(sa.select(*Deed.__table__.columns).order_by(Deed.id)):
        sealed = _sealed(row.id, row.at, row.who, row.what, row.subject, row.detail, row.before)
        if row.id != expected or row.before != before or row.sha256 != sealed:
            return expected
        before, expected = row.sha256, expected + 1
    return None


def _sealed(number: int, at: datetime, who: str, what: str, subject: str, detail: dict[str, Any], before: str) -> str:
    detail = json.loads(json.dumps(detail), parse_float=_number)
    said = [number, at.astimezone(UTC).isoformat(timespec="microseconds"), who, what, subject, detail, before]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _number(text: str) -> float | int:
    """A database may give 1e16 back as 10000000000000000: whole numbers are written as such."""
    found = float(text)
    return int(found) if found.is_integer() else found
