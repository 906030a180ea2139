"""Lines as images and images as lines, pure: no clock, no wire.

A trigger line is TRIGGER rising and falling; an acknowledgement by part number is `ack_seq` of the result shown for
that part; a job line raises JOB_EXEC, which falls again by itself when the answer is out. A result becomes one line,
once, in the connection in which it was shown for the first time; after a loss nothing old is said.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .ascii_dialects import Dialect, Heard, Kind, Mistake
from .ascii_lines import Echo, LineCounts
from .images import InImage, OutImage
from .signals import NO_COMMAND, Command, Status

_STATUS_EVERY = 10
"""Beats after which the status line is said again: a line that a disturbance hit is made good within a second."""
_TOLD = (
    Status.READY
    | Status.FAULT
    | Status.JOB_BUSY
    | Status.JOB_DONE
    | Status.JOB_FAIL
    | Status.MISSED_TRIG
    | Status.OVERRUN
    | Status.LINE_STOP_REQ
    | Status.DEGRADED
)
"""A change of one of these is told at once."""
_HELD = Status.TRIG_ACK | Status.BUSY | Status.RESULT_VALID
_ANSWERED = Status.JOB_DONE | Status.JOB_FAIL
_HALF = 0x8000
_NEAR = 64


@dataclass(frozen=True, slots=True)
class Confused:
    """Answers can no longer be told apart: all that is open has to be rejected."""

    reason: str


Step = InImage | Confused
"""What a line means. Each is to be acted upon, and what the box says then to be shown, before the next is asked for."""


class Dialogue:
    """One PLC's side of the conversation over one connection after another."""

    def __init__(
        self, dialect: Dialect, *, buffer: bool = True, enable_at_once: bool = False, quiet_ns: int = 0
    ) -> None:
        """buffer: set BUFFER_EN. enable_at_once: TRIG_ENABLE without waiting for a heartbeat line.

        quiet_ns: without heartbeat lines, silence that ends the PLC's life; 0: never.
        """
        self.dialect = dialect
        self.counts = LineCounts()
        self._buffer = buffer and dialect.ids
        self._at_once = enable_at_once or not dialect.beat
        self._quiet_ns = quiet_ns
        self._acks = dialect.ids and bool(dialect.ack)
        self._echo = Echo()
        self._outbox: deque[str] = deque(maxlen=64)  # a step says five lines at most, and they are taken at once
        self._image = OutImage()
        self._in = InImage(0)
        self._standing = False
        self._heard_ns = 0
        self._told_seq = 0  # the newest seq that was said, or must not be said any more
        self._open = False  # a trigger without a number waits for its answer
        self._owed_ack = 0
        self._job_over = False
        self._own_offset = 0
        self._beats = 0

    # -- the connection ----------------------------------------------------------------------------------------------

    def begin(self, now_ns: int) -> Iterator[Step]:
        """A connection stands: edges start anew, and the PLC is told how things stand."""
        self.end()
        self._standing = True
        self._heard_ns = now_ns
        command = Command.BUFFER_EN if self._buffer else NO_COMMAND
        if self._at_once:
            command |= Command.TRIG_ENABLE
        self._in = InImage(now_ns, command, heartbeat=self._in.heartbeat if not self.dialect.beat else 0)
        yield self._in
        yield from self.beat(now_ns)
        self._say_status()

    def end(self) -> None:
        """The connection is gone. What was shown in it is never said again."""
        self._standing = False
        self._told_seq = self._image.seq
        self._open, self._owed_ack, self._job_over = False, 0, False
        self._outbox.clear()
        self._echo.clear()

    def beat(self, now_ns: int) -> Iterator[Step]:
        """The connection still stands: without heartbeat lines that is the PLC's sign of life."""
        quiet = self._quiet_ns and now_ns - self._heard_ns >= self._quiet_ns
        if self._standing and not self.dialect.beat and not quiet:
            yield self._next(now_ns, heartbeat=(self._in.heartbeat + 1) & 0xFFFF)

    # -- what the PLC says -------------------------------------------------------------------------------------------

    def hear(self, line: str, now_ns: int) -> Iterator[Step]:
        """Take one line."""
        yield from self.settle(now_ns)
        if self._echo.is_echo(line, now_ns):
            self.counts.echoes += 1
            heard = self.dialect.understand(line)
            if isinstance(heard, Heard) and not self._echo.known:
                self._keep_away(heard.n)  # or it was the PLC's own heartbeat, and it counts along with us
            return
        heard = self.dialect.understand(line)
        if heard is Mistake.BAD_CRC:
            self.counts.bad_crc += 1
        elif isinstance(heard, Mistake):
            self.counts.unknown += 1
        else:
            self.counts.lines += 1
            self._heard_ns = now_ns
            yield from self._take(heard, now_ns)

    def _take(self, heard: Heard, now_ns: int) -> Iterator[Step]:
        match heard.kind:
            case Kind.TRIGGER:
                yield from self._trigger(heard.part, now_ns)
            case Kind.ACK:
                if self._acks and Status.RESULT_VALID in self._image.status and heard.part == self._image.part:
                    yield self._next(now_ns, ack_seq=self._image.seq)
                else:
                    self.counts.refused += 1
            case Kind.JOB:
                yield from self._job(heard, now_ns)
            case Kind.BEAT:
                self._keep_away(heard.n)
                yield self._next(now_ns, command=self._in.command | Command.TRIG_ENABLE, heartbeat=heard.n)
            case Kind.RESET:
                if heard.fault and heard.fault == self._image.fault:
                    yield self._next(now_ns, command=self._in.command | Command.FAULT_RESET)
                    yield self._next(now_ns, command=self._in.command & ~Command.FAULT_RESET)
                else:
                    self.counts.refused += 1

    def _trigger(self, part: int, now_ns: int) -> Iterator[Step]:
        crowded = self._open
        yield self._next(now_ns, command=self._in.command | Command.TRIGGER, part=part)
        taken = Status.TRIG_ACK in self._image.status
        if crowded:
            # Two triggers wait and answers have no number: neither may be taken for the other's.
            self._open = False
            self._say(self.dialect.missed)
            self._say(self.dialect.missed)
            yield Confused("a trigger came while another waited for its answer, and answers carry no part number")
            yield from self.begin_again(now_ns)
            return
        yield self._next(now_ns, command=self._in.command & ~Command.TRIGGER)
        if not self.dialect.ids:
            self._open = taken
            if not taken:
                self._say(self.dialect.missed)

    def begin_again(self, now_ns: int) -> Iterator[Step]:
        """The same connection, edges start anew; what is still to be said is said."""
        waiting = tuple(self._outbox)
        steps = self.begin(now_ns)
        first = next(steps)
        self._outbox.extend(waiting)
        yield first
        yield from steps

    def _job(self, heard: Heard, now_ns: int) -> Iterator[Step]:
        if Command.JOB_EXEC in self._in.command:
            if (heard.job, heard.token) == (self._in.job_request, self._in.job_token):
                return  # said twice: the answer to the first is on its way
            yield self._next(now_ns, command=self._in.command & ~Command.JOB_EXEC)
        command = self._in.command | Command.JOB_EXEC
        yield self._next(now_ns, command=command, job_request=heard.job, job_token=heard.token)

    def settle(self, now_ns: int) -> Iterator[Step]:
        """What the PLC would do by itself in another protocol: see `owes`."""
        if self._owed_ack:
            seq, self._owed_ack = self._owed_ack, 0
            yield self._next(now_ns, ack_seq=seq)
        if self._job_over:
            self._job_over = False
            yield self._next(now_ns, command=self._in.command & ~Command.JOB_EXEC)

    @property
    def owes(self) -> bool:
        """`settle` has something to say. Not to be called while an image is being shown."""
        return bool(self._owed_ack) or self._job_over

    def _next(self, now_ns: int, **changed: object) -> InImage:
        self._in = replace(self._in, at_ns=now_ns, **changed)  # type: ignore[arg-type]
        return self._in

    # -- what the box says -------------------------------------------------------------------------------------------

    def show(self, image: OutImage) -> None:
        """Say what is new in an image; without a connection it is only remembered."""
        before, self._image = self._image, image
        if not self._standing:
            return
        self._say_result(image)
        told = (image.status ^ before.status) & _TOLD
        if told or (image.fault, image.missed) != (before.fault, before.missed):
            self._say_status()
        if image.status & _ANSWERED and not before.status & _ANSWERED:
            word = "DONE" if Status.JOB_DONE in image.status else "FAIL"
            self._say(self.dialect.job_answer, job=image.job, token=image.job_token, word=word)
            self._job_over = True
        if image.heartbeat != before.heartbeat:
            self._beats += 1
            self._say(self.dialect.beat, n=self._own_beat)
            if self._beats % _STATUS_EVERY == 0:
                self._say_status()

    def _say_result(self, image: OutImage) -> None:
        if image.seq and image.seq != self._told_seq and Status.RESULT_VALID in image.status:
            self._told_seq = image.seq
            word = self.dialect.word(image.disposition)
            self._say(self.dialect.result, part=image.part, word=word)
            self._open = False
            if not self._acks:
                self._owed_ack = image.seq
        elif self._open and not image.status & _HELD:
            self._open = False  # the box gave it up
            self._say(self.dialect.missed)

    def _say_status(self) -> None:
        self._say(self.dialect.status, status=f"{self._image.status:04X}", fault=self._image.fault)

    @property
    def _own_beat(self) -> int:
        return (self._image.heartbeat + self._own_offset) & 0xFFFF

    def _keep_away(self, n: int) -> None:
        """Count far away from where the PLC counts: none of its heartbeats may look like an echo of ours."""
        if (n - self._own_beat + _NEAR) & 0xFFFF < 2 * _NEAR:
            self._own_offset ^= _HALF

    def _say(self, template: str, **values: object) -> None:
        if template and self._standing:
            self._outbox.append(self.dialect.say(template, **values))

    def lines(self, now_ns: int) -> bytes:
        """Take all that is to be sent, in one piece."""
        said = []
        while self._outbox:
            line = self._outbox.popleft()
            self._echo.sent(line, now_ns, ours=isinstance(self.dialect.understand(line), Mistake))
            said.append(line + self.dialect.ending)
        return "".join(said).encode("ascii")
