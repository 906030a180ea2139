"""The process of one camera, `okng camera NAME`: open, set up, loop until told to stop or until the camera is gone.

A camera that is lost ends the process: its maker's library cannot be trusted to find it again. The parent starts a new
one, which begins with a new epoch and the whole profile.
"""

import contextlib
import logging
import time
from pathlib import Path

from ..bus.channel import Subscriber, io_address
from ..bus.errors import BadSettings, CameraLost, Refused
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health
from ..bus.part import Trigger
from ..bus.ring import RingWriter
from ..bus.stop import Stop
from .announcer import Announcer
from .loop import CameraLoop
from .options import CameraOptions
from .profiles import Profile
from .source import Source, make_source

log = logging.getLogger(__name__)
STOPPED, BROKEN, LOST, REFUSED = 0, 70, 75, 78
"""Exit codes: told to stop; a mistake in okng; CameraLost, start again; BadSettings, a person must change something."""
_LAST_WORDS_S = 0.05
"""What was just published leaves the process in this time."""


def run(name: str, options: CameraOptions, profile: Profile, run_dir: Path) -> int:
    """Be the camera of that name until SIGTERM or SIGINT. Returns the exit code of the process.

    0: told to stop. 75: the camera is lost, start again after a pause. 78: settings or recipe are wrong for this
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
            triggers = held.enter_context(Subscriber([io_address(run_dir)], (Trigger,)))
            return _with_camera(name, options, profile, run_dir, stop, (announcer, triggers, heartbeat), held)
        except BadSettings as error:
            log.error("camera %s: %s", name, error)
            return REFUSED
        except CameraLost as error:
            log.warning("camera %s lost: %s", name, error)
            return LOST
        except Exception:  # the outermost frame: without a heartbeat the line stops passing
            log.exception("camera %s", name)
            return BROKEN


def _with_camera(
    name: str,
    options: CameraOptions,
    profile: Profile,
    run_dir: Path,
    stop: Stop,
    bus: tuple[Announcer, Subscriber, Heartbeat],
    held: contextlib.ExitStack,
) -> int:
    announcer, triggers, heartbeat = bus
    source = make_source(options)
    held.callback(source.close)
    try:
        got = _opened(source, options, profile)
    except (CameraLost, Refused) as error:
        announcer.insist(Health.LOST, str(error), source.health())
        raise
    stop.take()  # harvesters takes SIGINT for itself; gentl.py gives it back, other drivers may not
    ring = RingWriter(run_dir, name, options.ring_slots, got.size_bytes)
    held.callback(ring.close)
    loop = CameraLoop(source, got, options, ring, triggers, announcer, heartbeat)
    try:
        while not stop.asked.is_set():
            loop.turn()
    except CameraLost as error:
        heartbeat.health = Health.LOST
        loop.give_up(str(error))
        raise
    loop.give_up("stopped")
    return STOPPED


def _opened(source: Source, options: CameraOptions, profile: Profile) -> Profile:
    """Open, set up, stream. Returns what the camera was read back to be set to."""
    source.open(options.serial)
    got = source.configure(profile)
    source.start(options.buffers)
    source.probe()
    return got
