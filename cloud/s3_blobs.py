"""Blobs in any S3 server: the box sends to it directly, by addresses signed for one hash, one length, a few minutes.

    sha256/<hex>                whole, its hash vouched for by the server or read back by the service
    staging/<box>/<hex>         a large blob that was put together, until its bytes were read back
    bundles/<digest>/<path>     what boxes read of a channel

S3 knows no SHA-256 over an object that came in parts, only one over the hashes of the parts: so a large one is read
back and hashed here before it is copied to its name.
"""

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..bus.errors import BadSettings, StoreLost
from .blobs import CHUNK, VALID_S, BadBlob, NotWhole, Put, parts_of
from .settings import FleetSettings, s3_keys

_MISSING = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}
_BUSY = {"SlowDown", "Throttling", "RequestTimeout", "ServiceUnavailable", "InternalError"}


class S3Blobs:
    """See `blobs.BlobStore`."""

    def __init__(self, settings: FleetSettings) -> None:
        """Nothing is asked of the server yet. BadSettings: no keys."""
        options = settings.blobs
        access, secret = s3_keys(settings)
        self._bucket = options.bucket

        def client(endpoint: str) -> Any:
            return boto3.session.Session(
                aws_access_key_id=access, aws_secret_access_key=secret, region_name=options.region
            ).client(
                "s3",
                endpoint_url=endpoint or None,
                config=Config(
                    signature_version="s3v4",  # the default may be SigV2, which signs no checksum
                    connect_timeout=options.timeout_s,
                    read_timeout=options.timeout_s,
                    retries={"mode": "standard", "max_attempts": 2},
                    s3={"addressing_style": "path"} if endpoint else {},
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )

        self._client = client(options.endpoint)
        # A signature covers the host: boxes may reach the server by another name than the service does.
        self._signer = client(options.public_endpoint) if options.public_endpoint else self._client

    def make_bucket(self) -> None:
        """Make the bucket if it is not there. StoreLost; BadSettings: the server turns us away."""
        with _translated(self._bucket):
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) not in {*_MISSING, "NoSuchBucket"}:
                    raise BadSettings(f"blobs.bucket = {self._bucket!r}: the server turns us away: {error}") from error
                self._client.create_bucket(Bucket=self._bucket)

    def head(self, sha256: str) -> int | None:
        """See `BlobStore`."""
        with _translated(sha256):
            found = self._head(_key(sha256))
            if found is None:
                return None
            said = found.get("ChecksumSHA256")
            # A checksum over an object in parts reads `<base64>-<parts>` and is none of the bytes.
            given = said if said and "-" not in said else _base64(self._hashed(_key(sha256)))
            if given != _base64(sha256):
                raise BadBlob(f"{sha256}: other bytes lie under its key")
            return int(found["ContentLength"])

    def put(self, box: str, sha256: str, size: int) -> Put:
        """See `BlobStore`."""
        checksum = _base64(sha256)
        url = self._signer.generate_presigned_url(
            "put_object",
            Params={
                **self._named(_key(sha256)),
                "ContentLength": size,
                "ChecksumSHA256": checksum,
                "IfNoneMatch": "*",
            },
            ExpiresIn=VALID_S,
        )
        return Put(url, {"x-amz-checksum-sha256": checksum, "If-None-Match": "*", "Content-Length": str(size)})

    def begin(self, box: str, sha256: str) -> str:
        """See `BlobStore`."""
        with _translated(sha256):
            return str(self._client.create_multipart_upload(**self._named(_staged(box, sha256)))["UploadId"])

    def parts(self, box: str, sha256: str, upload: str) -> dict[int, str] | None:
        """See `BlobStore`."""
        found: dict[int, str] = {}
        with _translated(sha256):
            try:
                pages = self._client.get_paginator("list_parts")
                for page in pages.paginate(**self._named(_staged(box, sha256)), UploadId=upload):
                    found |= {int(part["PartNumber"]): str(part["ETag"]) for part in page.get("Parts", [])}
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
        return found

    def put_part(self, box: str, sha256: str, upload: str, number: int) -> Put:
        """See `BlobStore`."""
        url = self._signer.generate_presigned_url(
            "upload_part",
            Params={**self._named(_staged(box, sha256)), "UploadId": upload, "PartNumber": number},
            ExpiresIn=VALID_S,
        )
        return Put(url, {})

    def complete(self, box: str, sha256: str, size: int, upload: str) -> None:
        """See `BlobStore`."""
        found, key = self.parts(box, sha256, upload), _staged(box, sha256)
        if found is not None:
            if sorted(found) != list(range(1, parts_of(size) + 1)):
                raise NotWhole(f"{sha256}: expected {parts_of(size)} parts, found {sorted(found)}")
            parts = [{"PartNumber": number, "ETag": found[number]} for number in sorted(found)]
            with _translated(sha256):
                self._client.complete_multipart_upload(
                    **self._named(key), UploadId=upload, MultipartUpload={"Parts": parts}
                )
        with _translated(sha256):
            staged = self._head(key)  # put together by an answer that was lost: go on from there
            if staged is None:
                raise BadBlob(f"{sha256}: the upload is over: ask for the blob again")
            try:
                if int(staged["ContentLength"]) != size:
                    raise BadBlob(f"{sha256}: {staged['ContentLength']} bytes: expected {size}")
                if (hashed := self._hashed(key)) != sha256:
                    raise BadBlob(f"{sha256}: the bytes hash to {hashed}")
                self._client.copy_object(
                    **self._named(_key(sha256)),
                    CopySource=self._named(key),
                    CopySourceIfMatch=staged["ETag"],
                )
            finally:
                self._client.delete_object(**self._named(key))

    def abort(self, box: str, sha256: str, upload: str) -> None:
        """See `BlobStore`."""
        with _translated(sha256):
            try:
                self._client.abort_multipart_upload(**self._named(_staged(box, sha256)), UploadId=upload)
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise

    def get_url(self, sha256: str, valid_s: int = VALID_S) -> str:
        """See `BlobStore`."""
        return str(
            self._signer.generate_presigned_url("get_object", Params=self._named(_key(sha256)), ExpiresIn=valid_s)
        )

    def read(self, sha256: str) -> Iterator[bytes]:
        """See `BlobStore`."""
        with _translated(sha256):
            try:
                yield from self._chunks(_key(sha256))
            except ClientError as error:
                if _code(error) in _MISSING:
                    raise BadBlob(f"{sha256}: not there") from error
                raise

    def channel_bytes(self, key: str, most: int) -> bytes | None:
        """See `BlobStore`."""
        with _translated(key):
            found = self._head(key)
            if found is None or int(found["ContentLength"]) > most:
                return None
            return b"".join(self._chunks(key))

    def channel_url(self, key: str) -> str | None:
        """See `BlobStore`."""
        with _translated(key):
            if self._head(key) is None:
                return None
        return str(self._signer.generate_presigned_url("get_object", Params=self._named(key), ExpiresIn=VALID_S))

    def close(self) -> None:
        """See `BlobStore`."""
        self._client.close()
        self._signer.close()

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": key}

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.head_object(**self._named(key), ChecksumMode="ENABLED")
            return found
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise

    def _chunks(self, key: str) -> Iterator[bytes]:
        with self._client.get_object(**self._named(key))["Body"] as body:
            while chunk := body.read(CHUNK):
                yield chunk

    def _hashed(self, key: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(key):
            digest.update(chunk)
        return digest.hexdigest()


def _key(sha256: str) -> str:
    return f"sha256/{sha256}"


def _staged(box: str, sha256: str) -> str:
    return f"staging/{box}/{sha256}"


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode("ascii")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or status == 429 or _code(error) in _BUSY:
            raise StoreLost(f"{key}: {error}") from error
        raise BadSettings(f"[blobs]: the store turns us away: {error}") from error
    except (BotoCoreError, OSError) as error:
        raise StoreLost(f"{key}: {error}") from error
