"""A fleet service for tests: in this process, or as processes of its own over real TLS. And a box that talks to it."""

import contextlib
import gzip
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from flask import Flask
from flask.testing import FlaskClient

from okng.cloud import enrolment, people, tokens
from okng.cloud.access import PEER, Asker
from okng.cloud.app import make_app
from okng.cloud.blobs import open_blobs
from okng.cloud.database import bring_up, open_database
from okng.cloud.founding import found
from okng.cloud.rights import RIGHTS
from okng.cloud.service import Service
from okng.cloud.settings import FleetSettings, database_url, read_fleet_settings, session_key

from .engines import Seaweed, end_group

PACKAGE = Path(__file__).parents[2]
ADMIN = Asker("person:local:ada", "Ada", frozenset(RIGHTS))
PASSWORD = "correct horse battery"


def canonical(body: Any) -> bytes:
    """As the box writes a body."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def line(seq: int, kind: str, body: dict[str, Any], at: str = "2026-11-27T08:00:00.000Z") -> dict[str, Any]:
    """One event as it travels."""
    return {"seq": seq, "kind": kind, "at": at, "sha256": hashlib.sha256(canonical(body)).hexdigest(), "body": body}


def part_body(seq: int, **more: Any) -> dict[str, Any]:
    """Body of a `part` event, as the box's records write it."""
    return {
        "seq": seq,
        "part": seq,
        "epoch": "run1",
        "station": "st1",
        "taken_at": f"2026-11-27T08:00:{seq % 60:02d}.000Z",
        "outcome": "OK",
        "verdict": "OK",
        "action": "pass",
        "why": "ok",
        "reasons": [],
        "defects": [],
        "score": 12.5,
        "threshold": 50.0,
        "recipe": "cap",
        "revision": "r1",
        "model": "m" * 64,
        "camera": "top",
        "serial": f"SN{seq:06d}",
        "codes": [],
        "views": [],
        "image": [],
        **more,
    }


def zipped(lines: Sequence[dict[str, Any]]) -> bytes:
    """The body of a request."""
    return gzip.compress(b"".join(canonical(one) + b"\n" for one in lines), 1)


JSONL = {"Content-Type": "application/jsonl", "Content-Encoding": "gzip"}


@dataclass
class BoxKey:
    """A box's key, and what it gets for it."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: str = ""
    certificate: str = ""

    def csr(self) -> str:
        """PEM."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever")])
        made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.key, SHA256())
        return made.public_bytes(Encoding.PEM).decode()

    @property
    def sha256(self) -> str:
        """Of the certificate, hex."""
        return x509.load_pem_x509_certificate(self.certificate.encode()).fingerprint(SHA256()).hex()

    def write(self, folder: Path) -> Path:
        """Key and chain in one file."""
        file = folder / f"{self.id or 'box'}.pem"
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(pem + self.certificate.encode())
        file.chmod(0o600)
        return file


@dataclass
class Rig:
    """The service in this process."""

    app: Flask
    settings: FleetSettings
    folder: Path

    @property
    def service(self) -> Service:
        """What its views stand on."""
        found: Service = self.app.extensions["okng-fleet"]
        return found

    def enrol(self, name: str = "press4", line: str = "line1") -> BoxKey:
        """Let a box in, as an administrator would."""
        made = BoxKey()
        asked = enrolment.ask(self.service, made.csr(), name, line, "127.0.0.1")
        assert isinstance(asked, enrolment.Asked)
        box = enrolment.approve(self.service, ADMIN, asked.code, asked.fingerprint, name, "", line)
        assert isinstance(box, str)
        state = enrolment.state_of(self.service, asked.ask)
        assert state is not None
        made.id, made.certificate = box, state[1].certificate or ""
        return made

    def as_box(self, box: BoxKey) -> FlaskClient:
        """A client whose requests bear the box's certificate, as if TLS had proved it."""
        client = self.app.test_client()
        client.environ_base[PEER] = box.sha256
        return client

    def person(self, name: str, *roles: str) -> None:
        """Make a local person."""
        people.add(self.service.engine, "cli:test", name, name.title(), roles, PASSWORD)

    def signed_in(self, name: str) -> FlaskClient:
        """A browser of a local person; POSTs need `token_of(client)`."""
        client = self.app.test_client()
        page = client.get("/sign-in", base_url=self.settings.service.url).get_data(as_text=True)
        answer = client.post(
            "/sign-in",
            base_url=self.settings.service.url,
            headers={"Referer": self.settings.service.url + "/sign-in"},
            data={"name": name, "password": PASSWORD, "csrf_token": csrf_in(page)},
        )
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return client

    def bearer(self, *rights: str) -> dict[str, str]:
        """Headers of a program."""
        _, secret = tokens.make(self.service.engine, "cli:test", "test", rights, 1)
        return {"Authorization": f"Bearer {secret}"}


