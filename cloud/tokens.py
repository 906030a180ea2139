"""Tokens: what a program shows instead of a person. Shown once, kept as a hash; with rights, an end, an off switch."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ..bus.errors import Refused
from .database import reading, writing
from .deeds import note
from .rights import RIGHTS
from .tables import Token

PREFIX = "okng_"
MOST_DAYS = 397


class BadToken(Refused):
    """A token cannot be made so."""


def make(engine: Engine, who: str, name: str, rights: Sequence[str], days: int) -> tuple[str, str]:
    """(id, secret) of a new token; the secret is kept nowhere. BadToken."""
    unknown = [right for right in rights if right not in RIGHTS]
    if unknown or not rights:
        raise BadToken(f"rights = {', '.join(unknown) or 'none'}: expected some of {', '.join(RIGHTS)}")
    if not 1 <= days <= MOST_DAYS:
        raise BadToken(f"days = {days}: expected 1 to {MOST_DAYS}")
    secret, now = PREFIX + secrets.token_urlsafe(32), datetime.now(UTC)
    made = Token(
        id=secrets.token_hex(8),
        name=name,
        sha256=hashlib.sha256(secret.encode()).hexdigest(),
        rights=sorted(set(rights)),
        made_by=who,
        made_at=now,
        expires_at=now + timedelta(days=days),
    )
    with writing(engine) as db:
        db.add(made)
        db.flush()
        note(db, who, "token made", f"token:{made.id}", {"name": name, "rights": made.rights, "days": days})
    return made.id, secret


def revoke(engine: Engine, who: str, token: str) -> bool:
    """From now on it opens nothing. False: there is none, or it was revoked before."""
    with writing(engine) as db:
        found = db.get(Token, token, with_for_update=True)
        if found is None or found.revoked_at is not None:
            return False
        found.revoked_at = datetime.now(UTC)
        db.flush()
        note(db, who, "token revoked", f"token:{token}", {"name": found.name})
        return True


def all_of(engine: Engine) -> list[Token]:
    """Every token, the newest first; of none the secret."""
    with reading(engine) as db:
        return list(db.execute(sa.select(Token).order_by(Token.made_at.desc())).scalars())
