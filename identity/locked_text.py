"""A small secret that has to lie in a file others may copy: locked with a key that comes of the box's own.

AES-256-GCM; the key is derived (HKDF, RFC 5869) for one purpose. With another box key it stays shut.
"""

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..bus.errors import BadKey
from .box_key import BoxKey

_NONCE = 12


def lock(key: BoxKey, purpose: str, about: str, secret: bytes) -> str:
    """The secret, locked. purpose: what it is for; about: whose it is, so that it cannot be moved to another."""
    nonce = secrets.token_bytes(_NONCE)
    shut = AESGCM(key.derived(purpose)).encrypt(nonce, secret, about.encode())
    return base64.b64encode(nonce + shut).decode("ascii")


def unlock(key: BoxKey, purpose: str, about: str, locked: str) -> bytes:
    """The secret again. BadKey: it was locked with another key, for something else, or was changed."""
    try:
        data = base64.b64decode(locked, validate=True)
        return AESGCM(key.derived(purpose)).decrypt(data[:_NONCE], data[_NONCE:], about.encode())
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise BadKey(f"{purpose}: it was not locked by this box's key") from error
