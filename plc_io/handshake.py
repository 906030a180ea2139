"""The handshake of one station with one PLC, pure: no clock, no socket, no thread.

It knows edges, acknowledgements, time-outs, faults and the job dialogue. It knows no parts: `station.py` owns those.

    OFFLINE -> READY -> ACQUIRING -> INSPECTING -> RESULT_VALID -> READY
       ^                      from anywhere -> FAULT -- FAULT_RESET rises --> OFFLINE
"""

from dataclasses import dataclass
from enum import StrEnum

from ..bus.clock import SECOND
from .images import InImage
from .signals import NO_COMMAND, NO_STATUS, Command, FaultCode, Status

LAST_SEQ = 65535
# As numbers: an operation of two flags takes ten times as long, and this goes on in the path of every answer.
_READY, _TRIG_ACK, _BUSY, _RESULT_VALID, _FAULT = map(
    int, (Status.READY, Status.TRIG_ACK, Status.BUSY, Status.RESULT_VALID, Status.FAULT)
)
_ENABLED = int(Command.TRIG_ENABLE)
_NEEDED = int(Command.TRIG_ENABLE | Command.JOB_EXEC)
_JOB_WORDS = {
    NO_STATUS: "it has to fall and rise again",
    Status.JOB_BUSY: "a job change is under way",
    Status.JOB_DONE: "the job change is done: it has to fall",
    Status.JOB_FAIL: "the job change was refused: it has to fall",
}


class State(StrEnum):
    """Where the handshake stands. With BUFFER_EN several hold at once: the bits say more than the name."""

    OFFLINE = "OFFLINE"
    READY = "READY"
    ACQUIRING = "ACQUIRING"
    INSPECTING = "INSPECTING"
    RESULT_VALID = "RESULT_VALID"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Limits:
    """Times and depths of the handshake."""

    ack_ns: int
    """A result unacknowledged for this long is a fault, unless BUFFER_EN holds it."""
    stuck_ns: int
    """TRIGGER may stay high this long; shorter than the deadline of a part."""
    peer_ns: int
    """The PLC's heartbeat must change within this time."""
    queue: int = 8
    """Results that may wait behind the one shown."""
    late_stop: int = 5
    """Parts in a row without a verdict in time that ask for a line stop; 0: never."""
    drain_ns: int = 2 * SECOND
    """At a job change parts under way may take this long to be finished, then they are rejected; 0: at once."""
    change_ns: int = 30 * SECOND
    """Each step of a job change (all are ready for it, all go by it) may take this long, then it is refused."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one write of the PLC means: the edges in it."""

    trigger: bool = False
    acked: bool = False
    fault_reset: bool = False
    counter_reset: bool = False
    peer_back: bool = False
    job: bool = False
    """A job change is asked for."""
    job_withdrawn: bool = False
    """JOB_EXEC fell before the answer."""


