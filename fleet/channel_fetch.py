"""A bundle that a channel speaks of comes to the box. Every byte is checked before anybody parses it.

manifest, signature   length and digest by the channel's own signature; only then read
every other file      length and digest by the manifest, while it comes in; resumed after a cut, bounded
the whole             the signature of whoever made it, under an authority of this box; nothing added, no link

Room on the disk is asked for first. What is here has no effect until somebody lets it.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bus.errors import BadBundle, StoreLost
from ..models.bundle import MOST_SIGNATURE_BYTES
from ..models.listing import check_files
from ..models.manifest import MANIFEST, MOST_MANIFEST_BYTES, SIGNATURE, Manifest, parse, read_bytes
from ..records.durable import make_folder, sync_folder
from .channel_client import Fetch
from .channel_format import BadChannel
from .channel_offer import Offer, Pinned, Ticket
from .fetch import ENDING
from .fetch import fetch as fetch_file
from .pull import PARTIAL, only_named
from .signing import Signer, verify
from .stores import BadObject

log = logging.getLogger(__name__)
MOST_BUNDLE_BYTES = 2 << 30
ROOM_BYTES = 256 << 20
"""Left free on the disk, whatever is fetched."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A bundle that is here, whole and vouched for."""

    folder: Path
    signer: Signer


@dataclass(frozen=True, slots=True)
class _Reader:
    """One bundle's files as a store has them."""

    bundle: str
    bring: Fetch

    def read_from(self, key: str, start: int) -> Iterator[bytes]:
        yield from self.bring(f"bundles/{self.bundle}/{key}", start)


def fetch_bundle(
    said: Offer | Ticket,
    bundles: Path,
    bring: Fetch,
    authorities: Sequence[Path],
    room_bytes: int = ROOM_BYTES,
) -> Fetched:
    """Return the bundle of an offer or a ticket, fetched to `bundles/<digest>` if it is not there yet.

    authorities: certificates one of which must vouch for it. room_bytes: what is to stay free on the disk.
    StoreLost: cut off, or no room; call again, it goes on where it was. BadObject, BadBundle, BadChannel: what came is
    not what was signed; nothing becomes visible, and what is partly here is gone where it cannot become right.
    """
    digest = said.to_bundle if isinstance(said, Ticket) else said.bundle
    if said.signature is None:
        raise BadChannel(f"{said.channel}: {digest[:12]} is not signed for by the channel: nothing to fetch")
    final, partial = bundles / digest, bundles / (digest + PARTIAL)
    try:
        if final.is_dir() and not final.is_symlink():
            return Fetched(final, check_bundle(final, digest, authorities))
        for path in (final, partial):
            if path.is_symlink() or path.is_file():
                raise BadBundle(f"{path}: expected a folder, or nothing")
        make_folder(partial)
        reader = _Reader(digest, bring)
        text = _small(reader, MANIFEST, said.manifest, MOST_MANIFEST_BYTES)
        if hashlib.sha256(text).hexdigest() != digest:
            raise BadBundle(f"{partial / MANIFEST}: sha256 is not {digest}, which the channel speaks of")
        manifest = parse(text, str(partial / MANIFEST))
        signature = _small(reader, SIGNATURE, said.signature, MOST_SIGNATURE_BYTES)
        _tidy(partial, manifest)
        _ask_room(partial, manifest, room_bytes)
        for name, entry in sorted(manifest.files.items()):
            fetch_file(reader, name, partial / name, entry.sha256, entry.size)
        only_named(partial, manifest)
        for name, data in ((MANIFEST, text), (SIGNATURE, signature)):
            _write(partial / name, data)
        try:
            signer = check_bundle(partial, digest, authorities)
        except BadBundle:
            shutil.rmtree(partial)
            raise
        take_place(partial, final)
    except OSError as error:
        raise StoreLost(f"{partial}: {error}") from error
    log.info("bundle %.12s (%s %s) is here, signed by %s", digest, manifest.name, manifest.version, signer.name)
    return Fetched(final, signer)


def check_bundle(folder: Path, digest: str, authorities: Sequence[Path]) -> Signer:
    """Return who vouches for a bundle that lies here, after every byte of it was read. BadBundle: not as it must be."""
    text = read_bytes(folder)
    if hashlib.sha256(text).hexdigest() != digest:
        raise BadBundle(f"{folder / MANIFEST}: sha256 is not {digest}")
    check_files(folder, parse(text, str(folder / MANIFEST)))
    return verify(folder, authorities)


def _small(reader: _Reader, name: str, said: Pinned, most: int) -> bytes:
    if not 0 < said.size <= most:
        raise BadChannel(f"{name}: {said.size} bytes: expected 1..{most}")
    data = bytearray()
    for chunk in reader.read_from(name, 0):
        data += chunk
        if len(data) > said.size:
            break
    found = hashlib.sha256(data).hexdigest()
    if len(data) != said.size or found != said.sha256:
        raise BadObject(f"{name}: {len(data)} bytes, sha256 {found[:12]}: signed are {said.size}, {said.sha256[:12]}")
    return bytes(data)


def _tidy(partial: Path, manifest: Manifest) -> None:
    """Remove links, and what neither belongs there nor is half of what does: nothing is written through a link."""
    for path in sorted(partial.rglob("*"), reverse=True):
        name = path.relative_to(partial).as_posix()
        if path.is_symlink() or not (path.is_dir() or name.removesuffix(ENDING) in manifest.files):
            path.unlink()


def _ask_room(partial: Path, manifest: Manifest, room_bytes: int) -> None:
    """BadBundle: larger than any bundle may be. StoreLost: larger than what is free now."""
    whole = sum(entry.size for entry in manifest.files.values())
    if whole > MOST_BUNDLE_BYTES:
        raise BadBundle(f"{partial.name}: {whole} bytes in all: expected at most {MOST_BUNDLE_BYTES}")
    here = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file() and not path.is_symlink())
    disk = os.statvfs(partial)
    free, wanted = disk.f_bavail * disk.f_frsize, max(0, whole - here) + room_bytes
    if free < wanted:
        raise StoreLost(f"{partial}: no room: {wanted >> 20} MB wanted, {free >> 20} MB free")


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    new.rename(path)


def take_place(partial: Path, final: Path) -> None:
    """The bundle becomes visible, read-only, synced down to the last folder."""
    for path in partial.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            path.chmod(0o444)
    sync_folder(partial)
    partial.rename(final)
    sync_folder(final.parent)
