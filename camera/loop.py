"""The camera's loop: triggers in, frames and lost parts out, and an eye on the camera itself.

Every turn waits at most 100 ms and is quick while a part is under way. Nothing here knows which driver it runs on.
"""

from typing import Protocol

from ..bus.channel import Subscriber
from ..bus.clock import MS, now_ns
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, JobOrder
from ..bus.part import Trigger
from ..bus.ring import RingWriter
from .announcer import Announcer
from .condition import Condition
from .free_run import FreeRun
from .frozen import FrozenWatch
from .hardware_mode import HardwareMode
from .intake import Intake
from .options import CameraOptions
from .profiles import Profile
from .software_mode import SoftwareMode
from .source import FrameSource


class Mode(Protocol):
    """How the camera comes to its exposures."""

    @property
    def wait_ms(self) -> int:
        """How long the next trigger may be waited for."""

    @property
    def oldest_ns(self) -> int:
        """Trigger moment of the oldest part without an answer; 0: there is none."""

    def take(self, trigger: Trigger) -> None:
        """A trigger of io."""

    def turn(self) -> None:
        """Fire, and take frames. CameraLost."""

    def lose(self, reason: str) -> None:
        """Answer the parts that the intake does not know yet."""


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
        self._frozen = FrozenWatch(options.must_differ)
        self._order: JobOrder | None = None
        self._probe_ns = 0
        self._between_streams = False
        self.begin(profile, ring)
        self.hold = ""
        """Why it is not ready whatever its pictures are like; empty: nothing keeps it."""
        self._away_as = "camera lost"
        """Why parts triggered before the stream are lost."""

    def begin(self, profile: Profile, ring: RingWriter) -> None:
        """A stream was started with this profile, into this ring: nothing of the one before is anybody's picture.

        Parts that were triggered before are lost: whoever passed the eye then is not before the camera any more.
        """
        self._condition = Condition(self_testing=profile.trigger != "hardware")
        self._stream(profile, ring)
        self._away_as = "job change"

    def begin_again(self, profile: Profile, ring: RingWriter) -> None:
        """The camera was set up afresh because its pictures were bad: it is not ready until a good one passes."""
        self._condition.set_up_again(now_ns())
        self._stream(profile, ring)

    def _stream(self, profile: Profile, ring: RingWriter) -> None:
        self._announcer.ring = ring.name
        self._intake = Intake(
            self._source,
            profile,
            self._options,
            ring,
            self._announcer,
            self._heartbeat,
            self._condition,
            self._frozen,
        )
        self._mode = self._mode_of(profile)
        self._between_streams = False
        self._begun_ns = now_ns()

    def _mode_of(self, profile: Profile) -> Mode:
        if profile.trigger == "software":
            return SoftwareMode(self._source, self._intake, self._announcer)
        if profile.trigger == "hardware":
            return HardwareMode(self._intake, self._announcer)
        return FreeRun(self._intake, self._announcer)

    @property
    def wants_setup(self) -> bool:
        """True: stop the stream, set the camera up afresh and `begin_again`."""
        return self._condition.wants_setup

    @property
    def idle(self) -> bool:
        """No part waits for its picture."""
        return self._mode.oldest_ns == 0

    def turn(self) -> None:
        """Go round once. CameraLost: it is gone; call `give_up` and end the process."""
        self._take_triggers(self._mode.wait_ms)
        self._intake.expire()
        self._mode.turn()
        self._look_after()
        self._condition.turn(now_ns())
        self._say(self._mode.oldest_ns)

    def take_order(self) -> JobOrder | None:
        """What io last said of the job since the last call; None: nothing."""
        order, self._order = self._order, None
        return order

    def set_aside(self, detail: str, reason: str = "job change") -> None:
        """The stream is about to be stopped to be set up anew: answer everything that waits."""
        if self._condition.health is not Health.FAULT:
            self._condition.health, self._condition.detail = Health.STARTING, detail
        self._between_streams = True
        self._lose_all(reason)
        self.stamp()

    def stamp(self) -> None:
        """Say how it is between two steps that take long."""
        self._say(0)

    def give_up(self, reason: str) -> None:
        """The camera is gone: answer everything that waits, and what is still in the socket."""
        self._condition.health, self._condition.detail = Health.LOST, reason
        self._lose_all("camera lost")
        self._announcer.state(Health.LOST, reason, self._source.health())

    def _say(self, oldest_ns: int) -> None:
        # Whoever watches the heartbeat gives it more time while the camera is set up, also because of a fault.
        health, detail = self._condition.health, self._condition.detail
        if self.hold and health is Health.READY:
            health, detail = Health.STARTING, self.hold
        self._heartbeat.health = Health.STARTING if self._between_streams else health
        self._heartbeat.turn(oldest_ns)
        self._announcer.state(health, detail, self._source.health())

    def _lose_all(self, reason: str) -> None:
        self._intake.give_up(reason)
        self._take_triggers(0, reason)
        self._mode.lose(reason)

    def _take_triggers(self, wait_ms: int, refusal: str = "") -> None:
        """Read what io has sent. refusal: answer every part with this; empty: take it."""
        while (heard := self._triggers.receive(wait_ms)) is not None:
            wait_ms = 0
            if isinstance(heard, JobOrder):
                self._order = heard
                continue
            self._announcer.triggers += not heard.missed
            why = refusal or (self._away_as if heard.at_ns < self._begun_ns < heard.deadline_ns else "")
            if not why:
                self._mode.take(heard)
            elif not heard.missed:
                self._announcer.lost(heard.part, heard.at_ns, why)

    def _look_after(self) -> None:
        """Ask whether it is there: after parts lost in a row, and now and then while nothing is under way."""
        at_ns = now_ns()
        intake = self._intake
        lost_in_a_row = intake.timeouts >= self._options.timeouts
        quiet_ns, every_ns = at_ns - self._probe_ns, self._options.idle_probe_ms * MS
        idle = quiet_ns >= (3 * every_ns if intake.waiting else every_ns)
        if not lost_in_a_row and not idle:
            return
        self._probe_ns = at_ns
        self._source.probe()
        if lost_in_a_row:
            intake.timeouts = 0
            if intake.profile.trigger == "software" and not intake.dated:
                intake.start_over("timeout")  # a late frame cannot be told from the next part's
