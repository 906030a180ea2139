"""A bundle comes to the box: channel -> manifest -> files, every byte checked, and visible only when it is whole.

Fetching is not activating: what lies in `bundles/` has no effect until `activate`.
"""

import json
import logging
import re
import shutil
from pathlib import Path

from ..bus.errors import StoreLost
from ..models.manifest import MANIFEST, MOST_MANIFEST_BYTES, Manifest, read_manifest
from ..records.durable import make_folder, sync_folder
from .fetch import fetch
from .layout import blob_key, channel_key, manifest_key
from .stores import BadObject, BlobStore, read_small

log = logging.getLogger(__name__)
_MOST_CHANNEL_BYTES = 64 << 10
PARTIAL = ".partial"


def stands_at(blobs: BlobStore, channel: str) -> str:
    """Digest of the bundle a channel stands at. BadObject: no such channel, or it says nothing sensible."""
    key = channel_key(channel)
    data = read_small(blobs, key, _MOST_CHANNEL_BYTES)
    try:
        said = json.loads(data)["bundle"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadObject(f"{key}: not a channel: {error}") from error
    if not isinstance(said, str) or not re.fullmatch(r"[0-9a-f]{64}", said):
        raise BadObject(f"{key}: bundle {said!r}: expected 64 hex digits")
    return said


def pull(blobs: BlobStore, channel: str, bundles: Path) -> Path:
    """Return the folder of the channel's bundle under `bundles`, fetched if it is not there, named by its digest.

    StoreLost: cut off; call again, it goes on where it was. BadObject, BadBundle: what the store has is damaged;
    nothing becomes visible.
    """
    name = stands_at(blobs, channel)
    final, partial = bundles / name, bundles / (name + PARTIAL)
    if final.is_dir():
        return final
    try:
        make_folder(partial)
        _fetch_manifest(blobs, name, partial)
        manifest = read_manifest(partial)
        for path, entry in sorted(manifest.files.items()):
            fetch(blobs, blob_key(entry.sha256), partial / path, entry.sha256, entry.size)
        _only(partial, manifest)
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


def _only(partial: Path, manifest: Manifest) -> None:
    """Remove what the manifest does not name: leftovers of an older try."""
    wanted = {MANIFEST, *manifest.files}
    for path in sorted(partial.rglob("*"), reverse=True):
        inside = path.relative_to(partial).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(name.startswith(inside + "/") for name in wanted):
                shutil.rmtree(path)
        elif inside not in wanted:
            path.unlink()
