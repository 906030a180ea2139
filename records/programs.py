"""What other programs come in by and are told by: API tokens and webhooks, made and withdrawn by a person."""

import hashlib
import secrets
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from ..bus.errors import Refused
from ..bus.rights import KEEPER, RIGHTS
from .clerk import Body, Task, Turn
from .rows import as_json, unpack_json

_KEYS = frozenset((KEEPER, "settings.edit", "api.token"))
"""Rights that open all others: a token has them only when its maker has.

The others too, unless the maker may edit users, and so could have any of them anyway.
"""


LETTERS_KEPT = 1000
"""Of each address."""


class NewToken(Body):
    """`token.make`."""

    name: str = Field(min_length=1, max_length=64)
    rights: tuple[str, ...] = Field(min_length=1)


class EndToken(Body):
    """`token.end`."""

    token: int | str
    """Its id."""


class Hook(Body):
    """`webhook.set`."""

    webhook: int | str = ""
    """Id of the one to change; empty: a new one."""
    url: str = Field(default="", max_length=500)
    """Empty: it is ended."""
    events: tuple[str, ...] = ()
    """Streams of the journal, or STREAM.EVENT, or `part`, `part.reject`; empty: the whole journal."""
    secret: str = Field(default="", max_length=200)
    """Signs what is sent; empty: one is made, or stays."""


class Reached(Body):
    """`webhook.reached`."""

    id: int
    reached: int = Field(ge=0)
    reached_part: int = Field(default=0, ge=0)


class Dead(Body):
    """`webhook.dead`: an event that the address refuses for good. It is kept, and the next ones go on."""

    id: int
    event: str = Field(min_length=1, max_length=100)
    why: str = Field(max_length=500)
    body: dict[str, Any]
    reached: int = Field(ge=0)
    reached_part: int = Field(default=0, ge=0)


def make_token(turn: Turn) -> dict[str, Any]:
    """Make a token. It is told this once: only its SHA-256 stays."""
    asked = turn.take(NewToken)
    rights = sorted(set(asked.rights))
    if unknown := [right for right in rights if right not in RIGHTS]:
        raise Refused(f"token {asked.name}: unknown rights {unknown}: expected of {sorted(RIGHTS)}")
    bound = _KEYS & set(rights) if KEEPER in turn.rights else set(rights)
    if beyond := sorted(bound - turn.rights):
        raise Refused(f"token {asked.name}: {beyond} would give it more than you have")
    if turn.rows("select 1 from token where name = ? and ended_at is null", asked.name):
        raise Refused(f"token {asked.name}: there is one of that name")
    token = f"okng_{secrets.token_urlsafe(32)}"
    turn.db.execute(
        "insert into token (name, hash, rights, made_by, made_at) values (?, ?, ?, ?, ?)",
        (asked.name, hashlib.sha256(token.encode()).hexdigest(), as_json(rights), turn.ask.who, turn.at),
    )
    number = turn.db.last_insert_rowid()
    turn.audit("token made", {"token": number, "name": asked.name}, new=rights)
    turn.once["token"] = token
    return {"id": number, "name": asked.name}


def end_token(turn: Turn) -> dict[str, Any]:
    """Withdraw a token, for good."""
    number = _number(turn.take(EndToken).token, "token")
    found = turn.rows("select name from token where id = ? and ended_at is null", number)
    if not found:
        raise Refused(f"token {number}: there is none, or it has ended")
    turn.db.execute("update token set ended_at = ? where id = ?", (turn.at, number))
    turn.audit("token ended", {"token": number, "name": found[0][0]})
    return {}


def set_webhook(turn: Turn) -> dict[str, Any]:
    """Make, change or end a webhook. A new one is told what happens from now on."""
    asked = turn.take(Hook)
    if asked.webhook == "":
        _check_url(asked.url)
        secret = asked.secret or secrets.token_urlsafe(32)
        (reached,) = turn.rows("select coalesce(max(n), 0) from journal")[0]
        (part,) = turn.rows("select coalesce(max(seq), 0) from part")[0]
        turn.db.execute(
            "insert into webhook (url, events, secret, made_by, made_at, reached, reached_part)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            (asked.url, as_json(asked.events), secret, turn.ask.who, turn.at, reached, part),
        )
        number = turn.db.last_insert_rowid()
        turn.audit("webhook made", {"webhook": number}, new=[asked.url, list(asked.events)])
        turn.once["secret"] = secret
        return {"id": number}
    number = _number(asked.webhook, "webhook")
    found = turn.rows("select url, events, secret from webhook where id = ? and ended_at is null", number)
    if not found:
        raise Refused(f"webhook {number}: there is none, or it has ended")
    url, events, secret = found[0]
    old = [url, unpack_json(events)]
    if not asked.url:
        turn.db.execute("update webhook set ended_at = ? where id = ?", (turn.at, number))
        turn.audit("webhook ended", {"webhook": number}, old=old)
        return {"id": number}
    _check_url(asked.url)
    turn.db.execute(
        "update webhook set url = ?, events = ?, secret = ? where id = ?",
        (asked.url, as_json(asked.events), asked.secret or secret, number),
    )
    turn.audit("webhook changed", {"webhook": number}, old=old, new=[asked.url, list(asked.events)])
    return {"id": number}


def reach(turn: Turn) -> dict[str, Any]:
    """Note how far a webhook has got. It never goes back."""
    asked = turn.take(Reached)
    _reached(turn, asked.id, asked.reached, asked.reached_part)
    return {}


def bury(turn: Turn) -> dict[str, Any]:
    """Keep what an address refuses, and go on behind it. The oldest of an address go where there are too many."""
    asked = turn.take(Dead)
    turn.db.execute(
        "insert into dead_letter (webhook, at, event, why, body) values (?, ?, ?, ?, ?)",
        (asked.id, turn.at, asked.event, asked.why, as_json(asked.body)),
    )
    turn.db.execute(
        "delete from dead_letter where webhook = ?1 and n <="
        " (select n from dead_letter where webhook = ?1 order by n desc limit 1 offset ?2)",
        (asked.id, LETTERS_KEPT),
    )
    _reached(turn, asked.id, asked.reached, asked.reached_part)
    turn.audit("webhook refused", {"webhook": asked.id, "event": asked.event, "answer": asked.why})
    return {}


def _reached(turn: Turn, number: int, journal: int, part: int) -> None:
    turn.db.execute(
        "update webhook set reached = max(reached, ?), reached_part = max(reached_part, ?) where id = ?",
        (journal, part, number),
    )


TASKS: dict[str, Task] = {
    "token.make": make_token,
    "token.end": end_token,
    "webhook.set": set_webhook,
    "webhook.reached": reach,
    "webhook.dead": bury,
}


def _number(said: int | str, what: str) -> int:
    try:
        return int(said)
    except ValueError as error:
        raise Refused(f"{what} {said!r}: expected its id, a number") from error


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(not letter.isprintable() or letter == " " for letter in url):
        raise Refused(f"url {url!r}: expected http://HOST/... or https://HOST/...")
    if parts.username or parts.password:
        raise Refused("url: expected no name or password in it; what is sent is signed")
