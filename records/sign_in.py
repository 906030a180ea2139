"""Signing in: the try is counted and on disk, then the secret is looked at, then the outcome is written and told.

A PIN or a badge does at a panel only; from elsewhere it takes a password, and of who has a second factor its code.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any, Protocol

import apsw
from pydantic import Field

from ..bus.asks import Ask
from ..bus.clock import utc_now
from ..bus.errors import Refused
from .audit import Deed
from .bookkeeping import audit, rows
from .clerk import Body, answered, keep_answer, taken
from .ledger import Ledger
from .lockout import Key, count_try, forgive, take_back
from .rows import unpack_json
from .second import SecondFactors, has_second
from .secret import ELSEWHERE, HERE, MOST, Kind, fits, hashed_badge, keyed

WRONG = "not signed in: name or secret is wrong"
"""The same words whether there is such a person, they are disabled, or the secret is another."""
LACKS = "your role needs a second factor: turn it on at the panel of the box first"
REMOTE = "remote"


class SignIn(Body):
    """`account.sign_in`."""

    who: str = Field(default="", max_length=MOST)
    badge: str = Field(default="", max_length=MOST)
    """In place of `who`; with kind `badge` it may also lie in `secret`."""
    secret: str = Field(default="", max_length=4 * MOST)
    kind: Kind
    panel: bool | str = False
    """Name of the panel the person stands at (true: the only one). False or empty: they are elsewhere."""
    address: str = Field(default="", max_length=MOST)
    """Where they are, when at no panel: tries are counted by it."""

    elsewhere: bool = False
    """They are not at the box, though their PIN may do as if they were (`[web] remote_pin`)."""

    @property
    def away(self) -> bool:
        """True: a second factor is asked for."""
        return self.remote or self.elsewhere

    @property
    def remote(self) -> bool:
        """True: not at a panel."""
        return not self.panel

    @property
    def place(self) -> str:
        """What the tries are counted by besides the person."""
        if self.remote:
            return f"{REMOTE} {self.address}".strip()
        return self.panel if isinstance(self.panel, str) else "panel"


@dataclass(frozen=True, slots=True)
class Awaited:
    """A sign-in whose password was right and whose code has to follow."""

    kind: str
    place: str
    keys: list[Key]
    generation: int
    """Of the person then."""


class Second(Protocol):
    """What this needs of `second_desk.SecondDesk`."""

    factors: SecondFactors

    def ticket(self, name: str, awaited: Awaited) -> str:
        """See there."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Whom a try is about, by what was typed."""

    name: str | None
    known: str | None
    """Hash of the secret of the kind asked for; None: they have none, or there is nobody."""
    keys: list[Key]


def sign_in(ledger: Ledger, ask: Ask, second: Second) -> dict[str, Any]:
    """Let a person in, or say why not. Refused. Lost: it could not be written, so nobody is let in.

    Of who is elsewhere and has a second factor only a `ticket` is told: the code has to follow.
    """
    body = taken(SignIn, ask)
    if body.remote and body.kind != "password":
        # Before anything is looked at: the answer must not tell whether the PIN was the right one.
        raise Refused("from here it takes a password")
    with ledger.transaction() as db:
        if (kept := answered(db, ask)) is not None:
            return kept
        found = _find(db, body)
        count_try(db, found.keys)
    if body.kind == "badge":
        right = found.name is not None
    else:
        right = fits(body.secret, found.known) and found.name is not None
    detail, ticket = "" if right else WRONG, ""
    with ledger.transaction() as db:
        told = person_told(db, str(found.name)) if right else {}
        if right and not told:  # disabled in between
            right, detail = False, WRONG
        about: dict[str, object] = {"kind": body.kind, "place": body.place}
        if right and body.away and has_second(db, str(found.name)):
            take_back(db, found.keys)
            awaited = Awaited(body.kind, body.place, found.keys, int(told["generation"]))
            ticket, told = second.ticket(str(found.name), awaited), {"second": "code"}
            audit(db, Deed("second factor asked for", about, str(found.name)))
        elif right and body.away and second.factors.demanded(db, str(found.name)):
            take_back(db, found.keys)
            right, detail, told = False, LACKS, {}
            audit(db, Deed("sign-in failed", {**about, "person": found.name, "second": "none"}, str(found.name)))
        elif right:
            forgive(db, found.keys)
            audit(db, Deed("signed in", about, str(found.name)))
        else:
            # What was typed is not written down: it may be a secret in the wrong field.
            audit(db, Deed("sign-in failed", {**about, "person": found.name or "unknown"}, found.name or ""))
        keep_answer(db, ask, done=right, detail=detail, body=told)
    if not right:
        raise Refused(detail)
    return {**told, "ticket": ticket} if ticket else told  # told once: the kept answer is without it


def _find(db: apsw.Connection, body: SignIn) -> _Found:
    panel = ("panel", body.place)
    if body.kind == "badge":
        text = body.badge or body.secret
        try:
            hashed = hashed_badge(db, text)
        except Refused:
            hashed = ""
        found = rows(db, "select name from person where badge_hash = ? and not disabled", (hashed,))
        # A badge's number is the secret: who guesses numbers is stopped at the panel.
        return _Found(found[0][0] if found else None, None, [panel])
    name = unicodedata.normalize("NFC", body.who).strip()
    column = "pin_hash" if body.kind == "pin" else "password_hash"
    found = rows(db, f"select name, {column} from person where name = ? and not disabled", (name,))
    # Counted apart: whoever guesses from elsewhere must not keep people from the panel.
    keys = [("person", keyed(db, ELSEWHERE if body.remote else HERE, name)), panel]
    return _Found(found[0][0], found[0][1], keys) if found else _Found(None, None, keys)


def person_told(db: apsw.Connection, name: str) -> dict[str, Any]:
    """What a screen needs of who has signed in; empty: they are no longer enabled."""
    found = rows(
        db,
        "select p.full_name, p.role, r.rights, p.generation, p.language from person p join role r on r.name = p.role"
        " where p.name = ? and not p.disabled",
        (name,),
    )
    if not found:
        return {}
    full_name, role, rights, generation, language = found[0]
    return {
        "name": name,
        "full_name": full_name,
        "role": role,
        "rights": list(unpack_json(rights)),
        "generation": generation,
        "language": language,
        "at": utc_now(),
    }
