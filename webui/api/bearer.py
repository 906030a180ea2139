"""A program signs in by a token, `Authorization: Bearer okng_...`: only its sha256 is kept; it has its own rights."""

import hashlib

from flask import g, request

from ...bus.errors import BadLedger
from ...records.people_read import PeopleReader, Person


def bear(people: PeopleReader) -> None:
    """Before each request: take the token, if there is one, in place of a session."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        return
    g.person, g.by_token = None, True  # a token that is wrong is nobody, whatever cookie comes with it
    try:
        found = people.token_of(hashlib.sha256(secret.strip().encode()).hexdigest())
    except BadLedger:
        return
    if found is not None and not found.ended_at:
        g.person = Person(found.who, found.name, "token", found.rights, False, 0, "en")
