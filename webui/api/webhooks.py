"""Webhooks: what happens is posted to the addresses an administrator named, signed, in order, at least once.

How far each address has got stands in the ledger, written by records, so that a restart of anything repeats little and
loses nothing. A body carries events with their numbers: whoever gets one twice knows it by `n` or `seq`.

    POST URL
    X-Okng-Signature: sha256=HMAC-SHA256 of the body by the webhook's secret, in hex

A slow or dead address is asked again after 1, 2, 4 ... 300 s and holds up no other.
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...bus.asks import Ask, new_id
from ...bus.channel import ask_once
from ...bus.errors import BadLedger
from ...records.parts_read import Wanted, parts
from ...records.people_read import Webhook
from ..web import Web

log = logging.getLogger(__name__)
EVERY_S = 1.0
BATCH = 100
TIMEOUT_S = 5.0
"""Of a wait for the next byte."""
WHOLE_S = 10.0
"""Of a post and its answer, head and all."""
LONGEST_S = 300.0
PARTS, REJECTS = "part", "part.reject"
"""Events of the parts; all others are streams of the journal, or STREAM.EVENT."""


@dataclass(slots=True)
class Patience:
    """When an address is asked again."""

    wait_s: float = 0.0
    due_s: float = 0.0

    def failed(self, now_s: float) -> None:
        """Twice as long as before."""
        self.wait_s = min(LONGEST_S, max(1.0, 2 * self.wait_s))
        self.due_s = now_s + self.wait_s

    def done(self) -> None:
        """It answers."""
        self.wait_s = self.due_s = 0.0


def signature(secret: str, body: bytes) -> str:
    """What stands in `X-Okng-Signature`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def wants(events: tuple[str, ...], stream: str, event: str) -> bool:
    """Whether a webhook asked for an event of the journal; no events named: for all of them."""
    return not events or stream in events or f"{stream}.{event}" in events


Post = Callable[[str, bytes, Mapping[str, str]], int]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post and return the status. OSError, HTTPException: it was not taken. No redirect is followed."""
    parts_of = urlsplit(url)
    host, port = parts_of.hostname or "", parts_of.port
    connection: http.client.HTTPConnection
    if parts_of.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    connection.connect()
    cut = threading.Timer(WHOLE_S, _cut, (connection.sock,))
    cut.daemon = True
    cut.start()
    try:
        path = (parts_of.path or "/") + (f"?{parts_of.query}" if parts_of.query else "")
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(1024)
        return answer.status
    finally:
        cut.cancel()
        connection.close()


def _cut(sock: socket.socket) -> None:
    """An address that answers a byte now and then would hold up all others."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Courier:
    """Carries the events. One thread."""

    def __init__(self, web: Web, send: Post = post, clock: Callable[[], float] = time.monotonic) -> None:
        self._web, self._send, self._clock = web, send, clock
        self._patience: dict[int, Patience] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what is under way is finished. Never raises."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                self.turn()
            except BadLedger:
                continue  # said on the screens; the events wait
            except Exception:  # outermost frame of the thread: one bad address must not end all
                log.exception("webhooks")

    def turn(self) -> int:
        """Send what is due to every address; return how many posts were taken. BadLedger."""
        taken = 0
        for hook in self._web.people.webhooks():
            patience = self._patience.setdefault(hook.id, Patience())
            if hook.ended_at or self._clock() < patience.due_s:
                continue
            events, reached, part = self._waiting(hook)
            if events and not self._deliver(hook, events, patience):
                continue
            taken += bool(events)
            if (reached, part) != (hook.reached, hook.reached_part):
                self._note(hook.id, reached, part)
        return taken

    def _waiting(self, hook: Webhook) -> tuple[list[dict[str, Any]], int, int]:
        """The next events of a webhook, and how far it has got once they are taken."""
        people, events = self._web.people, []
        reached, part = hook.reached, hook.reached_part
        for row in people.journal_after(reached, BATCH):
            reached = row.n
            if wants(hook.events, row.stream, row.event):
                events.append({"event": f"{row.stream}.{row.event}", **_plain(row)})
        if PARTS in hook.events or REJECTS in hook.events:
            only = "" if PARTS in hook.events else "REJECT"
            found = parts(self._web.store, Wanted(after=part, action=only), BATCH)
            events += [{"event": PARTS, **row} for row in found]
            part = found[-1]["seq"] if found else part
        return events, reached, part

    def _deliver(self, hook: Webhook, events: list[dict[str, Any]], patience: Patience) -> bool:
        body = json.dumps({"station": self._web.station, "events": events}, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "X-Okng-Signature": signature(hook.secret, body)}
        try:
            status = self._send(hook.url, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            status, why = 0, str(error)
        else:
            why = f"it answers {status}"
        if 200 <= status < 300:
            patience.done()
            return True
        patience.failed(self._clock())
        log.warning("webhook %d: %s; again in %.0f s", hook.id, why, patience.wait_s)
        return False

    def _note(self, hook: int, reached: int, part: int) -> None:
        body = {"id": hook, "reached": reached, "reached_part": part}
        answer = ask_once(self._web.run_dir, "records", Ask(new_id(), "webhook.reached", "", "", "", body))
        if answer is None or not answer.done:
            # Sent again, then: at least once.
            log.warning(
                "webhook %d: how far it has got cannot be kept: %s", hook, answer.detail if answer else "silent"
            )


def _plain(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("n", "at", "stream", "key", "who", "body")}
