"""A signed bundle says who made it; one that was touched, or signed by a stranger, is refused."""

import base64
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from okng.bus.errors import BadBundle, BadSettings
from okng.fleet.activate import activate, active
from okng.fleet.folder_store import FolderStore
from okng.fleet.publish import publish
from okng.fleet.pull import pull
from okng.fleet.signing import sign, verify
from okng.models.bundle import open_bundle
from okng.models.manifest import sealed
from okng.tests.fleet.signers import Signing
from okng.tests.fleet.test_activate import make

pytest.importorskip("model_signing", reason="needs the extra [sign]")


@pytest.fixture
def root(tmp_path: Path) -> Signing:
    return Signing(tmp_path, "plant-root")


@pytest.fixture
def signed(tmp_path: Path, root: Signing) -> Path:
    folder = tmp_path / "bundle"
    make(folder)
    engineer = Signing(tmp_path, "engineer", root)
    assert sign(folder, engineer.key, engineer.certificate, (root.certificate,)) == folder / "signature.sig"
    return folder


def test_who_signed_is_told(signed: Path, root: Signing, tmp_path: Path) -> None:
    digest = open_bundle(signed).digest
    found = verify(signed, (root.certificate,))
    assert found.name == "CN=engineer"
    assert len(found.sha256) == 64
    moved = signed.rename(tmp_path / digest)  # a box keeps bundles under their digest
    assert verify(moved, (root.certificate,)) == found
    assert open_bundle(moved).digest == digest
    assert open_bundle(moved).signed


def test_a_bundle_is_signed_again(signed: Path, root: Signing, tmp_path: Path) -> None:
    other = Signing(tmp_path, "other", root)
    sign(signed, other.key, other.certificate, (root.certificate,))
    assert verify(signed, (root.certificate,)).name == "CN=other"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def link(path: Path) -> None:
    path.symlink_to(path.rename(path.parents[2] / "elsewhere"))


TOUCHED: dict[str, Callable[[Path], object]] = {
    "tampered model": lambda folder: flip(folder / "model.onnx"),
    "tampered picture": lambda folder: flip(folder / "golden/a.png"),
    "added": lambda folder: (folder / "more.txt").write_text("more"),
    "added by git's name": lambda folder: (folder / ".gitignore").write_text("more"),
    "removed": lambda folder: (folder / "golden/a.png").unlink(),
    "linked": lambda folder: link(folder / "golden/a.png"),
    "no signature": lambda folder: (folder / "signature.sig").unlink(),
    "linked signature": lambda folder: link(folder / "signature.sig"),
    "cut signature": lambda folder: (folder / "signature.sig").write_bytes(
        (folder / "signature.sig").read_bytes()[:-9]
    ),
    "empty signature": lambda folder: (folder / "signature.sig").write_bytes(b"{}"),
}


@pytest.mark.parametrize("how", TOUCHED)
def test_a_bundle_that_was_touched_is_refused(how: str, signed: Path, root: Signing) -> None:
    TOUCHED[how](signed)
    with pytest.raises(BadBundle):
        verify(signed, (root.certificate,))


def test_a_whole_other_bundle_under_the_same_signature_is_refused(signed: Path, root: Signing) -> None:
    """Consistent in itself: manifest, digests and model are all new; only the signature is old."""
    path = signed / "manifest.json"
    fields = json.loads(path.read_text())
    fields["version"] = "9.9.9"
    path.write_bytes(sealed(fields)[1])
    assert open_bundle(signed).manifest.version == "9.9.9"
    with pytest.raises(BadBundle, match=r"manifest\.json"):
        verify(signed, (root.certificate,))


