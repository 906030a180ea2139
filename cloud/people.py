"""People of a site without a provider: names and passwords of the service's own, argon2id."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from ..bus.errors import Refused
from .database import reading, writing
from .deeds import note
from .settings import ROLES
from .tables import Person

LEAST, MOST = 12, 256
"""Characters of a password."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash("nobody has this password")
"""Hashed against where there is no such person: how long it takes tells nothing."""


class BadPerson(Refused):
    """A person cannot be made or changed so."""


def sub_of(name: str) -> str:
    """Of a local person."""
    return f"local:{name}"


def add(engine: Engine, who: str, name: str, shown: str, roles: Sequence[str], password: str) -> str:
    """Make a local person, or give one a new name, roles and password; ends their sessions. Their sub. BadPerson."""
    if not _NAME.fullmatch(name):
        raise BadPerson(
            f"name = {name!r}: expected a-z, 0-9, '.', '_', '-', at most 63, beginning with a letter or digit"
        )
    if unknown := [role for role in roles if role not in ROLES] or not roles:
        raise BadPerson(
            f"roles = {unknown if isinstance(unknown, list) else 'none'}: expected some of {', '.join(ROLES)}"
        )
    if not LEAST <= len(password) <= MOST:
        raise BadPerson(f"password: {len(password)} characters: expected {LEAST} to {MOST}")
    sub, now = sub_of(name), datetime.now(UTC)
    hashed = _HASHER.hash(password)
    with writing(engine) as db:
        found = db.get(Person, sub)
        if found is None:
            found = Person(sub=sub, name=shown or name, created_at=now)
            db.add(found)
        found.name, found.roles, found.password = shown or name, sorted(set(roles)), hashed
        found.signed_out_at, found.closed_at = now, None
        db.flush()
        note(db, who, "person set", f"person:{sub}", {"name": found.name, "roles": found.roles})
    return sub


def close(engine: Engine, who: str, sub: str) -> bool:
    """Nobody signs in by this name any more, and its sessions are over. False: there is none, or it is closed."""
    with writing(engine) as db:
        found = db.get(Person, sub, with_for_update=True)
        if found is None or found.closed_at is not None:
            return False
        found.closed_at = found.signed_out_at = datetime.now(UTC)
        db.flush()
        note(db, who, "person closed", f"person:{sub}", {})
        return True


def sign_out_everywhere(db: Session, sub: str) -> None:
    """Every session of a person that began before now is over."""
    db.execute(sa.update(Person).where(Person.sub == sub).values(signed_out_at=datetime.now(UTC)))


def checked(engine: Engine, name: str, password: str) -> Person | None:
    """The local person of this name and password; None: there is none."""
    with reading(engine) as db:
        found = db.get(Person, sub_of(name[:63]))
    usable = found is not None and found.closed_at is None and found.password is not None
    try:
        _HASHER.verify((found.password if usable and found is not None else None) or _NOBODY, password[:MOST])
    except (VerificationError, InvalidHashError):
        return None
    return found if usable else None


def all_of(engine: Engine) -> list[Person]:
    """Everybody, by name."""
    with reading(engine) as db:
        return list(db.execute(sa.select(Person).order_by(Person.name)).scalars())
