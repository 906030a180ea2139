"""What the shift process says: alarms, tests, change-over, bypass, lot. The screens show it, io goes by `LineMode`.

Words for people are English; `kind` and `fill` let the screens say the same in another language.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Mode(StrEnum):
    """What the parts that are triggered from now on are. In any but production no part is let pass."""

    PRODUCTION = "production"
    CHALLENGE = "challenge"
    """Test parts: judged, always rejected, counted apart (`Why.CHALLENGE`)."""
    BYPASS = "bypass"
    """A key at the PLC lets the parts by. The box grants nothing: all are rejected and counted (`Why.BYPASS`)."""


@dataclass(frozen=True, slots=True)
class LineMode:
    """shift's word for io, at each change and every second. io goes on by the last one it heard."""

    mode: Mode
    who: str
    """Name of the user who asked for it; empty in production."""
    reason: str
    until_ns: int
    """Moment on the monotonic clock at which io goes back to production by itself; 0: when it is told."""


class AlarmState(StrEnum):
    """ISA-18.2 (IEC 62682) states. `NORMAL` is not sent: such an alarm is not in the list."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    """The cause is gone, nobody has acknowledged it yet."""
    LATCHED = "latched"
    """The cause is gone and it was acknowledged, but a person has to reset it."""
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    """By design: another alarm explains it, for example everything while the line is off."""
    OUT_OF_SERVICE = "out of service"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that is not normal."""

    key: str
    """Its kind and what it is about, for example `camera.lost:top`."""
    kind: str
    """One of `shift.catalogue.KINDS`, for example `camera.lost`."""
    priority: int
    """1 urgent, 2 high, 3 low, 4 advisory."""
    state: AlarmState
    active: bool
    """The cause stands."""
    latched: bool
    """It needs a reset after the cause is gone."""
    since: str
    """UTC of the last time it went active."""
    what: str
    why: str
    todo: str
    fill: dict[str, str] = field(default_factory=dict)
    """What fills the `%(name)s` of the kind's sentences."""
    count: int = 1
    """How often it went active since it was normal."""
    who: str = ""
    """Who acknowledged or shelved it."""
    until: str = ""
    """UTC at which shelving ends."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One challenge part."""

    id: str
    name: str
    expected: str
    """`NG` or `OK`."""
    passes: int
    """Successive passes so far in this run."""
    needed: int
    picture: str = ""
    """sha256 of its photo in the store, empty: none."""


@dataclass(frozen=True, slots=True)
class ChallengeState:
    """Where the challenge test stands."""

    phase: str
    """`off` (the recipe asks for none), `passed`, `due`, `running`, `failed`, `unsigned`."""
    occasion: str
    """Why it is due or runs: `start`, `changeover`, `interval`, `maintenance`, `restart`, `end`, `asked`."""
    next_due: str
    """UTC; empty: none."""
    samples: tuple[Sample, ...] = ()
    current: str = ""
    """Id of the sample that is to go through next; empty: none."""
    run: int = 0
    """Number of the run in the ledger; 0: none yet."""
    started: str = ""
    who: str = ""
    last_ok: str = ""
    """UTC of the last passed test; empty: never."""
    detail: str = ""
    """What came of the last part, or why it failed."""
    hold_from: str = ""
    """UTC: parts from here to `hold_to` are on hold after a failed test; empty: no hold is open."""
    hold_to: str = ""
    hold_first: int = 0
    """`seq` of the first part on hold; 0: none."""
    hold_last: int = 0
    waiting: int = 0
    """Number of the part of which a person has to say that it was removed; 0: none."""


@dataclass(frozen=True, slots=True)
class ChangeOver:
    """A guided change-over: 1 pick, 2 compare, 3 lot, 4 apply, 5 test, 6 release; 0: none is under way."""

    step: int = 0
    from_number: int = 0
    to_number: int = 0
    lot: str = ""
    who: str = ""
    since: str = ""
    detail: str = ""
    """What is being waited for, or why the last step was refused."""
    applied: bool = False
    """The new job is active in io; until the release READY stays off."""


@dataclass(frozen=True, slots=True)
class ShiftState:
    """All of it, at each change and every 500 ms."""

    at_ns: int
    alarms: tuple[Alarm, ...]
    """By priority, then age; unacknowledged first."""
    challenge: ChallengeState
    change: ChangeOver
    mode: LineMode
    lot: str = ""
    lot_since: str = ""
    shift: str = ""
    """Name of the shift by the calendar of the settings."""
    shift_since: str = ""
    stopped_by: str = ""
    """Who stopped the inspection; empty: it is not stopped by a person."""
    hourly: float = 0.0
    """Alarms of the last hour; about 10 is what people can handle."""
