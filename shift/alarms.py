"""Alarms by ISA-18.2 (IEC 62682), pure: what an alarm may become, and by whose hand. Clock and causes are outside.

    normal -> unacknowledged -> acknowledged -> normal            the cause goes after somebody has seen it
                             -> returned     -> normal            it goes before: somebody still has to see it
    a latched kind           -> ... -> latched -> normal          gone and seen, but it waits for a reset
    shelved (timed), suppressed (another alarm explains it), out of service: kept quiet, and still journaled

Acknowledging never clears. A transition that is not in this picture is refused.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..bus.clock import SECOND
from ..bus.errors import Refused
from ..bus.shift import Alarm, AlarmState
from .catalogue import KINDS, Kind

HOUR_NS = 3600 * SECOND
MOST_SHELVED_NS = 1800 * SECOND
RESTORED_NS = 15 * SECOND
"""After a restart a cause that is not seen counts as gone only when all have had time to speak."""
MOST = 256
"""Alarms that can be told apart at a time; one more is not taken in until another is normal."""
_QUIET = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
_OPEN = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED, AlarmState.LATCHED)


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One transition, for the journal."""

    key: str
    event: str
    """`raised`, `acknowledged`, `returned`, `cleared`, `reset`, `shelved`, `unshelved`, `suppressed`, `unsuppressed`,
    `out of service`, `in service`."""
    state: str
    """State after it; `normal` where the alarm is no more."""
    at: str
    """UTC."""
    who: str = ""
    fill: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Held:
    """One alarm that is not normal, or whose cause has not stood long enough."""

    kind: Kind
    fill: dict[str, str]
    state: AlarmState | None = None
    """None: normal."""
    active: bool = False
    since: str = ""
    since_ns: int = 0
    count: int = 0
    who: str = ""
    until_ns: int = 0
    until: str = ""
    turned_ns: int = 0
    """Since when the cause is otherwise than `active` says; 0: it is not."""


