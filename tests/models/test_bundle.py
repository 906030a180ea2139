"""A bundle that is not byte for byte as it was made is refused, and the file is named."""

import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from okng.bus.errors import BadBundle
from okng.models import manifest, swap
from okng.models.bundle import Bundle, open_bundle, write_bundle

MakeBundle = Callable[..., Bundle]


def test_what_was_written_is_read(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    text = (bundle.folder / "manifest.json").read_bytes()
    assert bundle.digest == hashlib.sha256(text).hexdigest() == manifest.digest(bundle.folder)
    assert bundle.model == (bundle.folder / "model.onnx").read_bytes()
    assert [golden.score for golden in bundle.golden] == [10.0, 100.0, 250.0]
    assert [golden.ok for golden in bundle.golden] == [True, True, False]
    assert manifest.read_manifest(bundle.folder) == bundle.manifest


def test_same_content_gives_the_same_digest(tmp_path: Path, tiny: Any) -> None:
    files = tiny.contents(tiny.graph().SerializeToString())
    digests = {write_bundle(tmp_path / name, files, tiny.fields()) for name in "ab"}
    assert len(digests) == 1


def test_a_flipped_bit_in_any_file_is_refused(make_bundle: MakeBundle) -> None:
    folder = make_bundle().folder
    rng = np.random.default_rng(7)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        # Every byte of the manifest, some of each other file: first, last and random ones.
        if path.name == "manifest.json":
            places = np.arange(len(whole))
        else:
            places = np.unique([0, len(whole) - 1, *rng.integers(len(whole), size=12)])
        for place in places:
            spoilt = bytearray(whole)
            spoilt[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(spoilt)
            with pytest.raises(BadBundle, match=path.name.replace(".", r"\.")):
                open_bundle(folder)
        path.write_bytes(whole)
    open_bundle(folder)


@pytest.mark.parametrize("change", ["cut", "grown", "gone", "link", "added", "linked folder", "added link"])
def test_a_changed_folder_is_refused(change: str, make_bundle: MakeBundle, tmp_path: Path) -> None:
    folder = make_bundle().folder
    model = folder / "model.onnx"
    if change == "cut":
        model.write_bytes(model.read_bytes()[:-1])
    elif change == "grown":
        model.write_bytes(model.read_bytes() + b"\0")
    elif change == "gone":
        model.unlink()
    elif change == "link":
        shutil.move(model, tmp_path / "elsewhere")
        model.symlink_to(tmp_path / "elsewhere")
    elif change == "added":
        (folder / "golden" / "extra.png").write_bytes(b"")
    elif change == "linked folder":
        shutil.move(folder / "golden", tmp_path / "golden")
        (folder / "golden").symlink_to(tmp_path / "golden")
    else:
        (folder / "more").symlink_to("/etc")
    with pytest.raises(BadBundle, match=r"model\.onnx|extra\.png|golden|more"):
        open_bundle(folder)


def test_another_bundle_than_the_expected_is_refused(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    assert open_bundle(bundle.folder, bundle.digest).digest == bundle.digest
    with pytest.raises(BadBundle, match=f"{bundle.digest}: expected {'0' * 64}"):
        open_bundle(bundle.folder, "0" * 64)


def test_no_folder_and_an_empty_one_are_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(BadBundle, match="not a bundle"):
            open_bundle(folder)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("surprise", 1, "surprise"),
        ("format", 3, "format"),
        ("version", "1", "version"),
        ("opset", 99, "opset"),
        ("train", {"x": float("nan")}, "NaN|not a manifest"),
        ("files", {"../model.onnx": {"sha256": "0" * 64, "size": 1}}, "inside the bundle"),
        ("files", {"/model.onnx": {"sha256": "0" * 64, "size": 1}}, "inside the bundle"),
        ("files", {"model.onnx": {"sha256": "0" * 64, "size": 1 << 40}}, "size"),
        ("files", {"model.onnx": {"sha256": "0" * 64, "size": 1}}, "is missing"),
    ],
)
def test_a_wrong_manifest_names_the_key(key: str, value: object, told: str, make_bundle: MakeBundle) -> None:
    folder = make_bundle().folder
    path = folder / "manifest.json"
    whole = json.loads(path.read_text())
    whole[key] = value
    path.write_text(json.dumps(whole))
    with pytest.raises(BadBundle, match=told):
        manifest.read_manifest(folder)


def test_a_broken_write_leaves_nothing(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tiny.contents(tiny.graph().SerializeToString())

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("okng.models.bundle._write_synced", full)
    with pytest.raises(OSError, match="No space"):
        write_bundle(tmp_path / "out", files, tiny.fields())
    assert not list(tmp_path.iterdir())


def test_a_check_that_fails_leaves_what_was_there(make_bundle: MakeBundle, tiny: Any) -> None:
    old = make_bundle()

    def refuse(folder: Path) -> None:
        assert open_bundle(folder).manifest.name == "new"
        raise BadBundle("no good")

    files = tiny.contents(tiny.graph().SerializeToString())
    with pytest.raises(BadBundle, match="no good"):
        write_bundle(old.folder, files, tiny.fields(name="new"), replace=True, check=refuse)
    assert open_bundle(old.folder).digest == old.digest
    assert [path.name for path in old.folder.parent.iterdir()] == [old.folder.name]
    write_bundle(old.folder, files, tiny.fields(name="new"), replace=True)
    assert open_bundle(old.folder).manifest.name == "new"
    assert [path.name for path in old.folder.parent.iterdir()] == [old.folder.name]


def test_nothing_is_overwritten_unasked(make_bundle: MakeBundle, tiny: Any, tmp_path: Path) -> None:
    files = tiny.contents(tiny.graph().SerializeToString())
    with pytest.raises(BadBundle, match="never changed"):
        write_bundle(make_bundle().folder, files, tiny.fields())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(BadBundle, match="other files"):
        write_bundle(tmp_path / "mine", files, tiny.fields(), replace=True)
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear"


def test_a_lesson_is_checked_and_not_held_in_memory(tmp_path: Path, tiny: Any) -> None:
    files = {**tiny.contents(tiny.graph().SerializeToString()), "lesson.npz": b"features" * 1_000_000}
    write_bundle(tmp_path / "b", files, tiny.fields())
    opened = open_bundle(tmp_path / "b")
    assert opened.lesson == tmp_path / "b" / "lesson.npz"
    with (tmp_path / "b" / "lesson.npz").open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"X")
    with pytest.raises(BadBundle, match=r"lesson\.npz: damaged"):
        open_bundle(tmp_path / "b")


def test_a_signature_lies_beside_the_manifest_and_is_told(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    assert not bundle.signed
    assert bundle.lesson is None
    (bundle.folder / "signature.sig").write_bytes(b"{}")
    signed = open_bundle(bundle.folder)
    assert signed.signed
    assert signed.digest == bundle.digest
    (bundle.folder / "signature.sig").unlink()
    (bundle.folder / "signature.sig").symlink_to("/etc/hostname")
    with pytest.raises(BadBundle, match=r"signature\.sig: a link"):
        open_bundle(bundle.folder)


def test_golden_places_are_read(tmp_path: Path, tiny: Any) -> None:
    files = tiny.contents(tiny.graph().SerializeToString())
    expected = json.loads(files["golden/expected.json"])
    expected["pictures"]["10.png"]["spots"] = 2
    files["golden/expected.json"] = json.dumps(expected).encode()
    write_bundle(tmp_path / "b", files, tiny.fields())
    assert [golden.spots for golden in open_bundle(tmp_path / "b").golden] == [2, None, None]


def test_a_bundle_that_gives_way_is_never_missing(
    make_bundle: MakeBundle, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file system cannot let two folders change places: then both names are there again at the end."""
    old = make_bundle()
    files = tiny.contents(tiny.graph().SerializeToString())

    def cannot(one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, "no exchange here", str(other))

    monkeypatch.setattr(swap, "_exchange", cannot)
    write_bundle(old.folder, files, tiny.fields(name="new"), replace=True)
    assert open_bundle(old.folder).manifest.name == "new"
    assert [path.name for path in old.folder.parent.iterdir()] == [old.folder.name]
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        swap.swap(old.folder.parent / "nothing", old.folder)
    assert open_bundle(old.folder).manifest.name == "new"
