"""The box's own key: Ed25519, made once, never leaving the box. What it signed, this box has said.

It lies in a file that its owner alone may read, or comes from systemd as the credential `okng-box-key`
(`LoadCredentialEncrypted=`), then out of reach of whoever takes the disk away. The public half anyone may read; it
belongs where the box cannot write: a signature proves as much as the place its key was taken from.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ..bus.errors import BadKey

CREDENTIAL = "okng-box-key"
"""Its name among systemd's credentials."""
_MOST_BYTES = 16_384


class BoxKey:
    """The private key of this box, in memory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.fingerprint = hashlib.sha256(der).hexdigest()
        """SHA-256 of the public key (DER), 64 hex digits: what people compare."""
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.public_pem = pem.decode("ascii")
        """The public key, for whoever verifies."""

    @classmethod
    def load_or_make(cls, path: Path) -> "BoxKey":
        """The key that systemd gave, else the one in the file, else a new one, durable when this returns.

        BadKey: it is there and is no Ed25519 key, or others may read it. OSError: the disk.
        """
        given = credential()
        if given is not None:
            return cls.load(given, guarded=True)
        if not path.exists():
            _make(path)
        return cls.load(path)

    @classmethod
    def load(cls, path: Path, *, guarded: bool = False) -> "BoxKey":
        """The key in a file. guarded: its folder keeps others out, whatever its own mode. BadKey, OSError."""
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            if not guarded and mode & 0o077:
                raise BadKey(f"{path}: mode {mode:04o}: expected 0600, the key is its owner's alone (chmod 600)")
            data = file.read(_MOST_BYTES + 1)
        try:
            key = load_pem_private_key(data[:_MOST_BYTES], password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BadKey(f"{path}: no private key in PEM without a password: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey(f"{path}: a key of kind {type(key).__name__}: expected Ed25519")
        return cls(key)

    def sign(self, data: bytes) -> bytes:
        """The signature over some bytes, 64 bytes long."""
        return self._key.sign(data)

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose (HKDF, RFC 5869): who has it learns nothing of this one."""
        own = self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return HKDF(SHA256(), 32, None, f"okng {purpose} 1".encode()).derive(own)


def credential() -> Path | None:
    """The key among systemd's credentials of this service; None: it gave none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    file = Path(folder) / CREDENTIAL
    return file if folder and file.is_file() else None


def verify(public_pem: str, data: bytes, signature: bytes) -> bool:
    """True when the owner of that key signed exactly these bytes. BadKey: it is no public Ed25519 key."""
    try:
        _public(public_pem).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def fingerprint(public_pem: str) -> str:
    """SHA-256 of a public key, 64 hex digits. BadKey: it is none."""
    der = _public(public_pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _public(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"no public key in PEM: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"a public key of kind {type(key).__name__}: expected Ed25519")
    return key


def _make(path: Path) -> None:
    """Write a new key. Of two processes that come at once one makes it, and both read that one. OSError."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    waiting = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(waiting, path)
    finally:
        waiting.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
