"""Requests to the screens and to the API, by somebody who has every right: nothing may end as 500."""

import json
from typing import Any

from okng.bus.asks import Answer
from okng.bus.rights import RIGHTS
from okng.records.people_read import Person
from okng.records.read import LedgerReader
from okng.webui import asking
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

from .files import empty_folder

_KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain")
_BY_NOBODY = frozenset(("static_file", "live.events", "live.frame", "live.overlay", "diagnostics.bundle"))
"""Files, and what waits for the line."""


def _app() -> Any:
    folder = empty_folder("run")
    options = WebOptions(sign_ins_a_minute=10_000, api_a_minute=10_000)
    app = create_app(options, "line1", Watch(folder, ("top",), options), LedgerReader(folder), folder / "store", folder)
    who = Person("fuzz", "Fuzz", "administrator", frozenset(RIGHTS), False, 1, "")
    app.extensions["okng-who"] = lambda: who
    app.config["WTF_CSRF_ENABLED"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app


def _silent(_web: Any, _owner: str, made: Any, *_more: Any, **_named: Any) -> Answer:
    return Answer(made.id, False, "no answer from anybody: a test")


asking.send = _silent  # type: ignore[assignment]
_APP = _app()
_RULES = sorted(
    (
        (str(rule), method)
        for rule in _APP.url_map.iter_rules()
        if rule.endpoint not in _BY_NOBODY and "stream" not in str(rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ),
)
_CLIENT = _APP.test_client()


def seeds() -> list[bytes]:
    """Every route once, with a body of each kind."""
    bodies = [
        b'{"do": "stop"}',
        b"name=x&reason=y",
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n',
    ]
    bodies += [json.dumps({"key": "x", "seq": 1, "lot": None}).encode(), b"[" * 3000, b'{"seq": 1e999}', b"\xff\xfe"]
    return [
        bytes((at % 256, at // 256, n)) + b"1\0a=1\0" + body
        for at in range(len(_RULES))
        for n, body in enumerate(bodies[:4])
    ][:1500] + [
        bytes((at % 256, at // 256, 0)) + b"9\0" + b"x=%00\0" + body
        for at in range(0, len(_RULES), 7)
        for body in bodies[4:]
    ]


def one(data: bytes) -> None:
    """An answer below 500, or 503 where the ledger is away."""
    if len(data) < 3:
        return
    path, method = _RULES[(data[0] + 256 * data[1]) % len(_RULES)]
    value, _, rest = data[3:].partition(b"\0")
    query, _, body = rest.partition(b"\0")
    place = ""
    for at, piece in enumerate(path.split("<")):
        place += (
            piece
            if at == 0
            else value.decode("latin-1").replace("/", "").replace("?", "")[:40] + piece.partition(">")[2]
        )
    answer = _CLIENT.open(
        place.replace("//", "/") or "/",
        method=method,
        query_string=query.decode("latin-1")[:500],
        data=body,
        content_type=_KINDS[data[2] % len(_KINDS)],
        buffered=True,
    )
    assert answer.status_code < 500 or answer.status_code == 503, (method, place, answer.status_code)
    answer.close()
