"""The process of one camera, `okng camera NAME`: open, set up, loop until told to stop or until the camera is gone.

A camera that is lost ends the process: its maker's library cannot be trusted to find it again. The parent starts a new
one at once, which waits for the camera to be there (`arrival.py`) and begins with a new epoch and the whole profile.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..bus.channel import Subscriber, io_address
from ..bus.errors import CameraLost, Refused
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, JobOrder, JobPhase
from ..bus.part import Trigger
from ..bus.ring import RingWriter
from ..bus.stop import Stop
from ..imaging.develop import check_plan
from .announcer import Announcer
from .arrival import Arrival
from .desk import CameraDesk
from .follower import Follower, ReadSetup
from .loop import CameraLoop
from .options import CameraOptions
from .profiles import Profile, Setup
from .source import Source, make_source

log = logging.getLogger(__name__)
STOPPED, BROKEN, LOST, REFUSED = 0, 70, 75, 78
"""Exit codes: told to stop; a mistake in okng; CameraLost, start again; BadSettings, a person must change something."""
BY_HAND = "being set up by hand"
LOOK_HZ = 10.0
"""Frames a second while a person sets the camera up."""
_LAST_WORDS_S = 0.05
"""What was just published leaves the process in this time."""


def run(name: str, options: CameraOptions, setup: Setup, run_dir: Path, read: ReadSetup | None = None) -> int:
    """Be the camera of that name until SIGTERM or SIGINT. Returns the exit code of the process.

    setup: what it is set up for until io orders otherwise. read: reads the setup of another job; None: there is none.
    0: told to stop. 75: the camera is lost, start again at once. 78: settings or recipe are wrong for this
    camera; the log says which. 70: a mistake in okng itself.
    """
    stop = Stop()
    with contextlib.ExitStack() as held:
        try:
            heartbeat = Heartbeat(run_dir, f"camera-{name}")
            held.callback(heartbeat.close)
            announcer = Announcer(name, run_dir)
            held.callback(announcer.close)
            held.callback(time.sleep, _LAST_WORDS_S)
            bus = held.enter_context(Subscriber([io_address(run_dir)], (Trigger, JobOrder)))
            source = make_source(options)
            held.callback(source.close)
            camera = _Camera(name, options, Follower(setup, read), run_dir, source, announcer)
            held.callback(camera.close)
            return camera.serve(stop, bus, heartbeat)
        except Refused as error:
            log.error("camera %s: %s", name, error)
            return REFUSED
        except CameraLost:  # said and logged where it was seen
            return LOST
        except Exception:  # the outermost frame: without a heartbeat the line stops passing
            log.exception("camera %s", name)
            return BROKEN


class _Camera:
    """An open camera, its ring, and what it is set up for."""

    def __init__(
        self,
        name: str,
        options: CameraOptions,
        follower: Follower,
        run_dir: Path,
        source: Source,
        announcer: Announcer,
    ) -> None:
        self._name, self._options, self._follower, self._run_dir = name, options, follower, run_dir
        self._source, self._announcer = source, announcer
        self._ring: RingWriter | None = None
        self._ring_bytes = 0
        self._desk: CameraDesk | None = None

    def serve(self, stop: Stop, bus: Subscriber, heartbeat: Heartbeat) -> int:
        """Open, set up, loop. CameraLost, BadSettings."""
        source = self._source
        try:
            _check(self._follower.setup)
            if not Arrival(source, self._options.serial, self._announcer, heartbeat, bus).wait(stop):
                return STOPPED
            got = self._start(self._follower.setup.profile)
        except CameraLost as error:
            self._lose(str(error))
            raise
        except Refused as error:
            self._announcer.insist(Health.LOST, str(error), source.health())
            raise
        stop.take()  # harvesters takes SIGINT for itself; gentl.py gives it back, other drivers may not
        self._set_up(self._follower.setup)
        while not self._announcer.heard:
            heartbeat.turn()
            time.sleep(0.02)
        loop = CameraLoop(source, got, self._options, self._ring_for(got), bus, self._announcer, heartbeat)
        try:
            self._desk = desk = CameraDesk(
                self._name,
                source,
                self._run_dir,
                lambda: self._look(loop),
                lambda: self._work(loop),
                frozenset(name for name, _ in self._follower.setup.profile.features),
            )
            while not stop.asked.is_set():
                loop.turn()
                if loop.idle:
                    desk.turn()
                order = loop.take_order()
                if order is not None:
                    self._follow(order, loop)
                if loop.wants_setup:
                    desk.finish()
                    self._set_up_again(loop)
            desk.finish()
        except CameraLost as error:
            heartbeat.health = Health.LOST
            loop.give_up(str(error))
            self._lose(str(error))
            raise
        loop.give_up("stopped")
        return STOPPED

    def _lose(self, reason: str) -> None:
        self._announcer.lose(reason)
        self._announcer.state(Health.LOST, reason, self._source.health())

    def _set_up(self, setup: Setup) -> None:
        """From the next frame on the camera is set up for that, and says so. CameraLost: the run folder is full."""
        try:
            self._announcer.develop = setup.plan.write(self._run_dir)
        except OSError as error:
            raise CameraLost(f"{self._run_dir}: takes no file: {error.strerror}") from error
        self._follower.setup = self._announcer.setup = setup

    def close(self) -> None:
        """Let go of the ring and of who asks. Never raises."""
        if self._desk is not None:
            self._desk.close()
        if self._ring is not None:
            self._ring.close()

    def _start(self, profile: Profile, stamp: Callable[[], None] = lambda: None) -> Profile:
        """Set up and stream. Returns what the camera was read back to be set to. stamp: between two slow steps."""
        got = self._source.configure(profile)
        stamp()
        self._source.start(self._options.buffers)
        stamp()
        self._source.probe()
        return got

    def _ring_for(self, profile: Profile) -> RingWriter:
        """The ring in use, or a larger one: readers that have the old one open keep it until they have read it."""
        if self._ring is None or profile.size_bytes > self._ring_bytes:
            older, self._ring_bytes = self._ring, profile.size_bytes
            self._ring = RingWriter(self._run_dir, self._name, self._options.ring_slots, profile.size_bytes)
            if older is not None:
                older.close()
        return self._ring

    def _follow(self, order: JobOrder, loop: CameraLoop) -> None:
        """Be set up for the job that io orders, and say so; what cannot be is refused and nothing is changed."""
        refusal = ""
        try:
            setup = self._follower.next_setup(order)
            if setup is not None:
                if self._desk is not None:
                    self._desk.finish()
                self._change(setup, loop)
        except Refused as error:
            refusal = str(error)
            self._follower.refuse(order, refusal)
        if order.phase is not JobPhase.STEADY:
            self._announcer.answer(order, refusal)

    def _change(self, setup: Setup, loop: CameraLoop) -> None:
        """Go over to another setup. Refused: the camera cannot be set so, and is as it was before."""
        _check(setup)
        if setup.profile != self._follower.setup.profile:
            try:
                got = self._try(setup.profile, loop, f"being set up for job {setup.number}")
            except Refused as error:
                raise Refused(f"the camera cannot be set up for job {setup.number}: {error}") from error
            loop.begin(got, self._ring_for(got))
        self._set_up(setup)
        log.info("camera %s: set up for job %d, revision %s", self._name, setup.number, setup.revision)

    def _try(self, wanted: Profile, loop: CameraLoop, why: str) -> Profile:
        """Stream by another profile, parts set aside. Refused: it cannot, and streams as before. CameraLost."""
        loop.set_aside(why)
        self._source.stop()
        loop.stamp()
        try:
            return self._start(wanted, loop.stamp)
        except Refused:
            before = self._follower.setup.profile
            self._source.stop()
            loop.stamp()
            loop.begin(self._restarted(before, loop.stamp), self._ring_for(before))
            raise

    def _look(self, loop: CameraLoop) -> None:
        """Run free for a person; no frame is a part's. Refused: it cannot, and works as before. CameraLost."""
        profile = self._follower.setup.profile
        rate_hz = min(LOOK_HZ, 800_000 / profile.exposure_us)
        free = replace(profile, trigger="off", frames=1, height=profile.frame_height, frame_rate_hz=rate_hz)
        got = self._try(free, loop, BY_HAND)
        loop.hold = BY_HAND
        if profile.frames > 1:  # what fits the whole picture fits no part of it
            self._announcer.develop = ""
        loop.begin(got, self._ring_for(got))

    def _work(self, loop: CameraLoop) -> None:
        """Be set up for the job again after a person has looked. CameraLost."""
        setup = self._follower.setup
        loop.set_aside("being set up again")
        self._source.stop()
        loop.stamp()
        got = self._restarted(setup.profile, loop.stamp)
        self._set_up(setup)
        loop.hold = ""
        loop.begin(got, self._ring_for(got))

    def _set_up_again(self, loop: CameraLoop) -> None:
        """Write the whole profile once more: another program may have set the camera up. CameraLost."""
        loop.set_aside("", "timeout")
        self._source.stop()
        loop.stamp()
        profile = self._follower.setup.profile
        loop.begin_again(self._restarted(profile, loop.stamp), self._ring_for(profile))

    def _restarted(self, profile: Profile, stamp: Callable[[], None]) -> Profile:
        """Back to what it was. CameraLost: it does not take any more what it took before."""
        try:
            return self._start(profile, stamp)
        except Refused as error:
            raise CameraLost(f"it cannot be set to its job again: {error}") from error


def _check(setup: Setup) -> None:
    """BadRecipe: dark, flat or lens do not fit the camera's pictures; found before anything is changed."""
    profile = setup.profile
    check_plan(setup.plan, profile.width, profile.height, profile.pixel_format)