def csrf_in(page: str) -> str:
    """The token in a page's first form."""
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def settings_of(
    folder: Path,
    url: str | None = None,
    seaweed: Seaweed | None = None,
    change: Callable[[str], str] = str,
    **more: Any,
) -> FleetSettings:
    """Settings as `okng fleet init` writes them, with another database or store. change: of the TOML text."""
    file = found(folder, more.pop("address", "https://127.0.0.1:8443"), more.pop("listen", "127.0.0.1:8443"), "plant")
    text = file.read_text()
    if url is not None:
        text = text.replace('url = "sqlite:///fleet.db"', f"url = {json.dumps(url)}")
    if seaweed is not None:
        keys = seaweed.keys_file(folder)
        s3 = f'kind = "s3"\nendpoint = "{seaweed.endpoint}"\nbucket = "okng"\ncredentials_file = "{keys}"'
        text = text.replace('kind = "folder"\nfolder = "blobs"', s3)
    file.write_text(change(text))
    # A copy of all parts: a test may change its own, and defaults are shared.
    return read_fleet_settings(file).model_copy(deep=True)


@contextlib.contextmanager
def rig(settings: FleetSettings, folder: Path) -> Iterator[Rig]:
    """The service in this process, its tables brought up."""
    engine = open_database(database_url(settings))
    bring_up(engine)
    blobs = open_blobs(settings, session_key(settings))
    app = make_app(settings, engine, blobs)
    try:
        yield Rig(app, settings, folder)
    finally:
        blobs.close()
        engine.dispose()


@dataclass
class Running:
    """The service as processes of its own."""

    url: str
    folder: Path
    ca: Path
    settings: FleetSettings
    process: "subprocess.Popen[bytes]"
    rig: Rig
    """The same database and store, from this process."""

    def pool(self, box: BoxKey | None = None) -> urllib3.PoolManager:
        """Connections that trust the service's authority and, with a box, show its certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if box is not None:
            context.load_cert_chain(box.write(self.folder))
        return urllib3.PoolManager(ssl_context=context, retries=False, timeout=30)

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text(errors="replace")


def free_port() -> int:
    """One that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    folder: Path,
    url: str | None = None,
    seaweed: Seaweed | None = None,
    change: Callable[[str], str] = str,
) -> Iterator[Running]:
    """`okng fleet serve` as a person starts it: real processes, real TLS."""
    port = free_port()
    address = f"https://127.0.0.1:{port}"
    settings = settings_of(folder, url, seaweed, change, address=address, listen=f"127.0.0.1:{port}")
    with rig(settings, folder) as inside:
        process = start(folder, "serve", "--settings", str(folder / "fleet.toml"))
        made = Running(address, folder, folder / "authority" / "ca.pem", settings, process, inside)
        try:
            wait_until_up(made)
            yield made
        finally:
            end_group(made.process)  # a test may have started another in its place


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """`okng fleet …` in a process group of its own; its words go to folder/log."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "okng", "fleet", *arguments],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def wait_until_up(made: Running, patience_s: float = 45) -> None:
    """Until it answers."""
    end = time.monotonic() + patience_s
    pool = made.pool()
    while True:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if pool.request("GET", made.url + "/healthz").status == 200:
                return
        if time.monotonic() > end or made.process.poll() is not None:
            pytest.fail("the service did not come up:\n" + made.log()[-4000:])
        time.sleep(0.1)


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="okfl", dir="/tmp") as name:
        yield Path(name)
