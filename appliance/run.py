"""`okng run`: all processes of a box under the small supervisor, until Ctrl-C."""

import logging
import time
from pathlib import Path

from ..bus.stop import Stop
from ..settings import Settings
from .jobs import Jobs, check_jobs
from .supervisor import Supervisor, box_children

log = logging.getLogger(__name__)


def run(settings: Settings, settings_file: Path) -> int:
    """Run until SIGTERM or SIGINT, then stop all in order; return the exit code."""
    stop = Stop()
    settings.box.run_dir.mkdir(parents=True, exist_ok=True)
    asked = (("opcua", settings.opcua), ("mqtt", settings.mqtt), ("sync", settings.fleet))
    beside = tuple(name for name, options in asked if options is not None)
    children = box_children(settings_file, settings.cameras, beside=beside, standby=settings.inspect.standby)
    supervisor = Supervisor(children, settings.box.run_dir)
    supervisor.start()
    log.info("page on http://%s:%d, PLC as %s", settings.web.host, settings.web.port, settings.plc.role)
    try:
        if settings.jobs:
            for one in check_jobs(Jobs(settings, settings_file)):
                if not one.ok:
                    log.warning("%s: a change to it will be refused", one.words)
        while not stop.asked.wait(0.05):
            supervisor.watch()
    finally:
        begun = time.monotonic()
        supervisor.stop()
        log.info("stopped after %.1f s", time.monotonic() - begun)
    return 0