def test_a_statement_changed_under_its_signature_is_refused(signed: Path, root: Signing) -> None:
    path = signed / "signature.sig"
    signature = json.loads(path.read_text())
    statement = json.loads(base64.b64decode(signature["dsseEnvelope"]["payload"]))
    statement["predicate"]["resources"].pop()
    signature["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    path.write_text(json.dumps(signature))
    with pytest.raises(BadBundle, match="does not hold"):
        verify(signed, (root.certificate,))


def test_a_signature_that_leaves_files_out_is_refused(signed: Path, root: Signing, tmp_path: Path) -> None:
    """The library lets a signer say which files are to be ignored; a bundle is signed whole or not at all."""
    from model_signing import hashing, signing

    hashing_config: Any = hashing.Config
    signing_config: Any = signing.Config
    engineer = Signing(tmp_path, "careless", root)
    ignoring = hashing_config().set_ignored_paths(paths=["signature.sig", "model.onnx"])
    config = signing_config().use_certificate_signer(
        private_key=engineer.key, signing_certificate=engineer.certificate, certificate_chain=[root.certificate]
    )
    config.set_hashing_config(ignoring).sign(signed, signed / "signature.sig")
    with pytest.raises(BadBundle, match=r"model\.onnx|does not hold"):
        verify(signed, (root.certificate,))


def test_a_foreign_authority_is_refused(signed: Path, root: Signing, tmp_path: Path) -> None:
    stranger = Signing(tmp_path, "stranger-root")
    with pytest.raises(BadBundle, match="does not hold"):
        verify(signed, (stranger.certificate,))
    assert verify(signed, (stranger.certificate, root.certificate)).name == "CN=engineer"
    impostor = Signing(tmp_path, "engineer2", stranger)
    sign(signed, impostor.key, impostor.certificate, (stranger.certificate,))  # brings its own root along
    with pytest.raises(BadBundle, match="does not hold"):
        verify(signed, (root.certificate,))


@pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")  # the library's own
def test_a_certificate_that_is_not_for_signing_is_refused(signed: Path, root: Signing, tmp_path: Path) -> None:
    clerk = Signing(tmp_path, "clerk", root, signs=False)
    sign(signed, clerk.key, clerk.certificate)
    with pytest.raises(BadBundle, match="cannot be used for signing"):
        verify(signed, (root.certificate,))


def test_a_key_of_another_certificate_is_refused(signed: Path, root: Signing, tmp_path: Path) -> None:
    one, other = Signing(tmp_path, "one", root), Signing(tmp_path, "two", root)
    before = (signed / "signature.sig").read_bytes()
    with pytest.raises(BadSettings, match="cannot be signed with"):
        sign(signed, one.key, other.certificate)
    with pytest.raises(BadSettings, match="cannot be signed with"):
        sign(signed, tmp_path / "none.key", other.certificate)
    assert (signed / "signature.sig").read_bytes() == before


def test_a_damaged_bundle_is_not_signed(tmp_path: Path, root: Signing) -> None:
    make(tmp_path / "b")
    flip(tmp_path / "b" / "model.onnx")
    engineer = Signing(tmp_path, "e", root)
    with pytest.raises(BadBundle, match=r"model\.onnx: damaged"):
        sign(tmp_path / "b", engineer.key, engineer.certificate)
    assert not (tmp_path / "b" / "signature.sig").exists()


def test_an_authority_that_cannot_be_read_is_named(signed: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"none\.pem"):
        verify(signed, (tmp_path / "none.pem",))
    with pytest.raises(BadSettings, match="no authority"):
        verify(signed, ())


def test_without_the_extra_it_says_what_to_install(signed: Path, root: Signing, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(BadSettings, match=r"okng\[sign\]"):
        verify(signed, (root.certificate,))


def test_only_signed_bundles_activate_where_an_authority_is_named(signed: Path, root: Signing, tmp_path: Path) -> None:
    slot = tmp_path / "current"
    activate(signed, slot, authorities=(root.certificate,))
    assert active(slot) == signed.resolve()
    unsigned = tmp_path / "unsigned"
    shutil.copytree(signed, unsigned)
    (unsigned / "signature.sig").unlink()
    with pytest.raises(BadBundle, match="no signature"):
        activate(unsigned, slot, authorities=(root.certificate,))
    assert active(slot) == signed.resolve()
    activate(unsigned, slot)


def test_a_box_takes_only_what_its_authority_vouches_for(signed: Path, root: Signing, tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    blobs, bundles = FolderStore(tmp_path / "cloud"), tmp_path / "bundles"
    digest = publish(signed, "cap", blobs)
    with pytest.raises(BadBundle, match="does not hold"):
        pull(blobs, "cap", bundles, (Signing(tmp_path, "stranger").certificate,))
    assert not (bundles / digest).exists()
    folder = pull(blobs, "cap", bundles, (root.certificate,))
    assert verify(folder, (root.certificate,)).name == "CN=engineer"
    with pytest.raises(BadBundle, match="does not hold"):  # the authority was named when the bundle was here already
        pull(blobs, "cap", bundles, (tmp_path / "stranger.pem",))
    before = (folder / "signature.sig").read_bytes()
    impostor = Signing(tmp_path, "impostor", Signing(tmp_path, "other-root"))
    sign(signed, impostor.key, impostor.certificate)
    publish(signed, "cap", blobs)
    with pytest.raises(BadBundle, match="does not hold"):
        pull(blobs, "cap", bundles, (root.certificate,))
    assert (folder / "signature.sig").read_bytes() == before  # the good one stays
    (signed / "signature.sig").unlink()
    publish(signed, "cap", blobs)
    with pytest.raises(BadBundle, match="no signature"):
        pull(blobs, "cap", tmp_path / "fresh", (root.certificate,))
    assert not (tmp_path / "fresh" / digest).exists()
    pull(blobs, "cap", tmp_path / "fresh")
