"""How the store stands, said on the bus at each change and every second: for alarms, screens and programs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..bus.channel import Publisher, records_state_address
from ..bus.clock import SECOND, now_ns
from ..bus.messages import Health, RecordsState
from .desk import PictureDesk
from .retention import Told, disk_of

_SHED_NS = 10 * SECOND
"""Pictures that were shed are told of for so long."""


def nothing() -> str:
    """Nothing to say."""
    return ""


@dataclass(frozen=True, slots=True)
class Voices:
    """Who else has something to say in it. Each returns a sentence for people, or nothing; none of them may wait."""

    salvage: Callable[[], str] = nothing
    """How the rescue of a damaged ledger stands, or what came of it."""
    clock: Callable[[], str] = nothing
    """Why the wall clock is not believed."""
    backup: Callable[[], str] = nothing
    """Why the last backup failed."""
    away: Callable[[], str] = nothing
    """Why the folder of the store is not on its disk."""


@dataclass(slots=True)
class _Shed:
    """Counts of pictures that were shed, and when they last rose."""

    ok: int = 0
    all: int = 0
    ok_ns: int = -_SHED_NS
    all_ns: int = -_SHED_NS


class StateTeller:
    """Publishes `RecordsState`. One thread, the ledger's."""

    def __init__(self, run_dir: Path, store: Path, min_free_bytes: int, voices: Voices = Voices()) -> None:
        self._store, self._least, self.voices = store, min_free_bytes, voices
        self._speaker = Publisher(records_state_address(run_dir))
        self._last: RecordsState | None = None
        self._said_ns = self._looked_ns = 0
        self._free_percent, self._none = 100.0, False
        self._away = ""
        self._shed = _Shed()

    def tell(self, health: Health, stuck: str, desk: PictureDesk, told: Told) -> RecordsState:
        """Say it, if it has changed or a second has gone by."""
        now = now_ns()
        if now - self._looked_ns >= SECOND or self._last is None:
            self._looked_ns = now
            self._look()
        state = RecordsState(
            health=health,
            stuck=stuck,
            free_percent=round(self._free_percent, 1),
            pictures=self._pictures(desk, told, now),
            unsent=told.unsent,
            given_up=told.given_up,
            salvage=self.voices.salvage(),
            clock=self.voices.clock(),
            soon=dict(told.soon),
            backup=self.voices.backup(),
            away=self._away,
            papers=told.papers.papers,
            papers_days=told.papers.days,
        )
        if state != self._last or now - self._said_ns >= SECOND:
            self._last, self._said_ns = state, now
            self._speaker.send(state)
        return state

    def close(self) -> None:
        """Say no more."""
        self._speaker.close()

    def _look(self) -> None:
        self._away = self.voices.away()
        if self._away:
            self._none = True  # what is free is that of another disk
            return
        try:
            disk = disk_of(self._store)
        except OSError:
            self._none = True  # a disk that cannot even be asked takes no picture
            return
        self._free_percent = 100.0 - disk.used_percent
        self._none = disk.free < self._least

    def _pictures(self, desk: PictureDesk, told: Told, now: int) -> str:
        shed = self._shed
        if desk.shed_ok > shed.ok:
            shed.ok, shed.ok_ns = desk.shed_ok, now
        if (all_shed := desk.shed_ng + desk.refused) > shed.all:
            shed.all, shed.all_ns = all_shed, now
        if self._none:
            return "none"
        lately = now - shed.ok_ns < _SHED_NS or now - shed.all_ns < _SHED_NS
        return "shedding" if told.draining or lately else "kept"
