"""A file that the workshop has made: it hands it out piece by piece."""

from flask import abort

from .asking import ask
from .web import Web


def pieces_of(web: Web, work: str, name: str) -> list[bytes]:
    """All of a piece of work's file. Aborts: with 404 there is none, with 503 it broke off.

    The rights and the session are those of this request, so all of it is read before it is answered.
    """
    first = ask(web, "work.status", {"work": work, "file": name, "offset": 0})
    if not first.done or not isinstance(first.body.get("data"), bytes):
        abort(404)
    pieces, size = [first.body["data"]], int(first.body.get("size", 0))
    read = len(pieces[0])
    while read < size:
        more = ask(web, "work.status", {"work": work, "file": name, "offset": read})
        if not more.done or not more.body.get("data"):
            abort(503)
        pieces.append(more.body["data"])
        read += len(pieces[-1])
    return pieces
