"""What travels between processes besides the part itself: frames, states, counters, ledger entries.

Every message is a frozen dataclass that `channel.py` sends under its class name.
"""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class FrameReady:
    """A picture lies in a slot of a camera's ring. Pixels stay there; readers check the sequence before and after."""

    part: int
    """Part number; 0: free run, nobody's part."""
    camera: str
    ring: str
    """File name of the ring in the run folder (a camera that restarts makes a new one)."""
    slot: int
    sequence: int
    """Value of the slot's sequence while this picture lies in it (even)."""
    number: int
    """The camera's frame number inside the epoch."""
    epoch: int
    """Stream epoch: rises with each start of the camera."""
    width: int
    height: int
    pixel_format: str
    """PFNC name, one of `imaging/formats.py`."""
    size_bytes: int
    triggered_at_ns: int
    """`Trigger.at_ns` of the part; 0 in free run."""
    exposed_at_ns: int
    """Start of exposure on the host's monotonic clock."""
    device_ns: int | None
    received_ns: int
    """When the driver handed the frame over."""
    ready_ns: int
    """When it lay whole in the ring."""
    taken_at: str
    """UTC, for people."""
    develop: str = ""
    """File name in the run folder of how the raw pixels become the picture (`imaging/plan.py`); empty: as they are."""


@dataclass(frozen=True, slots=True)
class FrameLost:
    """There will be no picture of this part: it is UNJUDGED."""

    part: int
    camera: str
    triggered_at_ns: int
    reason: str
    """`timeout`, `gap`, `incomplete`, `camera lost`, `too late`, `wrong size`, `repeated`, `pairing`, `job change`,
    `missed trigger` (the camera did not take it: the exposure before was under way), `black`, `overexposed`."""


class Health(StrEnum):
    """State of one process as it says itself; its heartbeat proves it."""

    STARTING = "starting"
    READY = "ready"
    LOST = "lost"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class CameraState:
    """What a camera process says of itself, at each change and every 500 ms."""

    camera: str
    health: Health
    epoch: int
    detail: str
    """For people: what is wrong and what to do, empty when ready."""
    delivered: int
    incomplete: int
    missed: int
    gaps: int
    duplicates: int
    underrun: int
    reconnects: int
    clock: str
    """`latch` (the device's clock, asked), `least delay` (the same, told from the frames) or `host`."""
    clock_error_ns: int
    """Stated uncertainty of the mapping; 0 for `host`."""
    job_number: int = 0
    """Job it is set up for, 1..65535; 0: none yet."""
    revision: str = ""
    """Revision of that job's recipe."""
    triggers: int = 0
    """Parts it was asked for: delivered + incomplete + missed, once nothing is in flight."""
    early: int = 0
    """Of missed: triggers the camera did not take."""
    strays: int = 0
    """Frames that were nobody's."""
    drift_ppm: float = 0.0
    """How much faster the camera's clock runs than the host's; 0 for `host`."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Regions that several cameras see of one place: how many of them have to object before the part is NG."""

    name: str
    members: tuple[str, ...]
    """`CAMERA/REGION` of each that has a word in it; all of them have to speak before the part may be OK."""
    needed: int
    """So many members that object make the part NG; 0: the mean of their scores, as shares of their limits, above 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.needed <= len(self.members):
            raise ValueError(f"agreement {self.name}: {self.needed} needed of {len(self.members)} members")


@dataclass(frozen=True, slots=True)
class Job:
    """What is being inspected by what. io lets a part pass only for a verdict of the active job."""

    recipe: str
    revision: str
    """First 12 hex digits of the recipe file's sha256."""
    model: str
    """Digest of the bundle; of several, or of none, the sha256 of their digests (`inspect/job.py`)."""
    deadline_ns: int
    """From trigger to verdict."""
    agreements: tuple[Agreement, ...] = ()
    """Where no camera objects for itself. Empty: the first that objects decides."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one camera's pictures are compared with: as they were commissioned, and how far they may drift."""

    camera: str
    focus_low: float
    """Share of the commissioned sharpness, which is 1.0."""
    brightness: float
    """As commissioned, grey levels."""
    brightness_low: float
    brightness_high: float
    uniformity_high: float
    """Commissioned is 0.0."""
    noise: float
    """As commissioned, grey levels."""
    noise_high: float
    shift_px: float
    angle_deg: float


