"""How the box is, told to the fleet service every half minute: what its processes say on the bus, and what is owed.

The answer brings a hint that the channel has changed, bundles that a person unlocked, and the service's clock.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ..bus.channel import Subscriber, camera_address, inspect_addresses, io_address, records_state_address
from ..bus.clock import SECOND, now_ns
from ..bus.errors import StoreLost
from ..bus.heartbeat import Pulse
from ..bus.messages import CameraState, InspectState, RecordsState, StationState
from .wire import Wire

log = logging.getLogger(__name__)
STALE_NS = 5 * SECOND
"""What a process said of itself is void after so long."""
CLOCK_S = 60.0
"""A clock that differs so much from the service's is said to be wrong."""
_RATE_NS = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Told:
    """What the service answered."""

    rings: bool
    """The channel has changed: look."""
    unlock: tuple[str, ...]
    """Digests of bundles that may be tried again."""


@dataclass(slots=True)
class Gathered:
    """The newest word of each process. Written by the main loop, read by the thread that tells."""

    station: tuple[int, StationState] | None = None
    inspect: tuple[int, InspectState] | None = None
    records: tuple[int, RecordsState] | None = None
    cameras: dict[str, tuple[int, CameraState]] = field(default_factory=dict)
    counts: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=256))
    """(when, parts judged in this run of io), for the rate."""


class Ears:
    """Hears the bus. One thread."""

    def __init__(self, run: Path, cameras: Sequence[str]) -> None:
        """ChannelLost."""
        addresses = [io_address(run), *inspect_addresses(run), records_state_address(run)]
        self._heard = Subscriber(
            [*addresses, *(camera_address(run, name) for name in cameras)],
            (StationState, InspectState, RecordsState, CameraState),
        )
        self.gathered = Gathered()

    def turn(self, at_ns: int) -> None:
        """Take in what has come; never waits. ChannelLost."""
        found = self.gathered
        for said in self._heard.drain():
            if isinstance(said, StationState):
                before, found.station = found.station, (at_ns, said)
                total = said.counters.triggers
                if before is not None and before[1].epoch != said.epoch:
                    found.counts.clear()
                if not found.counts or at_ns - found.counts[-1][0] >= SECOND:
                    found.counts.append((at_ns, total))
            elif isinstance(said, InspectState):
                found.inspect = at_ns, said
            elif isinstance(said, RecordsState):
                found.records = at_ns, said
            elif isinstance(said, CameraState):
                found.cameras[said.camera] = at_ns, said

    def close(self) -> None:
        """Let go of the socket."""
        self._heard.close()


class StateReport:
    """Makes and sends the report. One thread."""

    def __init__(
        self,
        gathered: Gathered,
        run: Path,
        store: Path,
        line: str,
        version: str,
        owed: Callable[[], Mapping[str, int]],
        ladder: Callable[[], Sequence[Mapping[str, Any]]],
    ) -> None:
        """owed: events by stream that the service has not. ladder: how each bundle stands."""
        self._gathered, self._store, self._line, self._version = gathered, store, line, version
        self._pulse, self._owed, self._ladder = Pulse(run), owed, ladder
        self._begun_s = time.monotonic()
        self.clock_off_s: float | None = None
        """How far the box's clock is ahead of the service's; None: not known."""

    def send(self, wire: Wire) -> Told:
        """Tell it once. StoreLost, Busy, Unwelcome, NotTrusted."""
        answer = wire.ask_json("POST", "/v1/state", self.said())
        if answer.status != HTTPStatus.OK:
            raise StoreLost(f"/v1/state: the service answered {answer.status} {answer.body[:200]!r}")
        told = answer.json()
        try:
            theirs = datetime.fromisoformat(str(told["now"]))
            self.clock_off_s = (datetime.now(UTC) - theirs).total_seconds()
        except (KeyError, ValueError, TypeError):
            self.clock_off_s = None
        unlock = told.get("unlock")
        digests = tuple(one for one in unlock if isinstance(one, str)) if isinstance(unlock, list) else ()
        return Told(told.get("rings") is True, digests)

    def said(self) -> dict[str, Any]:
        """The report."""
        at, found = now_ns(), self._gathered
        station = _fresh(found.station, at)
        inspect = _fresh(found.inspect, at)
        records = _fresh(found.records, at)
        cameras = [one for pair in list(found.cameras.values()) if (one := _fresh(pair, at)) is not None]
        clock_ok = (records is None or not records.clock) and abs(self.clock_off_s or 0.0) < CLOCK_S
        return {
            "version": self._version,
            "uptime_s": int(time.monotonic() - self._begun_s),
            "clock_ok": clock_ok,
            "clock_off_s": None if self.clock_off_s is None else round(self.clock_off_s, 1),
            "health": self._health(at, station, inspect, records, cameras),
            "disk": self._disk(records),
            "owed": dict(self._owed()),
            "recipes": [] if station is None else [self._recipe(station)],
            "ladder": list(self._ladder()),
            "camera": [
                {"camera": one.camera, "state": one.health.value, "detail": one.detail, "missed": one.missed}
                for one in cameras
            ],
            "drift": [] if inspect is None else list(inspect.alarms),
            "fps": self._rate(at),
        }

    def _health(
        self,
        at_ns: int,
        station: StationState | None,
        inspect: InspectState | None,
        records: RecordsState | None,
        cameras: Sequence[CameraState],
    ) -> list[dict[str, str]]:
        details = {f"camera-{one.camera}": one.detail for one in cameras}
        if station is not None:
            details["io"] = "; ".join(station.reasons)
        if inspect is not None:
            details["inspect"] = inspect.detail
        if records is not None:
            details["records"] = records.stuck
        found = []
        for name, beat in sorted(self._pulse.beats().items()):
            state = beat.health.value if at_ns - beat.turned_ns < STALE_NS else "silent"
            found.append({"process": name, "state": state, "detail": details.get(name, "")[:500]})
        return found

    def _disk(self, records: RecordsState | None) -> dict[str, Any]:
        try:
            room = os.statvfs(self._store)
        except OSError as error:
            return {"trouble": f"{self._store.name}: {error.strerror}"}
        total = room.f_blocks * room.f_frsize
        free = room.f_bavail * room.f_frsize
        said: dict[str, Any] = {
            "total_gb": round(total / 1e9, 2),
            "free_gb": round(free / 1e9, 2),
            "free_percent": round(100 * free / total, 1) if total else 0.0,
        }
        if records is not None:
            said |= {"pictures": records.pictures, "given_up": records.given_up, "stuck": records.stuck}
        return said

    def _recipe(self, station: StationState) -> dict[str, Any]:
        job = station.job
        return {
            "line": self._line,
            "recipe": job.recipe,
            "revision": job.revision,
            "job": station.job_number,
            "model": job.model,
            "state": station.state,
            "ready": station.ready,
        }

    def _rate(self, at_ns: int) -> float | None:
        """Parts a second of the last minute; None: too little was heard."""
        counts = list(self._gathered.counts)
        old = [one for one in counts if at_ns - one[0] <= _RATE_NS]
        if len(old) < 2 or old[-1][0] == old[0][0]:
            return None
        return round((old[-1][1] - old[0][1]) / ((old[-1][0] - old[0][0]) / SECOND), 2)


def _fresh(pair: "tuple[int, Any] | None", at_ns: int) -> Any:
    return pair[1] if pair is not None and at_ns - pair[0] < STALE_NS else None
