"""A bundle comes to the box: channel -> manifest -> files, every byte checked, and visible only when it is whole.

Fetching is not activating: what lies in `bundles/` has no effect until `activate`.
"""

import logging
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bus.errors import StoreLost
from ..bus.outside import parsed_json
from ..models.bundle import MOST_SIGNATURE_BYTES
from ..models.manifest import MANIFEST, MOST_MANIFEST_BYTES, SIGNATURE, Manifest, read_manifest
from ..records.durable import make_folder, sync_folder
from .fetch import fetch
from .layout import blob_key, channel_key, manifest_key
from .signing import verify
from .stores import BadObject, BlobStore, file_sha256, read_small

log = logging.getLogger(__name__)
_MOST_CHANNEL_BYTES = 64 << 10
PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Stands:
    """What a channel says."""

    bundle: str
    """Digest of the bundle."""
    signature: tuple[str, int] | None
    """sha256 and bytes of its signature; None: it is not signed."""


def stands_at(blobs: BlobStore, channel: str) -> Stands:
    """What a channel stands at. BadObject: no such channel, or it says nothing sensible."""
    key = channel_key(channel)
    data = read_small(blobs, key, _MOST_CHANNEL_BYTES)
    try:
        said = parsed_json(data)
        bundle, signature = said["bundle"], said.get("signature")
        signed = None if signature is None else (signature["sha256"], signature["size"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadObject(f"{key}: not a channel: {error}") from error
    for digest in (bundle, *signed[:1]) if signed else (bundle,):
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise BadObject(f"{key}: digest {digest!r}: expected 64 hex digits")
    if signed and not (isinstance(signed[1], int) and 0 < signed[1] <= MOST_SIGNATURE_BYTES):
        raise BadObject(f"{key}: signature of {signed[1]!r} bytes: expected 1..{MOST_SIGNATURE_BYTES}")
    return Stands(bundle, signed)


def pull(blobs: BlobStore, channel: str, bundles: Path, authorities: Sequence[Path] = ()) -> Path:
    """Return the folder of the channel's bundle under `bundles`, fetched if it is not there, named by its digest.

    authorities: certificates one of which must vouch for its signature; none: no signature is asked for.
    StoreLost: cut off; call again, it goes on where it was. BadObject, BadBundle: what the store has is damaged, or
    not signed as asked; nothing becomes visible.
    """
    said = stands_at(blobs, channel)
    name = said.bundle
    final, partial = bundles / name, bundles / (name + PARTIAL)
    try:
        if final.is_dir():
            _fetch_signature(blobs, said, final, authorities)
            return final
        make_folder(partial)
        _fetch_manifest(blobs, name, partial)
        manifest = read_manifest(partial)
        for path, entry in sorted(manifest.files.items()):
            fetch(blobs, blob_key(entry.sha256), partial / path, entry.sha256, entry.size)
        only_named(partial, manifest)
        _fetch_signature(blobs, said, partial, authorities)
        for folder in (path for path in partial.rglob("*") if path.is_dir()):
            sync_folder(folder)
        sync_folder(partial)
        partial.rename(final)
        sync_folder(bundles)
    except OSError as error:
        raise StoreLost(f"{partial}: {error}") from error
    log.info(
        "bundle %.12s (%s %s) of channel %s is here, not yet active", name, manifest.name, manifest.version, channel
    )
    return final


def _fetch_manifest(blobs: BlobStore, name: str, partial: Path) -> None:
    key = manifest_key(name)
    known = blobs.head(key)
    if known is None:
        raise BadObject(f"{key}: not there, though its channel stands at it")
    if known.size > MOST_MANIFEST_BYTES:
        raise BadObject(f"{key}: {known.size} bytes, expected at most {MOST_MANIFEST_BYTES}")
    fetch(blobs, key, partial / MANIFEST, name, known.size)


def _fetch_signature(blobs: BlobStore, said: Stands, folder: Path, authorities: Sequence[Path]) -> None:
    """Put the signature into a bundle's folder, in the place of an older one. Half of one never lies in there.

    One that none of the authorities vouches for is refused while it lies beside the folder.
    """
    if said.signature is None:
        if authorities:
            verify(folder, authorities)
        return
    sha256, size = said.signature
    target = folder / SIGNATURE
    if target.is_file() and file_sha256(target) == sha256:
        if authorities:  # it may have been here before they were named
            verify(folder, authorities)
        return
    beside = folder.parent / f"{said.bundle}.{SIGNATURE}"
    fetch(blobs, blob_key(sha256), beside, sha256, size)
    if authorities:
        verify(folder, authorities, beside)
    beside.rename(target)
    sync_folder(folder)


def only_named(partial: Path, manifest: Manifest) -> None:
    """Remove what the manifest does not name: leftovers of an older try."""
    wanted = {MANIFEST, *manifest.files}
    for path in sorted(partial.rglob("*"), reverse=True):
        inside = path.relative_to(partial).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(name.startswith(inside + "/") for name in wanted):
                shutil.rmtree(path)
        elif inside not in wanted:
            path.unlink()
