"""The change-over from one job to another, pure: who asked, how far it is, who has not answered yet.

    DRAIN -> READ -> PREPARE -> COMMIT -> done
      any refusal, time-out, or the asker gone -> failed: the job from before is active everywhere

Cameras and inspect are asked twice. In PREPARE each makes the next job ready beside the active one. When all have said
so, COMMIT: all go by the next. Until all have said that too, the old job is kept by all and may be taken back, because
READY is off and no part is judged in between.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from ..bus.messages import Job, JobPhase, JobReport


class Step(StrEnum):
    """How far a change-over is."""

    DRAIN = "drain"
    """Parts under way get their dispositions."""
    READ = "read"
    """io reads the recipe of the next job."""
    PREPARE = "prepare"
    COMMIT = "commit"


PHASES = {
    Step.DRAIN: JobPhase.STEADY,
    Step.READ: JobPhase.STEADY,
    Step.PREPARE: JobPhase.PREPARE,
    Step.COMMIT: JobPhase.COMMIT,
}
"""What the others are told in each step."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody asks for a job."""

    number: int
    token: int
    who: str
    """`plc`, or the name in a `JobAsk`."""


@dataclass(slots=True)
class ChangeOver:
    """One change-over. All moments are given by the caller and never go back."""

    change: int
    """Number of this change-over in this run of io, from 1."""
    wish: Wish
    old_number: int
    old_job: Job
    participants: frozenset[str]
    """Names of the heartbeats that have to agree."""
    since_ns: int
    """When the step began."""
    step: Step = Step.DRAIN
    next_job: Job | None = None
    answered: set[str] = field(default_factory=set)
    """Who has answered this step."""

    def enter(self, step: Step, now_ns: int) -> None:
        """Go on to a step."""
        self.step, self.since_ns = step, now_ns
        self.answered.clear()

    @property
    def missing(self) -> tuple[str, ...]:
        """Who has not answered this step yet, by name."""
        return tuple(sorted(self.participants - self.answered))

    def take(self, report: JobReport) -> str:
        """Take an answer; return why it is a refusal. One of another step, change-over or stranger is dropped."""
        phase = PHASES[self.step]
        if (report.change, report.phase) != (self.change, phase) or phase is JobPhase.STEADY:
            return ""
        if report.who not in self.participants:
            return ""
        if report.refusal:
            return f"{report.who}: {report.refusal}"
        self.answered.add(report.who)
        return ""

    @property
    def words(self) -> str:
        """What it waits for, for people."""
        head = f"job change to {self.wish.number}, asked by {self.wish.who}"
        if self.step is Step.DRAIN:
            return f"{head}: parts under way are finished first"
        if self.step is Step.READ:
            return f"{head}: its recipe is read"
        verb = "to be ready for it" if self.step is Step.PREPARE else "to go by it"
        return f"{head}: waiting for {', '.join(self.missing)} {verb}"
