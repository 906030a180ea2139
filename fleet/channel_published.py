"""What is published of a channel now, as those who sign see it. Boxes do not use this: they have TUF's client."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from .channel_format import RINGS_ROLE, BadChannel
from .channel_shelf import Shelf, metadata_key, target_key

logging.getLogger("tuf").setLevel(logging.WARNING)  # one key of three that has not signed is no news


@dataclass(slots=True)
class Published:
    """One whole set, and whether what was signed still holds by the newest root."""

    root: Root
    timestamp_bytes: bytes
    timestamp: Timestamp
    timestamp_holds: bool
    snapshot: Snapshot
    snapshot_holds: bool
    targets: Targets
    targets_bytes: bytes
    adopted: bool
    """This list of targets is newer than the one that the snapshot speaks of."""
    rings: Targets
    rings_bytes: bytes
    rings_hold: bool


def read_published(shelf: Shelf, first: bytes | None = None, by: Sequence[Root] = ()) -> Published:
    """Read the newest set.

    first: the root that is pinned; None: what lies there is believed, which will do for who only signs how far things
    have gone. by: roots any of which may vouch for the list of targets; none: the newest alone.
    BadChannel: there is none, or root or targets are not signed as they must be. StoreLost.
    """
    root = newest_root(shelf, first)
    raw = needed(shelf, metadata_key("timestamp"))
    timestamp: Timestamp = parsed(Timestamp, raw, "timestamp")
    snapshot_bytes = needed(shelf, metadata_key("snapshot", timestamp.snapshot_meta.version))
    snapshot: Snapshot = parsed(Snapshot, snapshot_bytes, "snapshot")
    known = said = snapshot.meta["targets.json"].version
    while (data := shelf.read(metadata_key("targets", known + 1))) is not None:
        known += 1
        newest = data
    targets_bytes = newest if known > said else needed(shelf, metadata_key("targets", known))
    targets: Targets = parsed(Targets, targets_bytes, "targets")
    if not any(holds(one, "targets", targets_bytes) for one in by):
        require(targets, targets_bytes, root, "targets")
    if targets.version != known:
        raise BadChannel(f"{metadata_key('targets', known)}: says it is number {targets.version}")
    rings_bytes = needed(shelf, metadata_key(RINGS_ROLE, snapshot.meta[f"{RINGS_ROLE}.json"].version))
    return Published(
        root=root,
        timestamp_bytes=raw,
        timestamp=timestamp,
        timestamp_holds=holds(root, "timestamp", raw),
        snapshot=snapshot,
        snapshot_holds=holds(root, "snapshot", snapshot_bytes),
        targets=targets,
        targets_bytes=targets_bytes,
        adopted=known > said,
        rings=parsed(Targets, rings_bytes, RINGS_ROLE),
        rings_bytes=rings_bytes,
        rings_hold=holds(targets, RINGS_ROLE, rings_bytes),
    )


def newest_root(shelf: Shelf, first: bytes | None = None) -> Root:
    """The newest root. As `all_roots`."""
    return all_roots(shelf, first)[-1]


def all_roots(shelf: Shelf, first: bytes | None = None) -> list[Root]:
    """The roots from the pinned one on, each signed by the one before it and by itself. BadChannel, StoreLost."""
    if first is None:
        first = needed(shelf, metadata_key("root", 1))
    root: Root = parsed(Root, first, "root")
    require(root, first, root, "root")
    found = [root]
    while (data := shelf.read(metadata_key("root", found[-1].version + 1))) is not None:
        root = parsed(Root, data, "root")
        require(root, data, found[-1], "root")
        require(root, data, root, "root")
        found.append(root)
    return found


def target_bytes(shelf: Shelf, target: TargetFile) -> bytes:
    """Bytes of a small target. BadChannel: not there, or not those that were signed. StoreLost."""
    data = needed(shelf, target_key(target))
    try:
        target.verify_length_and_hashes(data)
    except RepositoryError as error:
        raise BadChannel(f"{target.path}: {error}") from error
    return data


def needed(shelf: Shelf, key: str) -> bytes:
    """Bytes of a file that has to be there. BadChannel, StoreLost."""
    data = shelf.read(key)
    if data is None:
        raise BadChannel(f"{key}: not there; a channel begins with `okng channel init`")
    return data


def parsed(kind: Any, data: bytes, name: str) -> Any:
    """Metadata of a kind, unverified. BadChannel: it is none."""
    try:
        found = Metadata.from_bytes(data).signed
    except (RepositoryError, ValueError) as error:
        raise BadChannel(f"{name}: not metadata: {error}") from error
    if not isinstance(found, kind):
        raise BadChannel(f"{name}: is {type(found).__name__}, expected {kind.__name__}")
    return found


def require(found: Any, data: bytes, root: Root, name: str) -> None:
    """Raise BadChannel where those whom a root names for a role have not signed these bytes."""
    if not holds(root, name, data):
        raise BadChannel(f"{name} number {found.version}: not signed by those whom the root names for it")


def holds(delegator: Root | Targets, name: str, data: bytes) -> bool:
    """True: enough of those named for a role have signed these bytes."""
    whole: Any = Metadata.from_bytes(data)
    try:
        delegator.verify_delegate(name, whole.signed_bytes, whole.signatures)
    except (RepositoryError, ValueError):
        return False
    return True
