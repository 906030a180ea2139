"""Requests that drip, stall or come in dozens hold no thread that the panel needs; the real process."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from okng.webui.worker import CHUNKED_S, MOST_OF_ONE, MOST_READING, Reading, WatchedBody, allowed_s

from .test_tls import own_address


def lives_s(sock: socket.socket, drip: bytes, first: bytes, most_s: float) -> float:
    """Seconds until the server lets go of a connection on which a byte comes every second."""
    begun = time.monotonic()
    sock.settimeout(1)
    with contextlib.suppress(OSError):
        sock.sendall(first)
        while time.monotonic() - begun < most_s:
            try:
                if sock.recv(65_536) == b"":
                    break
            except TimeoutError:
                sock.sendall(drip)
    return time.monotonic() - begun


def encrypted(host: str, port: int) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection((host, port), timeout=10))


def test_dripping_requests_end_and_the_panel_never_waits(people: Any, serve: Callable[..., Any]) -> None:
    elsewhere = own_address()
    server = serve(people.run_dir, host="0.0.0.0")
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Drip: "
    empty = b"POST /sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na"
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\nwho="
    body = b"POST /sign-in HTTP/1.1\r\nHost: a\r\n" + form
    lived: dict[str, float] = {}

    def drip(name: str, make: Callable[[], socket.socket], first: bytes) -> None:
        with make() as sock:
            lived[name] = lives_s(sock, b"a", first, 40)

    plain = ("127.0.0.1", server.port)
    kinds = {
        "head at the panel": (lambda: socket.create_connection(plain), head),
        "body at the panel": (lambda: socket.create_connection(plain), body),
        "head after a whole request": (lambda: socket.create_connection(plain), empty + head),
        "head from elsewhere": (lambda: encrypted(elsewhere, server.port), head),
        "body from elsewhere": (lambda: encrypted(elsewhere, server.port), body),
        "nothing from elsewhere": (lambda: encrypted(elsewhere, server.port), b""),
        "no handshake": (lambda: socket.create_connection((elsewhere, server.port)), b"\x16"),
    }
    threads = [threading.Thread(target=drip, args=(name, *kind), daemon=True) for name, kind in kinds.items()]
    # And some dozens more that say nothing at all, which hold every place there is for those from elsewhere.
    held = []
    for thread in threads:
        thread.start()
    time.sleep(1)
    for _ in range(3 * MOST_READING):
        with contextlib.suppress(OSError):
            held.append(socket.create_connection((elsewhere, server.port), timeout=5))
    slowest = 0.0
    for _ in range(20):
        begun = time.monotonic()
        connection = http.client.HTTPConnection(*plain, timeout=10)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        connection.close()
        slowest = max(slowest, time.monotonic() - begun)
        time.sleep(0.1)
    assert slowest < 2, slowest
    for thread in threads:
        thread.join(45)
    for one in held:
        one.close()
    assert set(lived) == set(kinds)
    assert max(lived.values()) < 25, lived
    # The places are free again.
    time.sleep(1)
    with encrypted(elsewhere, server.port) as again:
        again.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert again.recv(12) == b"HTTP/1.1 200"
    assert server.stop() == 0


def test_who_never_closes_an_answered_connection_keeps_nobody_waiting(people: Any, serve: Callable[..., Any]) -> None:
    server = serve(people.run_dir)
    left = []
    for _ in range(30):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        left.append(sock)
    begun = time.monotonic()
    status, _, _ = server.get("/healthz")
    assert status == 200
    assert time.monotonic() - begun < 8, "gunicorn alone waits two seconds for each of the thirty"
    assert all(sock.recv(12) == b"HTTP/1.1 200" for sock in left)
    for sock in left:
        sock.close()
    assert server.stop() == 0


def test_a_body_of_ten_gigabytes_is_refused_before_it_is_read(people: Any, serve: Callable[..., Any]) -> None:
    server = serve(people.run_dir)
    for length in (b"Content-Length: 10737418240", b"Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
            kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
            sock.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n" + kind + length + b"\r\n\r\n")
            with contextlib.suppress(OSError):
                for _ in range(200):  # 13 MB, if it takes them
                    sock.sendall(b"10000\r\n" + b"a" * 65_536 + b"\r\n" if b"chunked" in length else b"a" * 65_536)
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(12) in (b"HTTP/1.1 413", b"HTTP/1.1 400")
        resident = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4 // 1024
        assert resident < 300
        status, _, _ = server.get("/healthz")
        assert status == 200
    assert server.stop() == 0


class _Conn:
    def __init__(self, address: str) -> None:
        self.client = (address, 1)


def test_only_so_many_are_read_from_elsewhere_and_never_too_few_at_the_panel() -> None:
    reading = Reading()
    one = [_Conn("10.0.0.1") for _ in range(MOST_OF_ONE)]
    assert all(reading.begin(conn) for conn in one)
    assert not reading.begin(_Conn("10.0.0.1"))
    others = [_Conn(f"10.0.1.{n}") for n in range(MOST_READING - MOST_OF_ONE)]
    assert all(reading.begin(conn) for conn in others)
    assert not reading.begin(_Conn("10.0.2.1"))
    assert all(reading.begin(_Conn("127.0.0.1")) for _ in range(100))
    reading.end(one[0])
    reading.end(one[0])
    assert reading.begin(_Conn("10.0.2.1"))
    assert not reading.begin(_Conn("10.0.2.2"))


def test_what_takes_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reading, slow, quick = Reading(), _Conn("10.0.0.1"), _Conn("10.0.0.2")
    reading.begin(slow)
    reading.begin(quick)
    reading.body(slow, allowed_s(40 << 20))
    now += 11
    assert reading.late() == [quick]
    reading.end(quick)
    now += 500
    assert reading.late() == [slow]
    assert allowed_s(None) == CHUNKED_S
    assert allowed_s(10**18) == allowed_s(64 << 20)


def test_a_body_that_was_read_has_no_deadline_any_more() -> None:
    import io

    done: list[int] = []
    body = WatchedBody(io.BytesIO(b"abc\ndef"), 7, lambda: done.append(1))
    assert body.readline() == b"abc\n"
    assert not done
    assert body.read(3) == b"def"
    assert done
    assert list(WatchedBody(io.BytesIO(b"a\nb"), None, lambda: None)) == [b"a\n", b"b"]
