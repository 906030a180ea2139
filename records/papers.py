"""Back-ups made by hand into the store go after `papers_days`, the last one never, and none before it was told.

Each is announced `warn_days` before, in the trail and as an alarm. What was found too old at once, after the rule was
changed or an upgrade, has its time from the announcement on. By a clock that is not believed nothing goes.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from ..bus.clock import utc_text
from .audit import Deed
from .bookkeeping import audit
from .copy_names import FOLDER, copies, made_at
from .durable import sync_folder
from .read import LedgerReader
from .retention_options import RetentionOptions
from .retention_shelf import count
from .rows import as_json

PAPER = "paper"
"""In `given_up`."""
TOLD = "records.papers"
"""Name under which the ledger keeps what was announced, and when."""
EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Due:
    """Back-ups that will go."""

    papers: int = 0
    days: int = 0
    """Until the first of them does."""


class Papers:
    """Looks after the back-ups of one store. Retention's thread."""

    def __init__(
        self,
        store: Path,
        options: RetentionOptions,
        write: "Callable[[Callable[[apsw.Connection], Any]], Any]",
        doubt: Callable[[], str] = lambda: "",
    ) -> None:
        """doubt: why the wall clock is not believed."""
        self._folder, self._options, self._write, self._doubt = store / FOLDER, options, write, doubt
        self._reader = LedgerReader(store)
        self._looked: datetime | None = None
        self.due = Due()

    def step(self, now: datetime) -> None:
        """Announce and delete what is due, now and then. BadLedger. LedgerStuck, LedgerDamaged: nothing is deleted."""
        days = self._options.papers_days
        if self._looked is not None and timedelta(0) <= now - self._looked < EVERY:
            return
        if self._doubt():
            return
        self._looked = now
        kept = copies(self._folder)[:-1] if days else []
        warn = timedelta(days=self._options.warn_days)
        ends = {one: made_at(one) + timedelta(days=days) for one in kept}
        old = [one for one in kept if now >= ends[one] - warn]
        told = self._told(now)
        fresh = [one for one in old if one.name not in told]
        if {one.name for one in old} != set(told):
            self._announce(
                {one.name: told.get(one.name, utc_text(now)) for one in old}, [one.name for one in fresh], now
            )
        goes = {one: max(ends[one], _moment(told.get(one.name, utc_text(now))) + warn) for one in old}
        self._delete([one for one in old if now >= goes[one]], now)
        left = [at for at in goes.values() if at > now]
        self.due = Due(len(left), max(0, -(-(min(left) - now) // timedelta(days=1)))) if left else Due()

    def _told(self, now: datetime) -> dict[str, str]:
        """When each was announced; what was announced by a clock that ran ahead is announced now."""
        with self._reader.asking() as ask:
            found = ask.first("select body from keep where name = ?", [TOLD])
        with suppress(ValueError, AttributeError, TypeError):
            said = json.loads(found["body"]) if found else {}
            return {str(name): min(str(at), utc_text(now)) for name, at in said.items()}
        return {}

    def _announce(self, told: dict[str, str], fresh: list[str], now: datetime) -> None:
        body, at = as_json(told), utc_text(now)
        about: dict[str, object] = {"files": fresh, "older_than_days": self._options.papers_days}
        about["warn_days"] = self._options.warn_days

        def write(db: apsw.Connection) -> None:
            db.execute(
                "insert into keep values (?, ?, ?) on conflict (name) do update set body = excluded.body,"
                " at = excluded.at",
                (TOLD, body, at),
            )
            if fresh and self._options.warn_days:
                audit(db, Deed("backups will be deleted", about))

        self._write(write)

    def _delete(self, files: list[Path], now: datetime) -> None:
        """The trail first: what is deleted was said to be."""
        if not files:
            return
        sizes = []
        for one in files:
            with suppress(OSError):
                sizes.append(one.stat().st_size)
        about: dict[str, object] = {"files": [one.name for one in files], "bytes": sum(sizes)}
        about["older_than_days"] = self._options.papers_days
        day = utc_text(now)[:10]

        def write(db: apsw.Connection) -> None:
            audit(db, Deed("backups deleted", about))
            count(db, day, PAPER, len(files), sum(sizes))

        self._write(write)
        for one in files:
            with suppress(OSError):
                one.unlink()
        with suppress(OSError):
            sync_folder(self._folder)


def _moment(at: str) -> datetime:
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC) - timedelta(days=36_500)
