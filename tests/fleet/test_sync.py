"""Push and pull: one effect each, whatever is cut where, and never half a bundle."""

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from okng.bus.errors import BadBundle, BadSettings, StoreLost
from okng.fleet.fetch import fetch
from okng.fleet.folder_store import FolderStore
from okng.fleet.layout import batch_range, blob_key, channel_key, manifest_key
from okng.fleet.options import SyncOptions
from okng.fleet.publish import publish
from okng.fleet.pull import pull, stands_at
from okng.fleet.push import Pushed, push
from okng.fleet.stores import BadObject, BlobStore, Head, read_small
from okng.fleet.sync import back_off_s, sync_once
from okng.identity.box_key import BoxKey
from okng.records.ledger import Ledger
from okng.records.read import LedgerReader
from okng.records.seal_heads import head_of, sign_head

MakeLedger = Callable[[int, int], Ledger]
MakeBundle = Callable[..., str]


def sent(blobs: BlobStore) -> Counter[int]:
    """How often each part is in the store."""
    found: Counter[int] = Counter()
    for key in blobs.keys("records/"):
        body = read_small(blobs, key, 1 << 20)
        parts = [json.loads(line)["part"] for line in body.splitlines()]
        first, last = batch_range(key) or (0, 0)
        assert len(parts) == last - first + 1
        found.update(parts)
    return found


