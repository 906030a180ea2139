"""The camera's loop: triggers in, frames and lost parts out, and an eye on the camera itself.

Every turn waits at most 100 ms and is quick while a part is under way. Nothing here knows which driver it runs on.
"""

import logging
import zlib
from collections import deque

from ..bus.channel import Subscriber
from ..bus.clock import MS, now_ns
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, JobOrder
from ..bus.part import Trigger
from ..bus.ring import RingWriter
from .announcer import Announcer, Laid
from .options import CameraOptions
from .pairing import Arrived, Expected, Match, Missing, Pairing
from .profiles import Profile
from .source import FrameSource, Grab

log = logging.getLogger(__name__)
_IDLE_MS = 100
_SLICE_NS = 20 * MS
"""Longest wait for a frame in one turn: the heartbeat must be stamped, the triggers read."""
_DRAIN_NS = 1 * MS
_SLACK_NS = 300_000
"""A software trigger's exposure may seem to start this long before the command: the clocks are not the same."""
_SELF_TEST_EVERY_NS = 500 * MS
_STRIP_ROWS = 16
_LINK_NS = 200 * MS
"""Line0: a frame waits this long for its trigger's message beyond the window."""

FAULTS = {
    "repeated": "the camera repeats its pictures: check it, then switch it off and on",
    "wrong size": "the camera sends another size or format than the recipe's: check who else sets it up",
}
"""Reasons of a lost part that are the camera's fault: it is not ready until a good picture passes."""


