"""Many people at the screens at once, and worse: a process that yields to the line, for it is no part of the box.

    nice -n 19 python -m okng.tests.faults.hammer HOST:PORT      until its standard input ends

Threads that ask for pages as fast as they come, clients that read a byte now and then, bodies that are no JSON, and
streams that are held. What was answered is one line of JSON at the end.
"""

import contextlib
import http.client
import itertools
import json
import socket
import sys
import threading
import time
from collections import Counter

PAGES = ("/", "/rejects/", "/menu", "/api/v1/line", "/help", "/trends", "/alarms", "/api/v1/alarms", "/diagnostics")
ASKERS, SLOW, BAD, STREAMS = 8, 6, 2, 20
BODIES = (b"{", b'{"a": NaN', b"[" * 5000, b"\xff\xfe\x00", b'"' + b"x" * 100_000 + b'"', b"")


class Hammer:
    """All of them, each in a thread of its own."""

    def __init__(self, host: str) -> None:
        self.host, self.stop = host, threading.Event()
        self.codes: Counter[str] = Counter()
        """Answers by status; `cut` where the connection was ended without one."""

    def ask(self, number: int) -> None:
        """Pages, one after the other."""
        for page in itertools.cycle(PAGES[number % len(PAGES) :] + PAGES[: number % len(PAGES)]):
            if self.stop.is_set():
                return
            self._one("GET", page)

    def bad(self, number: int) -> None:
        """Bodies that are no JSON, where one is expected."""
        for body in itertools.cycle(BODIES):
            if self.stop.wait(0.05):
                return
            self._one("POST", "/api/v1/webhooks" if number % 2 else "/sign-in", body)

    def slow(self, number: int) -> None:
        """Ask for a page, a letter a second; read none of it."""
        where, _, port = self.host.partition(":")
        while not self.stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection((where, int(port)), 5) as wire:
                for letter in b"GET / HTTP/1.1\r\nHost: x\r\n":
                    wire.send(bytes([letter]))
                    if self.stop.wait(1.0):
                        return
            self.stop.wait(0.5)

    def stream(self, number: int) -> None:
        """Hold a stream of events, and take what comes slowly."""
        while not self.stop.is_set():
            connection = http.client.HTTPConnection(self.host, timeout=5)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/events")
                answer = connection.getresponse()
                self.codes[f"stream {answer.status}"] += 1
                while answer.status == 200 and not self.stop.wait(0.5) and answer.read1(16):
                    pass
            connection.close()
            self.stop.wait(1.0)

    def _one(self, method: str, path: str, body: bytes | None = None) -> None:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            answer.read()
            self.codes[str(answer.status)] += 1
        except (OSError, http.client.HTTPException):
            self.codes["cut"] += 1
        finally:
            connection.close()

    def run(self) -> None:
        """Until the standard input ends."""
        kinds = ((self.ask, ASKERS), (self.slow, SLOW), (self.bad, BAD), (self.stream, STREAMS))
        for work, many in kinds:
            for number in range(many):
                threading.Thread(target=work, args=(number,), daemon=True).start()
        sys.stdin.read()
        self.stop.set()
        time.sleep(0.2)
        sys.stdout.write(json.dumps(self.codes) + "\n")


if __name__ == "__main__":
    Hammer(sys.argv[1]).run()
