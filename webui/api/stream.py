"""`/api/v1/stream`: every part as it is recorded, as server-sent events that can be resumed.

The id of an event is the part's `seq` in the ledger. Whoever connects again with `Last-Event-ID` gets all that came
after, from the ledger: nothing is lost and nothing comes twice, whatever was restarted in between.
"""

import json
import time
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, abort, request

from ...bus.clock import SECOND, now_ns
from ...bus.errors import BadLedger
from ...records.parts_read import Wanted, newest, parts
from ..access import needs
from ..web import Web

POLL_S = 0.5
PING_NS = 5 * SECOND
LIFETIME_NS = 15 * 60 * SECOND
BATCH = 200
SEND_TIMEOUT_S = 2.0


def start_after(last: str | None, newest: Callable[[], int]) -> int:
    """The `seq` a client has seen. ValueError: not a number. newest: of who has seen none."""
    if last is None or last == "":
        return newest()
    if not last.isascii() or not last.isdigit() or len(last) > 18:
        raise ValueError(f"Last-Event-ID {last!r}: expected the number of an event")
    return int(last)


def add_stream(views: Blueprint, web: Web, acquire: Callable[[], Callable[[], None] | None]) -> None:
    """Add the view. acquire: takes a stream's slot and returns what gives it back; None: all are taken."""

    @views.get("/stream")
    @needs("part.review")
    def stream() -> Response:
        """Follow the parts."""
        given = request.headers.get("Last-Event-ID", request.args.get("after"))
        try:
            seen = start_after(given, lambda: newest(web.store))
        except ValueError as error:
            abort(400, str(error))
        except BadLedger as error:
            abort(503, str(error))
        release = acquire()
        if release is None:
            return Response(status=503, headers={"Retry-After": "3"})
        connection = request.environ.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(SEND_TIMEOUT_S)
        answer = Response(_events(web, seen), mimetype="text/event-stream")
        answer.headers["X-Accel-Buffering"] = "no"
        answer.call_on_close(release)
        return answer


def _events(web: Web, seen: int) -> Iterator[str]:
    begun = pinged = now_ns()
    yield "retry: 1000\n\n"
    while now_ns() - begun < LIFETIME_NS:
        try:
            rows = parts(web.store, Wanted(after=seen), BATCH)
        except BadLedger:
            rows = []
        for row in rows:
            seen = int(row["seq"])
            yield f"id: {seen}\nevent: part\ndata: {json.dumps(row, ensure_ascii=False)}\n\n"
        if not rows:
            if now_ns() - pinged > PING_NS:
                pinged = now_ns()
                yield ": ping\n\n"
            time.sleep(POLL_S)
