"""Electronic signatures: a person says, with name and secret given again, what a record means to them.

The secret is looked at as in signing in: the try is counted and on disk first, a wrong one counts against the lock-out.
What was signed is named by its digest, so the signature cannot be moved to another record; the row is append-only, in
the sealed chain, in the trail, and signed by the box.
"""

import base64
from typing import Any, Literal

import apsw
from pydantic import Field

from ..bus.asks import Ask
from ..bus.clock import utc_now
from ..bus.errors import Refused
from ..identity.box_key import BoxKey
from .audit import Deed
from .bookkeeping import audit, rows
from .clerk import Body, answered, keep_answer, taken
from .ledger import Ledger
from .lockout import count_try, forgive
from .rows import as_json, unpack_json
from .seal import seal_row
from .seal_content import Kind
from .seal_read import CONTEXT, short_of
from .second import has_second
from .secret import ELSEWHERE, HERE, MOST, fits, keyed
from .sign_in import REMOTE, WRONG

Meaning = Literal["authored", "reviewed", "approved", "released"]
MAY_SIGN = {"model": "model.activate", "recipe": "recipe.edit", "report": "report.make"}
"""The right it takes to sign a kind of record."""


class Sign(Body):
    """`signature.make`."""

    who: str = Field(min_length=1, max_length=MOST)
    """Whose signature; not always who is signed in: a second person signs at the same screen."""
    secret: str = Field(max_length=4 * MOST)
    secret_kind: Literal["pin", "password"] = "pin"
    meaning: Meaning
    kind: Literal["model", "recipe", "report"]
    name: str = Field(min_length=1, max_length=200)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of what is signed, all of it."""
    panel: bool | str = False
    """As in signing in."""
    address: str = Field(default="", max_length=MOST)

    @property
    def place(self) -> str:
        """What the tries are counted by besides the person."""
        if not self.panel:
            return f"{REMOTE} {self.address}".strip()
        return self.panel if isinstance(self.panel, str) else "panel"


def sign(ledger: Ledger, ask: Ask, key: BoxKey | None) -> dict[str, Any]:
    """Sign a record, or say why not. Refused. Lost: it could not be written, so nothing is signed."""
    body = taken(Sign, ask)
    if not ask.reason.strip():
        raise Refused("a signature needs a reason or a remark")
    if not body.panel and body.secret_kind != "password":
        raise Refused("from here it takes a password")
    with ledger.transaction() as db:
        if (kept := answered(db, ask)) is not None:
            return kept
        column = f"{body.secret_kind}_hash"
        found = rows(db, f"select {column} from person where name = ? and not disabled", (body.who,))
        keys = [("person", keyed(db, HERE if body.panel else ELSEWHERE, body.who)), ("panel", body.place)]
        count_try(db, keys)
    right = fits(body.secret, found[0][0] if found else None)
    with ledger.transaction() as db:
        if right:
            forgive(db, keys)
            try:
                told = _signed(db, ask, body, key)
            except Refused as error:
                audit(db, Deed("signature refused", {**_about(body), "because": str(error)}, body.who, ask.reason))
                keep_answer(db, ask, done=False, detail=str(error), body={})
                right, detail = False, str(error)
            else:
                keep_answer(db, ask, done=True, body=told)
        else:
            detail = WRONG.replace("not signed in", "not signed")
            audit(db, Deed("signature failed", _about(body), ask.who))
            keep_answer(db, ask, done=False, detail=detail, body={})
    if not right:
        raise Refused(detail)
    return told


def _signed(db: apsw.Connection, ask: Ask, body: Sign, key: BoxKey | None) -> dict[str, Any]:
    """Write the signature. Refused: the person may not sign this, or not as this."""
    person = rows(
        db,
        "select p.full_name, r.rights from person p join role r on r.name = p.role where p.name = ? and not p.disabled",
        (body.who,),
    )
    if not person or MAY_SIGN[body.kind] not in unpack_json(person[0][1]):
        raise Refused(f"{body.who} has not the right {MAY_SIGN[body.kind]}, which signing a {body.kind} needs")
    if not body.panel and ask.who != body.who and has_second(db, body.who):
        raise Refused(f"{body.who} has a second factor: from elsewhere they sign in themselves before they sign")
    # By what it is, not by what whoever signs calls it.
    before = rows(
        db,
        "select who, meaning, digest from signature where kind = ? and digest in (?, ?)",
        (body.kind, body.digest, short_of(body.digest)),
    )
    mine = {str(meaning) for who, meaning, _ in before if who == body.who}
    if any((who, meaning, digest) == (body.who, body.meaning, body.digest) for who, meaning, digest in before):
        raise Refused(f"{body.who} has signed this as {body.meaning} already")
    if "authored" in mine and body.meaning in ("reviewed", "approved"):
        raise Refused(f"{body.who} is the author: another person has to sign this as {body.meaning}")
    if body.meaning == "authored" and mine & {"reviewed", "approved"}:
        raise Refused(f"{body.who} has signed this as {', '.join(sorted(mine))}: the author is another person")
    values = {
        "at": utc_now(),
        "who": body.who,
        "full_name": str(person[0][0]),
        "meaning": body.meaning,
        "kind": body.kind,
        "name": body.name,
        "digest": body.digest,
        "reason": ask.reason,
        "place": body.place,
        "secret": body.secret_kind,
    }
    signature = "" if key is None else base64.b64encode(key.sign(CONTEXT + as_json(values).encode())).decode()
    n = int(
        rows(
            db,
            f"insert into signature ({', '.join(values)}, box) values ({', '.join('?' * (len(values) + 1))})"
            " returning n",
            (*values.values(), signature),
        )[0][0]
    )
    seal_row(db, Kind.SIGNATURE, n)
    audit(db, Deed("signed", {**_about(body), "signature": n}, body.who, ask.reason))
    return {"n": n, **values}


def _about(body: Sign) -> dict[str, object]:
    return {"kind": body.kind, "name": body.name, "digest": body.digest, "meaning": body.meaning, "person": body.who}
