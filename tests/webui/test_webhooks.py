"""Webhooks: signed, in order, at least once, and a dead address holds up no other."""

import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from okng.bus.part import Outcome
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.api import webhooks
from okng.webui.api.webhooks import Courier, Patience, post, signature, wants
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch
from okng.webui.web import Web


class Receiver:
    """A server of somebody else: keeps what it is told, and answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.status, self.refuses = 204, b""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                refused = bool(receiver.refuses) and receiver.refuses in body
                if not refused and receiver.status < 300:
                    receiver.taken.append(receiver.got[-1])
                self.send_response(422 if refused else receiver.status)
                self.end_headers()

            def log_message(self, *said: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?line=1"

    def events(self) -> list[dict[str, Any]]:
        return [event for _, body in self.got for event in json.loads(body)["events"]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def web(people: Any) -> Web:
    watch = Watch(people.run_dir, ("top",), WebOptions())
    history = LedgerReader(people.store)
    app = create_app(WebOptions(), "line 1", watch, history, people.store, people.run_dir)
    made: Web = app.extensions["okng-web"]
    return made


def hook(line: Any, url: str, *events: str) -> int:
    answer = line.ask("webhook.set", {"url": url, "events": list(events), "secret": "shared"})
    assert answer.done, answer.detail
    return int(PeopleReader(line.store).webhooks()[-1].id)


def happens(line: Any, stream: str, event: str) -> None:
    answer = line.ask("journal.add", {"stream": stream, "key": "x", "event": event, "body": {"n": 1}}, who="shift")
    assert answer.done, answer.detail


def test_events_arrive_signed_and_in_order(people: Any, web: Web, receiver: Receiver) -> None:
    hook(people, receiver.url, "alarm", "part.reject")
    happens(people, "alarm", "active")
    happens(people, "lot", "set")
    happens(people, "alarm", "acknowledged")
    people.judge(Outcome.OK)
    people.judge(Outcome.NG)
    assert Courier(web).turn() == 1
    assert [event["event"] for event in receiver.events()] == ["alarm.active", "alarm.acknowledged", "part"]
    assert receiver.events()[2]["outcome"] == "NG"
    headers, body = receiver.got[0]
    assert headers["X-Okng-Signature"] == "sha256=" + hmac.new(b"shared", body, hashlib.sha256).hexdigest()
    assert Courier(web).turn() == 0  # how far it has got is in the ledger: another courier repeats nothing
    assert len(receiver.got) == 1


def test_what_was_not_taken_is_sent_again_later(people: Any, web: Web, receiver: Receiver) -> None:
    hook(people, receiver.url, "alarm")
    happens(people, "alarm", "active")
    now = [0.0]
    courier = Courier(web, clock=lambda: now[0])
    receiver.status = 500
    assert courier.turn() == 0
    assert courier.turn() == 0
    assert len(receiver.got) == 1  # it waits before it tries again
    now[0] = 1.5
    receiver.status = 200
    assert courier.turn() == 1
    assert receiver.got[0][1] == receiver.got[1][1]


def test_a_dead_address_holds_up_no_other(people: Any, web: Web, receiver: Receiver) -> None:
    hook(people, "http://127.0.0.1:9/gone", "alarm")
    hook(people, receiver.url, "alarm")
    happens(people, "alarm", "active")
    assert Courier(web).turn() == 1
    assert len(receiver.events()) == 1


def test_a_repeat_is_the_same_bytes_under_the_same_key_though_more_has_happened(
    people: Any, web: Web, receiver: Receiver
) -> None:
    hook(people, receiver.url, "alarm")
    happens(people, "alarm", "active")
    now = [0.0]
    courier = Courier(web, clock=lambda: now[0])
    receiver.status = 503
    courier.turn()
    happens(people, "alarm", "acknowledged")
    now[0] = 2.0
    receiver.status = 200
    assert courier.turn() == 1
    assert courier.turn() == 1
    keys = [headers["Idempotency-Key"] for headers, _ in receiver.got]
    assert keys[0] == keys[1] != keys[2]
    assert [event["event"] for event in receiver.events()] == ["alarm.active", "alarm.active", "alarm.acknowledged"]
    ids = [event["id"] for event in receiver.events()]
    assert ids[0] == ids[1] != ids[2]


def test_an_event_that_is_refused_alone_is_kept_as_a_dead_letter_and_the_next_ones_go_on(
    people: Any, web: Web, receiver: Receiver
) -> None:
    hook(people, receiver.url, "alarm")
    for event in ("active", "poison", "acknowledged"):
        happens(people, "alarm", event)
    now = [0.0]
    courier = Courier(web, clock=lambda: now[0])
    receiver.refuses = b"alarm.poison"
    for _ in range(12):
        now[0] += 400.0
        courier.turn()
    taken = [json.loads(body)["events"] for _, body in receiver.taken]
    assert [[event["event"] for event in events] for events in taken] == [["alarm.active"], ["alarm.acknowledged"]]
    (letter,) = PeopleReader(people.store).dead_letters()
    assert (letter.why, letter.body["event"], letter.webhook) == ("it answers 422", "alarm.poison", 1)
    assert letter.event == letter.body["id"]
    assert Courier(web, clock=lambda: now[0]).turn() == 0  # not even another courier sends it again
    happens(people, "alarm", "active")
    happens(people, "alarm", "acknowledged")
    now[0] += 400.0
    courier.turn()
    assert len(json.loads(receiver.got[-1][1])["events"]) == 2  # together again


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_an_address_that_is_wrong_for_now_gets_no_dead_letters(
    people: Any, web: Web, receiver: Receiver, status: int
) -> None:
    hook(people, receiver.url, "alarm")
    happens(people, "alarm", "active")
    now = [0.0]
    courier = Courier(web, clock=lambda: now[0])
    receiver.status = status
    for _ in range(8):
        now[0] += 400.0
        courier.turn()
    assert len(receiver.got) == 8
    assert PeopleReader(people.store).dead_letters() == []


def test_an_ended_webhook_is_told_nothing(people: Any, web: Web, receiver: Receiver) -> None:
    number = hook(people, receiver.url, "alarm")
    assert people.ask("webhook.set", {"webhook": number, "url": ""}).done
    happens(people, "alarm", "active")
    assert Courier(web).turn() == 0
    assert receiver.got == []


def test_patience_doubles_and_ends_with_success() -> None:
    patience = Patience()
    waits = []
    for _ in range(12):
        patience.failed(0.0)
        waits.append(patience.wait_s)
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(waits) == 300.0
    patience.done()
    assert (patience.wait_s, patience.due_s) == (0.0, 0.0)


def test_no_redirect_is_followed_and_no_file_is_read(tmp_path: Path, receiver: Receiver) -> None:
    receiver.status = 302
    assert post(receiver.url, b"{}", {}) == 302
    with pytest.raises((OSError, ValueError)):
        post(f"file://{tmp_path}/x", b"{}", {})


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.0 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_an_answer_that_drips_ends(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WHOLE_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with listener.accept()[0] as peer, contextlib.suppress(OSError):
                peer.sendall(answer)
                for _ in range(100):
                    time.sleep(0.2)
                    peer.sendall(b"a")

        threading.Thread(target=drip, daemon=True).start()
        begun = time.monotonic()
        with contextlib.suppress(OSError, http.client.HTTPException):
            post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {})
        assert time.monotonic() - begun < 8


def test_what_is_wanted() -> None:
    assert wants((), "alarm", "active")
    assert wants(("alarm",), "alarm", "active")
    assert wants(("alarm.active",), "alarm", "active")
    assert not wants(("alarm.active",), "alarm", "shelved")
    assert not wants(("part",), "alarm", "active")
    assert signature("k", b"") != signature("l", b"")
