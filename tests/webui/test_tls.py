"""TLS for who comes from elsewhere; the panel on the loopback address goes on without. One port, the real process."""

import contextlib
import http.client
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from okng.bus.errors import BadSettings
from okng.webui.options import WebOptions
from okng.webui.tls import is_loopback, tls_of

from ..plc_io.conftest import lacking


def make_pair(folder: Path, name: str = "box", *, passphrase: bool = False) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    lacking("openssl")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    locked = ["-passout", "pass:secret"] if passphrase else ["-nodes"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", *locked]
    command += ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def own_address() -> str:
    """An address of this machine that is not its loopback; skips where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing
        found = str(probe.getsockname()[0])
        if not is_loopback(found):
            return found
    for *_, (address, *_rest) in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
        if not is_loopback(str(address)):
            return str(address)
    pytest.skip("this machine has no address but its loopback")


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, dict[str, str], str]:
    try:
        connection.request("GET", path, headers={"Accept": "text/html"})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def test_one_port_serves_the_panel_plainly_and_others_encrypted(
    people: Any, serve: Callable[..., Any], tmp_path: Path
) -> None:
    elsewhere = own_address()
    certificate, key = make_pair(tmp_path)
    server = serve(people.run_dir, host="0.0.0.0", tls_certificate=certificate, tls_key=key)
    status, headers, page = get(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10), "/sign-in")
    assert (status, "Otto Operator" in page) == (200, True)
    assert "strict-transport-security" not in headers
    trusted = ssl.create_default_context(cafile=str(certificate))
    trusted.check_hostname = False
    secure = http.client.HTTPSConnection(elsewhere, server.port, timeout=10, context=trusted)
    status, headers, page = get(secure, "/sign-in")
    assert (status, "Otto Operator" in page) == (200, False)
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert "Secure" in headers["set-cookie"]
    with pytest.raises((OSError, http.client.HTTPException)):
        get(http.client.HTTPConnection(elsewhere, server.port, timeout=10), "/sign-in")
    # Who connects and says nothing of TLS holds nobody up.
    with socket.create_connection((elsewhere, server.port)) as mute:
        mute.sendall(b"\x16")
        status, _, _ = get(http.client.HTTPConnection("127.0.0.1", server.port, timeout=3), "/healthz")
        assert status == 200
    assert server.stop() == 0


def test_without_a_certificate_nobody_signs_in_from_elsewhere(people: Any, serve: Callable[..., Any]) -> None:
    elsewhere = own_address()
    server = serve(people.run_dir, host="0.0.0.0")
    status, _, page = get(http.client.HTTPConnection(elsewhere, server.port, timeout=10), "/sign-in")
    assert status == 403
    assert "https" in page
    assert get(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10), "/sign-in")[0] == 200


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path)
    other, _ = make_pair(tmp_path, "other")
    assert tls_of(WebOptions()) is None
    assert tls_of(WebOptions(tls_certificate=certificate, tls_key=key)) is not None
    with pytest.raises(BadSettings, match=r"tls_key = '.*nowhere.key': expected a file we may read"):
        tls_of(WebOptions(tls_certificate=certificate, tls_key=tmp_path / "nowhere.key"))
    with pytest.raises(BadSettings, match="one certificate and its key"):
        tls_of(WebOptions(tls_certificate=other, tls_key=key))
    with pytest.raises(BadSettings, match="one certificate and its key"):
        tls_of(WebOptions(tls_certificate=key, tls_key=certificate))
    locked = make_pair(tmp_path, "locked", passphrase=True)
    with pytest.raises(BadSettings, match="passphrase"):
        tls_of(WebOptions(tls_certificate=locked[0], tls_key=locked[1]))
    with pytest.raises(ValidationError, match="tls_key: expected a file"):
        WebOptions(tls_certificate=certificate)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_only_the_box_itself_is_the_panel(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
