"""Blobs as files beside the service: for a small site without S3. They are sent to the service itself.

sha256/ab/ab12…            whole, checked
parts/<box>/<upload>/…     parts under way, `<n>.<size>-<hash>`
"""

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

from ..bus.durable import sync_folder
from ..bus.errors import StoreLost
from .blobs import CHUNK, PART, VALID_S, BadBlob, NotWhole, Put, parts_of
from .settings import FleetSettings

_HEX = re.compile(r"[0-9a-f]{64}")
_BOX = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_UPLOAD = re.compile(r"[0-9a-f]{32}")


class FolderBlobs:
    """See `blobs.BlobStore`. Several processes of one machine may share the folder."""

    def __init__(self, settings: FleetSettings, key: bytes) -> None:
        """key: signs addresses."""
        if settings.blobs.folder is None:  # the settings refuse it
            raise ValueError("blobs.folder is missing")
        self._folder, self._url = settings.blobs.folder, settings.service.url.rstrip("/")
        self._key = hmac.digest(key, b"addresses of blobs", "sha256")

    def head(self, sha256: str) -> int | None:
        """See `BlobStore`. What lies here was hashed before it got its name."""
        with _translated(self._folder):
            try:
                return self._place(sha256).stat().st_size
            except FileNotFoundError:
                return None

    def put(self, box: str, sha256: str, size: int) -> Put:
        """See `BlobStore`."""
        return Put(self._signed(f"/v1/blobs/put/{sha256}", box=box, size=str(size)), {})

    def begin(self, box: str, sha256: str) -> str:
        """See `BlobStore`."""
        upload = secrets.token_hex(16)
        with _translated(self._folder):
            self._parts(box, upload).mkdir(parents=True)
        return upload

    def parts(self, box: str, sha256: str, upload: str) -> dict[int, str] | None:
        """See `BlobStore`."""
        with _translated(self._folder):
            folder = self._parts(box, upload)
            if not folder.is_dir():
                return None
            found = (file.name.partition(".") for file in folder.iterdir() if not file.name.startswith("."))
            return {int(number): etag for number, _, etag in found}

    def put_part(self, box: str, sha256: str, upload: str, number: int) -> Put:
        """See `BlobStore`."""
        return Put(self._signed(f"/v1/blobs/part/{sha256}", box=box, upload=upload, n=str(number)), {})

    def complete(self, box: str, sha256: str, size: int, upload: str) -> None:
        """See `BlobStore`."""
        found = self.parts(box, sha256, upload)
        if found is None or sorted(found) != list(range(1, parts_of(size) + 1)):
            raise NotWhole(f"{sha256}: expected {parts_of(size)} parts, found {sorted(found or {})}")
        folder = self._parts(box, upload)

        def chunks() -> Iterator[bytes]:
            for number in sorted(found):
                with (folder / f"{number}.{found[number]}").open("rb") as part:
                    while chunk := part.read(CHUNK):
                        yield chunk

        with _translated(self._folder):
            try:
                self.take(sha256, size, chunks())
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def abort(self, box: str, sha256: str, upload: str) -> None:
        """See `BlobStore`."""
        shutil.rmtree(self._parts(box, upload), ignore_errors=True)

    def get_url(self, sha256: str, valid_s: int = VALID_S) -> str:
        """See `BlobStore`."""
        return self._signed(f"/v1/blobs/get/{sha256}", valid_s)

    def read(self, sha256: str) -> Iterator[bytes]:
        """See `BlobStore`."""
        try:
            with self._place(sha256).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise BadBlob(f"{sha256}: not there") from None

    def channel_bytes(self, key: str, most: int) -> bytes | None:
        """See `BlobStore`. The channel of such a site lies in `[channel] folder`, which the service reads itself."""
        return None

    def channel_url(self, key: str) -> str | None:
        """See `BlobStore`."""
        return None

    def close(self) -> None:
        """See `BlobStore`."""

    def place(self, sha256: str) -> Path | None:
        """The file of a blob; None: not there."""
        found = self._place(sha256)
        return found if found.is_file() else None

    def take(self, sha256: str, size: int, chunks: Iterable[bytes]) -> None:
        """Keep bytes that were sent, if they are what they should be. BadBlob."""
        place = self._place(sha256)
        with _translated(self._folder):
            place.parent.mkdir(parents=True, exist_ok=True)
            waiting = place.with_name(f".{secrets.token_hex(8)}")
            try:
                found, length = _written(waiting, chunks, size)
                if length != size:
                    raise BadBlob(f"{sha256}: {length} bytes: expected {size}")
                if found != sha256:
                    raise BadBlob(f"{sha256}: the bytes hash to {found}")
                waiting.rename(place)
                sync_folder(place.parent)
            finally:
                waiting.unlink(missing_ok=True)

    def take_part(self, box: str, upload: str, number: int, chunks: Iterable[bytes]) -> str:
        """Keep one part; its ETag. BadBlob: too long, or the upload is over."""
        folder = self._parts(box, upload)
        if not folder.is_dir():
            raise BadBlob(f"upload {upload}: over, or never begun: ask for the blob again")
        with _translated(self._folder):
            waiting = folder / f".{secrets.token_hex(8)}"
            try:
                found, length = _written(waiting, chunks, PART)
                etag = f"{length}-{found}"
                for old in folder.glob(f"{number}.*"):
                    if old.name != f"{number}.{etag}":
                        old.unlink()
                waiting.rename(folder / f"{number}.{etag}")
                return etag
            finally:
                waiting.unlink(missing_ok=True)

    def is_signed(self, path: str, said: dict[str, str]) -> bool:
        """Whether an address was signed here and still holds."""
        said = dict(said)
        mark, ends = said.pop("sig", ""), said.get("ends", "")
        if not ends.isdecimal() or int(ends[:12]) < time.time():
            return False
        return hmac.compare_digest(self._mark(path, said).encode(), mark.encode("utf-8", "replace"))

    def _signed(self, path: str, valid_s: int = VALID_S, **said: str) -> str:
        said["ends"] = str(int(time.time()) + valid_s)
        return f"{self._url}{quote(path)}?{urlencode({**said, 'sig': self._mark(path, said)})}"

    def _mark(self, path: str, said: dict[str, str]) -> str:
        text = "\n".join([path, *(f"{name}={said[name]}" for name in sorted(said))])
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256")).decode()

    def _place(self, sha256: str) -> Path:
        if not _HEX.fullmatch(sha256):
            raise BadBlob(f"{sha256[:80]!r}: expected 64 hex digits")
        return self._folder / "sha256" / sha256[:2] / sha256

    def _parts(self, box: str, upload: str) -> Path:
        if not _BOX.fullmatch(box) or not _UPLOAD.fullmatch(upload):
            raise BadBlob(f"upload {upload[:80]!r}: expected one that was begun here")
        return self._folder / "parts" / box / upload


def _written(file: Path, chunks: Iterable[bytes], most: int) -> tuple[str, int]:
    """(hash, length) of what was written; it stops when there is too much."""
    digest, length = hashlib.sha256(), 0
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    with os.fdopen(handle, "wb") as out:
        for chunk in chunks:
            length += len(chunk)
            if length > most:
                raise BadBlob(f"more than {most} bytes: expected no more")
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(handle)
    return digest.hexdigest(), length


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreLost(f"{folder}: {error.strerror or error}") from error
