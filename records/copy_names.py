"""Copies of the ledger by their names: when each was made, and which is the newest."""

import re
from datetime import UTC, datetime
from pathlib import Path

from ..bus.clock import utc_stamp

FOLDER = "backups"
"""In the store: of copies that were made by hand."""
_NAMED = re.compile(r"ledger-(\d{8}T\d{6})\d*Z\.db")


def copies(folder: Path) -> list[Path]:
    """Finished copies in a folder, oldest first: those of a time to come were made before the clock was set back."""
    now = f"ledger-{utc_stamp()}.db"
    found = (one for one in folder.glob("ledger-*.db") if _is_named(one))
    return sorted(found, key=lambda one: (one.name <= now, one.name))


def _is_named(copy: Path) -> bool:
    try:
        made_at(copy)
    except ValueError:
        return False
    return True


def made_at(copy: Path) -> datetime:
    """When a copy was made, by its name. ValueError: it is none."""
    named = _NAMED.fullmatch(copy.name)
    if named is None:
        raise ValueError(f"{copy.name}: no name of a copy")
    return datetime.strptime(named[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
