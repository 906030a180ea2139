"""PIN, password and badge: what they must be like, how they are hashed, how one is compared. Nothing here is kept.

argon2id with OWASP's least parameters (19 MiB, 2 passes): about 45 ms. A PIN has little entropy: the lock-out is the
defence (`lockout.py`), the hash protects a copy of the file.
"""

import hashlib
import hmac
import re
from typing import Literal

import apsw
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..bus.errors import Refused
from .bookkeeping import rows

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_PIN = re.compile(r"[0-9]{4,8}", re.ASCII)
LEAST_PIN = 4
LEAST_PASSWORD = 8
MOST = 256
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$CHDX12hSVZkmQaQ8/D9SxQ$e6t4PS59aQlGNl80tA4Oav5Ea0bkAzybMFdeMCk8/dE"
"""A hash of nothing anybody knows: who is unknown waits as long as who is known."""

HERE, ELSEWHERE = "person", "person elsewhere"
"""Uses of `keyed`: under what the tries of a person are counted, at a panel and from elsewhere."""
Kind = Literal["pin", "password", "badge"]


def hashed_pin(pin: str, least: int = LEAST_PIN) -> str:
    """Hash a PIN. Refused: it is none, or of fewer digits than the settings ask for."""
    if not _PIN.fullmatch(pin) or len(pin) < least:
        raise Refused(f"PIN: expected {least} to 8 digits")
    return _HASHER.hash(pin)


def hashed_password(password: str) -> str:
    """Hash a password. Refused: too short or too long."""
    if not LEAST_PASSWORD <= len(password) <= MOST:
        raise Refused(f"password of {len(password)} letters: expected {LEAST_PASSWORD} to {MOST}")
    return _HASHER.hash(password)


def fits(secret: str, known: str | None) -> bool:
    """True when a PIN or password is the one that was hashed. Takes as long where none is known."""
    if len(secret) > MOST:
        secret, known = "", None
    try:
        _HASHER.verify(known or _NOBODY, secret)
    except (VerificationError, InvalidHashError):
        return False
    return known is not None


def hashed_badge(db: apsw.Connection, badge: str) -> str:
    """Hash a badge's number so that it can be looked up, under this ledger's secret. Refused: it is none."""
    text = badge.strip()
    if not 4 <= len(text) <= MOST or not text.isprintable():
        raise Refused("badge: expected 4 or more readable letters or digits")
    return keyed(db, "badge", text)


def keyed(db: apsw.Connection, use: str, text: str) -> str:
    """HMAC of a text under this ledger's secret, told apart by its use."""
    (pepper,) = rows(db, "select secret from pepper where n = 1")[0]
    return hmac.new(bytes(pepper), f"{use}\0{text}".encode(), hashlib.sha256).hexdigest()
