"""Persons and their roles: made, changed, disabled. Somebody who may do so is always left."""

import re
import unicodedata
from typing import Any

import apsw
from pydantic import Field, field_validator

from ..bus.asks import Ask
from ..bus.errors import Refused
from ..bus.rights import KEEPER, RIGHTS
from .audit import Deed
from .bookkeeping import audit, rows
from .clerk import Body, Task, Turn, answered, keep_answer, taken
from .ledger import Ledger
from .lockout import count_try, forgive
from .people_rows import TOKEN
from .rows import as_json, unpack_json
from .salvage import unfinished
from .secret import ELSEWHERE, HERE, LEAST_PIN, Kind, fits, hashed_badge, hashed_password, hashed_pin, keyed

_NAME = re.compile(r"\w[\w.\- ]{0,31}")
_RESERVED = ("records", "shift", "workshop", "nobody")


class Named(Body):
    """A person by name."""

    name: str


class Account(Body):
    """`account.create`, `account.change`. Empty: as it is (none, for a new one)."""

    name: str
    full_name: str = Field(default="", max_length=64)
    role: str = ""
    pin: str = ""
    password: str = ""
    badge: str = ""
    language: str = Field(default="", max_length=16)
    disabled: bool | None = None
    without: tuple[Kind, ...] = ()
    """Secrets to take away."""

    @field_validator("name", "role", "full_name")
    @classmethod
    def _plain(cls, value: str) -> str:
        return unicodedata.normalize("NFC", value).strip()


class OwnSecret(Body):
    """`account.own_secret`: a person's own PIN or password, with the one they have (either kind does)."""

    kind: Kind
    new: str
    old: str
    old_kind: Kind | None = None
    """None: as `kind`."""


class RoleChange(Body):
    """`role.change`: all rights of a role; one of a new name is made."""

    name: str
    rights: tuple[str, ...] = ()
    drop: bool = False
    """Take the role away; nobody may have it."""


def first(turn: Turn) -> dict[str, Any]:
    """Make the first administrator, while there is none."""
    if keepers(turn):
        raise Refused("there is an administrator already: who may edit users makes the others")
    if unfinished(turn.store):
        raise Refused("the users of the damaged ledger are being rescued: wait, they will be there again")
    body = turn.take(Account)
    if not body.password:
        raise Refused("the first administrator needs a password")
    role = body.role or keeper_role(turn.db)
    if KEEPER not in _rights_of_role(turn, role):
        raise Refused(f"role {role!r}: may not edit users, so it is none for the first administrator")
    return _create(turn, body.model_copy(update={"role": role}), "first administrator made", body.name)


def create(turn: Turn) -> dict[str, Any]:
    """Make a person."""
    return _create(turn, turn.take(Account), "user created", "")


def change(turn: Turn) -> dict[str, Any]:
    """Change a person's name, role, secrets, language, or whether they may sign in."""
    body = turn.take(Account)
    old = _person(turn, body.name)
    role = body.role or old["role"]
    _rights_of_role(turn, role)
    secrets = _secrets(turn, body)
    disabled = old["disabled"] if body.disabled is None else body.disabled
    new = {
        "full_name": body.full_name or old["full_name"],
        "role": role,
        "language": body.language or old["language"],
        "disabled": disabled,
    }
    # A session begun under other secrets or rights is void.
    step = int(bool(secrets) or role != old["role"] or bool(disabled and not old["disabled"]))
    columns = {**new, **secrets}
    places = ", ".join(f"{name} = ?" for name in columns)
    turn.db.execute(
        f"update person set {places}, generation = generation + {step} where name = ?", (*columns.values(), body.name)
    )
    _someone_left(turn)
    if not _has_secret(turn, body.name):
        raise Refused(f"{body.name}: nothing would be left to sign in by")
    if (body.disabled is False and old["disabled"]) or "pin_hash" in secrets or "password_hash" in secrets:
        forgive(turn.db, [("person", keyed(turn.db, use, body.name)) for use in (HERE, ELSEWHERE)])
    changed = {name: value for name, value in new.items() if value != old[name]}
    turn.audit(
        "user changed",
        {"name": body.name, "secrets": sorted(name.removesuffix("_hash") for name in secrets)},
        old={name: old[name] for name in changed},
        new=changed,
    )
    return {"generation": old["generation"] + step}


def sign_out(turn: Turn) -> dict[str, Any]:
    """Note that a person signed out; sessions are the web process's own."""
    turn.audit("signed out", {"name": turn.ask.who, **{key: str(value) for key, value in turn.ask.body.items()}})
    return {}


def sign_out_all(turn: Turn) -> dict[str, Any]:
    """Void all sessions of a person."""
    name = turn.take(Named).name
    old = _person(turn, name)
    turn.db.execute("update person set generation = generation + 1 where name = ?", (name,))
    turn.audit("signed out everywhere", {"name": name})
    return {"generation": old["generation"] + 1}


def change_role(turn: Turn) -> dict[str, Any]:
    """Set the rights of a role; the last one that may edit users keeps that right."""
    body = turn.take(RoleChange)
    name = body.name.strip()
    if not _NAME.fullmatch(name):
        raise Refused(f"role {name!r}: expected 1 to 32 letters, digits, - . _ and spaces")
    if unknown := sorted(set(body.rights) - RIGHTS.keys()):
        raise Refused(f"role {name}: unknown rights {unknown}: expected of {sorted(RIGHTS)}")
    before = turn.rows("select rights from role where name = ?", name)
    old = unpack_json(before[0][0]) if before else None
    rights = sorted(set(body.rights))
    if body.drop:
        if old is None:
            raise Refused(f"role {name}: there is none")
        if turn.rows("select 1 from person where role = ? limit 1", name):
            raise Refused(f"role {name}: somebody has it")
        turn.db.execute("delete from role where name = ?", (name,))
        turn.audit("role dropped", {"role": name}, old=old)
        return {}
    turn.db.execute(
        "insert into role values (?, ?) on conflict (name) do update set rights = excluded.rights",
        (name, as_json(rights)),
    )
    _someone_left(turn)
    turn.audit("role changed" if before else "role made", {"role": name}, old=old, new=rights)
    return {"rights": rights}


