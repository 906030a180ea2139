"""A new model beside the one that decides: what sync orders, what inspect says of it, and how the two compare.

    sync     PUB  sync.ipc      ChallengerOrder, at each change and every 250 ms
    inspect  PUB  inspect.ipc   ChallengerState at each change and every 500 ms; Compared after each part
    io       ask  `model.swap`  {job, recipe, from_model, to_model, folder; replaces, bundle where a job has several}
    records  ask  `ladder.differs`  {bundle, champion, recipe, parts}: differing parts that the fleet is told of

Nothing of this reaches the PLC but by the judge's own verdict: in the shadow a challenger decides nothing, as a canary
it can only take an OK away. Only the one in the judge's seat speaks.

`Job.model` is the bundle's digest where a job has one bundle. Where it has several it stands for all of them, and only
inspect can tell what it becomes: `ChallengerState.model` is what to swap to.
"""

from dataclasses import dataclass
from enum import StrEnum

DIFFERS_AT_ONCE = 50
"""Parts in one ask `ladder.differs`."""


class Rung(StrEnum):
    """Where a bundle stands on this box. Each step is an audit entry and an event of the stream `ladder`."""

    OFFERED = "OFFERED"
    FETCHED = "FETCHED"
    VERIFIED = "VERIFIED"
    LOADED = "LOADED"
    GOLDEN = "GOLDEN"
    SHADOW = "SHADOW"
    CANARY = "CANARY"
    CHAMPION = "CHAMPION"
    RETIRED = "RETIRED"
    REFUSED = "REFUSED"
    ROLLED_BACK = "ROLLED_BACK"


class Role(StrEnum):
    """What a challenger does on the line."""

    NONE = "none"
    """There is no challenger."""
    SHADOW = "shadow"
    """It looks at each part after the verdict is out, where there is time before the next part."""
    CANARY = "canary"
    """It looks before the verdict: only what both call OK is OK."""


@dataclass(frozen=True, slots=True)
class ChallengerOrder:
    """What sync wants of inspect for one job.

    Repeated, so whoever starts late hears it. Silence changes nothing: a challenger goes on in the role it has.
    """

    number: int
    """Counts up with each change, across restarts of sync."""
    job: int
    """What the PLC calls the job, 1..65535; 0 with Role.NONE."""
    recipe: str
    """Revision of that job's recipe."""
    bundle: str
    """Digest of the challenger, 64 hex digits; empty with Role.NONE."""
    folder: str
    """Where it lies on this box."""
    replaces: str
    """Digest of the bundle that decides now and that it would take the place of."""
    role: Role


@dataclass(frozen=True, slots=True)
class ChallengerState:
    """How far inspect is with an order."""

    number: int
    """Of the order."""
    bundle: str
    role: Role
    """In force now; NONE while it is being loaded or after it was dropped."""
    ready: bool
    """It is loaded, warm and proved."""
    trouble: str
    """Why inspect dropped it: it could not be loaded, gave NaN, was too slow. For people; empty: nothing."""
    parts: int
    """Parts it has looked at under this order."""
    skipped: int
    """Parts it had no time for."""
    job: int = 0
    """Of the order."""
    model: str = ""
    """`Job.model` of the job with this challenger in its place: `to_model` of a swap. Empty: not ready."""
    folder: str = ""
    """Of the order."""
    revision: str = ""
    """Of the recipe that inspect goes by; what `at_hand` is said of."""
    at_hand: tuple[str, ...] = ()
    """Every `Job.model` that the active job could be judged by from one part to the next: the one that judges, a
    challenger that is ready, the last good one while it stays loaded."""
    disagreed: int = 0
    """Of parts: the two did not say the same."""
    typical_ms: float = 0.0
    """Median of what the challenger takes for one picture, over the last 1,000; 0: none yet."""
    slowest_ms: float = 0.0
    """The same, 99.9 %."""
    budget_ms: float = 0.0
    """What it may take; above it in the 99.9 % it is dropped. 0: not loaded."""
    judge_ns: int = 0
    """When this judge took the seat, as in its verdicts."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One part, seen by both."""

    part: int
    at_ns: int
    """`Trigger.at_ns` of the part."""
    camera: str
    champion: str
    """Digest of the bundle that decides."""
    challenger: str
    champion_outcome: str
    """OK, NG or UNJUDGED, as decided by the champion alone."""
    challenger_outcome: str
    champion_score: float
    """Share of the limit, 1.0: at the limit."""
    challenger_score: float
    took_ns: int
    """Of the challenger alone."""
    role: Role
