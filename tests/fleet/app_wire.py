"""The service's own application without a network between: requests and answers are lost as a test says.

`Wire` in name: it raises and returns what the real one does, for the same answers.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask

from okng.bus.errors import StoreLost
from okng.cloud.access import PEER
from okng.cloud.app import make_app
from okng.cloud.authority import new_authority
from okng.cloud.blobs import open_blobs
from okng.cloud.database import bring_up, open_database, writing
from okng.cloud.settings import database_url, read_fleet_settings, session_key
from okng.cloud.tables import Box
from okng.fleet.wire import Answer, Unwelcome
from okng.identity.certificate import key_pem, new_key

from .fault_proxy import LOSE_ANSWER, LOSE_REQUEST, PASS


def service_app(folder: Path) -> Flask:
    """The application on a SQLite of its own, with one box whose certificate hashes to `f` * 64."""
    folder.mkdir(parents=True, exist_ok=True)
    key = new_key()
    (folder / "boxes.pem").write_bytes(new_authority("boxes", key).public_bytes(Encoding.PEM))
    (folder / "boxes.key").write_bytes(key_pem(key))
    (folder / "session.key").write_text("k" * 40)
    for name in ("boxes.key", "session.key"):
        (folder / name).chmod(0o600)
    (folder / "fleet.toml").write_text(
        '[service]\nurl = "https://localhost:1"\nlisten = "unix:run.sock"\nsession_key_file = "session.key"\n'
        '[database]\nurl = "sqlite:///fleet.db"\n[blobs]\nkind = "folder"\nfolder = "blobs"\n'
        '[authority]\ncertificate = "boxes.pem"\nkey_file = "boxes.key"\n[limits]\nbox_requests_a_minute = 100000\n'
    )
    settings = read_fleet_settings(folder / "fleet.toml")
    engine = open_database(database_url(settings))
    bring_up(engine)
    now = datetime.now(UTC)
    with writing(engine) as db:
        db.add(
            Box(
                id="box-1",
                name="box",
                cert_sha256="f" * 64,
                cert_ends_at=now + timedelta(days=90),
                enrolled_at=now,
            )
        )
    return make_app(settings, engine, open_blobs(settings, session_key(settings)))


class AppWire:
    """Speaks to the application as one box."""

    def __init__(self, app: Flask, fate: Callable[[str], str] = lambda path: PASS) -> None:
        self._client, self.fate = app.test_client(), fate
        self.asked: list[tuple[str, str]] = []
        """(method, path) of what reached the service."""

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
        most_bytes: int = 0,
    ) -> Answer:
        """See `Wire.ask`."""
        del most_bytes
        data = body if isinstance(body, (bytes, type(None))) else b"".join(body)
        assert length is None or data is None or len(data) == length
        fate = self.fate(path)
        if fate == LOSE_REQUEST:
            raise StoreLost(f"{path}: lost on purpose")
        self.asked.append((method, path))
        given: Any = self._client.open(
            path, method=method, data=data, headers=dict(headers or {}), environ_overrides={PEER: "f" * 64}
        )
        answer = Answer(given.status_code, {n.lower(): v for n, v in given.headers.items()}, given.get_data())
        if fate == LOSE_ANSWER:
            raise StoreLost(f"{path}: its answer lost on purpose")
        if answer.status in (401, 403):
            raise Unwelcome(path)
        if answer.status >= 500:
            raise StoreLost(f"{path}: {answer.status} {answer.body!r}")
        return answer

    def close(self) -> None:
        """Nothing to close."""
