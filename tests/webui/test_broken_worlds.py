"""Every address that may be looked at, by somebody with all rights, while the rest of the box is broken or hostile."""

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g

from okng.bus.part import Outcome
from okng.bus.rights import RIGHTS
from okng.records.people_read import Person
from okng.records.read import LedgerReader
from okng.records.schema import FILE
from okng.webui import asking
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

ALL = Person("eve", "Eve Everything", "all", frozenset(RIGHTS), False, 1, "en")
GIVEN = {
    "camera": "top",
    "seq": "2",
    "sha256": "0" * 64,
    "digest": "0" * 64,
    "name": "x",
    "number": "1",
    "work": "0" * 16,
}
BROKEN_OFF = 0
"""A file that was under way when its rows could not be read any more: only so its reader knows that it is not whole."""
STREAMS = ("live.events", "api.stream", "live.mjpeg")


def addresses(app: Flask) -> Iterator[tuple[str, str]]:
    """Every rule that takes GET, with something in its places."""
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint in STREAMS or rule.endpoint == "static_file":
            continue
        with app.test_request_context():
            given = {name: GIVEN.get(name, "1") for name in rule.arguments}
            yield rule.endpoint, app.url_map.bind("127.0.0.1").build(rule.endpoint, given)


@pytest.fixture
def line(people: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parts are in the ledger; whoever is asked for something is silent, at once."""
    for number in range(4):
        people.judge(Outcome.NG if number % 2 else Outcome.OK, serial=f"SN{number}")
    monkeypatch.setattr(asking, "ask_once", lambda *given, **named: None)
    return people


def visited(line: Any, store: Path) -> dict[str, int]:
    """The code of each address, all rights given."""
    watch = Watch(line.run_dir, ("top",), WebOptions())
    watch.start()
    options = WebOptions(api_a_minute=1_000_000, key_file=line.run_dir / "session.key")
    app = create_app(options, "line 1", watch, LedgerReader(store), store, line.run_dir)
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: setattr(g, "person", ALL))
    found, client = {}, app.test_client()
    try:
        for endpoint, path in addresses(app):
            try:
                answer = client.get(path, headers={"Accept": "text/html"}, buffered=True)
            except ConnectionError:
                found[f"{endpoint} {path}"] = BROKEN_OFF
                continue
            found[f"{endpoint} {path}"] = answer.status_code
            assert "Content-Security-Policy" in answer.headers, path
    finally:
        watch.close()
    return found


def missing(line: Any, store: Path) -> None:
    """No ledger at all."""


def garbage(line: Any, store: Path) -> None:
    (store / FILE).write_bytes(random.Random(7).randbytes(100_000))


def nothing(line: Any, store: Path) -> None:
    (store / FILE).write_bytes(b"")


def half(line: Any, store: Path) -> None:
    """Pages in the middle are another file's: what is there opens, and breaks as it is read."""
    with contextlib.closing(sqlite3.connect(line.store / FILE)) as source, sqlite3.connect(store / FILE) as copy:
        source.backup(copy)
    copy.close()
    whole = bytearray((store / FILE).read_bytes())
    for page in range(2, len(whole) // 4096):
        if page % 2:
            whole[page * 4096 : (page + 1) * 4096] = random.Random(page).randbytes(4096)
    (store / FILE).write_bytes(whole)


def locked(line: Any, store: Path) -> sqlite3.Connection:
    with contextlib.closing(sqlite3.connect(line.store / FILE)) as source, sqlite3.connect(store / FILE) as copy:
        source.backup(copy)
    copy.close()
    holder = sqlite3.connect(store / FILE, isolation_level=None)
    holder.execute("pragma journal_mode = delete")
    holder.execute("begin exclusive")
    return holder


@pytest.mark.parametrize("break_it", [missing, garbage, nothing, half, locked])
def test_whatever_the_ledger_is_like_every_page_answers(
    break_it: Callable[[Any, Path], sqlite3.Connection | None], line: Any, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    held = break_it(line, store)
    found = visited(line, store)
    assert len(found) > 90
    assert {where: code for where, code in found.items() if code >= 500 and code != 503} == {}
    if break_it is not half:
        assert BROKEN_OFF not in found.values()
    if held is not None:
        held.close()


def test_whoever_is_dead_every_page_answers(line: Any) -> None:
    """io, inspect, camera, shift, workshop and records are silent, and nothing was ever heard."""
    line.close()
    found = visited(line, line.store)
    assert {where: code for where, code in found.items() if code >= 500 and code != 503} == {}
