"""What people ask about the second factor: turned on, proved at the sign-in, new codes, off; demanded of roles.

Like a password each try is counted and on disk before it is looked at, and counts against the same lock-out.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import apsw
from pydantic import Field

from ..bus.asks import Ask
from ..bus.clock import SECOND, now_ns
from ..bus.errors import Refused
from ..identity.one_time import address_of, fresh_secret, secret_text
from .audit import Deed
from .bookkeeping import audit, rows
from .clerk import Body, answered, keep_answer, taken
from .ledger import Ledger
from .lockout import Key, count_try, forgive
from .second import SecondFactors, Taken, drop_second, has_second
from .secret import HERE, MOST, fits, keyed
from .sign_in import Awaited, person_told

TICKET_NS = 300 * SECOND
"""So long a sign-in waits for its code."""
BEGUN_NS = 900 * SECOND
"""So long a secret that was shown waits for the first code of it."""
MOST_WAITING = 200
"""Tickets and secrets that wait, of each; the oldest are forgotten first."""
LATE = "the sign-in took too long: begin again"


class Code(Body):
    """`account.sign_in_second`."""

    ticket: str = Field(max_length=MOST)
    code: str = Field(max_length=MOST)


class Begin(Body):
    """`account.second_begin`. box: what the phone shall call it."""

    box: str = Field(default="okng", max_length=64)


class Proof(Body):
    """`account.second_confirm`, `account.second_codes`, `account.second_off`: a code, and PIN or password again."""

    code: str = Field(max_length=MOST)
    secret: str = Field(max_length=4 * MOST)
    secret_kind: Literal["pin", "password"] = "password"


@dataclass(frozen=True, slots=True)
class _Waiting:
    name: str
    awaited: Awaited
    at_ns: int


class SecondDesk:
    """The handlers. What waits is in memory alone: a restart lets people begin again."""

    def __init__(self, ledger: Ledger, factors: SecondFactors) -> None:
        self._ledger, self.factors = ledger, factors
        self._tickets: OrderedDict[str, _Waiting] = OrderedDict()
        self._begun: OrderedDict[str, tuple[bytes, int]] = OrderedDict()

    # -- at the sign-in ----------------------------------------------------------------------------------------------

    def ticket(self, name: str, awaited: Awaited) -> str:
        """The password was right: a ticket for the code that has to follow."""
        made = secrets.token_urlsafe(24)
        self._tickets[made] = _Waiting(name, awaited, now_ns())
        while len(self._tickets) > MOST_WAITING:
            self._tickets.popitem(last=False)
        return made

    def sign_in(self, ask: Ask) -> dict[str, Any]:
        """`account.sign_in_second`: the code, after the password. Refused; Lost: nobody is let in."""
        body = taken(Code, ask)
        waiting = self._tickets.get(body.ticket)
        if waiting is None or now_ns() - waiting.at_ns >= TICKET_NS:
            self._tickets.pop(body.ticket, None)
            with self._ledger.transaction() as db:
                if (kept := answered(db, ask)) is not None:
                    return kept
            raise Refused(LATE)
        name, keys = waiting.name, waiting.awaited.keys
        about: dict[str, object] = {"kind": waiting.awaited.kind, "place": waiting.awaited.place}
        told: dict[str, Any] = {}
        with self._ledger.transaction() as db:
            if (kept := answered(db, ask)) is not None:
                return kept
            count_try(db, keys)
        with self._ledger.transaction() as db:
            found = person_told(db, name)
            detail, used = self._taken(db, name, body.code) if found else (LATE, None)
            if used is not None and found["generation"] != waiting.awaited.generation:
                detail, used = LATE, None  # password or role was changed in between
            if used is not None:
                forgive(db, keys)
                told = {**found, "recovery_left": used.left}
                audit(db, Deed("signed in", {**about, "second": used.by, "recovery codes left": used.left}, name))
            else:
                audit(db, Deed("sign-in failed", {**about, "person": name, "second": detail}, name))
            keep_answer(db, ask, done=bool(told), detail=detail, body=told)
        if not told:
            raise Refused(detail)
        self._tickets.pop(body.ticket, None)
        return told

    # -- one's own ---------------------------------------------------------------------------------------------------

    def begin(self, ask: Ask) -> dict[str, Any]:
        """`account.second_begin`: a secret for the phone. Kept nowhere until a code of it was given."""
        body = taken(Begin, ask)
        with self._ledger.transaction() as db:
            _enabled(db, ask.who)
            if has_second(db, ask.who):
                raise Refused("the second factor is on already: turn it off first")
        if self.factors.key is None:
            raise Refused("the box has no key of its own, so no second factor can be kept")
        begun = self._begun.pop(ask.who, None)
        # The page loaded afresh shows the same secret: a phone may have it by now.
        secret, at_ns = begun if begun and now_ns() - begun[1] < BEGUN_NS else (fresh_secret(), now_ns())
        self._begun[ask.who] = secret, at_ns
        while len(self._begun) > MOST_WAITING:
            self._begun.popitem(last=False)
        return {"address": address_of(secret, ask.who, body.box), "secret": secret_text(secret)}

    def confirm(self, ask: Ask) -> dict[str, Any]:
        """`account.second_confirm`: turn it on by the first code. The recovery codes are told once."""

        def turn_on(db: apsw.Connection, body: Proof) -> list[str]:
            begun = self._begun.get(ask.who)
            if begun is None or now_ns() - begun[1] >= BEGUN_NS:
                raise Refused("it took too long: begin again")
            if has_second(db, ask.who):
                raise Refused("the second factor is on already: turn it off first")
            return self.factors.keep(db, ask.who, begun[0], "".join(body.code.split()))

        told = self._own(ask, "second factor turned on", turn_on)
        self._begun.pop(ask.who, None)
        return told

    def codes(self, ask: Ask) -> dict[str, Any]:
        """`account.second_codes`: new recovery codes; those before are void."""

        def renew(db: apsw.Connection, body: Proof) -> list[str]:
            self.factors.take(db, ask.who, body.code)
            return self.factors.fresh_codes(db, ask.who)

        return self._own(ask, "recovery codes made", renew)

    def off(self, ask: Ask) -> dict[str, Any]:
        """`account.second_off`. Refused also where the role needs it."""

        def drop(db: apsw.Connection, body: Proof) -> list[str]:
            if self.factors.demanded(db, ask.who):
                raise Refused("your role needs a second factor: it stays on")
            self.factors.take(db, ask.who, body.code)
            drop_second(db, ask.who)
            return []

        return self._own(ask, "second factor turned off", drop)

    def _own(self, ask: Ask, what: str, act: Callable[[apsw.Connection, Proof], list[str]]) -> dict[str, Any]:
        """Do something to one's own, with PIN or password and a code; other sessions are void then."""
        body = taken(Proof, ask)
        with self._ledger.transaction() as db:
            if (kept := answered(db, ask)) is not None:
                return kept
            _enabled(db, ask.who)
            known = rows(db, f"select {body.secret_kind}_hash from person where name = ?", (ask.who,))[0][0]
            keys: list[Key] = [("person", keyed(db, HERE, ask.who))]
            count_try(db, keys)
        right, detail, made = fits(body.secret, known), f"the {body.secret_kind} given again is wrong", list[str]()
        told: dict[str, Any] = {}
        with self._ledger.transaction() as db:
            if right:
                try:
                    made, detail = act(db, body), ""
                except Refused as error:
                    detail = str(error)
            if not detail:
                forgive(db, keys)
                db.execute("update person set generation = generation + 1 where name = ?", (ask.who,))
                told = {"generation": int(rows(db, "select generation from person where name = ?", (ask.who,))[0][0])}
                audit(db, Deed(what, {"name": ask.who}, ask.who, ask.reason))
            else:
                audit(db, Deed(f"not done: {what}", {"name": ask.who, "because": detail}, ask.who, ask.reason))
            keep_answer(db, ask, done=not detail, detail=detail, body=told)
        if detail:
            raise Refused(detail)
        return {**told, "codes": made}

    def _taken(self, db: apsw.Connection, name: str, code: str) -> tuple[str, Taken | None]:
        try:
            return "", self.factors.take(db, name, code)
        except Refused as error:
            return str(error), None


def _enabled(db: apsw.Connection, who: str) -> None:
    if not rows(db, "select 1 from person where name = ? and not disabled", (who,)):
        raise Refused(f"{who or 'nobody'} is no enabled user")