class Handshake:
    """State of the dialogue. All moments are given by the caller and never go back."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.fault = FaultCode.NONE
        self.alive = False
        """The PLC's heartbeat moves."""
        self.wrong_acks = 0
        """Acknowledgements of a seq that was not shown."""
        self.seq = 0
        """Number of the result shown and not yet acknowledged; 0: none."""
        self.job_token = 0
        self._last: InImage | None = None
        self._alive_ns = 0
        self._last_seq = 0
        self._shown_ns = 0
        self._acquiring_ns: int | None = None
        self._ack_must_fall = False
        self._flags = NO_STATUS  # MISSED_TRIG and OVERRUN stand until something clears them
        self._job = NO_STATUS
        self._request = (0, 0)  # token and number under way
        self._answered: tuple[int, int] | None = None
        self._answer = NO_STATUS

    @property
    def command(self) -> Command:
        """The command bits as last written."""
        return NO_COMMAND if self._last is None else self._last.command

    @property
    def acquiring(self) -> bool:
        """A trigger was taken and TRIGGER has not fallen yet."""
        return self._acquiring_ns is not None

    @property
    def may_show(self) -> bool:
        """The result block is free."""
        return self.seq == 0 and not self._ack_must_fall and not self.fault

    def receive(self, image: InImage) -> Said:
        """Take one write of the PLC and say what it means. The first after a loss is only where edges start from."""
        last, self._last = self._last, image
        if last is None:
            return Said()
        rising = image.command & ~last.command
        back = self._take_heartbeat(last, image)
        if not image.command & Command.TRIGGER:
            self._acquiring_ns = None
        if not image.command & Command.RESULT_ACK:
            self._ack_must_fall = False
        withdrawn = Command.JOB_EXEC not in image.command and self._job is Status.JOB_BUSY
        return Said(
            trigger=Command.TRIGGER in rising,
            acked=self._take_ack(last, image, rising),
            fault_reset=Command.FAULT_RESET in rising,
            counter_reset=Command.COUNTER_RESET in rising,
            peer_back=back,
            job=self._take_job(image, rising),
            job_withdrawn=withdrawn,
        )

    def _take_heartbeat(self, last: InImage, image: InImage) -> bool:
        beats = image.heartbeat != last.heartbeat or (image.command ^ last.command) & Command.PLC_HB
        if not beats:
            return False
        back, self.alive, self._alive_ns = not self.alive, True, image.at_ns
        return back

    def _take_ack(self, last: InImage, image: InImage, rising: Command) -> bool:
        by_bit = Command.RESULT_ACK in rising
        # A bit that rises before the PLC can have read this result still means the one before it.
        if by_bit and image.seen_seq is not None and image.seen_seq != self.seq:
            by_bit = False
        by_seq = image.ack_seq == self.seq
        if not by_seq and image.ack_seq not in (0, last.ack_seq):
            self.wrong_acks += 1
        if self.seq == 0 or not (by_bit or by_seq):
            return False
        self.seq = 0
        self._ack_must_fall = Command.RESULT_ACK in rising
        return True

    def _take_job(self, image: InImage, rising: Command) -> bool:
        if Command.JOB_EXEC not in image.command:
            self._job = NO_STATUS
            return False
        if Command.JOB_EXEC not in rising:
            return False
        asked = image.job_token, image.job_request
        if self._answered is not None and asked[0] == self._answered[0]:
            # The same request again has its answer; another job under a used token cannot be told from a mistake.
            self._job = self._answer if asked == self._answered else Status.JOB_FAIL
            return False
        self._job, self._request = Status.JOB_BUSY, asked
        return True

    def answer_job(self, *, done: bool) -> None:
        """Answer the job change under way: DONE or FAIL, until JOB_EXEC falls; remembered under its token."""
        self._answer = Status.JOB_DONE if done else Status.JOB_FAIL
        self._answered, self.job_token = self._request, self._request[0]
        if self._job is Status.JOB_BUSY:
            self._job = self._answer

    @property
    def job_refused(self) -> bool:
        """JOB_FAIL is shown."""
        return self._job is Status.JOB_FAIL

    def forget_job(self) -> None:
        """Somebody else has changed the job: DONE is no longer true, its token is free again. A refusal stays one."""
        if self._answer is Status.JOB_DONE:
            self._answered = None

    def accept(self, at_ns: int) -> None:
        """A trigger was taken: TRIG_ACK until TRIGGER falls."""
        self._acquiring_ns = at_ns
        self._flags &= ~Status.MISSED_TRIG

    def miss(self) -> None:
        """A trigger came while READY was 0."""
        self._flags |= Status.MISSED_TRIG

    def show(self, at_ns: int) -> int:
        """Number the result that goes into the block now.

        A number that already stands in ack_seq (left there by an earlier run) is passed over: it would acknowledge
        a result that nobody has seen.
        """
        standing = 0 if self._last is None else self._last.ack_seq
        seq = self._last_seq % LAST_SEQ + 1
        if seq == standing:
            seq = seq % LAST_SEQ + 1
        self.seq = self._last_seq = seq
        self._shown_ns = at_ns
        return seq

    def trip(self, code: FaultCode) -> None:
        """Go to FAULT."""
        self.fault = code
        if code in (FaultCode.ACK_MISSING, FaultCode.QUEUE_FULL):
            self._flags |= Status.OVERRUN
        self.clear()

    def reset(self) -> None:
        """Leave FAULT for OFFLINE."""
        self.fault = FaultCode.NONE
        self._flags &= ~Status.OVERRUN

    def lose_peer(self, *, link: bool) -> None:
        """The PLC is silent (link: its connection is gone too, so edges start anew with its next write)."""
        self.alive = False
        self.clear()
        if link:
            self._last = None
            self._job = NO_STATUS

    def clear(self) -> None:
        """Take the result and the trigger off the wire."""
        self.seq = 0
        self._acquiring_ns = None
        self._ack_must_fall = False

    def overdue(self, now_ns: int) -> FaultCode:
        """The fault whose time-out has passed, or NONE."""
        if self._acquiring_ns is not None and now_ns - self._acquiring_ns >= self.limits.stuck_ns:
            return FaultCode.TRIGGER_STUCK
        if self.seq and Command.BUFFER_EN not in self.command and now_ns - self._shown_ns >= self.limits.ack_ns:
            return FaultCode.ACK_MISSING
        return FaultCode.NONE

    def silent(self, now_ns: int) -> bool:
        """True when a PLC that was alive has not beaten in time."""
        return self.alive and now_ns - self._alive_ns >= self.limits.peer_ns

    def next_ns(self) -> int | None:
        """When the next of these time-outs falls due; None: none is running."""
        due = []
        if self._acquiring_ns is not None:
            due.append(self._acquiring_ns + self.limits.stuck_ns)
        if self.seq and Command.BUFFER_EN not in self.command:
            due.append(self._shown_ns + self.limits.ack_ns)
        if self.alive:
            due.append(self._alive_ns + self.limits.peer_ns)
        return min(due, default=None)

    def reasons(self) -> tuple[str, ...]:
        """Why no trigger is allowed, as far as the PLC and the dialogue go."""
        if not self.fault and self.alive and int(self.command) & _NEEDED == _ENABLED:
            return ()
        checks = (
            (bool(self.fault), f"FAULT {self.fault.value}: {self.fault.words}; then set FAULT_RESET"),
            (not self.alive, "PLC: its heartbeat does not change"),
            (Command.TRIG_ENABLE not in self.command, "PLC: TRIG_ENABLE is 0"),
            (Command.JOB_EXEC in self.command, f"PLC: JOB_EXEC is 1, {_JOB_WORDS[self._job]}"),
        )
        return tuple(words for holds, words in checks if holds)

    @property
    def trigger_stands(self) -> bool:
        """TRIGGER is 1 though no trigger was taken: it has to fall before READY can return."""
        return Command.TRIGGER in self.command and not self.acquiring

    def status(self, *, ready: bool, busy: bool) -> Status:
        """The bits that follow from the dialogue; the result bits are the station's."""
        bits = int(self._flags) | int(self._job)
        if self.fault:
            return Status(bits | _FAULT)
        if ready:
            bits |= _READY
        if self.acquiring:
            bits |= _TRIG_ACK
        if busy or self.acquiring:
            bits |= _BUSY
        if self.seq:
            bits |= _RESULT_VALID
        return Status(bits)
