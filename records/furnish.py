"""What a ledger is given when it is made or brought up to date: the roles of `bus.rights`, and its own secret."""

import secrets

import apsw

from ..bus.rights import ROLES
from .bookkeeping import rows
from .rows import as_json


def furnish(db: apsw.Connection) -> None:
    """Fill in what is missing. Inside a transaction."""
    if not rows(db, "select 1 from role limit 1"):
        for name, rights in ROLES.items():
            db.execute("insert into role values (?, ?)", (name, as_json(sorted(rights))))
    if not rows(db, "select 1 from pepper"):
        db.execute("insert into pepper values (1, ?)", (secrets.token_bytes(32),))