@dataclass(frozen=True, slots=True)
class InspectState:
    """What inspect says of itself, at each change and every 500 ms."""

    health: Health
    job: Job
    provider: str
    """Execution provider in use, for example CPUExecutionProvider."""
    judged: int
    detail: str
    alarms: tuple[str, ...] = ()
    """What has drifted in the pictures, for people, as `top: lamp: ...`; never a verdict."""
    image_limits: tuple[ImageLimits, ...] = ()
    """One for each camera that was commissioned."""
    judge_ns: int = 0
    """When this judge took the seat, as in its verdicts."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals of one run of io. triggers = ok + ng + unjudged + challenge + bypass + in flight, always."""

    triggers: int
    """Every rising edge, missed ones included."""
    ok: int
    ng: int
    unjudged: int
    """Parts without a verdict of OK or NG: lost, late, missed, faulted."""
    late: int
    """Of unjudged: no verdict before the deadline."""
    missed: int
    """Of unjudged: the trigger came while READY was off."""
    in_flight: int
    ordered: int
    """Rejects ordered = ng + unjudged + challenge + bypass."""
    confirmed: int
    """Rejects whose delivery the PLC acknowledged."""
    unconfirmed: int
    stale_verdicts: int
    """Verdicts that were late, foreign or of a part that was not open. Dropped."""
    consecutive_ng: int
    challenge: int = 0
    """Test parts: in none of ok, ng, unjudged."""
    bypass: int = 0
    """Parts during a bypass: in none of ok, ng, unjudged."""


@dataclass(frozen=True, slots=True)
class StationState:
    """What io says of the line, at each change and every 250 ms. The screen's heartbeat comes from this."""

    station: str
    epoch: str
    """Names this run of io."""
    state: str
    """OFFLINE, READY, ACQUIRING, INSPECTING, RESULT_VALID, FAULT."""
    ready: bool
    reasons: tuple[str, ...]
    """Why it is not ready, for people, the first thing to mend first."""
    fault: int
    plc_alive: bool
    moving: tuple[str, ...]
    """Processes whose heartbeat has moved."""
    job: Job
    counters: Counters
    at_ns: int
    job_number: int = 0
    """What the PLC calls the active job."""
    mode: str = "production"
    """One of `shift.Mode`: what a part that is triggered now is."""
    forced: tuple[str, ...] = ()
    """Outputs that a person forces, as `NAME=1, 12 s left`; empty: none."""


class JobPhase(StrEnum):
    """Where a change-over stands, as far as cameras and inspect have to know."""

    STEADY = "steady"
    """No change-over: go by the active job, let go of any other."""
    PREPARE = "prepare"
    """Make the next job ready; no part is under way."""
    COMMIT = "commit"
    """The next job is the active one now. Keep the other one: it may still be taken back."""


@dataclass(frozen=True, slots=True)
class PastModel:
    """What judged before a model was swapped, for parts that were triggered then."""

    model: str
    """`Job.model` of then."""
    until_ns: int
    """Parts triggered before this moment, and not before the `until_ns` of the one before it, are judged by it."""


@dataclass(frozen=True, slots=True)
class BundleAt:
    """One bundle of the active job, and where it lies: what the recipe's link leads to may have changed since."""

    name: str
    """As the recipe calls it: its folder, relative to the recipe."""
    digest: str
    """64 hex digits."""
    folder: str


