"""What a box believes of its channels: TUF's client over any way that brings bytes, and the box's own memory.

refused: BadChannel, what was trusted last stays        run out: `expired`, what was trusted last stays
no way:  StoreLost, what was trusted last stays         no clock: as run out, and no ticket holds

Nothing of this stops a line: what runs goes on. A box forgets least in this order: the counter (TPM), the floor (its
ledger), TUF's folder. Each alone is enough to refuse what is older than it remembers.
"""

import contextlib
import dataclasses
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import TargetFile, Targets
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from ..bus.errors import StoreLost
from ..bus.outside import read_bounded
from ..records.durable import make_folder, sync_folder
from .channel_clock import Clock, Moment, own_clock
from .channel_format import MOST_RINGS_BYTES, BadChannel, RingsForm, parse_rings, rings_path
from .channel_memory import Memory
from .channel_offer import Offer, Standing, Ticket
from .channel_reading import Trusted, offer_of, ticket_of
from .stores import BadObject, BlobStore

log = logging.getLogger(__name__)
logging.getLogger("tuf").setLevel(logging.WARNING)  # one key of three that has not signed is no news

Fetch = Callable[[str, int], Iterator[bytes]]
"""Bytes of a path from an offset on. BadObject: not there. StoreLost: cut off."""
MOST_AHEAD = 1000
"""A list of targets further ahead of the counter than this is refused: nobody signs so many in the life of a box."""
MOST_SEQ_AHEAD = 100_000
"""The same of a sequence number: it could not be gone below again."""
_CONFIG = UpdaterConfig(max_root_rotations=64, max_delegations=4, snapshot_max_length=1 << 20)


class Floor(Protocol):
    """The highest sequence number that this box has trusted, by channel. It never falls."""

    def highest(self, channel: str) -> int:
        """0: none yet. StoreLost: cannot be asked now."""
        ...

    def raise_to(self, channel: str, seq: int) -> None:
        """Durable when this returns; a lower number changes nothing. StoreLost."""
        ...


class Counter(Protocol):
    """A number outside the box's disk that can only rise (TPM 2.0, NV counter): the highest list of targets trusted."""

    def read(self) -> int:
        """0: never raised. StoreLost: cannot be asked now."""
        ...

    def raise_to(self, value: int) -> None:
        """A lower value changes nothing. StoreLost."""
        ...


