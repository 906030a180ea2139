import contextlib
import os
import shutil
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
import urllib3

from okng.cloud import enrolment
from okng.cloud.founding import certify
from okng.cloud.tables import Event

from .engines import Postgres, end_group, lacking
from .rig import (
    ADMIN,
    JSONL,
    BoxKey,
    Running,
    free_port,
    line,
    part_body,
    rig,
    settings_of,
    short_folder,
    start,
    wait_until_up,
    zipped,
)

DATA = zipped([line(1, "part", part_body(1))])


def say(made: Running, box: BoxKey | None, **headers: str) -> Any:
    return made.pool(box).request("POST", made.url + "/v1/streams/records/1/1", body=DATA, headers={**JSONL, **headers})


def test_a_box_comes_in_by_the_code_on_its_screen_and_speaks_for_itself(service: Running) -> None:
    key, pool = BoxKey(), service.pool()
    answer = pool.request(
        "POST", service.url + "/v1/enrol/ask", json={"csr": key.csr(), "name": "Press 4", "line": "l1"}
    )
    asked = answer.json()
    assert answer.status == 200, asked
    assert len(asked["code"]) == 9
    place = f"{service.url}/v1/enrol/{asked['ask']}"
    assert pool.request("GET", place).json() == {"state": "waiting"}

    program = service.rig.bearer("enrol")
    typed = {"code": asked["code"].lower().replace("-", " ")}
    seen = pool.request("POST", service.url + "/v1/enrolments/look", json=typed, headers=program).json()
    assert (seen["name"], seen["fingerprint"]) == ("Press 4", asked["fingerprint"])
    approval = {**typed, "fingerprint": seen["fingerprint"], "name": "Press 4", "line": "l1"}
    let_in = pool.request("POST", service.url + "/v1/enrolments/approve", json=approval, headers=program)
    assert let_in.status == 200, let_in.data
    again = pool.request("POST", service.url + "/v1/enrolments/approve", json=approval, headers=program)
    assert again.status == 404

    told = pool.request("GET", place).json()
    assert (told["state"], told["ca"]) == ("approved", service.ca.read_text())
    key.id, key.certificate = told["box"], told["certificate"]
    assert say(service, key).json() == {"acked": 1}

    assert say(service, None).status == 401
    assert enrolment.retire(service.rig.service, ADMIN.who, key.id)
    assert say(service, key).status == 401


def test_a_header_says_nothing_where_the_service_ends_tls_itself(service: Running) -> None:
    box = service.rig.enrol()
    assert say(service, box).status == 200
    assert say(service, None, **{"X-Client-Cert-SHA256": box.sha256, "X-Client-Cert": box.sha256}).status == 401


def test_a_certificate_of_another_authority_breaks_the_handshake(service: Running, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
         "-subj", "/CN=press4", "-addext", "subjectAltName=URI:urn:okng:box:press4", "-keyout", tmp_path / "key",
         "-out", tmp_path / "crt"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(service.ca))
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.PoolManager(ssl_context=context, retries=False).request("GET", service.url + "/healthz")


def test_the_services_own_certificate_opens_no_box(service: Running) -> None:
    context = ssl.create_default_context(cafile=str(service.ca))
    context.load_cert_chain(service.folder / "tls" / "server.pem", service.folder / "tls" / "server.key")
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.PoolManager(ssl_context=context, retries=False).request("GET", service.url + "/healthz")


