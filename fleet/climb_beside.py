"""The ladder beside the uplink: threads of the process `sync`, one for the line and the asks, two that may wait."""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bus.asks import Ask, Desk, Handler
from ..bus.channel import AskDoor, ask_address
from ..bus.errors import BadLedger, ChannelLost, Refused
from .channel_own import OwnWord
from .climb import Climb
from .climb_box import ClimbBox
from .climb_desk import COMMANDS
from .climb_review import Reviews
from .climb_source import ChannelSource, LedgerFloor
from .link import Link
from .state_report import Told
from .worker import Worker

log = logging.getLogger(__name__)
TURN_MS = 100
AGAIN_S = 10.0
MOST_ASKED = 64 << 10


class LadderBeside:
    """What `fleet_sync` runs beside the uplink."""

    def __init__(
        self, box: ClimbBox, root: Path | None, folder: Path, lines: tuple[str, ...], own: Path | None = None
    ) -> None:
        """root: the pinned root.json of the channel; None: only what is taught here climbs. folder: its memory.

        own: folder of the key that signs what is taught here; None: none of it climbs.
        """
        self._box, self._root, self._folder, self._lines = box, root, folder, lines
        self._own = OwnWord(own, box.name, LedgerFloor(box.run_dir, box.store)) if own is not None else None
        self._climb: Climb | None = None
        self._source: ChannelSource | None = None
        self._reviews: Reviews | None = None
        self._unlock: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, link: Link, stop: threading.Event) -> Sequence[threading.Thread]:
        """The threads, not yet started."""
        if self._root is not None:
            self._source = ChannelSource(self._box, link, self._root, self._folder, self._lines)
        line = threading.Thread(target=self._run, args=(stop,), name="ladder", daemon=True)
        self._reviews = Reviews(self._box, link)
        return [line, Worker("ladder work", self._work, stop), Worker("ladder review", self._review, stop)]

    def ladder(self) -> Sequence[Mapping[str, Any]]:
        """How each bundle stands. Any thread."""
        climb = self._climb
        return climb.told() if climb is not None else []

    def told(self, told: Told) -> None:
        """What the service said: the channel has changed, or a person there unlocked a bundle. Any thread."""
        if told.rings and self._source is not None:
            self._source.hint()
        with self._lock:
            self._unlock.update(told.unlock)

    def _work(self) -> float:
        climb = self._climb
        return 0.5 if climb is None else climb.work()

    def _review(self) -> float:
        climb, reviews = self._climb, self._reviews
        return 0.5 if climb is None or reviews is None else reviews.step(climb)

    def _run(self, stop: threading.Event) -> None:
        """The line's thread: it waits for its sockets and its ladder, and comes back whatever happens."""
        while not stop.is_set():
            try:
                self._turns(stop)
            except (ChannelLost, BadLedger) as error:
                log.error("ladder: %s", error)
                self._refuse_all(str(error), stop)
            except Exception:
                log.exception("ladder")
                stop.wait(AGAIN_S)

    def _turns(self, stop: threading.Event) -> None:
        climb = Climb(self._box, self._source, self._own)
        try:
            with AskDoor(ask_address(self._box.run_dir, "sync"), MOST_ASKED) as door:
                desk = Desk("sync", climb.handlers())
                self._climb = climb
                while not stop.is_set():
                    climb.turn(time.monotonic_ns())
                    self._unlocked(climb)
                    with contextlib.suppress(ChannelLost):
                        door.serve(desk, TURN_MS)
        finally:
            self._climb = None
            climb.close()

    def _unlocked(self, climb: Climb) -> None:
        with self._lock:
            wanted, self._unlock = self._unlock, set()
        if wanted:
            climb.desk.unlock_from_fleet(wanted)

    def _refuse_all(self, why: str, stop: threading.Event) -> None:
        """Say why nothing climbs, to whoever asks, and try again after a while."""
        until = time.monotonic() + AGAIN_S
        with AskDoor(ask_address(self._box.run_dir, "sync"), MOST_ASKED) as door:
            desk = Desk("sync", dict.fromkeys(COMMANDS, _refusing(why)))
            while not stop.is_set() and time.monotonic() < until:
                with contextlib.suppress(ChannelLost):
                    door.serve(desk, TURN_MS)


def _refusing(why: str) -> Handler:
    def refuse(ask: Ask) -> dict[str, Any]:
        raise Refused(why)

    return refuse
