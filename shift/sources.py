"""What stands on the line right now, as causes of alarms: told from what processes say and from what they leave out.

Pure: messages and figures come in with their moment, `causes` tells which kinds stand and what fills their sentences.
"""

from collections import deque
from collections.abc import Mapping

from ..bus.clock import MS, SECOND
from ..bus.heartbeat import Beat
from ..bus.messages import CameraState, Health, InspectState, RecordsState, StationState, UplinkState, WebState
from ..bus.part import Action, Delivery, Record, Why
from .catalogue import KINDS
from .options import AlarmOptions
from .store_source import StoreSource

SILENT_NS = 2 * SECOND
"""A process that has not turned for so long is said to have stopped."""
GRACE_NS = 10 * SECOND
"""Time that a process has for its start."""
STALE_NS = 3 * SECOND
"""What a process said of itself is void after so long."""
EVENT_NS = 10 * SECOND
"""How long something that happened once counts as standing."""
JUMP_NS = 2 * SECOND
"""A wall clock that moves so much more or less than time does was set."""
LEAST_PARTS = 20
"""Parts without which no yield is told."""

_WIRES = 5
"""Fault of a box that fires its gates itself (`LINE` of the register map): it has no PLC that could be lost."""

Causes = dict[str, dict[str, str]]


class Sources:
    """Everything alarms are told from. One thread."""

    def __init__(self, options: AlarmOptions, cameras: tuple[str, ...], begun_ns: int) -> None:
        """begun_ns: who was never heard of is silent counted from here."""
        self._options, self._cameras, self._begun_ns = options, cameras, begun_ns
        self.station: StationState | None = None
        self.inspect: InspectState | None = None
        self._inspect_ns = 0
        self._camera: dict[str, tuple[CameraState, int]] = {}
        self._beats: Mapping[str, Beat] = {}
        self._results: deque[bool] = deque(maxlen=options.yield_parts)
        self._once: dict[str, tuple[int, dict[str, str]]] = {}  # by key: until when, and what fills it
        self._sums: dict[str, tuple[str, int]] = {}  # counters last seen, by name: of which run, how many
        self._free = 100.0
        self._clock_ns: int | None = None
        self._low = False
        self._full = False
        self._said: Causes = {}
        self._store = StoreSource()

    # -- what comes in -----------------------------------------------------------------------------------------------

    def hear(self, message: object, now_ns: int) -> None:
        """Take a message of the bus; what is none of ours is left alone."""
        if isinstance(message, StationState):
            self._hear_station(message, now_ns)
        elif isinstance(message, InspectState):
            self.inspect, self._inspect_ns = message, now_ns
        elif isinstance(message, CameraState):
            early = self._more(f"early {message.camera}", str(message.epoch), message.early)
            if early:
                self._happened("trigger.overrun", now_ns, {"count": str(early)})
            self._camera[message.camera] = message, now_ns
        elif isinstance(message, WebState):
            # Kept when the screens are away: whoever waits for a new certificate need not see the alarm come and go.
            fill = {"days": str(message.days_left), "date": message.certificate_ends[:10]}
            self.say("certificate.ends", fill if message.ends_soon else None)
        elif isinstance(message, RecordsState):
            self._store.hear(message, now_ns)
        elif isinstance(message, UplinkState):
            self._hear_uplink(message)
        elif isinstance(message, Record):
            self._hear_record(message, now_ns)

    def look(self, beats: Mapping[str, Beat], free_percent: float) -> None:
        """Take the heartbeats and the share of the disk that is free."""
        self._beats, self._free = beats, free_percent

    def clock(self, utc_ns: int, now_ns: int) -> None:
        """Take the wall clock: it must move as time does."""
        ahead_ns = utc_ns - now_ns
        if self._clock_ns is not None and abs(ahead_ns - self._clock_ns) > JUMP_NS:
            self._happened("clock.wrong", now_ns, {"seconds": f"{(ahead_ns - self._clock_ns) / SECOND:+.1f}"})
        self._clock_ns = ahead_ns

    def say(self, key: str, fill: dict[str, str] | None) -> None:
        """Something else of this room stands (the challenge test, a reported escape); None: not any more."""
        if fill is None:
            self._said.pop(key, None)
        else:
            self._said[key] = fill

    def escaped(self, number: int, detail: str, now_ns: int) -> None:
        """Somebody reported a missed defect."""
        self._happened(f"escape.reported:{number}", now_ns, {"detail": detail})

    # -- what goes out -----------------------------------------------------------------------------------------------

    def causes(self, now_ns: int) -> Causes:
        """All that stands now, by key."""
        found: Causes = dict(self._said)
        for key, (until_ns, fill) in list(self._once.items()):
            if now_ns < until_ns:
                found[key] = fill
            else:
                del self._once[key]
        found |= self._silence(now_ns)
        for name in self._cameras:
            found |= self._of_camera(name, now_ns)
        if (station := self.fresh(now_ns)) is not None:
            found |= self._of_line(station)
        if self.inspect is not None and now_ns - self._inspect_ns < STALE_NS:
            found |= self._of_judge(self.inspect)
        found |= self._of_figures()
        found |= self._store.causes(now_ns)
        return found

    def fresh(self, now_ns: int) -> StationState | None:
        """What io said last, None where that is too old."""
        station = self.station
        return station if station is not None and now_ns - station.at_ns < STALE_NS else None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _more(self, name: str, run: str, total: int) -> int:
        """How many more than when last seen in the same run; the first word of a run says nothing."""
        last = self._sums.get(name)
        self._sums[name] = run, total
        return total - last[1] if last is not None and last[0] == run else 0

    def _happened(self, key: str, now_ns: int, fill: dict[str, str]) -> None:
        self._once[key] = now_ns + EVENT_NS, fill

    def _hear_station(self, state: StationState, now_ns: int) -> None:
        before, counters = self.station, state.counters
        self.station = state
        missed = self._more("missed", state.epoch, counters.missed)
        if missed and before is not None and before.ready:
            self._happened("trigger.overrun", now_ns, {"count": str(missed)})
        late = self._more("late", state.epoch, counters.late)
        if late:
            fill = {"count": str(late), "deadline": str(state.job.deadline_ns // MS)}
            self._happened("verdict.late", now_ns, fill)
        if before is None or before.job != state.job:
            self._results.clear()

    def _hear_uplink(self, state: UplinkState) -> None:
        """Kept when sync is away: whoever has to act need not see the alarm come and go."""
        self.say("fleet.halted", {"detail": "; ".join(state.halted)[:500]} if state.halted else None)
        self.say("model.back", {"detail": "; ".join(state.models_out)[:500]} if state.models_out else None)
        stands = state.state == "enrolled" and state.trouble
        since = state.since[:16].replace("T", " ")
        fill = {"detail": state.trouble[:500], "since": since}
        self.say("fleet.refused", fill if (stands and state.refused) or state.state == "ended" else None)
        self.say("fleet.away", fill if stands and not state.refused else None)

    def _hear_record(self, record: Record, now_ns: int) -> None:
        disposition, receipt, part = record.disposition, record.receipt, record.trigger.part
        if disposition.why in (Why.OK, Why.NG, Why.GROUP, Why.LATE, Why.LOST):
            self._results.append(disposition.action is Action.PASS)
        told = disposition.published_ns is not None and disposition.why is not Why.FAULT
        unconfirmed = receipt.confirmed is False or (told and receipt.delivery is Delivery.UNCONFIRMED)
        if disposition.action is Action.REJECT and unconfirmed and not record.trigger.missed:
            self._happened("reject.unconfirmed", now_ns, {"part": str(part)})

    def _silence(self, now_ns: int) -> Causes:
        found: Causes = {}
        for name in ("io", "inspect", "records"):
            if self._silent(name, now_ns):
                found[f"{name}.silent"] = {}
        records = self._beats.get("records")
        if records is not None and records.health is Health.FAULT:
            found["records.stuck"] = {}
        return found

    def _silent(self, name: str, now_ns: int) -> bool:
        beat = self._beats.get(name)
        if beat is None or beat.health is Health.STARTING or beat.turned_ns < self._begun_ns:
            return now_ns - self._begun_ns > GRACE_NS  # a beat from before us may be of an earlier run of the box
        return beat.health is Health.LOST or now_ns - beat.turned_ns > SILENT_NS

    def _of_camera(self, name: str, now_ns: int) -> Causes:
        fill = {"camera": name}
        said = self._camera.get(name)
        if self._silent(f"camera-{name}", now_ns) or (said is not None and now_ns - said[1] > STALE_NS):
            return {f"camera.lost:{name}": fill | {"detail": "its process does not move"}}
        if said is None:
            return {}
        state = said[0]
        if state.health is Health.LOST:
            return {f"camera.lost:{name}": fill | {"detail": state.detail}}
        if state.health is Health.FAULT:
            return {f"camera.fault:{name}": fill | {"detail": state.detail}}
        return {}

    def _of_line(self, state: StationState) -> Causes:
        found: Causes = {}
        if state.fault:
            found["line.fault"] = {"code": str(state.fault)}
        if not state.plc_alive and state.fault != _WIRES:
            found["plc.lost"] = {}
        limit, row = self._options.consecutive_ng, state.counters.consecutive_ng
        if limit and row >= limit:
            found["ng.consecutive"] = {"count": str(row)}
        lost = [reason for reason in state.reasons if reason.startswith("records does not answer")]
        if lost:
            found["records.lost"] = {"detail": lost[0]}
        inspect = self.inspect
        if inspect is not None and inspect.health is Health.READY and state.state != "OFFLINE":
            wanted, has = state.job, inspect.job
            if (wanted.recipe, wanted.revision, wanted.model) != (has.recipe, has.revision, has.model):
                found["model.mismatch"] = {
                    "wanted": f"{wanted.recipe} {wanted.revision} {wanted.model[:12]}",
                    "found": f"{has.recipe} {has.revision} {has.model[:12]}",
                }
        return found

    def _of_judge(self, state: InspectState) -> Causes:
        found: Causes = {}
        for text in state.alarms:
            camera, _, rest = text.partition(": ")
            kind = "light.failed" if rest.startswith("lamp") else "drift"
            found.setdefault(f"{kind}:{camera}", {"camera": camera, "detail": rest or text})
        return found

    def _of_figures(self) -> Causes:
        found: Causes = {}
        options, results = self._options, self._results
        if len(results) >= min(LEAST_PARTS, options.yield_parts):
            share = 100 * sum(results) / len(results)
            self._low = under(share, options.yield_percent, KINDS["yield.low"].deadband, self._low)
            if self._low:
                limit = f"{options.yield_percent:g}"
                found["yield.low"] = {"yield": f"{share:.0f}", "parts": str(len(results)), "limit": limit}
        self._full = under(self._free, options.disk_percent, KINDS["disk.low"].deadband, self._full)
        if self._full:
            found["disk.low"] = {"free": f"{self._free:.1f}"}
        return found


def under(value: float, limit: float, deadband: float, was: bool) -> bool:
    """A figure is below its limit; once it was, it has to come back by the deadband. A limit of 0: never."""
    return bool(limit) and value < limit + (deadband if was else 0)