def own_secret(ledger: Ledger, ask: Ask, pin_digits: int = LEAST_PIN) -> dict[str, Any]:
    """Change one's own PIN or password, with the one had so far. A wrong one counts as a try to sign in."""
    body = taken(OwnSecret, ask)
    kind = body.old_kind or body.kind
    if "badge" in (kind, body.kind):
        raise Refused("a badge is handed out by who may edit users")
    new = hashed_pin(body.new, pin_digits) if body.kind == "pin" else hashed_password(body.new)
    with ledger.transaction() as db:
        if (kept := answered(db, ask)) is not None:
            return kept
        found = rows(db, f"select {kind}_hash from person where name = ? and not disabled", (ask.who,))
        keys = [("person", keyed(db, HERE, ask.who))]
        count_try(db, keys)
    right = fits(body.old, found[0][0] if found else None)
    with ledger.transaction() as db:
        told: dict[str, Any] = {}
        if right:
            forgive(db, keys)
            db.execute(
                f"update person set {body.kind}_hash = ?, generation = generation + 1 where name = ?", (new, ask.who)
            )
            told = {"generation": int(rows(db, "select generation from person where name = ?", (ask.who,))[0][0])}
        what = "own secret changed" if right else "own secret not changed"
        audit(db, Deed(what, {"name": ask.who, "kind": body.kind}, ask.who, ask.reason))
        detail = "" if right else f"the {kind} given as the old one is wrong"
        keep_answer(db, ask, done=right, detail=detail, body=told)
    if not right:
        raise Refused(detail)
    return told


TASKS: dict[str, Task] = {
    "account.first": first,
    "account.create": create,
    "account.change": change,
    "account.sign_out": sign_out,
    "account.sign_out_all": sign_out_all,
    "role.change": change_role,
}


def keepers(turn: Turn) -> list[str]:
    """Enabled persons who may edit users."""
    found = turn.rows("select p.name, r.rights from person p join role r on r.name = p.role where not p.disabled")
    return [str(name) for name, rights in found if KEEPER in unpack_json(rights)]


def _someone_left(turn: Turn) -> None:
    if not keepers(turn):
        raise Refused("nobody would be left who may edit users")


def keeper_role(db: apsw.Connection) -> str:
    """A role that may edit users. Refused: there is none."""
    found = [name for name, rights in rows(db, "select name, rights from role") if KEEPER in unpack_json(rights)]
    if not found:
        raise Refused("no role may edit users")
    return "administrator" if "administrator" in found else str(found[0])


def _create(turn: Turn, body: Account, what: str, who: str) -> dict[str, Any]:
    if not _NAME.fullmatch(body.name) or body.name in _RESERVED or body.name.startswith(TOKEN):
        raise Refused(f"name {body.name!r}: expected 1 to 32 letters, digits, - . _ and spaces, and none of a process")
    if turn.rows("select 1 from person where name = ?", body.name):
        raise Refused(f"{body.name}: there is such a user already")
    _rights_of_role(turn, body.role)
    secrets = _secrets(turn, body)
    if not secrets:
        raise Refused(f"{body.name}: expected a PIN, a password or a badge")
    columns = {
        "name": body.name,
        "full_name": body.full_name or body.name,
        "role": body.role,
        "language": body.language,
        "disabled": bool(body.disabled),
        "made_at": turn.at,
        **secrets,
    }
    turn.db.execute(
        f"insert into person ({', '.join(columns)}) values ({', '.join('?' * len(columns))})", tuple(columns.values())
    )
    about: dict[str, object] = {"name": body.name, "role": body.role, "secrets": sorted(secrets)}
    audit(turn.db, Deed(what, about, who or turn.ask.who, turn.ask.reason))
    return {"name": body.name, "generation": 1}


def _secrets(turn: Turn, body: Account) -> dict[str, str | None]:
    """The columns of the secrets that were given or are taken away."""
    found: dict[str, str | None] = {f"{kind}_hash": None for kind in body.without}
    if body.pin:
        found["pin_hash"] = hashed_pin(body.pin, turn.pin_digits)
    if body.password:
        found["password_hash"] = hashed_password(body.password)
    if body.badge:
        found["badge_hash"] = badge = hashed_badge(turn.db, body.badge)
        if turn.rows("select 1 from person where badge_hash = ? and name != ?", badge, body.name):
            raise Refused("badge: somebody else has it")
    return found


def _has_secret(turn: Turn, name: str) -> bool:
    (found,) = turn.rows("select pin_hash, password_hash, badge_hash from person where name = ?", name)
    return any(found)


def _person(turn: Turn, name: str) -> dict[str, Any]:
    names = ("full_name", "role", "language", "disabled", "generation")
    found = turn.rows(f"select {', '.join(names)} from person where name = ?", name)
    if not found:
        raise Refused(f"{name}: there is no such user")
    person = dict(zip(names, found[0], strict=True))
    return {**person, "disabled": bool(person["disabled"])}


def _rights_of_role(turn: Turn, role: str) -> frozenset[str]:
    found = turn.rows("select rights from role where name = ?", role)
    if not found:
        known = [name for (name,) in turn.rows("select name from role order by name")]
        raise Refused(f"role {role!r}: expected one of {known}")
    return frozenset(unpack_json(found[0][0]))
