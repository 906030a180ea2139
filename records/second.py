"""The second factor of persons who sign in from elsewhere: kept locked, looked at, a code taken once and never again.

A code of the phone is six digits, a recovery code sixteen letters. Nothing here is written into the trail but that it
was done.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import apsw

from ..bus.clock import utc_now
from ..bus.errors import BadKey, Refused
from ..identity.box_key import BoxKey
from ..identity.locked_text import lock, unlock
from ..identity.one_time import DIGITS, DRIFT, matching_step, step_at
from .bookkeeping import rows

PURPOSE = "second factor"
CODES = 10
_CODE_BYTES = 10
_CODE_LETTERS = 16
WRONG_CODE = "the code is wrong"
USED = "this code was used already: wait for the next one"
FOREIGN = "the second factor was made with another key of the box: an administrator has to take it off"


@dataclass(slots=True)
class Taken:
    """What a code was."""

    by: str
    """code, recovery code."""
    left: int
    """Recovery codes that are left."""


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """Looks at codes. The ledger's thread."""

    key: BoxKey | None
    """None: the box has none, so nothing can be locked."""
    doubt: Callable[[], str] = field(default=lambda: "")
    """Why the wall clock is not believed; empty: it is."""

    def demanded(self, db: apsw.Connection, name: str) -> bool:
        """Their role needs it."""
        return bool(
            rows(db, "select 1 from person p join second_demand d on d.role = p.role where p.name = ?", (name,))
        )

    def keep(self, db: apsw.Connection, name: str, secret: bytes, code: str) -> list[str]:
        """Turn it on with the code that the phone showed; return the recovery codes. Refused: the code is wrong."""
        if self.key is None:
            raise Refused("the box has no key of its own, so no second factor can be kept")
        step = self.step(secret, code, 0)
        db.execute(
            "insert into second_factor values (?, ?, ?, ?, ?) on conflict (person) do update set"
            " secret = excluded.secret, key = excluded.key, step = excluded.step, since = excluded.since",
            (name, lock(self.key, PURPOSE, name, secret), self.key.fingerprint, step, utc_now()),
        )
        return self.fresh_codes(db, name)

    def fresh_codes(self, db: apsw.Connection, name: str) -> list[str]:
        """New recovery codes in place of those before."""
        made = [_fresh_code() for _ in range(CODES)]
        db.execute("delete from recovery_code where person = ?", (name,))
        db.executemany(
            "insert into recovery_code values (?, ?, null)", [(name, hashed_code(name, code)) for code in made]
        )
        return made

    def take(self, db: apsw.Connection, name: str, typed: str) -> Taken:
        """Take a code, once. Refused: it is wrong, was used, or cannot be looked at; the text says which."""
        found = rows(db, "select secret, key, step from second_factor where person = ?", (name,))
        if not found:
            raise Refused(f"{name} has no second factor: begin again")
        code = "".join(typed.split()).replace("-", "")
        if not (len(code) == DIGITS and code.isascii() and code.isdigit()):
            return self._take_recovery(db, name, code)
        locked, fingerprint, last = found[0]
        if self.key is None or fingerprint != self.key.fingerprint:
            raise Refused(FOREIGN)
        try:
            secret = unlock(self.key, PURPOSE, name, str(locked))
        except BadKey as error:
            raise Refused(FOREIGN) from error
        db.execute("update second_factor set step = ? where person = ?", (self.step(secret, code, int(last)), name))
        return Taken("code", _left(db, name))

    def step(self, secret: bytes, code: str, last: int) -> int:
        """The period of a code that is later than the last one taken. Refused: it is none, in words that help."""
        now = step_at(wall_s())
        found = matching_step(secret, code, now)
        if found is not None and found > last:
            return found
        if last > now + DRIFT:
            raise Refused(
                "the code was not taken, for the clock of the box stands before the last code that was taken:"
                " it was set back"
            )
        if found is not None:
            raise Refused(USED)
        if doubt := self.doubt():
            raise Refused(f"the code was not taken, for the clock of the box is not believed: {doubt}")
        raise Refused(WRONG_CODE)

    def _take_recovery(self, db: apsw.Connection, name: str, code: str) -> Taken:
        db.execute(
            "update recovery_code set used_at = ? where person = ? and hash = ? and used_at is null",
            (utc_now(), name, hashed_code(name, code)),
        )
        if not db.changes():
            raise Refused(WRONG_CODE)
        return Taken("recovery code", _left(db, name))


def has_second(db: apsw.Connection, name: str) -> bool:
    """That person turned it on."""
    return bool(rows(db, "select 1 from second_factor where person = ?", (name,)))


def drop_second(db: apsw.Connection, name: str) -> None:
    """Take it off, and its recovery codes with it."""
    db.execute("delete from second_factor where person = ?", (name,))
    db.execute("delete from recovery_code where person = ?", (name,))


def wall_s() -> float:
    """The wall clock: a phone knows no other."""
    return time.time()


def hashed_code(name: str, code: str) -> str:
    """What is kept of a recovery code: it has 80 bits, so no slow hash is needed."""
    plain = "".join(code.split()).replace("-", "").lower()
    return hashlib.sha256(f"okng recovery code\0{name}\0{plain}".encode("utf-8", "replace")).hexdigest()


def _fresh_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode("ascii").lower()
    return "-".join(text[at : at + 4] for at in range(0, _CODE_LETTERS, 4))


def _left(db: apsw.Connection, name: str) -> int:
    return int(rows(db, "select count(*) from recovery_code where person = ? and used_at is null", (name,))[0][0])
