"""TLS for who comes from elsewhere; the panel on the loopback address goes on without. One port, the real process."""

import contextlib
import hashlib
import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from okng.bus.errors import BadSettings
from okng.identity import certificate
from okng.identity.certificate import pairs
from okng.identity.tls_home import TlsHome
from okng.shift.options import AlarmOptions
from okng.shift.sources import Sources
from okng.webui.options import WebOptions
from okng.webui.tls import PanelTls, is_loopback, tls_of
from okng.webui.warden import state_of

from ..identity.test_certificate import Authority
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
    assert "strict-transport-security" not in headers  # it vouches for itself: nobody could pass the warning any more
    assert "Secure" in headers["set-cookie"]
    connection = http.client.HTTPConnection(elsewhere, server.port, timeout=10)
    status, headers, _ = get(connection, "/sign-in?by=password")
    assert (status, headers["location"]) == (308, f"https://{elsewhere}:{server.port}/sign-in?by=password")
    connection.request("GET", "/api/v1/line", headers={"Authorization": "Bearer okng_secret"})
    answer = connection.getresponse()
    assert (answer.status, b"went in the clear" in answer.read()) == (403, True)
    connection.close()
    # Who connects and says nothing of TLS holds nobody up.
    with socket.create_connection((elsewhere, server.port)) as mute:
        mute.sendall(b"\x16")
        status, _, _ = get(http.client.HTTPConnection("127.0.0.1", server.port, timeout=3), "/healthz")
        assert status == 200
    assert server.stop() == 0


def test_without_a_certificate_nobody_signs_in_from_elsewhere(people: Any, serve: Callable[..., Any]) -> None:
    elsewhere = own_address()
    server = serve(people.run_dir, host="0.0.0.0", plain_http=True)
    status, _, page = get(http.client.HTTPConnection(elsewhere, server.port, timeout=10), "/sign-in")
    assert status == 403
    assert "https" in page
    assert get(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10), "/sign-in")[0] == 200


def test_the_first_start_makes_a_certificate_and_a_changed_one_is_taken_without_a_restart(
    people: Any, serve: Callable[..., Any]
) -> None:
    elsewhere = own_address()
    home = TlsHome(people.store.parent / "web" / "tls", "0.0.0.0")
    server = serve(people.run_dir, host="0.0.0.0")
    own = home.look()
    assert own.own
    assert elsewhere in own.names
    page = get(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10), "/sign-in")[2]
    assert own.fingerprint in page  # what the panel shows is what the browser elsewhere is to show
    assert seen(elsewhere, server.port) == own.fingerprint
    # The plant's authority vouches for it, and HSTS begins.
    authority = Authority()
    plant = home.install(authority.answer(home.ask()) + authority.above)
    until(lambda: seen(elsewhere, server.port) == plant.fingerprint)
    trusted = ssl.create_default_context(cadata=(authority.top + authority.above).decode())
    secure = http.client.HTTPSConnection(elsewhere, server.port, timeout=10, context=trusted)
    status, headers, page = get(secure, "/sign-in")
    assert (status, headers["strict-transport-security"]) == (200, "max-age=31536000")
    # A file that fits nothing is left alone.
    home.served.write_bytes(b"rubbish")
    time.sleep(3)
    assert seen(elsewhere, server.port) == plant.fingerprint
    assert server.stop() == 0


def seen(host: str, port: int) -> str:
    """The fingerprint that a browser is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=10) as raw, context.wrap_socket(raw) as wrapped:
        return pairs(hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").digest())


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_what_the_screens_say_of_their_end_is_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = TlsHome(tmp_path / "tls")
    home.load_or_make()
    tls = PanelTls(home.served, None)
    sources = Sources(AlarmOptions(), ("top",), 0)
    sources.hear(state_of(tls), 1)
    assert "certificate.ends" not in sources.causes(1)
    with monkeypatch.context() as short:
        short.setattr(certificate, "LIFE", timedelta(days=13))
        home.renew()  # it began a day ago
    tls.look_now()
    sources.hear(state_of(tls), 2)
    assert sources.causes(2)["certificate.ends"]["days"] == "11"
    home.renew()
    tls.look_now()
    sources.hear(state_of(tls), 3)
    assert "certificate.ends" not in sources.causes(3)


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path)
    other, _ = make_pair(tmp_path, "other")
    assert tls_of(WebOptions()) is None
    assert tls_of(WebOptions(tls_certificate=certificate, tls_key=key)) is not None
    with pytest.raises(BadSettings, match=r"tls_key = '.*nowhere.key': expected a file we may read"):
        tls_of(WebOptions(tls_certificate=certificate, tls_key=tmp_path / "nowhere.key"))
    with pytest.raises(BadSettings, match="one certificate and its key"):
        tls_of(WebOptions(tls_certificate=other, tls_key=key))
    certificate.chmod(0o600)
    with pytest.raises(BadSettings, match="certificate"):
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