class Channels:
    """The channels of a box's lines. One process owns the folder; a second one waits for it."""

    def __init__(
        self,
        folder: Path,
        root: bytes,
        lines: Sequence[str],
        box: str,
        fetch: Fetch,
        floor: Floor,
        clock: Clock = own_clock,
        counter: Counter | None = None,
    ) -> None:
        """folder: for what is remembered; made. root: the pinned root. box: its id in the fleet."""
        self._folder, self._root, self._lines, self._box = folder, root, tuple(lines), box
        self._fetch, self._floor, self._clock, self._counter = fetch, floor, clock, counter
        self._memory = Memory(folder, box)

    def standing(self, stale: str = "") -> Standing:
        """What was trusted last, judged by the clock now. Asks nobody.

        stale: why it is expired whatever the clock says; empty: the clock alone tells.
        """
        return self._judged(self._memory.standing, self._now(), stale)

    def refresh(self) -> Standing:
        """Ask the channel what is new, and return what the box believes then.

        BadChannel: what was offered is not signed as it must be, or is older than what this box has trusted. StoreLost:
        no way there, or the floor cannot be asked: call again. In both cases `standing` is as it was.
        """
        with self._alone():
            now = self._now()
            try:
                found = self._trusted(now)
            except ExpiredMetadataError as error:
                return self._judged(self._memory.standing, now, str(error))
            self._raise(found)  # first: where the floor is not kept nothing of it was trusted
            self._memory.keep(found, now.at)
            return self._judged(found, now)

    def use(self, ticket: Ticket) -> None:
        """Burn a ticket: neither it nor an older one holds again, nor does the number that it leads down from.

        To be called before anything is done by it. StoreLost: not burnt, do not go down.
        """
        self._floor.raise_to(f"tickets/{ticket.box}", ticket.number)
        self._floor.raise_to(ticket.channel, ticket.from_seq + 1)

    def _now(self) -> Moment:
        now = self._clock()
        last = self._memory.seen
        if last is None or now.at >= last:
            return now
        doubt = now.doubt or f"the clock says {now.at:%Y-%m-%d %H:%M}Z, the channel was read at {last:%Y-%m-%d %H:%M}Z"
        return Moment(last, doubt)

    def _judged(self, found: Standing, now: Moment, why: str = "") -> Standing:
        """The same with `expired` as it is now, and numbers below the floor refused."""
        if not why and found.fresh_until and now.at >= self._memory.until(found):
            why = f"what was signed has run out at {found.fresh_until}"
        why = why or now.doubt or ("" if found.fresh_until else "nothing was trusted yet")
        offers = tuple(
            self._bounded(dataclasses.replace(one, expired=bool(why)))
            for one in found.offers
            if one.line in self._lines
        )
        refused = next((one.refused for one in offers if one.refused), "")
        ticket = None if why else self._held(found.ticket, now)
        return dataclasses.replace(
            found, offers=offers, ticket=ticket, expired=bool(why), why=why or refused or found.why
        )

    def _bounded(self, offer: Offer) -> Offer:
        highest = self._floor.highest(offer.channel)
        if offer.refused or highest <= offer.seq <= highest + MOST_SEQ_AHEAD or not highest:
            return offer
        words = f"{offer.channel}: number {offer.seq} lies below {highest}, the highest this box has trusted"
        if offer.seq > highest:
            words = f"{offer.channel}: number {offer.seq} is more than {MOST_SEQ_AHEAD} ahead of {highest}"
        return dataclasses.replace(offer, refused=words)

    def _held(self, ticket: Ticket | None, now: Moment) -> Ticket | None:
        """A ticket that was not used, has not run out, and leads down from where this box is."""
        if ticket is None or now.at >= self._memory.moment(ticket.expires):
            return None
        unused = ticket.number > self._floor.highest(f"tickets/{self._box}")
        return ticket if unused and ticket.from_seq == self._floor.highest(ticket.channel) else None

    def _trusted(self, now: Moment) -> Standing:
        make_folder(self._folder / "metadata")
        make_folder(self._folder / "targets")
        try:
            updater = _Client(
                str(self._folder / "metadata"),
                "channel/metadata/",
                str(self._folder / "targets"),
                "channel/targets/",
                _Fetcher(self._fetch),
                _CONFIG,
                bootstrap=self._root,
            )
            updater.judge_at(now.at)
            updater.refresh()
            return self._read(updater, now)
        except ExpiredMetadataError:
            raise
        except (RepositoryError, DownloadLengthMismatchError) as error:
            raise BadChannel(f"channel: {type(error).__name__}: {error}") from error
        except DownloadError as error:
            raise StoreLost(f"channel: {error}") from error
        except OSError as error:
            raise StoreLost(f"{self._folder}: {error.strerror or error}") from error

    def _read(self, updater: "_Client", now: Moment) -> Standing:
        listed: Targets = updater.trusted("targets")
        self._check_counter(listed.version)
        trusted = Trusted(listed.targets, lambda info, most: self._target(updater, info, most), self._box)
        ends = [updater.trusted(role).expires for role in ("root", "timestamp", "snapshot", "targets")]
        offers: list[Offer] = []
        troubles: list[str] = []
        for line in self._lines:
            rings = self._rings(updater, line)
            if rings is not None:
                ends.append(updater.trusted("rings").expires)
            for path in trusted.pointers(line):
                try:
                    offers.append(self._not_twice(offer_of(trusted, path, rings)))
                except BadChannel as error:  # signed, and not for an okng of this age: the others are not held up
                    troubles.append(str(error))
        used = self._floor.highest(f"tickets/{self._box}")
        tickets = (ticket_of(trusted, n) for n in trusted.ticket_numbers() if n > used)
        ticket = next((one for one in tickets if self._held(one, now) is not None), None)
        until = self._memory.text(min(ends))
        return Standing(tuple(offers), ticket, False, until, "; ".join(troubles)[:500], listed.version)

    def _rings(self, updater: "_Client", line: str) -> RingsForm | None:
        info = updater.get_targetinfo(rings_path(line))
        if info is None:
            return None
        return parse_rings(self._target(updater, info, MOST_RINGS_BYTES), rings_path(line))

    def _target(self, updater: "_Client", info: TargetFile, most: int) -> bytes:
        """Bytes of a target; those that are read are those that were checked."""
        if info.length > most:
            raise BadChannel(f"{info.path}: {info.length} bytes: expected at most {most}")
        path = updater.find_cached_target(info) or updater.download_target(info)
        data = read_bounded(Path(path), most)
        info.verify_length_and_hashes(data)
        return data

    def _not_twice(self, offer: Offer) -> Offer:
        """One number is one bundle: a second one under it is refused, whoever signed it."""
        for known in self._memory.standing.offers:
            if known.channel == offer.channel and known.seq == offer.seq and known.bundle != offer.bundle:
                words = (
                    f"{offer.channel}: number {offer.seq} is {known.bundle[:12]} to this box, not {offer.bundle[:12]}"
                )
                return dataclasses.replace(offer, refused=words)
        return offer

    def _check_counter(self, version: int) -> None:
        if self._counter is None:
            return
        known = self._counter.read()
        if version < known:
            raise BadChannel(f"targets number {version}: older than number {known}, which this box has trusted")
        if version > known + MOST_AHEAD and known:
            raise BadChannel(f"targets number {version}: {version - known} ahead of this box: at most {MOST_AHEAD}")

    def _raise(self, found: Standing) -> None:
        for offer in map(self._bounded, found.offers):
            if not offer.refused and offer.seq > self._floor.highest(offer.channel):
                self._floor.raise_to(offer.channel, offer.seq)
        if self._counter is not None:
            self._counter.raise_to(found.targets_version)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time: two would undo each other's folder."""
        try:
            make_folder(self._folder)
            with (self._folder / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
                self._sync()
        except OSError as error:
            raise StoreLost(f"{self._folder}: {error.strerror or error}") from error

    def _sync(self) -> None:
        """Make durable what TUF's client wrote: after a power cut the box must not know less."""
        for path in [*(self._folder / "metadata").rglob("*.json")]:
            if path.is_file():
                handle = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
        sync_folder(self._folder / "metadata")


class _Client(Updater):
    """TUF's client; of what is its own (pinned to 7.0.1) the set that it trusts is looked at here alone."""

    def judge_at(self, at: datetime) -> None:
        """What has run out is judged by this, not by the wall clock as it stands."""
        self._trusted_set.reference_time = at

    def trusted(self, role: str) -> Any:
        """Verified metadata of a role."""
        return self._trusted_set[role]


class _Fetcher(FetcherInterface):
    """TUF's client asks for paths here. What is not there must be a 404: so it learns that it has the newest root."""

    def __init__(self, fetch: Fetch) -> None:
        self._from = fetch

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield from self._from(url, 0)
        except BadObject as error:
            raise DownloadHTTPError(str(error), 404) from error


def store_fetch(blobs: BlobStore) -> Fetch:
    """A way that brings bytes from a store: a mirror, a share, a USB stick."""
    return blobs.read_from
