"""One-time codes of a person's phone: TOTP of RFC 6238 with SHA-1, six digits, 30 seconds, as all such apps do it."""

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

PERIOD_S = 30
DIGITS = 6
DRIFT = 1
"""So many codes before and after the one of now are taken: clocks differ, and a person types."""
SECRET_BYTES = 20
"""RFC 4226 section 4, R6: 160 bits."""


def fresh_secret() -> bytes:
    """A secret for one person, to be shared with their phone once."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """The secret as people type it where no code can be scanned: base32 in groups of four."""
    text = base64.b32encode(secret).decode("ascii")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address_of(secret: bytes, person: str, box: str) -> str:
    """What a phone scans: the `otpauth` address."""
    box = box.replace(":", " ")  # it parts box and person
    # SHA-1, six digits and 30 s are what an app takes where nothing is said: the code to be scanned is the smaller.
    asked = {"secret": base64.b32encode(secret).decode("ascii"), "issuer": box}
    return f"otpauth://totp/{quote(f'{box}:{person}', safe=':')}?{urlencode(asked, quote_via=quote)}"


def step_at(utc_s: float) -> int:
    """Number of the period that a moment (seconds since 1970) lies in."""
    return int(utc_s // PERIOD_S)


def code_of(secret: bytes, step: int) -> str:
    """The code of one period."""
    # The algorithm is the one of the standard and of the apps; HMAC does not need SHA-1 to be free of collisions.
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode("ascii")


def matching_step(secret: bytes, code: str, now: int) -> int | None:
    """The period whose code this is, of now or beside it; None: of none. All are compared, whichever fits."""
    found = None
    for step in range(max(0, now - DRIFT), now + DRIFT + 1):
        if hmac.compare_digest(code_of(secret, step).encode(), code.encode("utf-8", "replace")):
            found = step
    return found
