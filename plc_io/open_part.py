"""One accepted trigger until its record is made, and how its result stands in the registers."""

from dataclasses import dataclass

from ..bus.clock import MS
from ..bus.part import Disposition, Trigger, Verdict, Why
from ..bus.shift import Mode
from .line_mode import ground
from .signals import WireCode
from .views import Views

_WIRE = {Why.OK: WireCode.OK, Why.NG: WireCode.NG, Why.CHALLENGE: WireCode.NG, Why.LATE: WireCode.LATE}


@dataclass(slots=True)
class OpenPart:
    """One accepted trigger until its record is made."""

    trigger: Trigger
    taken_at: str
    """UTC of the trigger, for people."""
    unexposed: set[str]
    """Cameras whose picture is not taken yet."""
    views: Views | None
    """What the cameras have said so far; None: one camera looks, whatever its name."""
    mode: Mode = Mode.PRODUCTION
    """What the line was doing when it was triggered."""
    verdict: Verdict | None = None
    lost: str = ""
    """Why there is no picture of it, as a reason of a verdict."""
    why: Why | None = None
    """None: not decided yet."""
    committed_ns: int = 0
    disposition: Disposition | None = None

    def expose(self, camera: str) -> None:
        """That camera has its picture, or never will have."""
        self.unexposed.discard("" if self.views is None else camera)

    def ground(self, why: Why) -> Why:
        """What its disposition is because of, when `why` is what is known of it."""
        return ground(self.mode, why, missed=self.trigger.missed)

    def is_exposing(self, now_ns: int) -> bool:
        """A camera still owes its picture: the next part must not come before it."""
        return bool(self.unexposed) and now_ns < self.trigger.deadline_ns


@dataclass(frozen=True, slots=True)
class Block:
    """The result block as it stands in the registers."""

    seq: int = 0
    part: int = 0
    disposition: WireCode = WireCode.NONE
    defect: int = 0
    score_milli: int = 0
    inference_ms: int = 0
    latency_ms: int = 0


EMPTY = Block()


def block_of(part: OpenPart, why: Why, seq: int, now_ns: int) -> Block:
    """The block of a part that is shown from now on under that seq."""
    verdict, code = part.verdict, _WIRE.get(why, WireCode.UNJUDGED)
    latency_ms = (now_ns - part.trigger.at_ns) // MS
    if verdict is None:
        return Block(seq, part.trigger.part, code, latency_ms=latency_ms)
    return Block(
        seq,
        part.trigger.part,
        code,
        defect=min(len(verdict.defects), 1),
        score_milli=round(verdict.score * 1000),
        inference_ms=(verdict.done_ns - verdict.started_ns) // MS,
        latency_ms=latency_ms,
    )
