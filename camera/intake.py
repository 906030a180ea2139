"""Frames in: from the driver into the ring, looked over, given to their part, and said on the bus."""

from typing import Protocol

from ..bus.clock import MS, SECOND, now_ns
from ..bus.heartbeat import Heartbeat
from ..bus.ring import RingWriter
from .announcer import Announcer, Laid
from .assembly import Assembly, Grabbing, Taken
from .condition import Condition
from .frozen import FrozenWatch
from .options import CameraOptions
from .pace import Pace
from .pairing import Pairing
from .picture_faults import ADVICE, LOST_AS, PictureFaults
from .profiles import Profile
from .source import CameraHealth, Grab
from .waiting import Arrived, Expected, Match, Missing

SLICE_NS = 20 * MS
"""Longest wait for a frame in one turn: the heartbeat must be stamped, the triggers read."""
DRAIN_NS = 1 * MS
LINK_NS = 200 * MS
"""Hardware trigger: a frame waits this long for its trigger's message beyond the window."""
FEW_UNASKED, MANY_UNASKED = 2, 8
"""Pictures that nobody asked for within a second that are a fault: where okng fires the camera, and where the eye does,
which may fire it while io is not there to tell."""
_NOT_WHOLE = ("timeout", "gap", "incomplete")


class Streaming(Protocol):
    """What is needed of a camera here; as FrameSource."""

    def grab(self, into: memoryview, timeout_ns: int) -> Grab | None:
        """Copy the next complete frame."""

    def start(self, buffers: int = 8) -> None:
        """Begin a stream epoch."""

    def stop(self) -> None:
        """End it."""

    def health(self) -> CameraHealth:
        """Counts so far."""


class _OneFrame:
    """A picture of one frame, with the face of an Assembly."""

    lost_track = resting = False

    def __init__(self, source: Grabbing, faults: PictureFaults) -> None:
        self._source, self._faults = source, faults
        self._incomplete = source.health().incomplete

    def fire(self) -> None:
        """Nothing is kept from one trigger to the next."""

    def grab(self, into: memoryview, timeout_ns: int) -> Taken | None:
        """As Assembly.grab."""
        grab = self._source.grab(into, timeout_ns)
        if grab is not None:
            return Taken(grab, self._faults.of_frame(grab))
        if self._source.health().incomplete > self._incomplete:
            self._incomplete += 1
            return Taken(None, "incomplete")
        return None