class AlarmBook:
    """All alarms of one line. `now_ns` never falls; `utc` is for people."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._events: list[AlarmEvent] = []
        self._raised: deque[int] = deque(maxlen=10_000)

    # -- what comes in -----------------------------------------------------------------------------------------------

    def update(self, causes: Mapping[str, dict[str, str]], now_ns: int, utc: str) -> None:
        """Take all causes that stand now: key to what fills its sentences. KeyError: a kind nobody knows."""
        for key, fill in causes.items():
            if key not in self._held and len(self._held) < MOST:
                self._held[key] = _Held(kind_of(key), dict(fill))
            if key in self._held:
                self._held[key].fill = dict(fill)
        for key, held in list(self._held.items()):
            self._settle(key, held, key in causes, now_ns, utc)
        self._suppress(utc)
        for key, held in list(self._held.items()):
            if held.state is AlarmState.SHELVED and now_ns >= held.until_ns:
                self._speak_again(key, held, "unshelved", utc, "")
            if held.state is None and not held.active and key not in causes:
                del self._held[key]

    def acknowledge(self, key: str, who: str, utc: str) -> None:
        """Somebody has seen it. Refused: there is nothing to acknowledge."""
        held = self._known(key)
        if held.state is AlarmState.UNACKNOWLEDGED:
            held.state, held.who = AlarmState.ACKNOWLEDGED, who
        elif held.state is AlarmState.RETURNED:
            held.state, held.who = (AlarmState.LATCHED if held.kind.latched else None), who
        else:
            raise Refused(f"alarm {key} is {_word(held)}: there is nothing to acknowledge")
        self._note(key, held, "acknowledged", utc, who)
        if held.state is None:
            self._note(key, held, "cleared", utc, "")

    def reset(self, key: str, who: str, utc: str) -> None:
        """Let a latched one go. Refused: it is not latched, or its cause still stands."""
        held = self._known(key)
        if held.state is not AlarmState.LATCHED:
            raise Refused(f"alarm {key} is {_word(held)}: only a latched one whose cause is gone can be reset")
        held.state = None
        self._note(key, held, "reset", utc, who)

    def shelve(self, key: str, minutes: float, who: str, now_ns: int, utc: str, until: str) -> None:
        """Keep it quiet for up to 30 minutes. Refused: it is not open, or may not be shelved."""
        held = self._known(key)
        if not 0 < minutes * 60 * SECOND <= MOST_SHELVED_NS:
            raise Refused(f"{minutes:g} minutes: expected more than 0 and at most {MOST_SHELVED_NS // 60 // SECOND}")
        if held.state not in _OPEN or held.state is AlarmState.LATCHED:
            raise Refused(f"alarm {key} is {_word(held)}: it cannot be shelved")
        if not held.kind.shelvable:
            raise Refused(f"alarm {key} may not be shelved: do what it says")
        held.state, held.who = AlarmState.SHELVED, who
        held.until_ns, held.until = now_ns + int(minutes * 60 * SECOND), until
        self._note(key, held, "shelved", utc, who)

    def unshelve(self, key: str, who: str, utc: str) -> None:
        """End shelving. Refused: it is not shelved."""
        held = self._known(key)
        if held.state is not AlarmState.SHELVED:
            raise Refused(f"alarm {key} is {_word(held)}: it is not shelved")
        self._speak_again(key, held, "unshelved", utc, who)

    def service(self, key: str, out: bool, who: str, utc: str) -> None:
        """Take an alarm out of service until it is put back, or put it back. Refused: no such kind; already so."""
        kind = kind_of(key, Refused)
        if out:
            if not kind.shelvable:
                raise Refused(f"alarm {key} may not be taken out of service: do what it says")
            if key not in self._held and len(self._held) >= MOST:
                raise Refused(f"there are {MOST} alarms already")
            held = self._held.setdefault(key, _Held(kind, {}))
            if held.state is AlarmState.OUT_OF_SERVICE:
                raise Refused(f"alarm {key} is out of service already")
            held.state, held.who, held.since = AlarmState.OUT_OF_SERVICE, who, held.since or utc
            self._note(key, held, "out of service", utc, who)
            return
        held = self._known(key)
        if held.state is not AlarmState.OUT_OF_SERVICE:
            raise Refused(f"alarm {key} is {_word(held)}: it is not out of service")
        self._speak_again(key, held, "in service", utc, who)

    # -- what goes out -----------------------------------------------------------------------------------------------

    def events(self) -> list[AlarmEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def alarms(self) -> tuple[Alarm, ...]:
        """All that are not normal: unacknowledged first, then by priority, then the oldest first; quiet ones last."""
        shown = [(key, held) for key, held in self._held.items() if held.state is not None]
        shown.sort(key=lambda each: _order(each[1]))
        return tuple(_shown(key, held) for key, held in shown)

    def hourly(self, now_ns: int) -> float:
        """Alarms raised in the last hour."""
        while self._raised and now_ns - self._raised[0] >= HOUR_NS:
            self._raised.popleft()
        return float(len(self._raised))

    def snapshot(self, now_ns: int) -> list[dict[str, Any]]:
        """All that is not normal as plain data; `restore` takes it back after a restart, of the machine too."""
        return [
            {
                **{name: value for name, value in asdict(held).items() if name not in _OUTSIDE},
                "key": key,
                "state": held.state.value,
                "left_ns": max(0, held.until_ns - now_ns),
            }
            for key, held in self._held.items()
            if held.state is not None
        ]

    def restore(self, kept: list[dict[str, Any]], now_ns: int) -> None:
        """Go on from a snapshot. What is not of this shape, or of a kind that is no more, is left out."""
        for one in kept:
            try:
                held = _Held(kind_of(one["key"]), {str(k): str(v) for k, v in one["fill"].items()})
                held.state, held.active = AlarmState(one["state"]), bool(one["active"])
                held.since, held.count, held.who = str(one["since"]), int(one["count"]), str(one["who"])
                held.until, held.until_ns = str(one["until"]), now_ns + min(int(one["left_ns"]), MOST_SHELVED_NS)
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
            held.since_ns = now_ns - len(kept) + len(self._held)
            held.turned_ns = now_ns + RESTORED_NS if held.active else 0
            self._held[one["key"]] = held

    # -- inside ------------------------------------------------------------------------------------------------------

    def _known(self, key: str) -> _Held:
        held = self._held.get(key)
        if held is None or held.state is None:
            raise Refused(f"alarm {key} is normal")
        return held

    def _settle(self, key: str, held: _Held, stands: bool, now_ns: int, utc: str) -> None:
        """The cause has to stand, or to be gone, for its delay before anything follows from it."""
        if stands == held.active:
            held.turned_ns = 0
            return
        held.turned_ns = held.turned_ns or now_ns
        delay_ns = held.kind.on_ns if stands else held.kind.off_ns
        if now_ns - held.turned_ns < delay_ns:
            return
        held.active, held.turned_ns = stands, 0
        if stands:
            held.since, held.since_ns, held.count = utc, now_ns, held.count + 1
            self._raised.append(now_ns)
            if held.state not in _QUIET:
                held.state, held.who = AlarmState.UNACKNOWLEDGED, ""
            self._note(key, held, "raised", utc, "")
            return
        if held.state is AlarmState.UNACKNOWLEDGED:
            held.state = AlarmState.RETURNED
        elif held.state is AlarmState.ACKNOWLEDGED:
            held.state = AlarmState.LATCHED if held.kind.latched else None
        self._note(key, held, "cleared" if held.state is None else "returned", utc, "")

    def _suppress(self, utc: str) -> None:
        loud = {
            held.kind.name for held in self._held.values() if held.active and held.state is not AlarmState.SUPPRESSED
        }
        for key, held in self._held.items():
            explained = held.active and bool(loud & set(held.kind.explained_by))
            if explained and held.state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED):
                held.state = AlarmState.SUPPRESSED
                self._note(key, held, "suppressed", utc, "")
            elif held.state is AlarmState.SUPPRESSED and not explained:
                self._speak_again(key, held, "unsuppressed", utc, "")

    def _speak_again(self, key: str, held: _Held, event: str, utc: str, who: str) -> None:
        """What was quiet is loud again: an active one has to be seen, a latched one that went meanwhile too."""
        held.until_ns, held.until, held.who = 0, "", ""
        if held.active:
            held.state = AlarmState.UNACKNOWLEDGED
        else:
            held.state = AlarmState.RETURNED if held.kind.latched and held.count else None
        self._note(key, held, event, utc, who)

    def _note(self, key: str, held: _Held, event: str, utc: str, who: str) -> None:
        self._events.append(AlarmEvent(key, event, _word(held), utc, who, dict(held.fill)))


_OUTSIDE = {"kind", "since_ns", "until_ns", "turned_ns", "state"}


def kind_of(key: str, error: type[Exception] = KeyError) -> Kind:
    """The kind of a key, `camera.lost` of `camera.lost:top`. Raises `error` where there is none."""
    kind = KINDS.get(key.partition(":")[0])
    if kind is None:
        raise error(f"there is no alarm {key}")
    return kind


def _word(held: _Held) -> str:
    return held.state.value if held.state is not None else "normal"


def _order(held: _Held) -> tuple[bool, bool, int, int]:
    waits = held.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)
    return held.state in _QUIET, not waits, held.kind.priority, held.since_ns


def _shown(key: str, held: _Held) -> Alarm:
    kind = held.kind
    fill = {**{name: "?" for name in kind.fills}, **held.fill}
    return Alarm(
        key=key,
        kind=kind.name,
        priority=kind.priority,
        state=held.state or AlarmState.UNACKNOWLEDGED,
        active=held.active,
        latched=kind.latched,
        since=held.since,
        what=kind.what % fill,
        why=kind.why % fill,
        todo=kind.todo % fill,
        fill=fill,
        count=max(1, held.count),
        who=held.who,
        until=held.until,
    )
