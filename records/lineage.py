"""The note beside the ledger: which file this is in the line of files, and how far its outbox had come.

A ledger that stands below its note was restored from a copy; its next outbox numbers would repeat old ones.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .durable import sync_folder, write_synced

FILE = "lineage.json"


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the ledger of a box stood."""

    box: str
    """Random name given at first start."""
    lineage: int
    """Counts the files of this box from 1."""
    reached: int
    """Highest outbox number given out, at least."""
    seq: int = 0
    """The newest part's, at least; 0: not noted."""


def read_lineage(store: Path) -> Lineage | None:
    """The note, or None where there is none or it is not readable (then the ledger's own word counts)."""
    try:
        found = json.loads((store / FILE).read_text(encoding="utf-8"))
        return Lineage(str(found["box"]), int(found["lineage"]), int(found["reached"]), int(found.get("seq", 0)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_lineage(store: Path, lineage: Lineage) -> None:
    """Replace the note, durable when this returns. OSError: the old one stands."""
    waiting = store / (FILE + ".tmp")
    write_synced(waiting, json.dumps(asdict(lineage)).encode())
    waiting.rename(store / FILE)
    sync_folder(store)
