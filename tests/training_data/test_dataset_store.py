"""Versions of data sets: content-addressed, never changed, whole or named file by file; in a folder and behind S3."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.bus.errors import BadData, BadSettings
from okng.fleet.options import SyncOptions
from okng.fleet.s3_store import S3Store
from okng.training.data.dataset import Dataset, PartId
from okng.training.data.dataset_store import DatasetStore
from okng.training.data.manifest import read_manifest
from okng.training.data.sources import open_dataset

from ..fleet.conftest import s3_options, s3_server
from .conftest import picture, put

__all__ = ["s3_options", "s3_server"]


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return DatasetStore(tmp_path / "sets")


def masks(dataset: Dataset) -> dict[str, Any]:
    return {one.sha256: {kind: mask.tolist() for kind, mask in one.masks().items()} for one in dataset.samples}


def test_a_version_comes_back_as_it_was_from_the_store_alone(mvtec: Path, store: DatasetStore) -> None:
    before = open_dataset(mvtec)
    first = before.samples[0]
    seen = replace(first, serial="A77", seen=PartId("box7", 2, 4711), part="A77", lot="L3", said_by="operator")
    before = replace(before, samples=(seen, *before.samples[1:]))
    drawn = masks(before)
    made = store.add(before, "plates")
    assert (made.name, made.new, made.added) == ("plates@1", True, len(before.samples) + 2)
    for path in mvtec.rglob("*.png"):
        path.unlink()
    after = store.open("plates@1")
    assert (after.name, after.digest) == ("plates@1", made.digest)
    assert [replace(one, picture=Path(), annotations=()) for one in after.samples] == [
        replace(one, picture=Path(), annotations=()) for one in before.samples
    ]
    assert masks(after) == drawn
    assert after.classes == before.classes


def test_the_names_of_files_are_their_content(mvtec: Path, store: DatasetStore) -> None:
    store.add(open_dataset(mvtec), "plates")
    blobs = sorted((store.folder / "sha256").iterdir())
    assert len(blobs) == 9
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in blobs)


def test_the_same_set_makes_no_version_and_another_label_does(mvtec: Path, store: DatasetStore) -> None:
    found = open_dataset(mvtec)
    one, same = store.add(found, "plates"), store.add(found, "plates")
    assert (same.name, same.new, same.digest, same.added) == ("plates@1", False, one.digest, 0)
    other = store.add(replace(found, samples=found.samples[1:]), "plates")
    assert (other.name, other.added, store.versions()) == ("plates@2", 0, {"plates": [1, 2]})
    assert json.loads(other.manifest.read_text())["base"] == one.digest
    assert store.open("plates").name == "plates@2"
    assert store.open("plates@1").digest == one.digest


def test_every_missing_and_changed_file_is_named(mvtec: Path, store: DatasetStore) -> None:
    found = open_dataset(mvtec)
    store.add(found, "plates")
    assert store.check("plates") == []
    gone, spoilt, mask = (
        store.blob(digest)
        for digest in (found.samples[0].sha256, found.samples[1].sha256, hashlib.sha256(mask_of(mvtec)).hexdigest())
    )
    gone.unlink()
    spoilt.write_bytes(spoilt.read_bytes() + b"x")
    mask.unlink()
    said = {Path(one.file).name: one.reason for one in store.check("plates")}
    assert set(said) == {gone.name, spoilt.name, mask.name}
    assert (said[gone.name], said[mask.name]) == ("missing", "missing")
    assert said[spoilt.name].startswith("changed: sha256 ")
    with pytest.raises(BadData, match="2 files cannot be used"):
        store.open("plates")
    rest = store.open("plates", leave_out_broken=True)
    assert len(rest.samples) == len(found.samples) - 3
    assert (rest.name, rest.digest) == ("", "")


def mask_of(mvtec: Path) -> bytes:
    return (mvtec / "ground_truth/scratch/001_mask.png").read_bytes()


def test_a_manifest_that_was_edited_is_refused(mvtec: Path, store: DatasetStore) -> None:
    made = store.add(open_dataset(mvtec), "plates")
    made.manifest.write_text(made.manifest.read_text().replace('"scratch"', '"dent"'))
    with pytest.raises(BadData, match="its text was changed by hand"):
        store.check("plates")


def test_a_picture_that_changed_since_it_was_read_is_not_kept(mvtec: Path, store: DatasetStore) -> None:
    found = open_dataset(mvtec)
    put(mvtec / "train/good/000.png", picture(99))
    with pytest.raises(BadData, match="changed: sha256"):
        store.add(found, "plates")
    assert store.versions() == {}


def test_what_is_not_there_is_said(store: DatasetStore, mvtec: Path) -> None:
    with pytest.raises(BadData, match="no data set plates: none is there"):
        store.open("plates")
    store.add(open_dataset(mvtec), "plates")
    for name in ("plates@2", "plates@0", "plates@x", "plates@../1"):
        with pytest.raises(BadData, match="expected one of plates@1"):
            store.open(name)
    with pytest.raises(BadSettings, match="expected small letters"):
        store.add(open_dataset(mvtec), "Plates/../x")


def test_an_older_manifest_keeps_its_digest(mvtec: Path, tmp_path: Path) -> None:
    """One of a release that knew of no serial and no ledger; its digest was worked out then."""
    put(tmp_path / "a.png", picture(1))
    digest = hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    said = {"name": "a.png", "sha256": digest, "width": 40, "height": 30, "channels": 1, "label": "good"}
    fields: dict[str, Any] = {"part": None, "lot": None, "split": None, "said_by": "file", "marks": []}
    line = json.dumps({**said, **fields}, sort_keys=True, separators=(",", ":"))
    whole = hashlib.sha256("\n".join(["okng dataset 1", "[]", line]).encode()).hexdigest()
    head = {"format": "okng dataset 1", "digest": whole, "origin": "x", "classes": []}
    (tmp_path / "manifest.json").write_text(json.dumps({**head, "samples": [{**said, "file": "a.png"}]}))
    assert read_manifest(tmp_path / "manifest.json").digest == whole


def test_a_bucket_gives_what_the_cache_lacks_and_no_more(
    mvtec: Path, tmp_path: Path, s3_options: SyncOptions, s3_server: dict[str, Any]
) -> None:
    found = open_dataset(mvtec)
    made = DatasetStore(tmp_path / "here", S3Store(s3_options)).add(found, "plates")
    there = DatasetStore(tmp_path / "there", S3Store(s3_options))
    assert there.versions() == {"plates": [1]}
    assert masks(there.open("plates")) == masks(found)
    assert there.open("plates@1").digest == made.digest
    # A second maker on the same bucket goes on from its newest version.
    other = there.add(replace(found, samples=found.samples[:4]), "plates")
    assert other.name == "plates@2"
    assert DatasetStore(tmp_path / "here", S3Store(s3_options)).open("plates").digest == other.digest
    # Nothing is asked of the bucket that lies here already.
    there.blob(found.samples[0].sha256).write_bytes(b"spoilt")
    assert [one.reason[:8] for one in there.check("plates@1")] == ["changed:"]


def test_bytes_that_a_bucket_exchanged_are_refused(
    mvtec: Path, tmp_path: Path, s3_options: SyncOptions, s3_server: dict[str, Any]
) -> None:
    found = open_dataset(mvtec)
    DatasetStore(tmp_path / "here", S3Store(s3_options)).add(found, "plates")
    victim, lost = (f"sha256/{one.sha256}" for one in found.samples[:2])
    client, bucket = s3_server["client"], s3_options.bucket
    client.put_object(Bucket=bucket, Key=s3_options.prefix + victim, Body=b"another picture")
    client.delete_object(Bucket=bucket, Key=s3_options.prefix + lost)
    there = DatasetStore(tmp_path / "there", S3Store(s3_options))
    said = {one.file: one.reason for one in there.check("plates")}
    assert set(said) == {victim, lost}
    assert said[victim].startswith("changed: sha256 ")
    assert "not in bucket" in said[lost]
    assert not there.blob(found.samples[0].sha256).exists()
