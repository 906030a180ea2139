"""A signed bundle's loose files go to where a channel is published, and S3 as a shelf for the channel's own."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..bus.errors import BadBundle
from ..models.manifest import MANIFEST, SIGNATURE, digest, parse, read_bytes
from .channel_fetch import check_bundle
from .channel_repository import Pinning
from .channel_shelf import MOST_BYTES, FolderShelf, Shelf
from .options import SyncOptions
from .signing import Signer
from .stores import BadObject, BlobStore, read_small


class Swapping(BlobStore, Protocol):
    """A store that can write over a file only where nobody else has."""

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """See `Shelf`."""
        ...


class StoreShelf:
    """A bucket as a shelf."""

    def __init__(self, blobs: Swapping) -> None:
        self._blobs = blobs

    def read(self, key: str) -> bytes | None:
        """See `Shelf`."""
        if self._blobs.head(key) is None:
            return None
        return read_small(self._blobs, key, MOST_BYTES)

    def add(self, key: str, data: bytes) -> bool:
        """See `Shelf`."""
        try:
            self._blobs.put_if_absent(key, data, hashlib.sha256(data).hexdigest())
        except BadObject:
            return False
        return True

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """See `Shelf`."""
        return self._blobs.swap(key, old, new)


def shelf_of(options: SyncOptions) -> tuple[Shelf, BlobStore]:
    """The place of the settings, as a shelf and as a store. BadSettings: no credentials."""
    if options.is_s3:
        from .s3_store import S3Store

        store = S3Store(options)
        return StoreShelf(store), store
    from .folder_store import FolderStore

    return FolderShelf(Path(options.target)), FolderStore(Path(options.target))


def put_bundle(bundle: Path, blobs: BlobStore, authorities: Sequence[Path]) -> tuple[Pinning, Signer]:
    """Upload what the store lacks of a signed bundle; return what the channel is to sign, and who vouches for it.

    BadBundle: damaged, or not signed under one of the authorities. StoreLost: call again, it goes on where it was.
    """
    name = digest(bundle)
    signer = check_bundle(bundle, name, authorities)
    text, signature = read_bytes(bundle), (bundle / SIGNATURE).read_bytes()
    if hashlib.sha256(text).hexdigest() != name:
        raise BadBundle(f"{bundle / MANIFEST}: changes while it is read")
    for path, entry in sorted(parse(text, str(bundle / MANIFEST)).files.items()):
        try:
            blobs.put_if_absent(bundle_key(name, path), bundle / path, entry.sha256)
        except BadObject as error:
            raise BadBundle(f"{bundle / path}: {error}") from error
    blobs.put_if_absent(bundle_key(name, MANIFEST), text, name)
    blobs.replace(bundle_key(name, SIGNATURE), signature)  # a bundle that is signed anew keeps its digest
    return Pinning(name, text, signature), signer


def bundle_key(bundle: str, path: str) -> str:
    """Key of a bundle's file."""
    return f"bundles/{bundle}/{path}"
