"""What the ledger keeps of this room, read back: its snapshot, test parts, reported escapes, the newest part."""

import logging
from pathlib import Path
from typing import Any

from ..bus.errors import OkngError
from ..records.people_read import Escape, PeopleReader
from ..records.read import LedgerReader
from .samples import TestPart, parts_of, samples_name

_LOG = logging.getLogger(__name__)


class Memory:
    """One store. Every question is short; only `keep` raises."""

    def __init__(self, store: Path) -> None:
        self._people, self._parts = PeopleReader(store), LedgerReader(store)

    @property
    def exists(self) -> bool:
        """There is a ledger, readable or not."""
        return self._parts.path.exists()

    def keep(self, name: str) -> dict[str, Any] | None:
        """A snapshot; None: there is none. BadLedger: it cannot be read (yet)."""
        kept = self._people.keep(name)
        return kept.body if kept is not None and isinstance(kept.body, dict) else None

    def samples(self, recipe: str) -> tuple[TestPart, ...] | None:
        """Test parts of a recipe; empty: none are set. None: they cannot be read."""
        try:
            kept = self.keep(samples_name(recipe))
            return () if kept is None else parts_of(kept)
        except OkngError as error:
            _LOG.warning("the test parts of %s cannot be read: %s", recipe, error)
            return None

    def seq_of(self, part: int, triggered_ns: int) -> int:
        """`seq` of a part in the ledger; 0: it is not there (yet), or cannot be read."""
        try:
            with self._parts.asking() as ask:
                found = list(ask("select seq from part where part = ? and triggered_ns = ?", [part, triggered_ns]))
        except OkngError:
            return 0
        return int(found[0]["seq"]) if found else 0

    def escapes(self, since: str) -> list[Escape]:
        """Missed defects reported after that UTC; empty where they cannot be read."""
        try:
            return self._people.escapes(since=since, limit=8)
        except OkngError:
            return []
