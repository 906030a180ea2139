"""What the box still owes the cloud: events of the outbox that sync has not brought there yet.

sync is another process and only reads the ledger; how far it has come it writes beside the store. Where the settings
have no `[sync]` nothing is owed to anybody.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bus.part import Action
from .bookkeeping import REJECTS
from .leaving import Leaving
from .read import Ask
from .rescued import rescued_streams

NOBODY = 2**62
"""Part number that no part reaches."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Where the cloud stands."""

    unsent: int
    """Events that it has not taken."""
    floor: int
    """Rejects from this `seq` on are not in the cloud; `NOBODY`: all are, or there is no cloud."""
    rows: int = NOBODY
    """Parts from this `seq` on are not with the fleet service."""
    leaving: Leaving | None = None
    """Whose pictures the fleet service gets; None: there is none."""
    bounds: Mapping[int, int] = field(default_factory=dict)
    """By priority: pictures of parts above this `seq` are held back for it."""

    def picture(self, part: Mapping[str, Any]) -> bool:
        """Whether a part's pictures are owed. part: as for `Leaving.priority`, and seq."""
        if self.leaving is None:
            return bool(part["seq"] >= self.floor and part["action"] == Action.REJECT)
        level = self.leaving.priority(part)
        return level is not None and bool(part["seq"] > self.bounds.get(int(level), NOBODY))


NOTHING = Owed(0, NOBODY)


def owed(ask: Ask, cloud: Path | None, *, rescuing: bool = False) -> Owed:
    """What is owed now. cloud: folder that sync keeps its notes in; None: there is no cloud.

    rescuing: rows of a damaged ledger still come in, parts before their events: any reject may be owed.
    """
    if cloud is None:
        return NOTHING
    (meta,) = ask("select lineage from meta")
    taken = _taken(cloud / f"push-{REJECTS}.json", int(meta["lineage"]))
    newest = ask.first("select next - 1 as newest from counter where stream = ?", [REJECTS])
    first = ask.first(
        "select json_extract(cast(body as text), '$.seq') as seq from outbox where stream = ? and seq > ?"
        " order by seq limit 1",
        [REJECTS, taken],
    )
    unsent = max(0, int(newest["newest"]) - taken) if newest else 0
    floor = NOBODY if first is None else int(first["seq"])
    for stream, lineage, top in rescued_streams(ask, REJECTS):
        taken = _taken(cloud / f"push-{stream}.json", lineage)
        if taken < top:
            (left,) = ask(
                "select count(*) as n, min(json_extract(cast(body as text), '$.seq')) as seq from outbox"
                " where stream = ? and seq > ?",
                [stream, taken],
            )
            unsent, floor = unsent + int(left["n"]), min(floor, int(left["seq"]))
    return Owed(unsent, 0 if rescuing else floor)


def _taken(note: Path, lineage: int) -> int:
    """Number of the last event that is in the cloud; 0 where the note is missing, damaged or of another ledger."""
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        return int(said["acked"]) if int(said["lineage"]) == lineage else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0
