"""One contract for every store, on a folder and on a real S3 server."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from okng.bus.errors import BadSettings, StoreLost
from okng.fleet.folder_store import FolderStore
from okng.fleet.options import SyncOptions
from okng.fleet.s3_store import PART, S3Store, credentials
from okng.fleet.stores import BadObject, BadStore, BlobStore, Head, check_key, open_store, read_small


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_object_is_written_once(blobs: BlobStore) -> None:
    assert blobs.head("a/one") is None
    assert blobs.put_if_absent("a/one", b"first", sha(b"first"))
    assert not blobs.put_if_absent("a/one", b"first", sha(b"first"))
    assert blobs.head("a/one") == Head(5, sha(b"first"))
    with pytest.raises(BadObject, match="another object is there already"):
        blobs.put_if_absent("a/one", b"second", sha(b"second"))
    assert read_small(blobs, "a/one", 100) == b"first"


def test_bytes_that_are_not_those_of_the_digest_are_not_written(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"file")
    for source in (b"bytes", tmp_path / "file"):
        with pytest.raises(BadObject, match="does not hash to"):
            blobs.put_if_absent("a/wrong", source, sha(b"other"))
    assert blobs.head("a/wrong") is None
    assert blobs.keys("") == []


def test_a_pointer_is_replaced(blobs: BlobStore) -> None:
    for text in (b"one", b"two"):
        blobs.replace("channels/cap.json", text)
        assert read_small(blobs, "channels/cap.json", 100) == text
    with pytest.raises(BadObject, match="expected at most 2 bytes"):
        read_small(blobs, "channels/cap.json", 2)


def test_reading_begins_anywhere_and_a_missing_object_is_said(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 10)
    assert blobs.put_if_absent("a/file", tmp_path / "file", sha(bytes(range(256)) * 10))
    assert b"".join(blobs.read_from("a/file", 2558)) == b"\xfe\xff"
    assert b"".join(blobs.read_from("a/file", 2560)) == b""
    with pytest.raises(BadObject, match="a/none"):
        list(blobs.read_from("a/none", 0))


def test_keys_are_listed_by_prefix(blobs: BlobStore) -> None:
    for key in ("records/b/2", "records/b/1", "records/c/1", "sha256/x"):
        blobs.put_if_absent(key, b"x", sha(b"x"))
    assert blobs.keys("records/b/") == ["records/b/1", "records/b/2"]
    assert len(blobs.keys("records/")) == 3
    assert blobs.keys("none/") == []


def test_a_large_file_goes_up_in_parts(blobs: BlobStore, tmp_path: Path) -> None:
    data = hashlib.shake_256(b"large").digest(PART + 12345)
    (tmp_path / "large").write_bytes(data)
    assert blobs.put_if_absent("large", tmp_path / "large", sha(data))
    assert not blobs.put_if_absent("large", tmp_path / "large", sha(data))
    assert blobs.head("large") == Head(len(data), sha(data))
    assert b"".join(blobs.read_from("large", 0)) == data


@pytest.mark.parametrize("key", ["../a", "/a", "a/../b", "", ".", "a//b", "a\nb"])
def test_a_key_that_leaves_the_store_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a plain relative path"):
        check_key(key)
    with pytest.raises(ValueError, match="expected a plain relative path"):
        FolderStore(tmp_path).put_if_absent(key, b"", sha(b""))


def test_a_share_that_is_not_mounted_is_lost_not_empty(tmp_path: Path) -> None:
    blobs = FolderStore(tmp_path / "share")
    for ask in (
        lambda: blobs.keys(""),
        lambda: blobs.head("a"),
        lambda: blobs.put_if_absent("a", b"", sha(b"")),
        lambda: blobs.replace("a", b""),
        lambda: list(blobs.read_from("a", 0)),
    ):
        with pytest.raises(StoreLost, match="share"):
            ask()


def test_a_server_that_is_gone_is_lost(s3_options: SyncOptions) -> None:
    gone = S3Store(s3_options.model_copy(update={"endpoint": "http://127.0.0.1:9", "timeout_s": 1}))
    with pytest.raises(StoreLost):
        gone.head("a")
    with pytest.raises(StoreLost):
        gone.put_if_absent("a", b"", sha(b""))
    with pytest.raises(StoreLost):
        list(gone.read_from("a", 0))


def test_a_wrong_key_or_bucket_is_refused(s3_options: SyncOptions, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.json"
    stranger.write_text(json.dumps({"access_key": "box", "secret_key": "wrong"}))
    stranger.chmod(0o600)
    for change in ({"credentials_file": stranger}, {"target": "s3://nobucket"}):
        with pytest.raises(BadStore):
            S3Store(s3_options.model_copy(update=change)).put_if_absent("a", b"x", sha(b"x"))


def test_credentials_come_from_a_private_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(BadSettings, match="the environment has no AWS_ACCESS_KEY_ID"):
        credentials(None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert credentials(None) == ("me", "secret")
    file = tmp_path / "keys.json"
    with pytest.raises(BadSettings, match="No such file"):
        credentials(file)
    file.write_text('{"access_key": "a", "secret_key": "b"}')
    file.chmod(0o644)
    with pytest.raises(BadSettings, match="can be read by others: expected mode 0600"):
        credentials(file)
    file.chmod(0o600)
    assert credentials(file) == ("a", "b")
    for text in ("{", "[]", '{"access_key": "a"}', '{"access_key": "a", "secret_key": 3}'):
        file.write_text(text)
        with pytest.raises(BadSettings, match="expected JSON with access_key and secret_key"):
            credentials(file)


def test_options(tmp_path: Path) -> None:
    assert isinstance(open_store(SyncOptions(target=str(tmp_path))), FolderStore)
    bucket = SyncOptions(target="s3://okng/site/a/")
    assert (bucket.bucket, bucket.prefix) == ("okng", "site/a/")
    assert SyncOptions(target="s3://okng").prefix == ""
    wrong: list[dict[str, Any]] = [
        {"target": ""},
        {"target": "s3://"},
        {"target": str(tmp_path), "endpoint": "http://a:1"},
        {"target": "s3://okng", "endpoint": "ftp://a"},
        {"target": "s3://okng", "secret_key": "x"},
        {"target": "s3://okng", "box": "A B"},
        {"target": "s3://okng", "every_s": 0},
    ]
    for fields in wrong:
        with pytest.raises(ValidationError):
            SyncOptions(**fields)
