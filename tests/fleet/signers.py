"""Authorities that bundles are signed under, and those who sign: EC P-256, made anew for each run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool, vouches: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=not signs and not vouches,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=vouches,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


class Signing:
    """A key and its certificate, in files. One that vouches for others is an authority."""

    def __init__(
        self, folder: Path, name: str, issuer: "Signing | None" = None, *, signs: bool = True, days: int = 30
    ) -> None:
        """issuer: None: its own, an authority. days: valid until, from now; may be past."""
        self.name = name
        self.private = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        vouches = issuer is None
        built = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(issuer.name if issuer else name))
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=vouches, path_length=None), critical=True)
            .add_extension(_usage(signs=signs and not vouches, vouches=vouches), critical=True)
        )
        signed = built.sign(issuer.private if issuer else self.private, hashes.SHA256())
        self.certificate, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        kind = serialization.PrivateFormat.PKCS8
        self.key.write_bytes(self.private.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
