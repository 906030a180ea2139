"""A real fleet service for tests of the box's side: processes of its own behind a proxy that loses things."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy.engine import Engine

from okng.cloud.access import Asker as Person
from okng.cloud.app import make_app
from okng.cloud.authority import new_authority
from okng.cloud.blobs import open_blobs
from okng.cloud.database import open_database, reading, writing
from okng.cloud.enrolment import approve, retire
from okng.cloud.settings import database_url, read_fleet_settings, session_key
from okng.cloud.streams import resume
from okng.cloud.tables import Event, Part
from okng.fleet.fleet_options import FleetOptions
from okng.identity.certificate import key_pem, new_key

from ..cloud.engines import postgres_server
from .fault_proxy import FaultProxy

RIGHTS = frozenset(("enrol", "box.revoke", "stream.resume"))


@dataclass
class FleetService:
    """The service, its proxy, and a look into its database."""

    folder: Path
    proxy: FaultProxy
    engine: Engine
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        """What boxes pin."""
        return self.folder / "site-ca.pem"

    def options(self, **more: object) -> FleetOptions:
        """`[fleet]` of a box of this service."""
        said = {"service": self.proxy.url, "ca": self.ca, "every_s": 1, "kbit_per_s": 1_000_000, "timeout_s": 10}
        return FleetOptions.model_validate({**said, **more})

    def start(self) -> None:
        """Start it, or start it again."""
        command = [sys.executable, str(Path(__file__).with_name("run_service.py")), str(self.folder / "fleet.toml")]
        with (self.folder / "service.log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        end = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > end or self.processes[-1].poll() is not None:
                raise AssertionError((self.folder / "service.log").read_text()[-4000:])
            time.sleep(0.1)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(str(self.folder / "run.sock"))
            probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in probe.recv(64)
        return False

    def kill(self) -> None:
        """As when its power goes."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "run.sock").unlink()

    def approve(self, code: str, fingerprint: str, name: str = "box") -> str:
        """An administrator types the code; the box's id."""
        settings = read_fleet_settings(self.folder / "fleet.toml")
        app = make_app(settings, self.engine, open_blobs(settings, session_key(settings)))
        person = Person("person:ann", "Ann", RIGHTS)
        found = approve(app.extensions["okng-fleet"], person, code, fingerprint, name, "site", "line1")
        assert isinstance(found, str), found
        return found

    def retire(self, box: str) -> None:
        """The box is taken out of the fleet."""
        settings = read_fleet_settings(self.folder / "fleet.toml")
        app = make_app(settings, self.engine, open_blobs(settings, session_key(settings)))
        assert retire(app.extensions["okng-fleet"], "person:ann", box)

    def resume(self, box: str, stream: str, epoch: int) -> None:
        """A person at the service says that a stream goes on."""
        assert resume(self.engine, "person:ann", box, stream, epoch)

    def events(self, box: str, stream: str, epoch: int = 1) -> list[tuple[int, str]]:
        """(number, hash) of all that is stored."""
        with reading(self.engine) as db:
            wanted = sa.select(Event.seq, Event.sha256).order_by(Event.seq)
            found = db.execute(wanted.where(Event.box == box, Event.stream == stream, Event.epoch == epoch))
            return [(int(seq), str(sha256)) for seq, sha256 in found]

    def parts(self, box: str) -> int:
        """How many parts people can look for."""
        with reading(self.engine) as db:
            return int(db.execute(sa.select(sa.func.count()).select_from(Part).where(Part.box == box)).scalar_one())

    def change(self, box: str, stream: str, seq: int) -> None:
        """Let other content stand under a known number."""
        with writing(self.engine) as db:
            where = sa.and_(Event.box == box, Event.stream == stream, Event.seq == seq)
            db.execute(sa.update(Event).where(where).values(sha256="0" * 64))

    def blobs(self) -> set[str]:
        """Hashes of the pictures in its store."""
        return {path.name for path in (self.folder / "blobs" / "sha256").rglob("*") if path.is_file()}


def _authority(folder: Path, name: str) -> tuple[x509.Certificate, object]:
    key = new_key()
    made = new_authority(name, key)
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key_pem(key))
    (folder / f"{name}.key").chmod(0o600)
    return made, key


def server_certificate(
    folder: Path, name: str, ca: x509.Certificate, ca_key: object, begins: datetime, ends: datetime
) -> None:
    """Certificate and key of a server called localhost."""
    key = new_key()
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(ca_key, SHA256())  # type: ignore[arg-type]
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key_pem(key))
    (folder / f"{name}.key").chmod(0o600)


@contextlib.contextmanager
def on_postgres() -> Iterator[FleetService]:
    """A running service with a PostgreSQL of its own."""
    with postgres_server() as postgres, fleet_service(postgres.settings_url(postgres.fresh())) as found:
        yield found


@contextlib.contextmanager
def fleet_service(url: str, blobs: str = "") -> Iterator[FleetService]:
    """A running service with an empty database. url: of the database, empty: SQLite in its folder.

    blobs: lines of `[blobs]`; empty: a folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="okf", dir="/tmp"))
    try:
        _authority(folder, "boxes")
        ca, ca_key = _authority(folder, "site-ca")
        now = datetime.now(UTC)
        server_certificate(folder, "server", ca, ca_key, now - timedelta(days=1), now + timedelta(days=30))
        (folder / "session.key").write_text(secrets.token_hex(32))
        (folder / "session.key").chmod(0o600)
        proxy = FaultProxy(folder / "run.sock", folder / "server.pem", folder / "server.key", folder / "boxes.pem")
        proxy.start()
        kept = blobs or f'kind = "folder"\nfolder = "{folder}/blobs"'
        (folder / "fleet.toml").write_text(
            f'[service]\nurl = "{proxy.url}"\nlisten = "unix:{folder}/run.sock"\nproxy_tells = "sha256"\n'
            f'workers = 1\nthreads = 8\nsession_key_file = "session.key"\n[database]\nurl = "{url or "sqlite:///fleet.db"}"\n'
            f'[blobs]\n{kept}\n[authority]\ncertificate = "boxes.pem"\nkey_file = "boxes.key"\n'
            "[limits]\nbox_requests_a_minute = 100000\nenrol_asks_a_minute = 600\n"
        )
        settings = read_fleet_settings(folder / "fleet.toml")
        found = FleetService(folder, proxy, open_database(database_url(settings)))
        try:
            found.start()
            yield found
        finally:
            found.kill()
            proxy.stop()
            found.engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
