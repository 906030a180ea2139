"""Webhooks: what happens is posted to the addresses an administrator named, signed, in order, at least once.

How far each address has got stands in the ledger, written by records, so that a restart of anything repeats little and
loses nothing. A body carries events with their numbers: whoever gets one twice knows it by `n` or `seq`.

    POST URL
    X-Okng-Signature: sha256=HMAC-SHA256 of the body by the webhook's secret, in hex
    Idempotency-Key: the same for each try of the same events

A slow or dead address is asked again after 1, 2, 4 ... 300 s and holds up no other. Order holds for all events of an
address, so for each key too. What is refused for good (400, 413, 422) would hold up all behind it: after a few tries
its events go one by one, and the one that is refused alone is kept as a dead letter, which people see.
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
from dataclasses import dataclass, field
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
REFUSALS = frozenset((400, 413, 422))
"""Answers that mean the content, not the moment."""
REFUSED = 3
"""So often it is asked again before the answer is believed."""
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Events on their way: sent again as they are until they are taken."""

    body: bytes
    events: tuple[dict[str, Any], ...]
    reached: int
    part: int


@dataclass(slots=True)
class Way:
    """How it stands with one address."""

    patience: Patience = field(default_factory=Patience)
    held: Batch | None = None
    refused: int = 0
    """Times that the batch was refused as such."""
    alone_to: tuple[int, int] = (0, 0)
    """Journal number and part up to which events go one by one."""


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
        self._ways: dict[int, Way] = {}
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
            way = self._ways.setdefault(hook.id, Way())
            if hook.ended_at or self._clock() < way.patience.due_s:
                continue
            batch = way.held or self._waiting(hook, way)
            if batch.events:
                way.held = batch
                if not self._deliver(hook, batch, way):
                    continue
                taken += 1
                way.held, way.refused = None, 0
            if (batch.reached, batch.part) != (hook.reached, hook.reached_part):
                self._note(hook.id, batch.reached, batch.part)
        return taken

    def _waiting(self, hook: Webhook, way: Way) -> Batch:
        """The next events of a webhook, and how far it has got once they are taken."""
        alone = hook.reached < way.alone_to[0] or hook.reached_part < way.alone_to[1]
        people, events = self._web.people, []
        reached, part = hook.reached, hook.reached_part
        for row in people.journal_after(reached, BATCH):
            reached = row.n
            if wants(hook.events, row.stream, row.event):
                events.append({"event": f"{row.stream}.{row.event}", "id": f"journal-{row.n}", **_plain(row)})
                if alone:
                    break
        if (PARTS in hook.events or REJECTS in hook.events) and not (alone and events):
            only = "" if PARTS in hook.events else "REJECT"
            found = parts(self._web.store, Wanted(after=part, action=only), 1 if alone else BATCH)
            events += [{"event": PARTS, "id": f"part-{row['seq']}", **row} for row in found]
            part = found[-1]["seq"] if found else part
        body = json.dumps({"station": self._web.station, "events": events}, ensure_ascii=False).encode()
        return Batch(body, tuple(events), reached, part)

    def _deliver(self, hook: Webhook, batch: Batch, way: Way) -> bool:
        headers = {
            "Content-Type": "application/json",
            "X-Okng-Signature": signature(hook.secret, batch.body),
            "Idempotency-Key": hashlib.sha256(batch.body).hexdigest()[:32],
        }
        try:
            status = self._send(hook.url, batch.body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            status, why = 0, str(error)
        else:
            why = f"it answers {status}"
        if 200 <= status < 300:
            way.patience.done()
            return True
        way.refused = way.refused + 1 if status in REFUSALS else 0
        if way.refused >= REFUSED:
            way.refused = 0
            if len(batch.events) > 1:
                way.alone_to, way.held = (batch.reached, batch.part), None
                log.warning("webhook %d: %s: its events go one by one", hook.id, why)
                return False
            if self._bury(hook.id, batch, why):
                way.held = None
                way.patience.done()
                return False
        way.patience.failed(self._clock())
        log.warning("webhook %d: %s; again in %.0f s", hook.id, why, way.patience.wait_s)
        return False

    def _bury(self, hook: int, batch: Batch, why: str) -> bool:
        """Keep an event that is refused alone; False: it cannot be kept, so it is not given up."""
        (event,) = batch.events
        body = {"id": hook, "event": event["id"], "why": why, "body": event}
        body |= {"reached": batch.reached, "reached_part": batch.part}
        answer = ask_once(self._web.run_dir, "records", Ask(new_id(), "webhook.dead", "", "", "", body))
        if answer is None or not answer.done:
            return False
        log.error("webhook %d: %s refuses event %s: it is kept as a dead letter", hook, why, event["id"])
        return True

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
