"""Where pictures and bundles lie: what the service needs of a store, whichever it is.

A blob's key is the hash of its bytes, `sha256/<hex>`. The box sends it to an address that is signed for this hash, this
length and a few minutes; the service believes that it is there when the store itself vouches for length and hash.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..bus.errors import Refused, StoreLost
from .settings import FleetSettings

PART = 8 << 20
"""Bytes of one part; a blob that is larger travels in parts."""
VALID_S = 900
"""How long a signed address holds."""
CHUNK = 1 << 20

__all__ = ["CHUNK", "PART", "VALID_S", "BadBlob", "BlobStore", "NotWhole", "Put", "StoreLost", "open_blobs", "parts_of"]


class BadBlob(Refused):
    """What lies in the store is not what its key says."""


class NotWhole(Refused):
    """Parts of a blob are still lacking."""


@dataclass(frozen=True, slots=True)
class Put:
    """Where and how to send one blob, or one part of it."""

    url: str
    headers: dict[str, str]


class BlobStore(Protocol):
    """All of them raise StoreLost: the store does not answer, try again."""

    def head(self, sha256: str) -> int | None:
        """Size in bytes of a blob whose hash was checked; None: not there. BadBlob: other bytes lie there."""
        ...

    def put(self, box: str, sha256: str, size: int) -> Put:
        """Where a box may send a blob, once."""
        ...

    def begin(self, box: str, sha256: str) -> str:
        """Begin to send a blob in parts; the store's id of it."""
        ...

    def parts(self, box: str, sha256: str, upload: str) -> dict[int, str] | None:
        """Parts that are there: number -> ETag. None: the store knows of no such upload any more."""
        ...

    def put_part(self, box: str, sha256: str, upload: str, number: int) -> Put:
        """Where a box may send one part."""
        ...

    def complete(self, box: str, sha256: str, size: int, upload: str) -> None:
        """Put the parts together. NotWhole: some lack; BadBlob: the hash is another, all is thrown away."""
        ...

    def abort(self, box: str, sha256: str, upload: str) -> None:
        """Throw away what was sent of an upload. One that is gone is no error."""
        ...

    def get_url(self, sha256: str, valid_s: int = VALID_S) -> str:
        """Where somebody may read a blob for a while."""
        ...

    def read(self, sha256: str) -> Iterator[bytes]:
        """Its bytes. BadBlob: not there."""
        ...

    def channel_bytes(self, key: str, most: int) -> bytes | None:
        """A small file of the channel, by its key under the store's root; None: not there, or too large."""
        ...

    def channel_url(self, key: str) -> str | None:
        """Where a file of the channel may be read for a while; None: not there."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def parts_of(size: int) -> int:
    """How many parts a blob of so many bytes has."""
    return -(-size // PART)


def open_blobs(settings: FleetSettings, key: bytes) -> BlobStore:
    """The store of the settings; key signs the addresses of a folder. BadSettings: no credentials."""
    if settings.blobs.kind == "folder":
        from .folder_blobs import FolderBlobs

        return FolderBlobs(settings, key)
    from .s3_blobs import S3Blobs

    return S3Blobs(settings)
