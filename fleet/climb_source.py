"""Where the climb's offers come from: the channel over the service's wire, with the ledger as the box's memory."""

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

from ..bus.asks import Ask, new_id
from ..bus.channel import ask_once
from ..bus.errors import BadLedger, ChannelLost, Lost, Refused, StoreLost
from ..records.read import LedgerReader
from .channel_client import Channels
from .channel_clock import LedgerClock
from .channel_fetch import fetch_bundle
from .channel_offer import Offer, Standing, Ticket
from .climb_box import ClimbBox
from .link import Link
from .pace import BackOff

log = logging.getLogger(__name__)
EVERY_S = 60.0
_ANSWER_MS = 3000


class LedgerFloor:
    """The highest sequence numbers that this box has trusted: kept by records, in the ledger. Any thread."""

    def __init__(self, run: Path, store: Path) -> None:
        self._run, self._reader = run, LedgerReader(store)

    def highest(self, channel: str) -> int:
        """0: none yet. StoreLost: the ledger cannot be read now."""
        try:
            return self._reader.floor(channel)
        except BadLedger as error:
            raise StoreLost(str(error)) from error

    def raise_to(self, channel: str, seq: int) -> None:
        """Durable when this returns; a lower number changes nothing. StoreLost: records does not take it now."""
        if self.highest(channel) >= seq:
            return
        ask = Ask(new_id(), "ladder.floor", "sync", "", "", {"channel": channel, "seq": seq})
        try:
            answer = ask_once(self._run, "records", ask, _ANSWER_MS)
        except ChannelLost as error:
            raise StoreLost(str(error)) from error
        if answer is None or not answer.done:
            raise StoreLost(f"records does not keep {channel} = {seq}: {answer.detail if answer else 'no answer'}")


class ChannelSource:
    """The channel of a line. One thread, but for `hint`."""

    def __init__(
        self, box: ClimbBox, link: Link, root: Path, folder: Path, lines: tuple[str, ...], every_s: float = EVERY_S
    ) -> None:
        """root: the pinned root.json. folder: where the channel is remembered."""
        self._box, self._link, self._root, self._folder, self._lines = box, link, root, folder, lines
        self._every_s, self._pause = every_s, BackOff()
        self._channels: tuple[str, Channels] | None = None
        self._clock: LedgerClock | None = None
        self._asked_s = 0.0
        self._trouble = self._disbelieved = self._stale = ""
        self._hint = threading.Event()

    def hint(self) -> None:
        """The service says that the channel has changed. Any thread."""
        self._hint.set()

    def standing(self) -> Standing:
        """What the channel says; it is asked each minute, at a hint at once. Lost, Refused: it was never heard."""
        channels = self._of_box()
        now_s = time.monotonic()
        due = not self._asked_s or now_s - self._asked_s >= self._every_s or self._hint.is_set()
        if not due or self._pause.wait_s(now_s) > 0:
            return self._told(channels)
        self._hint.clear()
        self._asked_s = now_s
        try:
            found = channels.refresh()
        except (Lost, Refused) as error:
            self._pause.failed(now_s)
            if str(error) != self._trouble:
                log.warning("channel: %s", error)
            self._trouble = str(error)
            self._disbelieved = str(error) if isinstance(error, Refused) else ""
            return self._told(channels)
        self._pause.worked()
        self._trouble = self._disbelieved = ""
        self._stale = found.why if found.expired else ""
        return found

    def _told(self, channels: Channels) -> Standing:
        """What was trusted holds, and people hear that what is shown now is not: an old channel may have been put back.

        Where what is shown had run out nothing climbs until something fresh is shown. A way that is cut is told of by
        the uplink.
        """
        standing = channels.standing(self._stale)
        return replace(standing, why=self._disbelieved) if self._disbelieved else standing

    def close(self) -> None:
        """Hear records' clock no more. Of the thread that asked for `standing`, or after it."""
        if self._clock is not None:
            self._clock.close()
            self._clock = self._channels = None

    def fetch(self, offer: Offer | Ticket) -> Path:
        """Bring a bundle here, every byte checked against what was signed. Lost, Refused."""
        return fetch_bundle(offer, self._box.bundles, self._link.fetch, self._box.authorities).folder

    def use(self, ticket: Ticket) -> None:
        """Burn a ticket. StoreLost: not burnt."""
        self._of_box().use(ticket)

    def _of_box(self) -> Channels:
        """By the id that the fleet knows this box by. NotEnrolled."""
        box = self._link.known().passport.box
        if self._channels is None or self._channels[0] != box:
            try:
                root = self._root.read_bytes()
            except OSError as error:
                raise StoreLost(f"{self._root}: {error.strerror or error}") from error
            floor = LedgerFloor(self._box.run_dir, self._box.store)
            self._clock = self._clock or LedgerClock(self._box.run_dir)
            made = Channels(self._folder, root, self._lines, box, self._link.fetch, floor, self._clock)
            self._channels = box, made
        return self._channels[1]
