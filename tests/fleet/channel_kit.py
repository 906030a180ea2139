"""A channel with all its keys, and a box that believes it: what the tests of channels begin with."""

import dataclasses
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner

from okng.bus.errors import StoreLost
from okng.fleet.channel_client import Channels, Fetch
from okng.fleet.channel_clock import Moment
from okng.fleet.channel_format import RingForm
from okng.fleet.channel_offer import Offer
from okng.fleet.channel_repository import Pinning, Repository, begin
from okng.fleet.channel_shelf import FolderShelf
from okng.fleet.rings import OnlineKeys, Rings
from okng.fleet.stores import BadObject

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
LINE, RECIPE, BOX = "line7", "defect", "box1"


def new_key() -> Any:
    """A signer nobody has seen before."""
    return CryptoSigner.generate_ed25519()


class PlainFloor:
    """The ledger's floor, without a ledger."""

    def __init__(self) -> None:
        self.said: dict[str, int] = {}

    def highest(self, channel: str) -> int:
        return self.said.get(channel, 0)

    def raise_to(self, channel: str, seq: int) -> None:
        self.said[channel] = max(seq, self.highest(channel))


class Watch:
    """A clock that stands where the test puts it."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at, self.doubt = at, ""

    def __call__(self) -> Moment:
        return Moment(self.at, self.doubt)

    def now(self) -> datetime:
        return self.at

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclasses.dataclass
class Fleet:
    """Everything that signs, and the folder it is published in."""

    folder: Path
    watch: Watch
    roots: list[Any]
    targets: Any
    online: OnlineKeys
    root: bytes

    @classmethod
    def begun(cls, folder: Path, watch: Watch) -> "Fleet":
        folder.mkdir(parents=True)
        roots, targets = [new_key() for _ in range(3)], new_key()
        online = OnlineKeys(new_key(), new_key(), new_key())
        root = begin(FolderShelf(folder), roots, targets, online, watch.at)
        return cls(folder, watch, roots, targets, online, root)

    @property
    def shelf(self) -> FolderShelf:
        return FolderShelf(self.folder)

    @property
    def repository(self) -> Repository:
        return Repository(self.shelf, self.root, self.watch.now)

    @property
    def rings(self) -> Rings:
        return Rings(self.shelf, self.online, self.watch.now)

    def publish(self, bundle: Pinning | str, role: str = "champion", open_for: str = BOX, refresh: bool = True) -> int:
        """Publish a bundle, or a made-up digest, and open the only ring for a box; return its number."""
        pinning = bundle if isinstance(bundle, Pinning) else made_up(bundle)
        plan = [RingForm(ring="pilot", shadow_parts=10, canary_parts=20)]
        said = self.repository.publish(pinning, LINE, RECIPE, role, plan, "a person", self.targets)
        if refresh:
            self.rings.refresh()
        if open_for:
            self.rings.members(LINE, {"pilot": [open_for]})
            self.rings.open_ring(LINE, RECIPE, role, said.seq, "pilot")
        return said.seq

    def copied(self, to: Path) -> "Fleet":
        """The same keys, over a copy of what is published now."""
        shutil.copytree(self.folder, to)
        return dataclasses.replace(self, folder=to)


def made_up(letter: str) -> Pinning:
    """A bundle of which only the manifest's bytes exist."""
    import hashlib

    text = f'{{"bundle": "{letter}"}}'.encode()
    return Pinning(hashlib.sha256(text).hexdigest(), text, b"signature " + letter.encode())


def fetch_from(folder: Path) -> Fetch:
    """The way over a plain folder; a folder that is gone is a way that is cut."""

    def fetch(path: str, start: int) -> Iterator[bytes]:
        if not folder.is_dir():
            raise StoreLost(f"{folder}: gone")
        try:
            data = (folder / path).read_bytes()[start:]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadObject(f"{path}: not there") from error
        for at in range(0, len(data), 4096):
            yield data[at : at + 4096]

    return fetch


class Box:
    """A box, with what it remembers in three places."""

    def __init__(self, folder: Path, fleet: Fleet, counter: Any = None, box: str = BOX) -> None:
        self.folder, self.fleet, self.counter, self.box = folder, fleet, counter, box
        self.floor = PlainFloor()

    @property
    def channels(self) -> Channels:
        """As after a restart: nothing is in memory."""
        way = fetch_from(self.fleet.folder)
        root, watch = self.fleet.root, self.fleet.watch
        return Channels(self.folder, root, [LINE], self.box, way, self.floor, watch, self.counter)

    def offer(self, role: str = "champion") -> Offer:
        """What it is offered after a refresh."""
        return next(one for one in self.channels.refresh().offers if one.role == role)

    def forget(self, *, ledger: bool) -> None:
        """As after a new disk."""
        shutil.rmtree(self.folder)
        if ledger:
            self.floor = PlainFloor()
