"""What the box still owes the fleet service, and how much of the disk is held back for it."""

import time
from collections.abc import Mapping
from pathlib import Path

from .leaving import Leaving, Priority
from .outbox_read import older
from .outgoing import RECORDS
from .owed import NOBODY, Owed
from .read import Ask
from .schema_keep import THUMB
from .uplink_note import Taken, taken

WEIGHED_S = 60.0
"""So often it is looked how much the unsent pictures take."""
_COLUMNS = "p.seq, p.action, p.why, p.outcome, p.score, p.threshold, p.defects, p.triggered_ns, p.part, p.taken_at"


class FleetDebts:
    """Asked by retention. One thread."""

    def __init__(self, leaving: Leaving, note: Path) -> None:
        """note: folder in which sync notes how far the service has come."""
        self._leaving, self._note = leaving, note
        self._bounds: Mapping[int, int] = {}
        self._weighed_s = 0.0

    def owed(self, ask: Ask, *, rescuing: bool = False) -> Owed:
        """What is owed now. rescuing: rows of a damaged ledger still come in, so any row may be owed."""
        if not self._leaving.records:
            return Owed(0, NOBODY)
        has = taken(self._note)
        unsent, rows = 0, NOBODY
        for now in list(ask("select stream, epoch, next - 1 as newest from sending")):
            stream, epoch = str(now["stream"]), int(now["epoch"])
            for of, newest in (*older(ask, stream, epoch), (epoch, int(now["newest"]))):
                acked = has.acked(stream, of)
                unsent += max(0, newest - acked)
                if stream == RECORDS and acked < newest and (first := ask.first(_FIRST, [of, acked])):
                    rows = min(rows, int(first["ref"]))
        pictures = {int(one): has.pictures.get(int(one), 0) for one in Priority} if self._leaving.pictures else {}
        if pictures:
            self._weigh(ask, has)
        bounds = {one: max(seq, self._bounds.get(one, 0)) for one, seq in pictures.items()}
        return Owed(unsent, NOBODY, 0 if rescuing else rows, self._leaving, bounds)

    def _weigh(self, ask: Ask, has: Taken) -> None:
        """Beyond the quota the least important give up their place first, and of the same ones the oldest."""
        now = time.monotonic()
        if not self._leaving.quota_gb or (self._weighed_s and now - self._weighed_s < WEIGHED_S):
            return
        self._weighed_s = now
        held: dict[int, list[tuple[int, int]]] = {}
        for row in ask(_HELD, [min(has.pictures.get(int(one), 0) for one in Priority)]):
            level = self._leaving.priority(row)
            if level is not None and row["seq"] > has.pictures.get(int(level), 0):
                held.setdefault(int(level), []).append((row["seq"], row["bytes"]))
        room = round(self._leaving.quota_gb * 1e9)
        bounds: dict[int, int] = {}
        for level in sorted(Priority):
            for seq, size in held.get(int(level), ()):
                room -= size
                if room < 0:
                    bounds[int(level)] = seq
                    break
        self._bounds = bounds


_FIRST = (
    "select ref from outgoing where stream = 'records' and epoch = ? and seq > ? and kind = 'part' order by seq limit 1"
)
_HELD = (
    f"select {_COLUMNS}, k.bytes from part p join (select seq, sum(coalesce(bytes, 0)) as bytes from picture"
    f" where class != '{THUMB}' and seq > ? group by seq) k on k.seq = p.seq order by p.seq desc"
)
"""Newest first."""
