"""The wire: bounded, pinned, going nowhere else, and saying in words what broke. Against a server that misbehaves."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from okng.bus.errors import BadSettings, StoreLost
from okng.fleet.wire import MOST_ANSWER, Busy, Unwelcome, Wire

from .fleet_service import _authority, server_certificate


class Liar:
    """Answers every request with the same bytes."""

    def __init__(self, folder: Path, answer: bytes) -> None:
        self.answer, self.asked = answer, list[bytes]()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), taken, self._context.wrap_socket(taken, server_side=True) as tls:
                self.asked.append(tls.recv(65_536))
                tls.sendall(self.answer)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of a server."""
    made = tmp_path_factory.mktemp("tls")
    ca, key = _authority(made, "site-ca")
    now = datetime.now(UTC)
    server_certificate(made, "server", ca, key, now - timedelta(days=1), now + timedelta(days=9))
    return made


@pytest.fixture
def liar(folder: Path) -> Iterator[Liar]:
    """A server that one tells what to answer."""
    made = Liar(folder, b"")
    yield made
    made.close()


def wire(liar: Liar, folder: Path) -> Wire:
    return Wire(liar.url, folder / "site-ca.pem", None, 2)


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "Error|Disconnected"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "Error|Bad"),
        (http("302 Found", b"", "Location: https://elsewhere.example/"), "redirect"),
        (http("500 Internal Server Error", b"oops"), "500 oops"),
        (http("200 OK", bytes(MOST_ANSWER + 1)), "more than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "IncompleteRead|Error"),
    ],
)
def test_what_is_no_answer_is_lost_and_said(liar: Liar, folder: Path, answer: bytes, said: str) -> None:
    liar.answer = answer
    with wire(liar, folder) as found, pytest.raises(StoreLost, match=said):
        found.ask("GET", "/v1/state")
    assert len(liar.asked) == 1, "nothing is asked twice, nobody else is asked"


def test_what_is_no_json_is_lost(liar: Liar, folder: Path) -> None:
    for body in (b"<html>", b"[1]", b'{"acked": -1}', b'{"acked": true}', b"[" * 100_000):
        liar.answer = http("200 OK", body)
        with wire(liar, folder) as found:
            answer = found.ask("GET", "/v1/state")
            with pytest.raises(StoreLost):
                answer.number("acked")


def test_a_pause_is_told_in_either_form(liar: Liar, folder: Path) -> None:
    for header, least, most in (("Retry-After: 7", 7, 7), ("Retry-After: soon", 0, 0)):
        liar.answer = http("429 Too Many Requests", b"", header)
        with wire(liar, folder) as found, pytest.raises(Busy) as told:
            found.ask("GET", "/v1/state")
        assert least <= told.value.after_s <= most


def test_a_box_that_is_refused_is_told_so(liar: Liar, folder: Path) -> None:
    for status in ("401 Unauthorized", "403 Forbidden"):
        liar.answer = http(status)
        with wire(liar, folder) as found, pytest.raises(Unwelcome):
            found.ask("GET", "/v1/state")


def test_pictures_go_over_the_open_wire_only_where_that_is_meant(liar: Liar, folder: Path) -> None:
    with wire(liar, folder) as found:
        with pytest.raises(BadSettings, match="plain_blobs"):
            found.put("http://store.example/sha256/ab", [b"x"], 1, {}, plain=False)
        with pytest.raises(StoreLost, match="none"):
            found.put("file:///etc/passwd", [b"x"], 1, {}, plain=True)


def test_a_server_that_says_nothing_is_given_up(liar: Liar, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}"
        with Wire(url, folder / "site-ca.pem", None, 1) as found, pytest.raises(StoreLost, match=r"imeout|timed out"):
            found.ask("GET", "/v1/state")
