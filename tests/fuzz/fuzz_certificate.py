"""Certificates and requests in PEM, as they come back from an authority or from a stick."""

import contextlib
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from okng.bus.errors import BadKey
from okng.identity.certificate import (
    described,
    key_pem,
    names_of,
    new_key,
    own_certificate,
    read_key_pem,
    request,
    requested_names,
)
from okng.identity.chain import checked_chain, read_chain

_NOW = datetime(2026, 12, 1, tzinfo=UTC)
_KEY = new_key()
_NAMES = ["box7", "10.1.2.3"]


def seeds() -> list[bytes]:
    """Ours, and their pieces."""
    own = own_certificate(_KEY, _NAMES, _NOW)
    made = own.public_bytes(Encoding.PEM)
    return [
        made,
        made * 2,
        made[: len(made) // 2],
        own.public_bytes(Encoding.DER),
        request(_KEY, _NAMES),
        key_pem(_KEY),
    ]


def one(data: bytes) -> None:
    """BadKey, or something that can be shown."""
    for ask in (
        lambda: [names_of(one) for one in read_chain(data)],
        lambda: [described(one) for one in read_chain(data)],
    ):
        with contextlib.suppress(BadKey):
            ask()
    for check in (
        lambda: checked_chain(data, [_KEY], _NAMES, _NOW),
        lambda: requested_names(data),
        lambda: read_key_pem(data, "x"),
    ):
        with contextlib.suppress(BadKey):
            check()
