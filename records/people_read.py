"""Persons, roles, labels, journal and audit as readers see them: read-only, one short question at a time."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in."""

    name: str
    """What they sign in by; in the audit trail."""
    full_name: str
    role: str
    rights: frozenset[str]
    """Of the role, when it was read."""
    disabled: bool
    generation: int
    """Rises with `sign out everywhere`: an older session is void."""
    language: str


class PeopleReader:
    """Asks the ledger of one store. May be shared by threads."""

    def __init__(self, store: Path) -> None:
        """Nothing is opened yet."""
        self.store = store
