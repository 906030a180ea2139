"""What digests stood for: the text of a recipe's revision, the manifest of a model, how a camera was set up.

Written once for each digest, when the first parts of a new run have come: years later the box still knows what judged
them, whatever has been overwritten since.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import apsw

from .read import Ask, LedgerReader

KnownKind = Literal["recipe", "model", "camera"]
MOST_BYTES = 1 << 20
"""Of one text; a longer one is cut off, and says so."""


@dataclass(frozen=True, slots=True)
class Known:
    """One thing and its text."""

    kind: KnownKind
    digest: str
    """Revision of a recipe, digest of a bundle, SHA-256 of a camera's settings."""
    name: str
    body: str
    at: str = ""
    """UTC of when it was written down."""


Gather = Callable[[], Iterable[Known]]
"""Reads what the box goes by now. OkngError, OSError: not all of it reads."""


def put_known(db: apsw.Connection, every: Iterable[Known], at: str) -> int:
    """Write down what is not known yet; return how many."""
    new = 0
    for one in every:
        body = one.body if len(one.body) <= MOST_BYTES else one.body[:MOST_BYTES] + "\n(cut off)"
        db.execute("insert or ignore into known values (?, ?, ?, ?, ?)", (one.kind, one.digest, one.name, body, at))
        new += db.changes()
    return new


def known(ask: Ask, kind: KnownKind, digest: str) -> Known | None:
    """What that digest stood for; None: it was never written down."""
    found = ask.first("select * from known where kind = ? and digest = ?", [kind, digest]) if digest else None
    return _known(found) if found else None


def known_then(ask: Ask, kind: KnownKind, name: str, at: str) -> Known | None:
    """The newest of that name that was written down by then, else the first one after."""
    found = ask.first(
        "select * from known where kind = ? and name = ? and at <= ? order by at desc limit 1", [kind, name, at]
    ) or ask.first("select * from known where kind = ? and name = ? order by at limit 1", [kind, name])
    return _known(found) if found else None


def _known(row: dict[str, Any]) -> Known:
    return Known(row["kind"], row["digest"], row["name"], row["body"], row["at"])


class Note:
    """Writes down what is new when a new run of parts has begun. One thread."""

    def __init__(self, reader: LedgerReader, gather: Gather, write: Callable[[Callable[[apsw.Connection], int]], int]):
        self._reader, self._gather, self._write = reader, gather, write
        self._run = -1

    def step(self, at: str) -> None:
        """Look for a new run. OkngError, OSError: what the box goes by does not read; asked again at the next run."""
        with self._reader.asking() as ask:
            (newest,) = ask("select coalesce(max(n), 0) as n from run")
        if newest["n"] == self._run:
            return
        self._run = int(newest["n"])
        every = list(self._gather())
        if every:
            self._write(lambda db: put_known(db, every, at))