def test_a_new_certificate_is_served_without_a_restart(service: Running) -> None:
    def served() -> bytes:
        context = ssl.create_default_context(cafile=str(service.ca))
        host, port = service.url.removeprefix("https://").split(":")
        with (
            socket.create_connection((host, int(port)), 10) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""

    before = served()
    certify(service.folder, ["127.0.0.1"])
    end = time.monotonic() + 30
    while served() == before:
        assert time.monotonic() < end
        time.sleep(0.3)


def test_old_tls_and_plain_http_are_refused(service: Running) -> None:
    host, port = service.url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(service.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as ok,
    ):
        assert ok.version() == "TLSv1.2"
    with socket.create_connection((host, int(port)), 10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):  # as good an answer as a TLS alert
            assert b"200 OK" not in plain.recv(4096)


def test_whoever_dawdles_holds_up_nobody_for_long(service: Running) -> None:
    host, port = service.url.removeprefix("https://").split(":")
    idle = [socket.create_connection((host, int(port)), 10) for _ in range(4)]
    try:
        assert service.pool().request("GET", service.url + "/healthz").status == 200
    finally:
        for one in idle:
            one.close()


@pytest.fixture(scope="module")
def proxied(postgres: Postgres) -> Iterator[tuple[Running, str]]:
    """The service behind Debian's nginx, over a Unix socket. The second: its address there."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        lacking("needs nginx: apt-get install nginx-light")
    name, port = postgres.fresh(), free_port()
    with short_folder() as folder:
        address = f"https://127.0.0.1:{port}"
        settings = settings_of(
            folder / "fleet", postgres.settings_url(name), address=address, listen=f"unix:{folder}/http.sock"
        )
        with rig(settings, folder / "fleet") as inside:
            process = start(folder / "fleet", "serve", "--settings", str(folder / "fleet" / "fleet.toml"))
            ca = folder / "fleet" / "authority" / "ca.pem"
            made = Running(address, folder / "fleet", ca, settings, process, inside)
            conf = folder / "nginx.conf"
            conf.write_text(nginx_conf(folder, port, folder / "http.sock", folder / "fleet" / "tls", ca))
            front = subprocess.Popen([nginx, "-p", folder, "-c", conf, "-e", folder / "err"], start_new_session=True)
            try:
                wait_until_up(made)
                yield made, f"{folder}/http.sock"
            finally:
                end_group(front)
                end_group(process)
    postgres.drop(name)


def test_behind_nginx_the_certificate_is_told_over_the_socket(proxied: tuple[Running, str]) -> None:
    made, _ = proxied
    box = made.rig.enrol()
    assert say(made, box).json() == {"acked": 1}
    assert say(made, None).status == 401
    assert enrolment.retire(made.rig.service, ADMIN.who, box.id)
    assert say(made, box).status == 401


def test_a_forged_header_from_outside_is_refused_behind_nginx_too(proxied: tuple[Running, str]) -> None:
    made, _ = proxied
    box, other = made.rig.enrol("one"), made.rig.enrol("two")
    forged = {"X-Client-Cert": quote(box.certificate), "X-Client-Cert-SHA256": box.sha256, "X_Client_Cert": box.sha256}
    assert say(made, None, **forged).status == 401
    assert say(made, other, **forged).status == 200
    with made.rig.service.engine.connect() as connection:
        assert connection.execute(sa.select(Event.box).distinct()).scalars().all().count(box.id) == 0
        assert other.id in connection.execute(sa.select(Event.box)).scalars().all()


def test_the_socket_is_closed_to_others_and_believes_one_header(proxied: tuple[Running, str]) -> None:
    made, place = proxied
    assert stat.S_IMODE(Path(place).stat().st_mode) == 0o660
    box = made.rig.enrol("three")

    def ask(**headers: str) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**JSONL, **headers}.items())
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(20)
            plain.connect(place)
            head = f"POST /v1/streams/records/1/1 HTTP/1.0\r\nContent-Length: {len(DATA)}\r\n{lines}\r\n"
            plain.sendall(head.encode() + DATA)
            return plain.recv(64)

    assert b"401" in ask(**{"X-Client-Cert-SHA256": box.sha256})
    assert b"401" in ask(**{"X-Client-Cert": "nonsense%zz"})
    assert b"200" in ask(**{"X-Client-Cert": quote(box.certificate)})


def nginx_conf(folder: Path, port: int, running_socket: Path, tls: Path, ca: Path) -> str:
    """As docs/fleet.md has it, with temporary folders of its own."""
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not open the socket
    return f"""
{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream okng_fleet {{ server unix:{running_socket}; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {tls}/server.pem;
        ssl_certificate_key {tls}/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_client_certificate {ca};
        ssl_verify_client optional;
        ssl_verify_depth 1;
        client_max_body_size 16m;
        location / {{
            proxy_pass http://okng_fleet;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
            proxy_set_header X-Client-Cert-SHA256 "";
        }}
    }}
}}
"""
