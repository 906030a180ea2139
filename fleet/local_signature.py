"""A bundle taught on this very box is signed by the box's own key, for this box alone.

    <bundle>.local.json    {"bundle": digest, "box": id, "key": sha256 of the public key, "signature": ECDSA P-256}

It lies beside the folder, so that the bundle stays what it was. It counts nowhere else: another box has another key,
and a channel has its own signatures.
"""

import base64
import binascii
import hashlib
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..bus.errors import BadBundle, BadKey, StoreLost
from ..bus.outside import parsed_json
from ..models.manifest import digest
from ..records.durable import sync_folder, write_synced

ENDING = ".local.json"
_MOST = 16 << 10


def local_file(folder: Path) -> Path:
    """Where the box's signature of a bundle lies."""
    return folder.with_name(folder.name + ENDING)


def box_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The box's key for its own bundles, made where there is none yet. BadKey: no P-256 key, or open to others."""
    try:
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            form = serialization.PrivateFormat.PKCS8
            text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
            new = path.with_name(path.name + ".new")
            new.unlink(missing_ok=True)
            new.touch(mode=0o600)
            write_synced(new, text)
            new.rename(path)
            sync_folder(path.parent)
        if path.stat().st_mode & 0o077:
            raise BadKey(f"{path}: others may read it: expected mode 0600")
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise BadKey(f"{path}: {error}") from error
    except (ValueError, TypeError) as error:
        raise BadKey(f"{path}: not a key: {error}") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or found.curve.name != "secp256r1":
        raise BadKey(f"{path}: expected an EC key on P-256")
    return found


def sign_local(folder: Path, box: str, key_file: Path) -> None:
    """Sign a bundle for this box. BadKey. StoreLost: the disk does not take it."""
    key = box_key(key_file)
    said = {"bundle": digest(folder), "box": box, "key": _fingerprint(key)}
    signature = key.sign(_text(said), ec.ECDSA(hashes.SHA256()))
    target = local_file(folder)
    new = target.with_name(target.name + ".new")
    try:
        write_synced(new, json.dumps(said | {"signature": base64.b64encode(signature).decode()}).encode())
        new.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreLost(f"{target}: {error}") from error


def check_local(folder: Path, box: str, key_file: Path) -> None:
    """Check that this box signed the bundle, for itself. BadBundle: it did not. BadKey."""
    path = local_file(folder)
    key = box_key(key_file)
    try:
        with path.open("rb") as file:
            said = parsed_json(file.read(_MOST))
        signature = base64.b64decode(said.pop("signature"), validate=True)
        wanted = {"bundle": digest(folder), "box": box, "key": _fingerprint(key)}
        if said != wanted:
            raise BadBundle(f"{path}: signed for another bundle, box or key")
        key.public_key().verify(signature, _text(said), ec.ECDSA(hashes.SHA256()))
    except OSError as error:
        raise BadBundle(f"{path}: no signature of this box: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise BadBundle(f"{path}: not a signature: {error}") from error
    except InvalidSignature as error:
        raise BadBundle(f"{path}: the signature does not hold") from error


def _text(said: dict[str, str]) -> bytes:
    return b"okng local bundle 1\n" + json.dumps(said, sort_keys=True).encode()


def _fingerprint(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_key().public_bytes(serialization.Encoding.DER, form)).hexdigest()
