"""The workshop's process: it answers what it is asked at once, and has long work done by a process of its own.

Nothing on the line waits for it. It may be killed at any time: drafts, recipes, models and settings are whole on disk.
"""

import logging
import time

from ..bus.asks import Desk
from ..bus.channel import AskDoor, Publisher, ask_address, workshop_address
from ..bus.clock import SECOND, now_ns
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health
from ..bus.stop import Stop
from .box import Box, ReadBox
from .drafts import Drafts
from .eye import Eye
from .finishing import finish
from .keeping_desk import KeepingDesk
from .last_good import keep_all
from .model_desk import ModelDesk
from .recipe_desk import RecipeDesk
from .stick_desk import StickDesk
from .teach_desk import TeachDesk
from .wall_clock import WallClock
from .works import Works, command_of

log = logging.getLogger(__name__)
OWNER = "workshop"
_WAIT_MS = 50
_TIDY_NS = 3600 * SECOND


def run(box: Box, read_box: ReadBox) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    stop = Stop()
    heartbeat = Heartbeat(box.run_dir, OWNER)
    publisher = Publisher(workshop_address(box.run_dir))
    door = AskDoor(ask_address(box.run_dir, OWNER))
    eye, clock = Eye(box.run_dir, box.cameras), WallClock(box.run_dir)
    options, settings_file = box.options, box.settings_file
    drafts = Drafts(box.drafts)
    drafts.tidy()
    keep_all(box)
    command = command_of(settings_file)
    works = Works(options.folder / "work", command, options.waiting, options.kept_works, publisher.send)
    desk = Desk(
        OWNER,
        {
            **TeachDesk(settings_file, read_box, drafts, eye, works, heartbeat.turn).handlers(),
            **RecipeDesk(settings_file, read_box, works).handlers(),
            **ModelDesk(settings_file, read_box, works).handlers(),
            **KeepingDesk(settings_file, read_box, works).handlers(),
            **StickDesk(settings_file, read_box, works).handlers(),
        },
    )
    heartbeat.health = Health.READY
    log.info("workshop in %s: %d drafts", options.folder, len(drafts.all()))
    tidy_ns = now_ns()
    try:
        while not stop.asked.is_set():
            heartbeat.turn(done=door.serve(desk, _WAIT_MS))
            clock.listen()
            if now_ns() >= tidy_ns and clock.believed():
                tidy_ns = now_ns() + _TIDY_NS
                for one in works.forget_older(box.papers_days, time.time()):
                    log.info("%s of %s, made for %s, is older than papers_days: deleted", one.what, one.about, one.who)
            eye.listen()
            ended = works.turn()
            if ended is not None:
                finish(ended, works, drafts)
    finally:
        works.close()
        for held in (heartbeat, publisher, door, eye, clock):
            held.close()
    return 0
