"""TLS on the wire to the fleet service: whom the box believes, and what is said when that fails."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from ..bus.errors import BadSettings, Refused, StoreLost

_NOT_YET, _ENDED = 9, 10
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class NotTrusted(Refused):
    """What answers does not hold a certificate of the pinned authority for that name."""


def pool_of(context: ssl.SSLContext, size: int) -> urllib3.PoolManager:
    """Connections of one kind of trust; nothing is tried again, no redirect followed."""
    return urllib3.PoolManager(num_pools=4, maxsize=size, ssl_context=context, retries=False)


def trusting(ca: Path, identity: Path | None, key: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, that one authority, and the box's own certificate. BadSettings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=str(ca))
    except OSError as error:
        raise BadSettings(f"fleet.ca = {str(ca)!r}: {error.strerror or error}: expected certificates in PEM") from error
    if identity is not None:
        try:
            context.load_cert_chain(str(identity), str(key) if key is not None else None, password=lambda: "")
        except OSError as error:
            raise BadSettings(f"{identity}: {error.strerror or error}: expected certificate and key in PEM") from error
    return context


def trusting_stores(ca: Path) -> ssl.SSLContext:
    """For stores: the pinned authority, and those of the machine. What is sent there proves itself by its hash."""
    context = trusting(ca, None, None)
    context.load_default_certs()
    return context


def told(url: str, error: Exception) -> StoreLost | NotTrusted:
    """What broke, for people."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, ssl.SSLError):
        inner = inner.__cause__ or inner.__context__ or next((a for a in inner.args if isinstance(a, Exception)), None)
    where = named(url)
    if isinstance(inner, ssl.SSLCertVerificationError):
        clock = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        if inner.verify_code == _NOT_YET:
            return StoreLost(
                f"{where}: its certificate is not yet valid by this box's clock, which says {clock}:"
                " the clock is wrong, or the certificate was made too early"
            )
        if inner.verify_code == _ENDED:
            return StoreLost(
                f"{where}: its certificate has ended by this box's clock, which says {clock}:"
                " the clock is wrong, or the service needs a new certificate"
            )
        return NotTrusted(
            f"{where}: not the service that this box was told to trust (fleet.ca): {inner.verify_message}"
        )
    if isinstance(inner, ssl.SSLError) and "ALERT" in (inner.reason or "").upper():
        return StoreLost(f"{where}: it ends the connection: {inner.reason}")
    return StoreLost(f"{where}: {type(error).__name__}: {error}"[:500])


def named(url: str) -> str:
    """An address without what is secret in it."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"
