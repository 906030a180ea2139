"""Who made a bundle: a signature over all its files, by a certificate of an authority that is not on the net.

The method is model-signing's, certificate mode (OpenSSF; DSSE over an in-toto statement of every file's sha256). It
says *who*, not *when*: a chain is judged at the start date of its last certificate and nothing is ever revoked, so what
is current is for a channel to say. The library comes with the extra [sign] and is loaded on demand, here alone.
"""

import base64
import binascii
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bus.errors import BadBundle, BadSettings
from ..bus.outside import parsed_json
from ..models.bundle import MOST_SIGNATURE_BYTES, open_bundle
from ..models.manifest import MANIFEST, SIGNATURE, Manifest, parse, read_bytes
from ..records.durable import sync_folder


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, by the certificate that the authority vouched for."""

    name: str
    """Subject, RFC 4514."""
    sha256: str
    """Fingerprint of the certificate, 64 hex digits."""
    valid_until: str
    """UTC day, `2027-01-31`."""


def sign(folder: Path, key: Path, certificate: Path, chain: Sequence[Path] = ()) -> Path:
    """Sign the bundle in a folder; return the signature's file, which takes the place of an older one.

    key: private, PEM, EC. certificate: its own, with the key usage digitalSignature or codeSigning. chain: from its
    issuer up; none: the box that verifies holds them all.
    BadBundle: the bundle is not as it was made. BadSettings: key and certificate do not go together.
    """
    model_signing = _library()
    open_bundle(folder)
    target = folder / SIGNATURE
    with tempfile.TemporaryDirectory(prefix="okng-sign-") as aside:
        made = Path(aside) / SIGNATURE
        try:
            signing = model_signing.signing.Config().use_certificate_signer(
                private_key=key, signing_certificate=certificate, certificate_chain=list(chain) or [certificate]
            )
            signing.set_hashing_config(_hashing(model_signing)).sign(folder, made)
        except (OSError, ValueError, TypeError) as error:
            raise BadSettings(f"{key}, {certificate}: cannot be signed with: {error}") from error
        data = made.read_bytes()
    new = target.with_name(target.name + ".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.rename(target)
    sync_folder(folder)
    return target


def verify(folder: Path, authorities: Sequence[Path], signature: Path | None = None) -> Signer:
    """Return who signed the bundle in a folder, if one of the authorities (PEM files) vouches for it.

    signature: one that is not in its place yet; None: the one in the folder.
    BadBundle: no signature, one over other files or other content, of a certificate that none of them vouches for, or
    that is not for signing; the text says which. BadSettings: an authority's file cannot be read.
    """
    model_signing = _library()
    if not authorities:
        raise BadSettings("no authority is named: expected the file of a certificate that bundles are signed under")
    name = signature or folder / SIGNATURE
    data = _read(name)
    unreadable = [str(each) for each in authorities if not os.access(each, os.R_OK)]
    if unreadable:
        raise BadSettings(f"{', '.join(unreadable)}: cannot be read")
    with tempfile.TemporaryDirectory(prefix="okng-verify-") as aside:
        copy = Path(aside) / SIGNATURE  # the very bytes that are looked at below
        copy.write_bytes(data)
        try:
            verifying = model_signing.verifying.Config().use_certificate_verifier(certificate_chain=list(authorities))
            verifying.set_hashing_config(_hashing(model_signing)).verify(folder, copy)
        except _errors() as error:
            raise BadBundle(f"{name}: does not hold: {_words(error)}") from error
    text = read_bytes(folder)
    manifest = parse(text, str(folder / MANIFEST))
    try:
        said = parsed_json(data)
        _check_whole(name, _signed(said), manifest, text)
        return _signer(said)
    except (ValueError, KeyError, TypeError, IndexError, binascii.Error) as error:
        raise BadBundle(f"{name}: not a signature of model-signing: {error}") from error


def _library() -> Any:
    try:
        import model_signing
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying
    except ModuleNotFoundError as error:
        raise BadSettings(f"{error.name} is not installed: pip install 'okng[sign]'") from error
    return model_signing


def _hashing(model_signing: Any) -> Any:
    """Every file but the signature itself; what a signature says may be ignored is not asked."""
    return model_signing.hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _errors() -> tuple[type[Exception], ...]:
    """What the library lets through from those it is built on."""
    import OpenSSL.crypto
    from model_signing._signing import sign_certificate  # cryptography's error, by the name the library has for it

    beneath: Any = sign_certificate
    return (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        OSError,
        beneath.exceptions.InvalidSignature,
        OpenSSL.crypto.X509StoreContextError,
    )


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:500]


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            data = file.read(MOST_SIGNATURE_BYTES + 1)
    except OSError as error:
        raise BadBundle(f"{path}: no signature: {error.strerror}") from error
    if len(data) > MOST_SIGNATURE_BYTES:
        raise BadBundle(f"{path}: larger than {MOST_SIGNATURE_BYTES} bytes: not a signature")
    return data


def _signed(signature: Any) -> dict[str, str]:
    """sha256 by name of what the statement speaks of."""
    statement = parsed_json(base64.b64decode(signature["dsseEnvelope"]["payload"], validate=True))
    resources = statement["predicate"]["resources"]
    return {str(one["name"]): str(one["digest"]) for one in resources if one["algorithm"] == "sha256"}


def _check_whole(name: Path, signed: dict[str, str], manifest: Manifest, text: bytes) -> None:
    """The signature speaks of the manifest and of every file that the manifest names, and of nothing else."""
    wanted = {path: entry.sha256 for path, entry in manifest.files.items()}
    wanted[MANIFEST] = hashlib.sha256(text).hexdigest()
    differing = sorted(path for path in signed.keys() | wanted.keys() if signed.get(path) != wanted.get(path))
    if differing:
        raise BadBundle(f"{name}: is not over this bundle: {', '.join(differing[:5])}")


def _signer(signature: Any) -> Signer:
    import OpenSSL.crypto

    first = signature["verificationMaterial"]["x509CertificateChain"]["certificates"][0]
    raw = base64.b64decode(first["rawBytes"], validate=True)
    certificate = OpenSSL.crypto.load_certificate(OpenSSL.crypto.FILETYPE_ASN1, raw).to_cryptography()
    return Signer(
        certificate.subject.rfc4514_string(),
        hashlib.sha256(raw).hexdigest(),
        f"{certificate.not_valid_after_utc:%Y-%m-%d}",
    )
