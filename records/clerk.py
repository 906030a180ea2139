"""Does what people ask of the ledger: one transaction for an ask, its line in the audit trail and its answer.

The right is looked up here again, by the role the person has now. The answer is kept under the ask's id, so a repeat
does nothing twice, even when this process was killed between the doing and the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import apsw
from pydantic import BaseModel, ConfigDict, ValidationError

from ..bus.asks import Ask
from ..bus.clock import utc_now
from ..bus.errors import Lost, Refused
from ..bus.rights import COMMANDS
from .audit import Deed
from .bookkeeping import audit, rows
from .ledger import Ledger
from .people_rows import TOKEN
from .rows import as_json, sha256, unpack_json
from .secret import LEAST_PIN

ANSWERS_KEPT = 20_000
"""For repeats, on disk."""
BodyT = TypeVar("BodyT", bound="Body")


class Body(BaseModel):
    """What a command takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Unwritable(Lost):
    """The history cannot be written now, so nothing is done. Ask again."""


@dataclass(slots=True)
class Turn:
    """One ask while it is done."""

    db: apsw.Connection
    ask: Ask
    at: str
    """UTC of the whole of it."""
    rights: frozenset[str]
    """Of who asks, now; none where nobody is signed in."""
    store: Path
    pin_digits: int = LEAST_PIN
    """Fewest digits of a new PIN."""
    once: dict[str, Any] = field(default_factory=dict)
    """Of the answer, but kept nowhere: what is told only once."""

    def audit(self, what: str, about: dict[str, object], *, old: object = None, new: object = None) -> None:
        """Write a line into the trail. The reason is the ask's."""
        audit(self.db, Deed(what, about, self.ask.who, self.ask.reason, old, new))

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return rows(self.db, sql, values)

    def take(self, kind: type[BodyT]) -> BodyT:
        """The body of the ask. Refused: it is not of that shape."""
        return taken(kind, self.ask)


Task = Callable[[Turn], dict[str, Any]]
"""Does one command inside the transaction and returns the answer's body. Refused, ValueError: nothing of it is done."""


def taken(kind: type[BodyT], ask: Ask) -> BodyT:
    """The body of an ask. Refused: names what is wrong with it."""
    try:
        return kind.model_validate(ask.body)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()]
        raise Refused(f"{ask.name}: {'; '.join(wrong)}") from error


def rights_of(db: apsw.Connection, who: str) -> frozenset[str] | None:
    """What a person or token may do now; None: there is none of that name, or no longer."""
    if who.startswith(TOKEN):
        found = rows(db, "select rights from token where name = ? and ended_at is null", (who[len(TOKEN) :],))
    else:
        found = rows(
            db,
            "select r.rights from person p join role r on r.name = p.role where p.name = ? and not p.disabled",
            (who,),
        )
    return frozenset(map(str, unpack_json(found[0][0]))) if found else None


class Clerk:
    """Runs tasks against the ledger. One thread, the ledger's."""

    def __init__(self, ledger: Ledger, store: Path, tasks: Mapping[str, Task], pin_digits: int = LEAST_PIN) -> None:
        """tasks: by the name of the command."""
        self._ledger, self._store, self._tasks, self._pin_digits = ledger, store, dict(tasks), pin_digits

    def do(self, ask: Ask) -> dict[str, Any]:
        """Do one ask, once. Refused, ValueError; Lost: the ledger took nothing."""
        with self._ledger.transaction() as db:
            if (kept := answered(db, ask)) is not None:
                return kept
            turn = Turn(db, ask, utc_now(), allowed(db, ask), self._store, self._pin_digits)
            body = self._tasks[ask.name](turn)
            keep_answer(db, ask, done=True, body=body)
        return {**body, **turn.once}


def allowed(db: apsw.Connection, ask: Ask) -> frozenset[str]:
    """The rights of who asks. Refused: they have not the one the command takes."""
    needed = COMMANDS[ask.name].right
    rights = rights_of(db, ask.who) if ask.who else None
    if needed and rights is None:
        raise Refused(f"{ask.who or 'nobody'} is no enabled user: {ask.name} needs the right {needed}")
    if needed and needed not in (rights or ()):
        raise Refused(f"{ask.who} has not the right {needed}, which {ask.name} needs")
    if needed and ask.who.startswith(TOKEN):
        _used(db, ask.who[len(TOKEN) :])
    return rights or frozenset()


def answered(db: apsw.Connection, ask: Ask) -> dict[str, Any] | None:
    """What was answered to the ask of that id; None: it is new. Refused: that is what was answered."""
    found = rows(db, "select done, detail, body from asked where id = ?", (_key(ask),))
    if not found:
        return None
    done, detail, body = found[0]
    if not done:
        raise Refused(str(detail))
    return dict(unpack_json(body))


def keep_answer(
    db: apsw.Connection, ask: Ask, *, done: bool, detail: str = "", body: dict[str, Any] | None = None
) -> None:
    """Remember what is being answered. Inside the transaction that did it."""
    if not ask.id:
        raise Refused("an ask without an id: expected 32 hex digits")
    (newest,) = rows(db, "select coalesce(max(n), 0) from asked")[0]
    db.execute("insert into asked values (?, ?, ?, ?, ?)", (_key(ask), newest + 1, done, detail, as_json(body or {})))
    db.execute("delete from asked where n <= ?", (newest + 1 - ANSWERS_KEPT,))


def _key(ask: Ask) -> str:
    """Names an ask: an id that somebody else chose as well is no repeat."""
    return sha256("\0".join((ask.id, ask.name, ask.who)).encode())


def _used(db: apsw.Connection, name: str) -> None:
    """Note that a token was used, to the hour: not every call is worth a write of its own."""
    at = utc_now()
    db.execute(
        "update token set used_at = ? where name = ? and ended_at is null and coalesce(used_at, '') < ?",
        (at, name, at[:13]),
    )
