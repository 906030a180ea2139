"""One part's way: Trigger, Verdict, Disposition, Receipt, Record (Frame: `camera/frame.py`, Findings: `models/`).

Each is frozen, carries its units in its field names, and checks itself once, when made. Moments are
`time.monotonic_ns()`, void after a reboot.
"""

from dataclasses import dataclass
from enum import StrEnum

from .messages import FrameReady

LAST_PART = 2**32 - 1


class Outcome(StrEnum):
    """What inspect found. Only OK can let a part pass."""

    OK = "OK"
    NG = "NG"
    UNJUDGED = "UNJUDGED"


class Action(StrEnum):
    """What is done with the part."""

    PASS = "PASS"
    REJECT = "REJECT"


class Why(StrEnum):
    """The ground of a disposition."""

    OK = "ok"
    """A fresh, matching, in-time OK: the only ground of a PASS."""
    NG = "ng"
    LATE = "late"
    """No verdict, or no room on the wire, before the deadline."""
    LOST = "lost"
    """No picture of this part, or its trigger came while the box was not ready (`missed`)."""
    FAULT = "fault"
    GROUP = "group"
    """It stands so close to a rejected part that the jet cannot tell them apart (or would have to)."""
    BYPASS = "bypass"
    CHALLENGE = "challenge"


class Delivery(StrEnum):
    """Whether the PLC is known to have taken the disposition."""

    DELIVERED = "delivered"
    """The PLC acknowledged it before the deadline plus the acknowledge time."""
    LATE = "late"
    UNCONFIRMED = "unconfirmed"
    """Never acknowledged. The PLC rejects by default, so this costs yield, not safety."""


def check_part(part: int) -> None:
    """Raise ValueError unless part is 1..4294967295 (0 on the wire means "no part")."""
    if not 1 <= part <= LAST_PART:
        raise ValueError(f"part {part}: expected 1..{LAST_PART}")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One part at the eye of one station."""

    part: int
    """Part number, 1..2**32-1. Never 0: on the wire 0 means "no part"."""
    station: str
    """Name of the station in the settings."""
    at_ns: int
    """When the box saw the trigger."""
    encoder: int | None
    """Belt position in counts, modulo the encoder's width. None: this link has no encoder."""
    deadline_ns: int
    """A verdict must be in before this; at this very nanosecond it is late."""
    recipe: str
    """Recipe that was active at the trigger, for example `bottle-cap`."""
    missed: bool = False
    """The trigger came while READY was off: the part is rejected, nothing is published for it."""

    def __post_init__(self) -> None:
        check_part(self.part)


@dataclass(frozen=True, slots=True)
class Defect:
    """One place on the part that the judge objects to."""

    kind: str
    """Class of the defect, `anomaly` where the model knows no classes, or the name of the tool that found it."""
    region: str
    """Name of the recipe's region it lies in."""
    x: int
    """Left edge of its box in sensor pixels."""
    y: int
    w: int
    h: int
    score: float


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Where the score comes from, small enough to travel with the verdict."""

    x: int
    """Left edge of the region it covers, in sensor pixels."""
    y: int
    w: int
    h: int
    columns: int
    rows: int
    levels: bytes
    """rows x columns uint8, row by row; 128 is the region's threshold, 255 twice the threshold and above."""

    def __post_init__(self) -> None:
        if len(self.levels) != self.columns * self.rows:
            raise ValueError(
                f"heat map of {self.columns}x{self.rows}: expected {self.columns * self.rows} bytes, "
                f"got {len(self.levels)}"
            )


@dataclass(frozen=True, slots=True)
class ImageHealth:
    """What one view's picture is like, apart from any defect: measured on every part, compared with commissioning.

    It never changes a verdict; what lies behind a run of bad figures is said in `alarms`.
    """

    camera: str
    focus: float
    """Sharpness of the focus region as a share of the commissioned one; 1.0: as commissioned."""
    brightness: float
    """Mean grey level, 0..255."""
    contrast: float
    """Standard deviation of the grey levels."""
    saturation: float
    """Share of the pixels at the upper end of the scale, 0..1."""
    darkness: float
    """Share of the pixels at the lower end, 0..1."""
    uniformity: float
    """Difference of the light's shape over the picture from the commissioned one, as a share of the mean; 0.0: none."""
    noise: float
    """Standard deviation of the noise in grey levels."""
    shift_x_px: float
    """How far the fixed background lies from where it was commissioned."""
    shift_y_px: float
    angle_deg: float
    alarms: tuple[str, ...] = ()
    """What has drifted, as of this part: `lamp`, `lens`, `camera moved`, `product`. Empty: nothing."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the part lay in one view."""

    camera: str
    found: bool
    score: float
    """Likeness with the golden picture, 0..1."""
    shift_x_px: float
    """From its place in the golden picture; 0 where it was not found."""
    shift_y_px: float
    angle_deg: float
    """Counter-clockwise as seen."""


