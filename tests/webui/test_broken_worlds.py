"""Every address that may be looked at, by somebody with all rights, while the rest of the box is broken or hostile."""

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g

from okng.bus.clock import utc_now
from okng.bus.part import Outcome
from okng.bus.rights import RIGHTS
from okng.bus.shift import Alarm, AlarmState, ChallengeState, ChangeOver, LineMode, Mode, Sample
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
    people.closed = False
    monkeypatch.setattr(asking, "ask_once", lambda *given, **named: None)
    return people


def wait_for(true: Callable[[], bool], line: Any) -> None:
    """Until the line was heard, where there is one."""
    end = time.monotonic() + (0.5 if line.closed else 10)
    while not true() and time.monotonic() < end:
        time.sleep(0.02)


def visited(line: Any, store: Path, evil: str = "") -> dict[str, int]:
    """The code of each address, all rights given. evil: what must not stand in a page as it is."""
    watch = Watch(line.run_dir, ("top",), WebOptions())
    watch.start()
    wait_for(lambda: watch.station is not None, line)
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
            if "<" in evil and answer.mimetype == "text/html":
                assert evil not in answer.text, path
            assert "49%(x)s" not in answer.text if answer.mimetype == "text/html" else True, path
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
    line.closed = True
    found = visited(line, line.store)
    assert {where: code for where, code in found.items() if code >= 500 and code != 503} == {}


EVIL = (
    "<img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "{{7*7}}%(x)s{x}%s",
    "a\u200b\u202eb" * 8,
    "'; drop table part --",
)


def poisoned(line: Any, evil: str) -> None:
    """That text wherever a person, a scanner or another process can leave one."""
    line.lot = evil
    line.reasons = (evil, f"camera {evil} is lost", f"operator holds the line: stopped by {evil}")
    line.forced = (evil,)
    line.mode = LineMode(Mode.BYPASS, evil, evil, 0)
    named = {"what": evil, "name": evil, "detail": evil, "camera": evil, "wanted": evil, "found": evil}
    line.alarms = (
        Alarm(f"camera.lost:{evil}", "camera.lost", 1, AlarmState.UNACKNOWLEDGED, True, False, utc_now(), evil, evil,
              evil, named, 1, evil, ""),
        Alarm(evil, evil, 2, AlarmState.SHELVED, True, True, evil, evil, evil, evil, named, 1, evil, evil),
    )  # fmt: skip
    samples = (Sample(evil, evil, "NG", 1, 3), Sample("b", evil, "OK", 0, 3))
    line.challenge = ChallengeState(
        "running", evil, evil, samples, evil, 3, evil, evil, evil, f"{evil} was found: was it removed?"
    )
    line.change = ChangeOver(4, 1, 2, evil, evil, evil, evil)
    line.judge(Outcome.NG, serial=evil)
    seq = LedgerReader(line.store).rows(limit=1)[0].seq
    asks: tuple[tuple[str, dict[str, Any]], ...] = (
        ("account.change", {"name": "op", "full_name": evil[:60]}),
        ("token.make", {"name": evil, "rights": ["part.review"]}),
        ("webhook.set", {"url": "http://mes/x?<b>", "events": [evil]}),
        ("label.set", {"seq": seq, "truth": "defect", "kind": evil}),
        ("escape.set", {"seq": seq, "serial": evil, "found_at": evil, "what": evil}),
        ("study.set", {"op": "new", "name": evil, "operators": ["op"], "seqs": [1, 2]}),
        ("audit.add", {"what": evil, "object": {evil: evil}}),
        ("setting.set", {"name": evil, "body": evil}),
    )
    for name, body in asks:
        line.ask(name, body)
    for stream in ("lot", "alarm", "challenge", "change", "bypass", "line", "shift", "inspection"):
        for event in ("set", "begun", "ended", "passed", "failed", "asked", evil[:60]):
            line.ask("journal.add", {"stream": stream, "key": evil, "event": event, "body": dict.fromkeys(KEYS, evil)})


KEYS = (
    "lot",
    "who",
    "reason",
    "at",
    "since",
    "until",
    "why",
    "event",
    "recipe",
    "occasion",
    "results",
    "parts",
    "what",
)


@pytest.mark.parametrize("evil", EVIL)
def test_no_text_becomes_markup_or_breaks_a_page(evil: str, line: Any) -> None:
    poisoned(line, evil)
    found = visited(line, line.store, evil)
    assert {where: code for where, code in found.items() if code >= 500 and code != 503} == {}
