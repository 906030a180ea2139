"""Which job is active, and the dialogue about another one, pure: the PLC and the bus ask by the same rules.

One change-over at a time, one answer for each request. Whatever goes wrong, the old job is the active one again before
the refusal is said.
"""

from dataclasses import dataclass, replace

from ..bus.messages import Job, JobAnswer, JobAsk, JobOrder, JobReport
from .changeover import PHASES, ChangeOver, Step, Wish
from .handshake import Limits
from .model_swap import MOST, ModelSwaps

PLC = "plc"
ASKERS = 16
"""Askers on the bus whose last answer is remembered; the one before is forgotten first."""


@dataclass(frozen=True, slots=True)
class JobWanted:
    """The recipe of this job has to be read now; the answer goes to `JobDialogue.read`."""

    change: int
    number: int


@dataclass(frozen=True, slots=True)
class JobKept:
    """From here on this is the job that whoever starts again has to come up with."""

    number: int


JobEvent = JobWanted | JobKept | JobAnswer


class JobDialogue:
    """The active job and at most one change-over."""

    def __init__(
        self, number: int, job: Job, limits: Limits, table: frozenset[int], participants: frozenset[str]
    ) -> None:
        """table: jobs there are besides the active one. participants: who has to agree, by heartbeat."""
        self.number, self.job = number, job
        self.change: ChangeOver | None = None
        self.swaps = ModelSwaps()
        self._limits, self._table, self._participants = limits, table, participants
        self._changes = 0
        self._answers: dict[str, JobAnswer] = {}  # the last one, by asker on the bus
        self._events: list[JobEvent] = []

    # -- requests ----------------------------------------------------------------------------------------------------

    def ask(self, wish: Wish, now_ns: int) -> None:
        """Begin a change-over, or refuse it at once."""
        refusal = ""
        if self.change is not None:
            refusal = f"a {self.change.words.partition(':')[0]} is under way"
        elif wish.number != self.number and wish.number not in self._table:
            known = ", ".join(str(number) for number in sorted({*self._table, self.number}))
            refusal = f"there is no job {wish.number} in the settings: expected one of {known}"
        if refusal:
            self._say(wish, refusal)
            return
        self._changes += 1
        self.change = ChangeOver(self._changes, wish, self.number, self.job, self._participants, now_ns)

    def ask_by_bus(self, ask: JobAsk, now_ns: int, *, plc_asks: bool) -> None:
        """The same for who is not the PLC. A request of the PLC that is not over comes first."""
        last = self._answers.get(ask.who)
        wish = Wish(ask.number, ask.token, ask.who)
        under_way = self.change.wish if self.change is not None else None
        if under_way == wish:
            return  # said twice: it gets its one answer
        if last is not None and last.token == ask.token and last.number == ask.number:
            self._events.append(last)
        elif last is not None and last.token == ask.token:
            self._events.append(
                JobAnswer(ask.number, ask.token, False, f"token {ask.token} was used for job {last.number}", ask.who)
            )
        elif ask.who == PLC:
            self._events.append(JobAnswer(ask.number, ask.token, False, f"{PLC} is the PLC's own name", "bus"))
        elif plc_asks:
            self._say(wish, "a request of the PLC is not over: JOB_EXEC is 1")
        else:
            self.ask(wish, now_ns)

    def swap(self, revision: str, from_model: str, to_model: str, now_ns: int) -> str:
        """Let another model judge what is triggered from now on (`model_swap.py`); return why not, empty: so it is.

        revision, from_model: what the asker takes to be active. Asked again when it is done, it is done.
        """
        if self.change is not None:
            return f"a {self.change.words.partition(':')[0]} is under way"
        if revision != self.job.revision:
            return f"the active recipe is {self.job.recipe} {self.job.revision}: expected revision {revision}"
        if self.job.model == to_model:
            return ""
        if self.job.model != from_model:
            return f"the active model is {self.job.model[:12]}: expected {from_model[:12]}"
        if len(self.swaps.past) >= MOST:
            return f"{MOST} models have judged in the last moments: ask again in a second"
        self.swaps.begin(self.job.model, now_ns)
        self.job = replace(self.job, model=to_model)
        return ""

    def model_at(self, at_ns: int) -> str:
        """What judges a part that is triggered at that moment."""
        return self.swaps.model_at(at_ns, self.job.model)

    # -- its way -----------------------------------------------------------------------------------------------------

    def read(self, change: int, found: Job | str, now_ns: int) -> None:
        """Take what was read for `JobWanted`: the job, or why it cannot be had."""
        under_way = self.change
        if under_way is None or under_way.change != change or under_way.step is not Step.READ:
            return
        if isinstance(found, str):
            self.fail(found, now_ns)
        elif (under_way.wish.number, found) == (self.number, self.job):
            self._end()
        else:
            under_way.next_job = found
            under_way.enter(Step.PREPARE, now_ns)

    def report(self, report: JobReport, now_ns: int) -> None:
        """Take the answer of a camera or of inspect."""
        if self.change is not None:
            refusal = self.change.take(report)
            if refusal:
                self.fail(refusal, now_ns)

    def fail(self, reason: str, now_ns: int) -> None:
        """End the change-over: the old job is active. Without one, nothing."""
        under_way = self.change
        if under_way is None:
            return
        if under_way.step is Step.COMMIT:
            self.number, self.job = under_way.old_number, under_way.old_job
            self.swaps.clear()
            self._events.append(JobKept(self.number))
        self.change = None
        self._say(under_way.wish, reason)

    def advance(self, now_ns: int, *, open_parts: int) -> bool:
        """Do what has become due. True: parts under way have had their time, reject them."""
        self.swaps.forget(now_ns, self.job.deadline_ns)
        under_way = self.change
        if under_way is None:
            return False
        waited = now_ns - under_way.since_ns
        if under_way.step is Step.DRAIN:
            if open_parts:
                return waited >= self._limits.drain_ns
            if under_way.wish.number in self._table:
                under_way.enter(Step.READ, now_ns)
                self._events.append(JobWanted(under_way.change, under_way.wish.number))
            else:
                self._end()  # the active one, and it has no other file
            return False
        if under_way.step is Step.PREPARE and not under_way.missing and under_way.next_job is not None:
            under_way.enter(Step.COMMIT, now_ns)
            self.number, self.job = under_way.wish.number, under_way.next_job
            self.swaps.clear()  # no part is under way
            self._events.append(JobKept(self.number))
            waited = 0
        if under_way.step is Step.COMMIT and not under_way.missing:
            self._end()
        elif waited >= self._limits.change_ns:
            self.fail(f"not within {self._limits.change_ns / 1e9:g} s: {under_way.words}", now_ns)
        return False

    # -- what it says ------------------------------------------------------------------------------------------------

    def order(self, epoch: str) -> JobOrder:
        """What the cameras and inspect are told now."""
        under_way, swaps = self.change, self.swaps
        if under_way is None:
            phase = PHASES[Step.DRAIN]
            return JobOrder(
                epoch, self._changes, phase, self.number, self.job, since_ns=swaps.since_ns, past=swaps.past
            )
        phase = PHASES[under_way.step]
        prepares = under_way.step is Step.PREPARE
        return JobOrder(
            epoch,
            under_way.change,
            phase,
            self.number,
            self.job,
            under_way.wish.number if prepares else 0,
            under_way.next_job if prepares else None,
            swaps.since_ns,
            swaps.past,
        )

    def events(self) -> list[JobEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def reasons(self) -> tuple[str, ...]:
        """Why no trigger is allowed."""
        return () if self.change is None else (self.change.words,)

    def next_ns(self) -> int | None:
        """When the step's time is over; None: no change-over."""
        under_way = self.change
        if under_way is None:
            return None
        limit = self._limits.drain_ns if under_way.step is Step.DRAIN else self._limits.change_ns
        return under_way.since_ns + limit

    def _end(self) -> None:
        under_way, self.change = self.change, None
        if under_way is not None:
            self._say(under_way.wish, "")

    def _say(self, wish: Wish, refusal: str) -> None:
        answer = JobAnswer(wish.number, wish.token, not refusal, refusal, wish.who)
        if not refusal:
            # That it was done is no longer true for everybody else who once asked. A refusal stays one.
            self._answers = {who: answer for who, answer in self._answers.items() if not answer.done}
        if wish.who != PLC:
            self._answers.pop(wish.who, None)
            self._answers[wish.who] = answer
            if len(self._answers) > ASKERS:
                del self._answers[next(iter(self._answers))]
        self._events.append(answer)
