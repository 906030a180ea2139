"""Looks after the certificate: takes one that has changed, and says on the bus when it ends."""

import logging
import threading
from pathlib import Path

from ..bus.channel import Publisher, web_address
from ..bus.clock import utc_text
from ..bus.messages import WebState
from .tls import PanelTls

log = logging.getLogger(__name__)
EVERY_S = 3.0


class Warden:
    """One thread."""

    def __init__(self, tls: PanelTls, run_dir: Path) -> None:
        self._tls, self._run_dir = tls, run_dir
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="certificate", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop. Never raises."""
        self._stop.set()
        self._thread.join(2 * EVERY_S)

    def _run(self) -> None:
        with Publisher(web_address(self._run_dir)) as speaker:
            while True:
                self._tls.look()
                speaker.send(state_of(self._tls))
                if self._stop.wait(EVERY_S):
                    return


def state_of(tls: PanelTls) -> WebState:
    """What is said of it."""
    return WebState(utc_text(tls.certificate.ends), tls.days_left(), tls.ends_soon())
