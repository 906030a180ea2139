"""Does the box itself stay up? Processes that are given up, and a second judge that is missing, as causes of alarms."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from ..bus.clock import SECOND
from ..bus.degraded import STABLE_NS, DegradedWatch, GivenUp, read_degraded, take_back
from ..bus.heartbeat import Beat
from ..bus.messages import Health

_LOG = logging.getLogger(__name__)
STANDBY = "inspect-standby"
"""Heartbeat of the judge that waits."""
_MOVED_NS = 2 * SECOND
Say = Callable[[str, dict[str, str] | None], None]
"""A key of `catalogue.KINDS` and what fills it; None: it does not stand any more."""


class Upkeep:
    """One thread."""

    def __init__(self, run: Path, begun_ns: int) -> None:
        """begun_ns: a second judge that was last seen before is none that anybody waits for."""
        self._run, self._begun_ns = run, begun_ns
        self._list = DegradedWatch(run)
        self._said: set[str] = set()
        self._well_ns: dict[str, int] = {}
        """Since when those who are on the list, and do not stand there, are well."""

    def look(self, beats: Mapping[str, Beat], at_ns: int, say: Say) -> None:
        """Tell what stands now and what does not any more."""
        standing = self._list.standing(beats, at_ns)
        now = {f"process.failing:{one.name}": _fill(one) for one in standing}
        if self._lacks_standby(beats, at_ns):
            now["standby.missing"] = {}
        for key in self._said - set(now):
            say(key, None)
        for key, fill in now.items():
            say(key, fill)
        self._said = set(now)
        self._clear(beats, at_ns)

    def _lacks_standby(self, beats: Mapping[str, Beat], at_ns: int) -> bool:
        """A box that never had one lacks none."""
        beat = beats.get(STANDBY)
        if beat is None or beat.turned_ns < self._begun_ns:
            return False
        return beat.health is not Health.READY or at_ns - beat.turned_ns > _MOVED_NS

    def _clear(self, beats: Mapping[str, Beat], at_ns: int) -> None:
        """Take off the list who has been well for a minute: stopped on purpose later, it is not to stand there."""
        well = {one.name for one in self._list.known if not one.stands(beats, at_ns)}
        self._well_ns = {name: self._well_ns.get(name, at_ns) for name in well}
        done = {name for name, since_ns in self._well_ns.items() if at_ns - since_ns > STABLE_NS}
        if done:
            try:
                take_back(self._run, done & {one.name for one in read_degraded(self._run)})
            except OSError as error:
                _LOG.warning("%s stay on the list of the given up: %s", ", ".join(sorted(done)), error.strerror)
            self._well_ns = {}


def _fill(one: GivenUp) -> dict[str, str]:
    end = one.ended.removeprefix("exit code ").removeprefix("killed by ")
    return {"process": one.name, "since": one.since[:16].replace("T", " "), "end": end.split(" (")[0].split(",")[0]}
