"""Certificates for TLS: the one that the box makes for itself at its first start, and the request for a better one.

The box's clock may stand at 1970 when the certificate is made, and that of the browser does not: no certificate of ours
begins before this program was written, nor ends before it ends for somebody whose clock is right.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..bus.errors import BadKey

FLOOR = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock that is right stands before this: a certificate is judged at the later of the two."""
LIFE = timedelta(days=3649)
"""Of the certificate that the box makes for itself: under ten years."""
SOON = timedelta(days=30)
"""An end that is nearer than this is alarmed."""
MOST_NAMES = 32
Key: TypeAlias = ec.EllipticCurvePrivateKey
UNREADABLE = (
    *(ValueError, TypeError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
"""What the library raises for bytes that only look like a certificate."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What people are shown of a certificate."""

    fingerprint: str
    """SHA-256 of it, hex in pairs: what a browser shows too."""
    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    own: bool
    """It signs itself: nobody but the fingerprint vouches for it."""

    def days_left(self, now: datetime) -> int:
        """Whole days until its end, below 0 after it; by a clock that is no earlier than it can be."""
        return (self.ends - believed(now)).days

    def ends_soon(self, now: datetime) -> bool:
        """Somebody has to do something about it."""
        return self.ends - believed(now) < SOON


def believed(now: datetime) -> datetime:
    """The moment that certificates are judged at: never before this program."""
    return max(now, FLOOR)


def described(certificate: x509.Certificate) -> Certificate:
    """What people are shown of it. BadKey: it cannot be read."""
    try:
        return Certificate(
            fingerprint=pairs(certificate.fingerprint(SHA256())),
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            names=tuple(names_of(certificate)),
            begins=certificate.not_valid_before_utc,
            ends=certificate.not_valid_after_utc,
            own=certificate.issuer == certificate.subject,
        )
    except UNREADABLE as error:
        raise BadKey(f"a certificate that cannot be read: {error}") from error


def pairs(digest: bytes) -> str:
    """`AB:CD:...`, as browsers write a fingerprint."""
    return ":".join(f"{byte:02X}" for byte in digest)


def names_of(certificate: x509.Certificate) -> list[str]:
    """Host names and addresses that it is made out to. BadKey: it cannot be told."""
    try:
        return _names(certificate.extensions)
    except UNREADABLE as error:
        raise BadKey(f"a certificate whose extensions cannot be read: {error}") from error


def requested_names(pem: bytes) -> list[str]:
    """Host names and addresses that a request asks for. BadKey: it is no request."""
    try:
        return _names(x509.load_pem_x509_csr(pem).extensions)
    except UNREADABLE as error:
        raise BadKey(f"no certificate request in PEM: {error}") from error


def _names(extensions: x509.Extensions) -> list[str]:
    try:
        held = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    hosts = [str(name) for name in held.get_values_for_type(x509.DNSName)]
    return hosts + [str(address) for address in held.get_values_for_type(x509.IPAddress)]


def new_key() -> Key:
    """ECDSA on P-256: every browser of a plant knows it."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> bytes:
    """The key as a file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key_pem(pem: bytes, where: str) -> Key:
    """The key of a file; where: what to call it. BadKey: it is none of ours."""
    try:
        key = load_pem_private_key(pem, password=None)
    except UNREADABLE as error:
        raise BadKey(f"{where}: no private key in PEM without a password: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadKey(f"{where}: a key of kind {type(key).__name__}: expected an elliptic curve")
    return key


def own_certificate(key: Key, names: Sequence[str], now: datetime) -> x509.Certificate:
    """A certificate that signs itself, for the host names and addresses given."""
    subject = _subject(names)
    begins = FLOOR if now < FLOOR else now - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_alternatives(names), critical=False)
    )
    return builder.sign(key, SHA256())


def request(key: Key, names: Sequence[str]) -> bytes:
    """A request (PKCS #10, PEM) for the plant's certification authority."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(names))
    made = builder.add_extension(_alternatives(names), critical=False).sign(key, SHA256())
    return made.public_bytes(Encoding.PEM)


def _subject(names: Sequence[str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (names[0] if names else "okng")[:64])])


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    found: list[x509.GeneralName] = []
    for name in list(dict.fromkeys(names or ("okng",)))[:MOST_NAMES]:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name.encode("idna").decode("ascii") if not name.isascii() else name))
    return x509.SubjectAlternativeName(found)
