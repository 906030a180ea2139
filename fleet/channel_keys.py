"""Keys of a channel in files: Ed25519, PKCS #8 PEM. A passphrase encrypts those of people."""

import os
import secrets
import stat
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from ..bus.errors import BadKey
from ..records.durable import sync_folder

LEAST_PASSPHRASE = 12
_MOST_BYTES = 16_384


def make_signer(file: Path, passphrase: str | None) -> Any:
    """Make a new key in a file that is not there yet, mode 0600. passphrase: None: not encrypted.

    BadKey: the passphrase is too short, or something is there already. OSError: the disk.
    """
    if passphrase is not None and len(passphrase) < LEAST_PASSPHRASE:
        raise BadKey(f"{file}: passphrase of {len(passphrase)} characters: expected {LEAST_PASSPHRASE} or more")
    made = Ed25519PrivateKey.generate()
    how: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        how = BestAvailableEncryption(passphrase.encode())
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        os.link(new, file)  # unlike rename it never takes another key's place
    except FileExistsError:
        raise BadKey(f"{file}: is there already: a key is never written over") from None
    finally:
        new.unlink(missing_ok=True)
    sync_folder(file.parent)
    return CryptoSigner(made)


def load_signer(file: Path, passphrase: str | None = None) -> Any:
    """Return what signs with the key in a file. BadKey: none, another kind, open to others, or the wrong passphrase."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as source:
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            data = source.read(_MOST_BYTES)
    except OSError as error:
        raise BadKey(f"{file}: cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise BadKey(f"{file}: mode {mode:04o}: expected 0600, the key is its owner's alone (chmod 600)")
    try:
        key = load_pem_private_key(data, None if passphrase is None else passphrase.encode())
    except TypeError as error:  # encrypted without a passphrase, or the other way round
        raise BadKey(f"{file}: {error}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{file}: no key, or the wrong passphrase: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{file}: a key of kind {type(key).__name__}: expected Ed25519")
    return CryptoSigner(key)


def is_encrypted(file: Path) -> bool:
    """True: a passphrase has to be asked for. BadKey: cannot be read."""
    try:
        with file.open("rb") as source:
            return b"ENCRYPTED PRIVATE KEY" in source.read(_MOST_BYTES)
    except OSError as error:
        raise BadKey(f"{file}: cannot be read: {error.strerror}") from error