def verify(bundle: Path) -> None:
    """The bundle under that name is whole: its manifest and every file hash to what they should."""
    text = (bundle / "manifest.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == bundle.name
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    named = json.loads(text)["files"]
    assert files == {"manifest.json", *named}
    for name, entry in named.items():
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == entry["sha256"], name


def rejected(last: int) -> dict[int, int]:
    return {part: 1 for part in range(1, last + 1) if part % 3}


class Cut:
    """A store that fails at its n-th operation: before it is done (odd n) or after it, the answer lost (even n)."""

    def __init__(self, inner: BlobStore, at: int) -> None:
        self._inner, self._at, self.count, self.bytes_read = inner, at, 0, 0

    def _step(self, done: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count == self._at:
            raise StoreLost("cut before")
        answer = done()
        self.count += 1
        if self.count == self._at:
            raise StoreLost("cut after")
        return answer

    def put_if_absent(self, key: str, source: Path | bytes, sha256: str) -> bool:
        return bool(self._step(lambda: self._inner.put_if_absent(key, source, sha256)))

    def replace(self, key: str, data: bytes) -> None:
        self._step(lambda: self._inner.replace(key, data))

    def head(self, key: str) -> Head | None:
        found: Head | None = self._step(lambda: self._inner.head(key))
        return found

    def keys(self, prefix: str) -> list[str]:
        found: list[str] = self._step(lambda: self._inner.keys(prefix))
        return found

    def read_from(self, key: str, start: int) -> Iterator[bytes]:
        for chunk in self._inner.read_from(key, start):
            half = len(chunk) // 2
            for piece in (chunk[:half], chunk[half:]):
                self._step(lambda: None)
                self.bytes_read += len(piece)
                yield piece


def test_signed_heads_leave_the_box_too(blobs: BlobStore, make_ledger: MakeLedger, tmp_path: Path) -> None:
    ledger, key = make_ledger(1, 2), BoxKey.load_or_make(tmp_path / "key")
    for why in ("daily", "stop"):
        with ledger.transaction() as db:
            sign_head(db, key, why)
    reader, state = LedgerReader(tmp_path / "store"), tmp_path / "state"
    assert push(reader, blobs, state, box="box1") == Pushed(events=2, batches=1, pictures=2, heads=2)
    body = read_small(blobs, "records/box1/heads/1/000000000001-000000000002.jsonl", 1 << 20)
    heads = [head_of(json.loads(line)) for line in body.splitlines()]
    assert [(head.why, head.holds(key.public_pem)) for head in heads] == [("daily", True), ("stop", True)]
    assert push(reader, blobs, state, box="box1") == Pushed()


def test_rejects_leave_the_box_once(blobs: BlobStore, make_ledger: MakeLedger, tmp_path: Path) -> None:
    make_ledger(1, 20)
    reader, state = LedgerReader(tmp_path / "store"), tmp_path / "state"
    done = push(reader, blobs, state, box="box1", batch_events=5)
    assert done == Pushed(events=14, batches=3, pictures=14)
    assert sent(blobs) == rejected(20)
    assert push(reader, blobs, state, box="box1") == Pushed()
    make_ledger(21, 24)
    assert push(reader, blobs, state, box="box1").events == 2
    assert sent(blobs) == rejected(24)
    assert blobs.keys("records/")[0] == "records/box1/rejects/1/000000000001-000000000005.jsonl"
    row = reader.row(1)
    assert row is not None
    assert row.picture_sha256 is not None
    assert read_small(blobs, blob_key(row.picture_sha256), 9999) == b"picture 1" * 100


def test_a_push_cut_anywhere_has_one_effect(make_ledger: MakeLedger, tmp_path: Path) -> None:
    make_ledger(1, 8)
    reader, cuts = LedgerReader(tmp_path / "store"), 0
    for at in range(1, 21):
        root, state = tmp_path / f"cloud{at}", tmp_path / f"state{at}"
        root.mkdir()
        cut = Cut(FolderStore(root), at)
        try:
            push(reader, cut, state, batch_events=4)
        except StoreLost:
            cuts += 1
        # More rejects come in before the next try: the batch that was under way must keep its bounds.
        make_ledger(8 + at, 8 + at)
        push(reader, FolderStore(root), state, batch_events=5)
        assert sent(FolderStore(root)) == rejected(8 + at), at
    assert cuts == 20


def test_a_lost_cursor_is_found_again_in_the_store(blobs: BlobStore, make_ledger: MakeLedger, tmp_path: Path) -> None:
    make_ledger(1, 9)
    reader = LedgerReader(tmp_path / "store")
    push(reader, blobs, tmp_path / "state", batch_events=4)
    make_ledger(10, 11)
    (tmp_path / "state" / "push-rejects.json").write_text("{damaged")
    assert push(reader, blobs, tmp_path / "state").events == 2
    make_ledger(12, 13)
    assert push(reader, blobs, tmp_path / "elsewhere").events == 1
    assert sent(blobs) == rejected(13)


def test_a_fresh_ledger_goes_on_under_its_own_lineage(make_ledger: MakeLedger, tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    blobs, store = FolderStore(tmp_path / "cloud"), tmp_path / "store"
    make_ledger(1, 2).close()
    push(LedgerReader(store), blobs, tmp_path / "state")
    for file in store.glob("ledger.db*"):
        file.unlink()
    Ledger(store).close()
    push(LedgerReader(store), blobs, tmp_path / "state")
    assert {key.split("/")[3] for key in blobs.keys("records/")} == {"1"}
    assert LedgerReader(store).identity().lineage == 2


def test_an_older_copy_of_the_ledger_is_refused(make_ledger: MakeLedger, tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    make_ledger(1, 4)
    reader = LedgerReader(tmp_path / "store")
    push(reader, FolderStore(tmp_path / "cloud"), tmp_path / "state")
    file = tmp_path / "state" / "push-rejects.json"
    file.write_text(file.read_text().replace('"acked": 3, "planned": 3', '"acked": 9, "planned": 9'))
    with pytest.raises(BadObject, match="it is an older copy"):
        push(reader, FolderStore(tmp_path / "cloud"), tmp_path / "state")


def test_a_picture_that_is_gone_or_changed_does_not_hold_up_its_record(make_ledger: MakeLedger, tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    make_ledger(1, 5)
    blobs = FolderStore(tmp_path / "cloud")
    (tmp_path / "store" / "pictures/2026/11/23/08/1.png").unlink()
    (tmp_path / "store" / "pictures/2026/11/23/08/2.png").write_bytes(b"changed")
    assert push(LedgerReader(tmp_path / "store"), blobs, tmp_path / "state") == Pushed(4, 1, 2, 2)
    assert sent(blobs) == rejected(5)


def test_a_bundle_goes_up_and_comes_down(blobs: BlobStore, make_bundle: MakeBundle, tmp_path: Path) -> None:
    digests = [make_bundle(tmp_path / f"made{seed}", seed) for seed in (1, 2)]
    for seed, digest in enumerate(digests, 1):
        assert publish(tmp_path / f"made{seed}", "cap", blobs) == digest
        assert stands_at(blobs, "cap").bundle == digest
        folder = pull(blobs, "cap", tmp_path / "bundles")
        assert folder == tmp_path / "bundles" / digest
        verify(folder)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "manifest.json", "model.onnx", "report.json", "empty.txt",
        "golden/expected.json", "golden/a.png", "golden/b.png",
    }  # fmt: skip
    assert pull(blobs, "cap", tmp_path / "bundles") == folder
    assert sorted(path.name for path in (tmp_path / "bundles").iterdir()) == sorted(digests)


def test_a_signature_travels_with_its_bundle(blobs: BlobStore, make_bundle: MakeBundle, tmp_path: Path) -> None:
    digest = make_bundle(tmp_path / "made")
    publish(tmp_path / "made", "cap", blobs)
    folder = pull(blobs, "cap", tmp_path / "bundles")
    assert not (folder / "signature.sig").exists()
    for signature in (b"first", b"signed anew"):  # the digest stays, so the bundle is there already
        (tmp_path / "made" / "signature.sig").write_bytes(signature)
        assert publish(tmp_path / "made", "cap", blobs) == digest
        assert pull(blobs, "cap", tmp_path / "bundles") == folder
        assert (folder / "signature.sig").read_bytes() == signature
        assert (pull(blobs, "cap", tmp_path / "fresh") / "signature.sig").read_bytes() == signature
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == [digest]
    (tmp_path / "made" / "signature.sig").write_bytes(b"x" * (2 << 20))
    with pytest.raises(BadBundle, match=r"signature\.sig: 2097152 bytes"):
        publish(tmp_path / "made", "cap", blobs)


def test_a_pull_of_a_signature_cut_anywhere_goes_on(make_bundle: MakeBundle, tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    blobs, digest = FolderStore(tmp_path / "cloud"), make_bundle(tmp_path / "made")
    publish(tmp_path / "made", "cap", blobs)
    pull(blobs, "cap", tmp_path / "bundles")
    (tmp_path / "made" / "signature.sig").write_bytes(b"signature")
    publish(tmp_path / "made", "cap", blobs)
    folder, at = tmp_path / "bundles" / digest, 0
    while True:
        at += 1
        (folder / "signature.sig").unlink(missing_ok=True)
        try:
            pull(Cut(blobs, at), "cap", tmp_path / "bundles")
            break
        except StoreLost:
            assert not (folder / "signature.sig").exists()
        pull(blobs, "cap", tmp_path / "bundles")
        assert (folder / "signature.sig").read_bytes() == b"signature"
    assert at > 2


def test_a_pull_cut_anywhere_shows_nothing_and_goes_on(make_bundle: MakeBundle, tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    blobs, digest = FolderStore(tmp_path / "cloud"), make_bundle(tmp_path / "made")
    publish(tmp_path / "made", "cap", blobs)
    whole = Cut(blobs, -1)
    pull(whole, "cap", tmp_path / "whole")
    at = 0
    while True:
        at += 1
        bundles = tmp_path / f"bundles{at}"
        cut = Cut(blobs, at)
        try:
            pull(cut, "cap", bundles)
            break
        except StoreLost:
            assert not (bundles / digest).exists()
        again = Cut(blobs, -1)
        verify(pull(again, "cap", bundles))
        # What was fetched is not fetched again, but for the piece under way and the channel.
        assert cut.bytes_read + again.bytes_read <= whole.bytes_read + 600
    assert at > 20


@pytest.mark.parametrize("what", ["push", "pull", "publish"])
def test_killed_at_any_file_operation_it_goes_on(
    make_ledger: MakeLedger,
    make_bundle: MakeBundle,
    die_at: Callable[[int, Callable[[], None]], bool],
    tmp_path: Path,
    what: str,
) -> None:
    """The process dies, as by kill -9, at the n-th sync, rename or link, for every n."""
    make_ledger(1, 4)
    digest, reader = make_bundle(tmp_path / "made"), LedgerReader(tmp_path / "store")
    (tmp_path / "source").mkdir()
    publish(tmp_path / "made", "cap", FolderStore(tmp_path / "source"))

    def act(at: int) -> None:
        root = tmp_path / f"cloud{at}"
        if what == "push":
            push(reader, FolderStore(root), tmp_path / f"state{at}", batch_events=2)
        elif what == "pull":
            pull(FolderStore(tmp_path / "source"), "cap", tmp_path / f"bundles{at}")
        else:
            publish(tmp_path / "made", "cap", FolderStore(root))

    def sound(at: int, *, done: bool) -> None:
        root = tmp_path / f"cloud{at}"
        if what == "push":
            assert set(sent(FolderStore(root))) <= set(rejected(4)), at
            assert not done or sent(FolderStore(root)) == rejected(4), at
        elif what == "pull":
            if (tmp_path / f"bundles{at}" / digest).exists():
                verify(tmp_path / f"bundles{at}" / digest)
            else:
                assert not done, at
        elif (root / channel_key("cap")).exists():
            verify(pull(FolderStore(root), "cap", tmp_path / f"bundles{at}"))
        else:
            assert not done, at

    at, died = 0, 0
    while True:
        at += 1
        (tmp_path / f"cloud{at}").mkdir()
        if die_at(at, functools.partial(act, at)):
            died += 1
            sound(at, done=False)
            act(at)
            sound(at, done=True)
        else:
            sound(at, done=True)
            break
    assert died > 10


def test_a_spoiled_object_is_refused(
    blobs: BlobStore, make_bundle: MakeBundle, tmp_path: Path, spoil: Callable[[BlobStore, str, bytes], None]
) -> None:
    digest = make_bundle(tmp_path / "made")
    publish(tmp_path / "made", "cap", blobs)
    manifest = json.loads((tmp_path / "made" / "manifest.json").read_text())
    entry = manifest["files"]["model.onnx"]
    model = (tmp_path / "made" / "model.onnx").read_bytes()
    bad = bytes([model[0] ^ 1]) + model[1:]
    for spoiled in (bad, model[:-1], model + b"x"):
        spoil(blobs, blob_key(entry["sha256"]), spoiled)
        with pytest.raises(BadObject, match=blob_key(entry["sha256"])):
            pull(blobs, "cap", tmp_path / "bundles")
        assert not (tmp_path / "bundles" / digest).exists()
    spoil(blobs, blob_key(entry["sha256"]), model)
    verify(pull(blobs, "cap", tmp_path / "bundles"))  # mended: the partial one is finished


def unsigned(digest: str) -> Iterator[bytes]:
    """Channels whose word on the signature is none."""
    for signature in (
        "x",
        {"sha256": "..", "size": 5},
        {"sha256": digest, "size": 0},
        {"sha256": digest, "size": 1 << 40},
    ):
        yield json.dumps({"bundle": digest, "signature": signature}).encode()


def test_a_spoiled_manifest_or_channel_is_refused(
    blobs: BlobStore, make_bundle: MakeBundle, tmp_path: Path, spoil: Callable[[BlobStore, str, bytes], None]
) -> None:
    digest = make_bundle(tmp_path / "made")
    publish(tmp_path / "made", "cap", blobs)
    text = (tmp_path / "made" / "manifest.json").read_bytes()
    spoil(blobs, manifest_key(digest), text.replace(b"100.0", b"900.0"))
    with pytest.raises(BadObject, match="hashes to"):
        pull(blobs, "cap", tmp_path / "bundles")
    for channel in (b"", b"{}", b'{"bundle": 3}', b'{"bundle": "../../etc"}', b"x" * 70_000, *unsigned(digest)):
        spoil(blobs, channel_key("cap"), channel)
        with pytest.raises(BadObject, match=r"channels/cap\.json"):
            pull(blobs, "cap", tmp_path / "bundles")
    with pytest.raises(BadObject, match=r"channels/none\.json"):
        pull(blobs, "none", tmp_path / "bundles")
    assert not (tmp_path / "bundles" / digest).exists()


def test_a_damaged_bundle_is_not_published(make_bundle: MakeBundle, tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    blobs = FolderStore(tmp_path / "cloud")
    make_bundle(tmp_path / "made")
    with pytest.raises(BadSettings, match=r"channel '\.\./x'"):
        publish(tmp_path / "made", "../x", blobs)
    model = tmp_path / "made" / "model.onnx"
    data = model.read_bytes()
    for spoiled in (b"\0" + data[1:], data[1:]):
        model.write_bytes(spoiled)
        with pytest.raises(BadBundle, match=r"model\.onnx"):
            publish(tmp_path / "made", "cap", blobs)
    assert blobs.head(channel_key("cap")) is None


def test_a_partial_file_of_something_else_is_fetched_afresh(tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    blobs, data = FolderStore(tmp_path / "cloud"), b"0123456789" * 1000
    digest = hashlib.sha256(data).hexdigest()
    blobs.put_if_absent("x", data, digest)
    for partial in (b"", b"wrong start", data[:777], data, b"z" * 10_000, b"z" * 10_001):
        to = tmp_path / "to"
        to.with_name("to.partial").write_bytes(partial)
        fetch(blobs, "x", to, digest, len(data))
        assert to.read_bytes() == data
        assert not to.with_name("to.partial").exists()
        to.unlink()


def test_one_round(blobs: BlobStore, make_ledger: MakeLedger, make_bundle: MakeBundle, tmp_path: Path) -> None:
    make_ledger(1, 4)
    digest = make_bundle(tmp_path / "made")
    publish(tmp_path / "made", "cap", blobs)
    options = SyncOptions(target=str(tmp_path / "cloud"), channel="cap", box="box7")
    done = sync_once(options, tmp_path / "store", tmp_path / "bundles", tmp_path / "state", blobs)
    assert done.pushed.events == 3
    assert done.bundle == tmp_path / "bundles" / digest
    assert sent(blobs) == rejected(4)


def test_back_off_stays_within_its_bounds() -> None:
    for tries, most in ((1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, 300.0), (10_000, 300.0)):
        waits = [back_off_s(tries) for _ in range(200)]
        assert min(waits) >= 0
        assert max(waits) <= most
        assert max(waits) > most / 2
