"""The authority that vouches for boxes: an online key, P-256. It says which box speaks, never which model may run."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..bus.clock_floor import believed_now
from ..bus.errors import BadKey, BadSettings, Refused
from ..identity.certificate import UNREADABLE, Key, read_key_pem
from .settings import FleetSettings, secret_of

URN = "urn:okng:box:"
MOST_CSR = 8 << 10
LIFE = timedelta(days=3649)
"""Of the authority itself."""
EARLY = timedelta(hours=1)
"""A certificate begins so long before it is made: clocks differ."""


class BadRequest(Refused):
    """A certificate request is none, or not of the kind that is vouched for."""


@dataclass(frozen=True, slots=True)
class Csr:
    """A request that proved it holds its key."""

    pem: str
    fingerprint: str
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER), 64 hex digits."""
    key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A box's certificate."""

    chain: str
    """PEM: the box's, then the authority's."""
    sha256: str
    """Of the certificate (DER), 64 hex digits."""
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates of boxes."""

    certificate: x509.Certificate
    key: Key
    days: int

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")

    def issue(self, csr: Csr, box: str) -> Issued:
        """Vouch for the key of a request as box's. Nothing else of the request is taken over."""
        begins = believed_now() - EARLY
        ends = min(begins + timedelta(days=self.days) + EARLY, self.certificate.not_valid_after_utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, box[:64])]))
            .issuer_name(self.certificate.subject)
            .public_key(csr.key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URN + box)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
            .sign(self.key, SHA256())
        )
        pem = made.public_bytes(Encoding.PEM).decode("ascii")
        return Issued(pem + self.pem, made.fingerprint(SHA256()).hex(), made.not_valid_after_utc)


def load_authority(settings: FleetSettings) -> Authority:
    """The authority of the settings. BadSettings: a file cannot be read, or they do not belong together."""
    options = settings.authority
    where = f"authority.key_file = {str(options.key_file)!r}"
    try:
        key = read_key_pem(secret_of(options.key_file, "authority.key_file"), where)
        certificate = x509.load_pem_x509_certificate(options.certificate.read_bytes())
        if certificate.public_key() != key.public_key():
            raise BadSettings(f"{where}: expected the key of authority.certificate = {str(options.certificate)!r}")
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise BadSettings(f"authority.certificate = {str(options.certificate)!r}: expected one of an authority")
    except OSError as error:
        raise BadSettings(f"authority.certificate = {str(options.certificate)!r}: {error.strerror}") from error
    except BadKey as error:
        raise BadSettings(str(error)) from error
    except (*UNREADABLE, x509.ExtensionNotFound) as error:
        raise BadSettings(
            f"authority.certificate = {str(options.certificate)!r}: expected an authority's certificate in PEM"
        ) from error
    return Authority(certificate, key, options.days)


def new_authority(name: str, key: Key) -> x509.Certificate:
    """A certificate that signs itself, for an authority of boxes and nothing below it."""
    now = believed_now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


def read_csr(pem: str) -> Csr:
    """A request, its signature checked. BadRequest says what was expected."""
    if len(pem) > MOST_CSR:
        raise BadRequest(f"csr: {len(pem)} characters: expected at most {MOST_CSR}")
    try:
        found = x509.load_pem_x509_csr(pem.encode("ascii"))
        key = found.public_key()
        if not found.is_signature_valid:
            raise BadRequest("csr: its signature does not fit its key")
    except (*UNREADABLE, InvalidSignature, UnicodeEncodeError) as error:
        raise BadRequest("csr: expected a certificate request (PKCS #10) in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadRequest("csr: expected a key on the curve P-256")
    digest = Hash(SHA256())
    digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return Csr(found.public_bytes(Encoding.PEM).decode("ascii"), digest.finalize().hex(), key)


def days_left(ends_at: datetime) -> int:
    """Whole days until a certificate ends."""
    return (ends_at - datetime.now(UTC)).days


def _usage(**on: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})
