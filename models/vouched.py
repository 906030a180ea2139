"""Who vouches for a bundle, asked once more right before it is loaded: over the very bytes that will be used.

    manifest's bytes, signature's bytes, authorities  ->  name of the signer

The same signature that `fleet/signing.py` verifies with the library it was made by (OpenSSF model signing: a DSSE
envelope over an in-toto statement of every file's digest), read here by hand, so that the line needs no such library
and no file is opened twice. That every file has the digest the manifest says is `bundle.py`'s to check.

A chain is judged at the first day of its last certificate, as the library does: it says who, not when.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..bus.errors import BadBundle, BadSettings
from ..bus.outside import parsed_json, read_bounded
from .manifest import MANIFEST, SIGNATURE, Manifest

_TYPE = "application/vnd.in-toto+json"
_STATEMENT, _PREDICATE = "https://in-toto.io/Statement/v1", "https://model_signing/signature/v1.0"
_MOST_CERTIFICATES = 5
_MOST_PEM_BYTES = 1 << 20
_HASHES: dict[str, HashAlgorithm] = {"secp256r1": SHA256(), "secp384r1": SHA384(), "secp521r1": SHA512()}
_BROKEN = (
    *(ValueError, KeyError, TypeError, IndexError, AttributeError, binascii.Error, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.ExtensionNotFound),
)
"""What wrong bytes end in."""


def authorities_of(files: Sequence[Path]) -> tuple[x509.Certificate, ...]:
    """Certificates in PEM files, one or more in each. BadSettings: a file cannot be read, or holds none."""
    found: list[x509.Certificate] = []
    for file in files:
        try:
            found += x509.load_pem_x509_certificates(read_bounded(file, _MOST_PEM_BYTES))
        except OSError as error:
            raise BadSettings(f"{file}: cannot be read: {error.strerror}") from error
        except _BROKEN as error:
            raise BadSettings(f"{file}: no certificate: {error}") from error
    return tuple(found)


def vouched_by(
    text: bytes, manifest: Manifest, signature: bytes, authorities: Sequence[x509.Certificate], name: str
) -> str:
    """Return who signed a bundle, RFC 4514.

    text: bytes of its manifest, of which `manifest` is what they say. name: what to call the signature in an error.
    BadBundle: no signature of model signing, of a certificate that none of the authorities vouches for or that is not
    for signing, or over other files.
    """
    try:
        said = parsed_json(signature)
        raw = said["verificationMaterial"]["x509CertificateChain"]["certificates"]
        chain = [x509.load_der_x509_certificate(_decoded(one["rawBytes"])) for one in raw[:_MOST_CERTIFICATES]]
        envelope = said["dsseEnvelope"]
        payload = _decoded(envelope["payload"])
        if envelope["payloadType"] != _TYPE or len(envelope["signatures"]) != 1:
            raise ValueError("expected one signature over an in-toto statement")
        _check_signature(chain[0], payload, _decoded(envelope["signatures"][0]["sig"]))
        _check_chain(chain, authorities)
        _check_statement(parsed_json(payload), text, manifest)
        return chain[0].subject.rfc4514_string()
    except InvalidSignature as error:
        raise BadBundle(f"{name}: does not hold: not over this bundle, or not by whom it names") from error
    except _BROKEN as error:
        raise BadBundle(f"{name}: does not hold: {str(error) or type(error).__name__}") from error


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _check_signature(leaf: x509.Certificate, payload: bytes, signature: bytes) -> None:
    """DSSE, protocol version 1: the signature is over type and payload, each with its length before it."""
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise ValueError(f"signed by a key of kind {type(key).__name__}: expected EC P-256, P-384 or P-521")
    kind = _TYPE.encode()
    over = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    key.verify(signature, over, ec.ECDSA(_HASHES[key.curve.name]))


def _check_chain(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]) -> None:
    """From the leaf up to one of ours; what a signature brings along is a path, never an end."""
    at = chain[0].not_valid_before_utc
    if not _signs(chain[0]):
        raise ValueError("its certificate is not for signing")
    last = chain[0]
    for depth in range(_MOST_CERTIFICATES):
        if last in authorities:
            return
        issuer = next((one for one in (*authorities, *chain[1:]) if _issued(last, one, at, depth)), None)
        if issuer is None:
            break
        last = issuer
    raise ValueError(f"no authority of this box vouches for {chain[0].subject.rfc4514_string()}")


def _issued(below: x509.Certificate, above: x509.Certificate, at: datetime, depth: int) -> bool:
    """True: the one above may vouch for others, did so for the one below, and was in force at that moment."""
    if below.issuer != above.subject or not above.not_valid_before_utc <= at <= above.not_valid_after_utc:
        return False
    try:
        limits = above.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = above.extensions.get_extension_for_class(x509.KeyUsage).value
        if not (limits.ca and usage.key_cert_sign) or (limits.path_length is not None and limits.path_length < depth):
            return False
        below.verify_directly_issued_by(above)
    except (InvalidSignature, *_BROKEN):
        return False
    return True


def _signs(leaf: x509.Certificate) -> bool:
    """As the library asks: the key usage digitalSignature, or else the extended one codeSigning."""
    try:
        if leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return True
    except x509.ExtensionNotFound:
        pass
    try:
        return ExtendedKeyUsageOID.CODE_SIGNING in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False


def _check_statement(said: Any, text: bytes, manifest: Manifest) -> None:
    """It speaks of the manifest and of every file that the manifest names, and of nothing else."""
    if said["_type"] != _STATEMENT or said["predicateType"] != _PREDICATE:
        raise ValueError("not a statement of model signing")
    signed: dict[str, str] = {}
    for one in said["predicate"]["resources"]:
        if one["algorithm"] != "sha256" or one["name"] in signed:
            raise ValueError(f"{one['name']}: expected one sha256")
        signed[one["name"]] = one["digest"]
    wanted = {path: entry.sha256 for path, entry in manifest.files.items()}
    wanted[MANIFEST] = hashlib.sha256(text).hexdigest()
    differing = sorted(path for path in signed.keys() | wanted.keys() if signed.get(path) != wanted.get(path))
    if differing or SIGNATURE in signed:
        raise ValueError(f"is not over this bundle: {', '.join(differing[:5])}")