@dataclass(frozen=True, slots=True)
class JobOrder:
    """io's word on the job, for cameras and inspect: at each change, and repeated at least four times a second.

    It says how things are to be, not what to do next: whoever starts late or missed one follows the next.
    """

    epoch: str
    """Names this run of io."""
    change: int
    """Number of the last change-over in this run; 0: there was none."""
    phase: JobPhase
    number: int
    """What the PLC calls the active job."""
    job: Job
    next_number: int = 0
    """The job to make ready, in PREPARE only; else 0."""
    next_job: Job | None = None
    """The same as io read it: who reads another recipe or model under that number refuses."""
    since_ns: int = 0
    """`job.model` judges the parts that are triggered from this moment on (monotonic); 0: all of them."""
    past: tuple[PastModel, ...] = ()
    """What judges the parts before it, the oldest first, as long as one of them can be under way."""
    bundles: tuple[BundleAt, ...] = ()
    """Of `job`, each name once, as io goes by them. Empty: what the recipe's links lead to."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """The answer of a camera or of inspect to an order of PREPARE or COMMIT: as it asks, or why it cannot be."""

    who: str
    """Name of the heartbeat: `inspect`, `camera-top`."""
    epoch: str
    """Of the order."""
    change: int
    """Of the order."""
    phase: JobPhase
    """Of the order."""
    refusal: str
    """Why the order cannot be followed, for people; empty: it is."""
    judge_ns: int = 0
    """Of inspect: when this judge took the seat, as in its verdicts."""


@dataclass(frozen=True, slots=True)
class JobAsk:
    """Somebody beside the PLC (MES, OPC UA) asks io for a job. The dialogue and its rules are those of the PLC's."""

    number: int
    """What the PLC calls the job, 1..65535."""
    token: int
    """Chosen by who asks, 1..65535; the answer carries it."""
    who: str
    """For the log and the audit trail, for example `opcua`."""


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """io's answer to a JobAsk, and word of every change-over that ended, whoever asked."""

    number: int
    token: int
    done: bool
    """False: refused, the old job stays active."""
    detail: str
    """Why it was refused, for people; empty when done."""
    who: str
    """Who asked; `plc` for the PLC."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody beside the PLC keeps the line from being READY, or lets go again. Repeated every second while held."""

    who: str
    """One hold for each name, for example `opcua`."""
    held: bool
    reason: str
    """For people; empty when let go."""


@dataclass(frozen=True, slots=True)
class Stored:
    """records has these entries of this epoch on disk."""

    epoch: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordsState:
    """What records says of the store, at each change and every second."""

    health: Health
    stuck: str
    """Why no rows are written; empty: they are."""
    free_percent: float
    """Of the disk under the store."""
    pictures: str
    """`kept`, `shedding` (OK samples are given up), or `none` (rows alone are kept)."""
    unsent: int = 0
    """Entries of the outbox that the cloud has not taken yet."""
    given_up: int = 0
    """Entries that the hard cap removed although the cloud had not taken them, since the ledger was made."""
    salvage: str = ""
    """How the rescue of a damaged ledger stands or what came of it, for people; empty: there was none."""
    clock: str = ""
    """Why the wall clock is not believed; empty: it is."""
    soon: dict[str, int] = field(default_factory=dict)
    """Classes of pictures that go before their time for want of room, and in about how many days."""
    backup: str = ""
    """Why the last backup failed; empty: it did not."""
    away: str = ""
    """Why the folder of the store is not on its disk, so that nothing is written; empty: it is."""
    papers: int = 0
    """Back-ups that will be deleted by their age."""
    papers_days: int = 0
    """Until the first of them is."""


@dataclass(frozen=True, slots=True)
class WebState:
    """What the web process says of the certificate that it serves the plant with, every few seconds."""

    certificate_ends: str
    """UTC."""
    days_left: int
    """Below 0: it has ended."""
    ends_soon: bool
    """Somebody has to do something about it."""


@dataclass(frozen=True, slots=True)
class UplinkState:
    """What sync says of the way to the fleet service, at each change and every second."""

    state: str
    """none, asking, waiting, refused, expired, enrolled, ended, doubtful (`fleet/enrol.py`)."""
    trouble: str
    """Why nothing gets through, for people; empty: it does."""
    since: str
    """UTC since when; empty: no trouble."""
    refused: bool
    """It does not mend itself: the box is revoked, or what answers is not its service."""
    owed: int
    """Events that the service has not."""
    halted: tuple[str, ...] = ()
    """Streams that stand until a person says go on, each with why."""
    certificate_ends: str = ""
    """UTC; empty: the box has none."""
    models_out: tuple[str, ...] = ()
    """Models that were refused or taken back within the last day, each with why."""


@dataclass(frozen=True, slots=True)
class Work:
    """How a long piece of work of the workshop stands: teaching, a preview, an export. At each change."""

    id: str
    what: str
    """As `workshop.jobs` calls it, for example `teach`, `report`, `export`."""
    about: str
    """Draft, job or recipe it is of."""
    state: str
    """`waiting`, `running`, `done`, `failed`."""
    share: float
    """0..1."""
    detail: str
    """What it is at, or why it failed, for people."""
    who: str
