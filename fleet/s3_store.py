"""Any S3 server as a store: SigV4, SHA-256 checksums that the server verifies, no object written over."""

import base64
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ResponseStreamingError
from botocore.exceptions import ConnectionError as NoConnection

from ..bus.credential import rooted_file
from ..bus.errors import BadSettings, StoreLost
from ..bus.outside import parsed_json, read_bounded
from .options import SyncOptions
from .stores import CHUNK, BadObject, BadStore, Head, check_key, file_sha256

PART = 16 << 20
"""Bytes of one part of a larger object; up to this size an object is written by one request."""
_DIGEST = "sha256"
"""Our own metadata: servers differ in what checksum they give back for an object written in parts."""
_MISSING = {"404", "NoSuchKey", "NotFound"}
_THERE = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
_BUSY = {"SlowDown", "Throttling", "RequestTimeout", "ServiceUnavailable", "InternalError", "RequestTimeTooSkewed"}


class S3Store:
    """Keys under one prefix of one bucket."""

    def __init__(self, options: SyncOptions) -> None:
        """Nothing is asked of the server yet. BadSettings: no credentials."""
        access, secret = credentials(options.credentials_file)
        self._bucket, self._prefix = options.bucket, options.prefix
        config = Config(
            signature_version="s3v4",  # the default may be SigV2, which signs no checksum
            connect_timeout=options.timeout_s,
            read_timeout=options.timeout_s,
            retries={"mode": "standard", "max_attempts": 2},
            s3={"addressing_style": "path"} if options.endpoint else {},
        )
        session = boto3.session.Session(
            aws_access_key_id=access, aws_secret_access_key=secret, region_name=options.region
        )
        self._client: Any = session.client("s3", endpoint_url=options.endpoint or None, config=config)

    def put_if_absent(self, key: str, source: Path | bytes, sha256: str) -> bool:
        """See `BlobStore`."""
        with _translated(key):
            if isinstance(source, bytes) or source.stat().st_size <= PART:
                data = source if isinstance(source, bytes) else source.read_bytes()
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise BadObject(f"{key}: what was to be written does not hash to {sha256}")
                return self._put(key, data, sha256)
            if (known := self.head(key)) is not None:
                return self._same(key, known, sha256)
            if file_sha256(source) != sha256:
                raise BadObject(f"{key}: what was to be written does not hash to {sha256}")
            return self._put_in_parts(key, source, sha256)

    def replace(self, key: str, data: bytes) -> None:
        """See `BlobStore`."""
        with _translated(key):
            self._client.put_object(**self._named(key), Body=data, **_checked(data), Metadata=_metadata(data))

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Write over a small object if it holds `old` (None: is not there), unless somebody else does meanwhile."""
        with _translated(key):
            try:
                found = self._client.get_object(**self._named(key))
                with found["Body"] as body:
                    held: bytes | None = body.read(1 << 24)
                condition = {"IfMatch": found["ETag"]}
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                held, condition = None, {"IfNoneMatch": "*"}
            if held != old:
                return False
            try:
                self._client.put_object(
                    **self._named(key), Body=new, **condition, **_checked(new), Metadata=_metadata(new)
                )
            except ClientError as error:
                if _code(error) not in _THERE:
                    raise
                return False
            return True

    def head(self, key: str) -> Head | None:
        """See `BlobStore`."""
        with _translated(key):
            try:
                found = self._client.head_object(**self._named(key))
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            return Head(found["ContentLength"], found.get("Metadata", {}).get(_DIGEST))

    def read_from(self, key: str, start: int) -> Iterator[bytes]:
        """See `BlobStore`."""
        with _translated(key):
            if start and (known := self.head(key)) is not None and start >= known.size:
                return  # a range that begins at the end is an error to S3
            try:
                found = self._client.get_object(**self._named(key), **({"Range": f"bytes={start}-"} if start else {}))
            except ClientError as error:
                if _code(error) in _MISSING:
                    raise BadObject(f"{key}: not in bucket {self._bucket}") from error
                raise
            with found["Body"] as body:
                while chunk := body.read(CHUNK):
                    yield chunk

    def keys(self, prefix: str) -> list[str]:
        """See `BlobStore`."""
        found: list[str] = []
        with _translated(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                found += [entry["Key"].removeprefix(self._prefix) for entry in page.get("Contents", [])]
        return sorted(found)

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + check_key(key)}

    def _put(self, key: str, data: bytes, sha256: str) -> bool:
        try:
            self._client.put_object(
                **self._named(key), Body=data, IfNoneMatch="*", **_checked(data), Metadata={_DIGEST: sha256}
            )
        except ClientError as error:
            known = self.head(key) if _code(error) in _THERE else None
            if known is None:
                raise
            return self._same(key, known, sha256)
        return True

    def _put_in_parts(self, key: str, source: Path, sha256: str) -> bool:
        name = self._named(key)
        upload = self._client.create_multipart_upload(**name, ChecksumAlgorithm="SHA256", Metadata={_DIGEST: sha256})[
            "UploadId"
        ]
        try:
            parts: list[dict[str, Any]] = []
            with source.open("rb") as handle:
                while data := handle.read(PART):
                    number = len(parts) + 1
                    made = self._client.upload_part(
                        **name, UploadId=upload, PartNumber=number, Body=data, **_checked(data)
                    )
                    parts.append({"PartNumber": number, "ETag": made["ETag"], **_checked(data)})
            self._client.complete_multipart_upload(
                **name, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        except BaseException:
            with suppress(ClientError, BotoCoreError):  # what is left of it costs room, nothing else
                self._client.abort_multipart_upload(**name, UploadId=upload)
            raise
        return True

    def _same(self, key: str, known: Head, sha256: str) -> bool:
        found = known.sha256
        if found is None:
            hashed = hashlib.sha256()
            for chunk in self.read_from(key, 0):
                hashed.update(chunk)
            found = hashed.hexdigest()
        if found != sha256:
            raise BadObject(f"{key}: another object is there already: {found}, not {sha256}")
        return False


def credentials(file: Path | None) -> tuple[str, str]:
    """Return (access key, secret key) of the file, or of the environment where there is none. BadSettings."""
    if file is None:
        found = (os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", ""))
        if not all(found):
            raise BadSettings(
                "sync.credentials_file: not set, and the environment has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return found
    file = rooted_file(Path(), file)
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise BadSettings(f"sync.credentials_file: {file} can be read by others: expected mode 0600")
        said = parsed_json(read_bounded(file, 64 << 10))
        access, secret = said["access_key"], said["secret_key"]
    except OSError as error:
        raise BadSettings(f"sync.credentials_file: {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadSettings(f"sync.credentials_file: {file}: expected JSON with access_key and secret_key") from error
    if not isinstance(access, str) or not isinstance(secret, str) or not access or not secret:
        raise BadSettings(f"sync.credentials_file: {file}: expected JSON with access_key and secret_key")
    return access, secret


def _checked(data: bytes) -> dict[str, str]:
    return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")}


def _metadata(data: bytes) -> dict[str, str]:
    return {_DIGEST: hashlib.sha256(data).hexdigest()}


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or status == 429 or _code(error) in _BUSY:
            raise StoreLost(f"{key}: {error}") from error
        raise BadStore(f"{key}: {error}") from error
    except (HTTPClientError, NoConnection, ResponseStreamingError) as error:
        raise StoreLost(f"{key}: {error}") from error
    except BotoCoreError as error:
        raise BadStore(f"{key}: {error}") from error
    except OSError as error:
        raise StoreLost(f"{key}: {error}") from error
