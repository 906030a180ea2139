"""The box's key: made once, its owner's alone, and what it signed nobody else did."""

import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from okng.bus.errors import BadKey
from okng.identity.box_key import CREDENTIAL, BoxKey, fingerprint, verify


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "box-key.pem"
    first = BoxKey.load_or_make(path)
    again = BoxKey.load_or_make(path)
    assert first.fingerprint == again.fingerprint
    assert len(first.fingerprint) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["box-key.pem"]


def test_what_it_signed_holds_and_nothing_else_does(tmp_path: Path) -> None:
    key, other = BoxKey.load_or_make(tmp_path / "a"), BoxKey.load_or_make(tmp_path / "b")
    signature = key.sign(b"head")
    assert verify(key.public_pem, b"head", signature)
    assert not verify(key.public_pem, b"Head", signature)
    assert not verify(other.public_pem, b"head", signature)
    assert not verify(key.public_pem, b"head", signature[:-1])
    assert fingerprint(key.public_pem) == key.fingerprint != other.fingerprint


def test_of_many_that_come_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def come() -> None:
        start.wait()
        found.append(BoxKey.load_or_make(tmp_path / "key").fingerprint)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    BoxKey.load_or_make(path)
    path.chmod(mode)
    with pytest.raises(BadKey, match=rf"key: mode {mode:04o}: expected 0600"):
        BoxKey.load_or_make(path)


@pytest.mark.parametrize("data", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_garbage_is_refused_and_stays(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(data)
    with pytest.raises(BadKey, match="key: no private key in PEM"):
        BoxKey.load_or_make(path)
    assert path.read_bytes() == data


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path, key = tmp_path / "key", ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(BadKey, match="expected Ed25519"):
        BoxKey.load_or_make(path)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(BadKey, match="expected Ed25519"):
        verify(public, b"", b"")
    with pytest.raises(BadKey, match="no public key"):
        verify("none", b"", b"")


def test_systemds_credential_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given"
    given.mkdir()
    theirs = BoxKey.load_or_make(given / CREDENTIAL)
    # What systemd hands over is guarded by its folder; an ACL shows in the mode as a right of the group.
    (given / CREDENTIAL).chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    own = tmp_path / "key"
    assert BoxKey.load_or_make(own).fingerprint == theirs.fingerprint
    assert not own.exists()
    (given / CREDENTIAL).rename(given / "another")
    assert BoxKey.load_or_make(own).fingerprint != theirs.fingerprint
