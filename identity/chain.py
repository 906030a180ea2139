"""A chain that comes back from a certification authority is looked at before the box shows it to anybody."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..bus.errors import BadKey
from .certificate import UNREADABLE, Certificate, Key, believed, described, names_of

MOST_BYTES = 64 << 10
MOST_CERTIFICATES = 8


def checked_chain(
    pem: bytes, keys: Sequence[Key], names: Sequence[str], now: datetime
) -> tuple[list[x509.Certificate], Key]:
    """The certificates, the box's own first, and the one of `keys` that it belongs to.

    names: what the box is called by; the certificate has to hold one of them. BadKey says what does not fit.
    """
    found = read_chain(pem)
    held = [_public(one) for one in found]
    key = next((key for key in keys if _bytes(key.public_key()) == held[0]), None)
    if key is None:
        if any(_bytes(key.public_key()) in held for key in keys):
            raise BadKey("the chain begins with another certificate: expected the box's own first, then its issuers")
        raise BadKey("the first certificate is not made out to a key of this box: expected the answer to its request")
    for place, one in enumerate(found):
        _in_time(described(one), place, believed(now))
    for place, (one, issuer) in enumerate(pairwise(found)):
        _issued(one, issuer, place)
    _for_servers(found[0])
    if not any(_holds(name, names_of(found[0])) for name in names):
        called = ", ".join(names_of(found[0])) or "no name"
        raise BadKey(f"the certificate is made out to {called}: expected one of {', '.join(names)}")
    return found, key


def read_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a text, at least one. BadKey."""
    if len(pem) > MOST_BYTES:
        raise BadKey(f"{len(pem)} bytes: expected at most {MOST_BYTES} bytes of certificates in PEM")
    if pem.count(b"-----BEGIN CERTIFICATE") > MOST_CERTIFICATES:
        raise BadKey(f"expected at most {MOST_CERTIFICATES} certificates")
    try:
        return x509.load_pem_x509_certificates(pem)
    except UNREADABLE as error:
        raise BadKey(f"no certificates in PEM: {error}") from error


def _public(one: x509.Certificate) -> bytes:
    try:
        return _bytes(one.public_key())
    except UNREADABLE as error:
        raise BadKey(f"a certificate with a key of a kind that is not known: {error}") from error


def _bytes(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _in_time(one: Certificate, place: int, now: datetime) -> None:
    if now > one.ends:
        raise BadKey(f"certificate {place + 1} ended at {one.ends:%Y-%m-%d %H:%M} UTC")
    if now < one.begins:
        begins = f"{one.begins:%Y-%m-%d %H:%M} UTC"
        raise BadKey(f"certificate {place + 1} begins at {begins}, it is {now:%Y-%m-%d %H:%M}: is the clock right?")


def _issued(one: x509.Certificate, issuer: x509.Certificate, place: int) -> None:
    try:
        one.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature) as error:
        raise BadKey(
            f"certificate {place + 2} did not issue certificate {place + 1}: wrong order, or one lacks"
        ) from error
    try:
        may_issue = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *UNREADABLE):
        may_issue = False
    if not may_issue:
        raise BadKey(f"certificate {place + 2} is not one of a certification authority")


def _for_servers(one: x509.Certificate) -> None:
    try:
        uses = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    except UNREADABLE as error:
        raise BadKey(f"a certificate whose extensions cannot be read: {error}") from error
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(uses):
        raise BadKey("the certificate is not for servers (extended key usage serverAuth)")


def _holds(name: str, held: Sequence[str]) -> bool:
    """Whether one of the names of a certificate is this one; `*.plant` holds `box.plant`."""
    try:
        return str(ipaddress.ip_address(name)) in held
    except ValueError:
        pass
    wanted, (_, _, domain) = name.lower().rstrip("."), name.lower().partition(".")
    return any(one.lower() in (wanted, f"*.{domain}") for one in held if domain or "*" not in one)