class Intake:
    """The frames of one stream that was started with one profile, into one ring. One thread."""

    def __init__(
        self,
        source: Streaming,
        profile: Profile,
        options: CameraOptions,
        ring: RingWriter,
        announcer: Announcer,
        heartbeat: Heartbeat,
        condition: Condition,
        frozen: FrozenWatch,
    ) -> None:
        """profile: what the camera was read back to be set to. ring: a slot holds `profile.size_bytes`."""
        self.source, self.profile, self.options, self.condition = source, profile, options, condition
        self._ring, self._announcer, self._heartbeat = ring, announcer, heartbeat
        self._faults = PictureFaults(profile, options, frozen)
        self.patience_ns = profile.frames * profile.exposure_ns + round((options.transfer_ms + options.margin_ms) * MS)
        self.patience_ns += round(profile.trigger_delay_us * 1000)
        if profile.frames > 1:
            self.patience_ns += round((profile.frames - 1) * SECOND / profile.frame_rate_hz)
        self.before_ns, self.after_ns = round(options.pair_before_ms * MS), round(options.pair_after_ms * MS)
        self._pairing: Pairing[Laid] = Pairing(
            max(options.ring_slots - 3, 1), self.patience_ns + self.before_ns + LINK_NS
        )
        self._pictures = self._fresh()
        self._pace = Pace(profile.frame_rate_hz, profile.frames)
        self._by_software = profile.trigger == "software"
        self._counted = (0, 0, 0)
        self.timeouts = 0
        """Parts lost in a row because nothing came in time."""
        self.last_exposed_ns = 0
        self._rest_until_ns = 0

    def _fresh(self, *, any_number: bool = False) -> Assembly | _OneFrame:
        if self.profile.frames == 1:
            return _OneFrame(self.source, self._faults)
        return Assembly(self.source, self.profile, self._faults.of_frame, any_number=any_number)

    @property
    def waiting(self) -> int:
        """Parts without a frame yet."""
        return self._pairing.waiting

    @property
    def oldest_ns(self) -> int:
        """Trigger moment of the oldest waiting part; 0: none waits."""
        return self._pairing.oldest_ns

    @property
    def dated(self) -> bool:
        """True: the device's own clock dates a frame, so one that comes late is known for what it is."""
        return self.source.health().clock == "latch"

    @property
    def resting(self) -> bool:
        """True while frames of a picture that is spoiled may still come: the camera would not take a trigger."""
        return self._pictures.resting and now_ns() < self._rest_until_ns

    def fire(self) -> None:
        """A trigger is about to be fired from here."""
        self._pictures.fire()

    def expect(self, part: Expected) -> None:
        """A trigger has come."""
        self._answer(self._pairing.expect(part))

    def expire(self) -> None:
        """Give up what is due."""
        self._answer(self._pairing.expire(now_ns()))

    def give_up(self, reason: str) -> None:
        """No frame will come any more for any part that waits."""
        self._answer(self._pairing.reset(reason))

    def start_over(self, reason: str, *, any_number: bool = False) -> None:
        """Begin a new epoch, so that nothing of the one before can be taken for anybody's. CameraLost."""
        self.give_up(reason)
        self.source.stop()
        self.source.start(self.options.buffers)
        self._pictures = self._fresh(any_number=any_number)
        self.last_exposed_ns = 0
        self.timeouts = 0

    def take(self, timeout_ns: int) -> bool:
        """Take one frame if there is one in time. True: there was. CameraLost."""
        due_ns = self._pairing.due_ns
        if due_ns is not None:
            timeout_ns = max(min(timeout_ns, due_ns - now_ns()), DRAIN_NS)
        slot, into = self._ring.begin()
        with into:
            taken = self._pictures.grab(into, timeout_ns)
            if taken is not None and not taken.fault and taken.grab is not None:
                taken = Taken(taken.grab, self._faults.of_pixels(into))
        if taken is not None:
            self._enter(taken, slot)
        if self._pictures.lost_track and not self._by_software:
            self.start_over("pairing", any_number=True)
        return taken is not None

    def _enter(self, taken: Taken, slot: int) -> None:
        fault, grab = taken.fault, taken.grab
        if fault:
            self._rest_until_ns = now_ns() + self.patience_ns
        if fault in ADVICE:
            self.condition.blame(fault, now_ns())
        reason = LOST_AS.get(fault, fault)
        if grab is None or fault == "repeated":
            self._answer(self._pairing.spoil(reason, numbered=fault != "repeated"))
            return
        self.last_exposed_ns = max(grab.exposed_at_ns, self.last_exposed_ns)
        sequence = 0 if fault else self._commit(grab, slot)
        laid = Laid(grab, slot, sequence, now_ns())
        if self.profile.trigger != "off":
            frame = Arrived(grab.exposed_at_ns, grab.gap, laid, reason, grab.trigger_count, self.dated)
            self._answer(self._pairing.arrive(frame))
        elif not fault:
            self._announcer.ready(0, 0, laid)
            if self._pace.is_too_fast(grab.exposed_at_ns, dated=self.dated):
                self.condition.blame("too fast", laid.ready_ns)
            else:
                self.condition.passed(laid.ready_ns)

    def _commit(self, grab: Grab, slot: int) -> int:
        return self._ring.commit(
            slot,
            part=self._pairing.first_part if self._by_software else 0,
            number=grab.number,
            epoch=self._announcer.epoch(grab.epoch),
            size=grab.size_bytes,
        )

    def _answer(self, answers: list[Match[Laid] | Missing]) -> None:
        at_ns = now_ns()
        self._count(at_ns)
        for answer in answers:
            part = answer.expected
            if isinstance(answer, Missing):
                self._lose(part, answer.reason, at_ns)
            elif self.condition.distrusts(at_ns):
                self._lose(part, "pairing", at_ns)
            else:
                if not part.ghost:
                    self._announcer.ready(part.part, part.triggered_at_ns, answer.what)
                    self._heartbeat.turn(0, done=1)
                self.timeouts = 0
                self.condition.passed(at_ns)
        if self._pairing.in_doubt:
            self.start_over("pairing")

    def _lose(self, part: Expected, reason: str, at_ns: int) -> None:
        if not part.ghost:
            self._announcer.lost(part.part, part.triggered_at_ns, reason)
        self.timeouts += reason == "timeout"
        if reason in _NOT_WHOLE:
            self.condition.missing(at_ns)

    def _count(self, at_ns: int) -> None:
        """Take over what the pairing has counted since."""
        early, strays, unasked = self._counted
        pairing = self._pairing
        self._announcer.early += pairing.early - early
        self._announcer.strays += pairing.strays - strays
        for _ in range(pairing.unasked - unasked):
            self.condition.unasked(at_ns, FEW_UNASKED if self._by_software else MANY_UNASKED)
        self._counted = pairing.early, pairing.strays, pairing.unasked