class CameraLoop:
    """One stream of one camera, already started. One thread."""

    def __init__(
        self,
        source: FrameSource,
        profile: Profile,
        options: CameraOptions,
        ring: RingWriter,
        triggers: Subscriber,
        announcer: Announcer,
        heartbeat: Heartbeat,
    ) -> None:
        """profile: what the camera was read back to be set to."""
        self._source, self._options = source, options
        self._triggers, self._announcer, self._heartbeat = triggers, announcer, heartbeat
        before, after = round(options.pair_before_ms * MS), round(options.pair_after_ms * MS)
        self._before_ns, self._after_ns = before, after
        self._queue: deque[Trigger] = deque()
        self._order: JobOrder | None = None
        self._incomplete = 0
        self._probe_ns = 0
        self.begin(profile, ring)

    def begin(self, profile: Profile, ring: RingWriter) -> None:
        """A stream was started with this profile, into this ring: nothing of the one before is anybody's picture."""
        self._profile, self._ring = profile, ring
        self._announcer.ring = ring.name
        options = self._options
        self._patience_ns = profile.exposure_ns + round((options.transfer_ms + options.margin_ms) * MS)
        self._pairing: Pairing[Laid] = Pairing(
            max(options.ring_slots - 3, 1), self._patience_ns + self._before_ns + _LINK_NS
        )
        self._health, self._detail = Health.STARTING, "waiting for the first picture"
        self._timeouts = 0
        self._last_exposed_ns = 0
        self._strip: int | None = None
        self._test_ns = 0
        if profile.trigger == "hardware":  # it cannot be fired from here: the first part is its own test
            self._health, self._detail = Health.READY, ""

    def turn(self) -> None:
        """Go round once. CameraLost: it is gone; call `give_up` and end the process."""
        self._take_triggers(0 if self._busy else self._idle_ms)
        self._answer(self._pairing.expire(now_ns()))
        if self._profile.trigger == "software":
            self._turn_software()
        elif self._profile.trigger == "hardware":
            self._turn_line0()
        else:
            self._grab(_SLICE_NS)
        self._look_after()
        self._heartbeat.health = self._health
        oldest_ns = self._pairing.oldest_ns or (self._queue[0].at_ns if self._queue else 0)
        self._heartbeat.turn(oldest_ns)
        self._announcer.state(self._health, self._detail, self._source.health())

    def take_order(self) -> JobOrder | None:
        """What io last said of the job since the last call; None: nothing."""
        order, self._order = self._order, None
        return order

    def set_aside(self, detail: str) -> None:
        """The stream is about to be stopped for another profile: answer everything that waits."""
        self._health, self._detail = Health.STARTING, detail
        self._lose_all("job change")
        self.stamp()

    def stamp(self) -> None:
        """Say how it is between two steps that take long."""
        self._heartbeat.health = self._health
        self._heartbeat.turn()
        self._announcer.state(self._health, self._detail, self._source.health())

    def give_up(self, reason: str) -> None:
        """The camera is gone: answer everything that waits, and what is still in the socket."""
        self._health, self._detail = Health.LOST, reason
        self._lose_all("camera lost")
        self._announcer.state(self._health, self._detail, self._source.health())

    def _lose_all(self, reason: str) -> None:
        self._answer(self._pairing.reset(reason))
        self._take_triggers(0, reason)
        while self._queue:
            trigger = self._queue.popleft()
            self._announcer.lost(trigger.part, trigger.at_ns, reason)

    @property
    def _busy(self) -> bool:
        return bool(self._queue) or self._pairing.waiting > 0 or self._profile.trigger == "off"

    @property
    def _idle_ms(self) -> int:
        """Without a device clock a frame is dated by its arrival, so it must not wait in the driver."""
        on_host_clock = self._profile.trigger == "hardware" and self._source.health().clock == "host"
        return 2 if on_host_clock else _IDLE_MS

    # ---- triggers ----

    def _take_triggers(self, wait_ms: int, refusal: str | None = None) -> None:
        """Read what io has sent. refusal: answer all with this."""
        while (trigger := self._triggers.receive(wait_ms)) is not None:
            wait_ms = 0
            if isinstance(trigger, JobOrder):
                self._order = trigger
            elif refusal is not None and not trigger.missed:
                self._announcer.lost(trigger.part, trigger.at_ns, refusal)
            elif self._profile.trigger == "hardware":
                self._expect_line0(trigger)
            elif not trigger.missed:
                self._enqueue(trigger)

    def _enqueue(self, trigger: Trigger) -> None:
        if self._profile.trigger == "off":  # free run: no frame is anybody's
            self._announcer.lost(trigger.part, trigger.at_ns, "pairing")
        elif len(self._queue) >= self._options.queue:  # full: the newest part is lost, the older ones keep their turn
            self._announcer.lost(trigger.part, trigger.at_ns, "too late")
        else:
            self._queue.append(trigger)

    def _expect_line0(self, trigger: Trigger) -> None:
        too_late = not trigger.missed and trigger.deadline_ns <= now_ns()
        if too_late:
            self._announcer.lost(trigger.part, trigger.at_ns, "too late")
        ghost = trigger.missed or too_late  # the eye fired the camera all the same: that frame is nobody else's
        due_ns = trigger.at_ns + self._after_ns + self._patience_ns
        self._answer(
            self._pairing.expect(
                Expected(
                    part=trigger.part,
                    triggered_at_ns=trigger.at_ns,
                    from_ns=trigger.at_ns - self._before_ns,
                    until_ns=trigger.at_ns + self._after_ns,
                    due_ns=due_ns if ghost else min(due_ns, trigger.deadline_ns),
                    ghost=ghost,
                )
            )
        )

    # ---- modes ----

    def _turn_software(self) -> None:
        if not self._pairing.waiting and self._queue:
            trigger = self._queue[0]
            if trigger.deadline_ns <= now_ns():
                self._announcer.lost(trigger.part, trigger.at_ns, "too late")
            else:
                self._fire(trigger.part, trigger.at_ns, trigger.deadline_ns)
            self._queue.popleft()  # not before: a camera lost at the command leaves the part to `give_up`
        elif not self._pairing.waiting and self._health is not Health.READY and now_ns() >= self._test_ns:
            self._test_ns = now_ns() + _SELF_TEST_EVERY_NS
            self._fire(0, 0, self._test_ns)
        if self._pairing.waiting:
            self._grab(_SLICE_NS)

    def _fire(self, part: int, triggered_at_ns: int, deadline_ns: int) -> None:
        fired_ns = self._source.trigger()
        done_ns = now_ns()
        due_ns = min(done_ns + self._patience_ns, deadline_ns)
        slack_ns = _SLACK_NS + self._source.health().clock_error_ns
        # Without a device clock only the arrival dates a frame, so the window is open until the part is due.
        until_ns = done_ns + slack_ns if self._source.health().clock == "latch" else max(due_ns, done_ns)
        from_ns = min(max(fired_ns - slack_ns, self._last_exposed_ns + 1), until_ns)
        self._answer(
            self._pairing.expect(Expected(part, triggered_at_ns, from_ns, until_ns, due_ns)),
        )

    def _turn_line0(self) -> None:
        if self._pairing.waiting:
            self._grab(_SLICE_NS // 4)  # the next trigger's message may come at any time
            return
        for _ in range(self._options.buffers):  # frames that came before their trigger's message
            if not self._grab(_DRAIN_NS):
                return

    # ---- frames ----

    def _grab(self, timeout_ns: int) -> bool:
        """Take one frame if there is one in time. True: there was."""
        due_ns = self._pairing.due_ns
        if due_ns is not None:
            timeout_ns = max(min(timeout_ns, due_ns - now_ns()), _DRAIN_NS)
        slot, into = self._ring.begin()
        with into:
            grab = self._source.grab(into, timeout_ns)
            if grab is None:
                self._count_incomplete()
                return False
            fault = self._fault_of(grab, into)
        if fault:
            self._blame(fault)
            self._answer(self._pairing.spoil(fault))
            return True
        self._last_exposed_ns = grab.exposed_at_ns
        sequence = self._ring.commit(
            slot,
            part=self._pairing.first_part if self._profile.trigger == "software" else 0,
            number=grab.number,
            epoch=self._announcer.epoch(grab.epoch),
            size=grab.size_bytes,
        )
        laid = Laid(grab, slot, sequence, now_ns())
        if self._profile.trigger == "off":
            self._announcer.ready(0, 0, laid)
            self._passed()
        else:
            self._answer(self._pairing.arrive(Arrived(grab.exposed_at_ns, grab.gap, laid)))
        return True

    def _fault_of(self, grab: Grab, pixels: memoryview) -> str:
        """Why this frame is no picture; empty: it is one."""
        wanted = self._profile
        if grab.repeated:
            return "repeated"
        measures = (grab.width, grab.height, grab.pixel_format, grab.size_bytes)
        if measures != (wanted.width, wanted.height, wanted.pixel_format, wanted.size_bytes):
            return "wrong size"
        if self._options.must_differ:
            row = wanted.size_bytes // wanted.height
            top = max(wanted.height // 2 - _STRIP_ROWS // 2, 0) * row
            strip, self._strip = self._strip, zlib.crc32(pixels[top : top + _STRIP_ROWS * row])
            if strip == self._strip:
                return "repeated"
        return ""

    def _count_incomplete(self) -> None:
        seen = self._source.health().incomplete
        for _ in range(seen - self._incomplete):
            self._answer(self._pairing.spoil("incomplete"))
        self._incomplete = seen

    # ---- answers ----

    def _answer(self, answers: list[Match[Laid] | Missing]) -> None:
        for answer in answers:
            part = answer.expected
            if isinstance(answer, Match):
                if not part.ghost:
                    self._announcer.ready(part.part, part.triggered_at_ns, answer.what)
                    self._heartbeat.turn(0, done=1)
                self._passed()
            else:
                if not part.ghost:
                    self._announcer.lost(part.part, part.triggered_at_ns, answer.reason)
                if answer.reason == "timeout":
                    self._timeouts += 1

    def _passed(self) -> None:
        self._timeouts = 0
        if self._health is not Health.READY:
            self._health, self._detail = Health.READY, ""

    def _blame(self, fault: str) -> None:
        self._health, self._detail = Health.FAULT, FAULTS[fault]
        self._test_ns = max(self._test_ns, now_ns() + _SELF_TEST_EVERY_NS)

    # ---- the camera itself ----

    def _look_after(self) -> None:
        """Ask whether it is there: after parts lost in a row, and now and then while nothing is under way."""
        at_ns = now_ns()
        lost_in_a_row = self._timeouts >= self._options.timeouts
        quiet_ns, every_ns = at_ns - self._probe_ns, self._options.idle_probe_ms * MS
        idle = quiet_ns >= (3 * every_ns if self._pairing.waiting else every_ns)
        if not lost_in_a_row and not idle:
            return
        self._probe_ns = at_ns
        self._source.probe()
        if lost_in_a_row:
            self._timeouts = 0
            self._start_over()

    def _start_over(self) -> None:
        """Without a device clock a late frame cannot be told from the next part's: begin a new epoch."""
        if self._profile.trigger != "software" or self._source.health().clock == "latch":
            return
        self._answer(self._pairing.reset("timeout"))
        self._source.stop()
        self._source.start(self._options.buffers)
        self._last_exposed_ns = 0
