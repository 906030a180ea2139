"""Modbus/TCP Security: TLS 1.2 or later, certificates on both sides, and the role that stands in the PLC's.

MODBUS/TCP Security Protocol Specification (MB-TCP-Security-v36): port 802, mutual authentication, the role of the
client in X.509v3 extension 1.3.6.1.4.1.50316.802.1 as an ASN.1 UTF8String. OpenSSL verifies the chain; only a
certificate that passed is looked at here. Imported only where the settings ask for TLS.
"""

import ssl
import stat
from pathlib import Path

from cryptography import x509

from ..bus.errors import BadSettings, LinkLost
from .tls_options import TlsOptions

ROLE = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
_UTF8_STRING = 0x0C
_MINIMUM = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class NotAdmitted(LinkLost):
    """The other side has a valid certificate and may still not connect."""


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """Make the context of a listener. BadSettings: a file is missing, unreadable or does not fit the others."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, options)
    context.verify_mode = ssl.CERT_REQUIRED
    # A resumed session would skip the look at the certificate, which may have expired since.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    return context


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """Make the context of a client: the PLC's name is checked too. BadSettings as above."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, options)


def _context(protocol: int, options: TlsOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = _MINIMUM[options.minimum]
    for key, file in (("ca", options.ca), ("certificate", options.certificate), ("key", options.key)):
        if not file.is_file():
            raise BadSettings(f"tls.{key} = {str(file)!r}: expected a PEM file, found none")
    _guarded(options.key)
    try:
        context.load_verify_locations(cafile=options.ca)
    except (ssl.SSLError, OSError) as error:
        raise BadSettings(f"tls.ca = {str(options.ca)!r}: expected certificates in PEM: {_reason(error)}") from error
    try:
        context.load_cert_chain(options.certificate, options.key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise BadSettings(
            f"tls.certificate = {str(options.certificate)!r}, tls.key = {str(options.key)!r}: "
            f"expected a certificate and its unencrypted key in PEM: {_reason(error)}"
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)


def _guarded(key: Path) -> None:
    mode = key.stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise BadSettings(f"tls.key = {str(key)!r}: mode {stat.S_IMODE(mode):04o}, expected 0600: no access for others")


def role_of(certificate: bytes) -> str | None:
    """Return the role in a DER certificate; None: it carries none. NotAdmitted: it carries what is no role."""
    try:
        found = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_oid(ROLE).value
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:
        raise NotAdmitted(f"its certificate cannot be read: {error}") from error
    raw = found.value if isinstance(found, x509.UnrecognizedExtension) else b""
    # DER of a UTF8String below 128 bytes: tag, length, text. A longer role is none that anybody could allow here.
    if len(raw) < 3 or raw[0] != _UTF8_STRING or raw[1] != len(raw) - 2 or raw[1] > 127:
        raise NotAdmitted(f"the role in its certificate is no UTF8String: {raw[:40].hex(' ')}")
    try:
        return raw[2:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAdmitted("the role in its certificate is no UTF-8") from error


def admit(certificate: bytes | None, roles: tuple[str, ...]) -> str:
    """Return the role of a peer that may connect, empty for none. NotAdmitted: it may not."""
    if not certificate:
        raise NotAdmitted("it has no certificate")
    role = role_of(certificate)
    if roles and role not in roles:
        raise NotAdmitted(f"its role is {role!r}, expected one of {', '.join(roles)}")
    return role or ""
