"""Put a bundle into a store, then point a channel at it: until then boxes see the old bundle whole."""

import json
import re
from pathlib import Path

from ..bus.clock import utc_now
from ..bus.errors import BadBundle, BadSettings
from ..models.bundle import MOST_SIGNATURE_BYTES
from ..models.manifest import MANIFEST, SIGNATURE, digest, read_manifest
from .layout import blob_key, channel_key, manifest_key
from .options import NAME
from .stores import BadObject, BlobStore, file_sha256


def publish(bundle: Path, channel: str, blobs: BlobStore) -> str:
    """Upload what the store lacks of the bundle, then let the channel stand at it; return the bundle's digest.

    BadBundle: a file is missing or not the one of the manifest. Call again after StoreLost: it goes on where it was.
    """
    if not re.fullmatch(NAME, channel):
        raise BadSettings(f"channel {channel!r}: expected letters a-z, digits, - and _, at most 48")
    manifest, name = read_manifest(bundle), digest(bundle)
    for path, entry in sorted(manifest.files.items()):
        file = bundle / path
        if not file.is_file() or file.stat().st_size != entry.size:
            raise BadBundle(f"{file}: missing, or not of the {entry.size} bytes the manifest says")
        try:
            blobs.put_if_absent(blob_key(entry.sha256), file, entry.sha256)
        except BadObject as error:
            raise BadBundle(f"{file}: {error}") from error
    blobs.put_if_absent(manifest_key(name), (bundle / MANIFEST).read_bytes(), name)
    stands: dict[str, object] = {
        "bundle": name,
        "name": manifest.name,
        "version": manifest.version,
        "at": utc_now(),
    }
    if (bundle / SIGNATURE).is_file():
        stands["signature"] = _put_signature(bundle / SIGNATURE, blobs)
    blobs.replace(channel_key(channel), json.dumps(stands, sort_keys=True).encode() + b"\n")
    return name


def _put_signature(file: Path, blobs: BlobStore) -> dict[str, object]:
    """Upload a signature; return what a channel says of it. A bundle that is signed anew keeps its digest."""
    sha256, size = file_sha256(file), file.stat().st_size
    if size > MOST_SIGNATURE_BYTES:
        raise BadBundle(f"{file}: {size} bytes: expected at most {MOST_SIGNATURE_BYTES}")
    blobs.put_if_absent(blob_key(sha256), file, sha256)
    return {"sha256": sha256, "size": size}