@dataclass(frozen=True, slots=True)
class CodeRead:
    """One code of the recipe, looked for on this part."""

    name: str
    """As the recipe calls it."""
    text: str
    """What was read; empty: unreadable, or refused by the recipe's pattern."""
    kind: str
    """Symbology, for example `DataMatrix`; empty where nothing was read. With an empty text: of what did not fit."""
    serial: bool
    """It is the part's serial number."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One figure that was measured on the part, with what it may be."""

    camera: str
    """Whose picture it was measured in; empty: it was put together from several."""
    region: str
    """Name of the recipe's region or tool, or of the agreement it belongs to."""
    name: str
    """What was measured, for example `width`."""
    value: float
    """NaN where it could not be measured."""
    unit: str
    """`mm`, `px`, `count`, `share`, `level`, or empty."""
    low: float | None
    """Smallest value that is good; None: no limit."""
    high: float | None

    @property
    def within(self) -> bool:
        """True for a number that keeps its limits."""
        low, high = self.low, self.high
        return self.value == self.value and (low is None or self.value >= low) and (high is None or self.value <= high)


@dataclass(frozen=True, slots=True)
class Vote:
    """What one view says of a region about which several cameras have to agree."""

    agreement: str
    region: str
    outcome: Outcome
    share: float
    """Score as a share of its limit; above 1 it objects. 0 where there is no sound score, or no limit above 0."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What inspect says of one part. Not yet what is done with it."""

    part: int
    outcome: Outcome
    reasons: tuple[str, ...]
    """Why it is not OK, for example `score 7.1 above 4.0 in region cap`, `frame gone`. Empty for OK."""
    defects: tuple[Defect, ...]
    score: float
    """Highest score over the regions; NaN never leaves inspect (it becomes UNJUDGED with score 0)."""
    threshold: float
    """Limit of the region the score comes from."""
    recipe: str
    revision: str
    """First 12 hex digits of the recipe file's sha256."""
    model: str
    """Digest of the bundle, 64 hex digits, as in `Job`."""
    camera: str
    triggered_at_ns: int
    """`Trigger.at_ns` of the part as the camera was told: a number used again is not the same part."""
    frame: FrameReady | None
    """The picture it was judged by; None where there was none."""
    heat: tuple[HeatMap, ...]
    started_ns: int
    """When inspect took the frame up."""
    done_ns: int
    """When the verdict was made."""
    views: tuple[FrameReady, ...] = ()
    """Pictures of the other cameras it was judged by; `frame` is the first one's."""
    image: tuple[ImageHealth, ...] = ()
    placements: tuple[Placement, ...] = ()
    codes: tuple[CodeRead, ...] = ()
    measures: tuple[Measurement, ...] = ()
    votes: tuple[Vote, ...] = ()
    """Of this view, where several have to agree. `outcome` counts them as if each view decided for itself, so that who
    knows of no agreement rejects."""
    apart: Outcome | None = None
    """What this view says apart from its votes; None: it has none."""
    judge_ns: int = 0
    """When its judge took the seat: of two that speak, the later one is believed. 0: whoever it is."""

    def __post_init__(self) -> None:
        check_part(self.part)
        if self.outcome is Outcome.OK and (self.reasons or self.defects):
            raise ValueError(f"part {self.part}: OK carries no reasons or defects")
        if self.outcome is not Outcome.OK and not self.reasons:
            raise ValueError(f"part {self.part}: {self.outcome} needs a reason")


@dataclass(frozen=True, slots=True)
class Disposition:
    """What is done with one part. Frozen when made: what comes later is only counted."""

    part: int
    action: Action
    why: Why
    committed_ns: int
    """When it was decided."""
    published_ns: int | None
    """When it stood in the register image; None: never published (a missed trigger, a fault)."""
    sequence: int
    """Result number on the wire, 1..65535; 0 where nothing was published."""

    def __post_init__(self) -> None:
        check_part(self.part)
        if (self.action is Action.PASS) != (self.why is Why.OK):
            raise ValueError(f"part {self.part}: {self.action} because of {self.why}: only ok passes")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Whether the PLC took the disposition."""

    part: int
    delivery: Delivery
    acked_at_ns: int | None
    confirmed: bool | None = None
    """What the confirm eye said; None: this link has none (register map 1.0)."""


@dataclass(frozen=True, slots=True)
class Record:
    """All that is remembered of one part, pixels excepted (`records` adds the picture)."""

    trigger: Trigger
    verdict: Verdict | None
    """None: no verdict came before the disposition was frozen. Its heat map is left out here."""
    disposition: Disposition
    receipt: Receipt
    taken_at: str
    """UTC of the trigger, for people."""
    lost: str = ""
    """Why there was no picture to judge, as a reason of a verdict; empty: there was one, or nobody said why."""
