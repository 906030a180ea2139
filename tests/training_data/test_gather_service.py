"""Gathered from the real fleet service: what boxes have sent, with what people said, over HTTP with a token."""

import hashlib
import ssl
import threading
import wsgiref.simple_server
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from urllib.parse import urlsplit

import cv2
import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.cloud.database import writing
from okng.models.box import Box
from okng.training.data.dataset import PartId
from okng.training.data.dataset_store import DatasetStore
from okng.training.data.fleet_client import BadService, FleetClient
from okng.training.data.gather import gather

from ..cloud import pages_room as room
from ..cloud.rig import JSONL, Rig, free_port, line, part_body, rig, settings_of, zipped
from .conftest import picture


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not believe the certificate goes away: that is what a test is for."""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Rig]:
    """The service on SQLite, blobs in a folder, behind TLS by its own certificate."""
    port = free_port()
    listen = f"127.0.0.1:{port}"
    with rig(settings_of(tmp_path / "fleet", address=f"https://{listen}", listen=listen), tmp_path / "fleet") as made:
        server = wsgiref.simple_server.make_server("127.0.0.1", port, made.app, _Server, _Quiet)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "fleet/tls/server.pem", tmp_path / "fleet/tls/server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        server.shutdown()
        thread.join()
        server.server_close()


def client_of(fleet: Rig, *rights: str) -> FleetClient:
    """Of a person with these rights, who believes the service's own authority."""
    return FleetClient(fleet.settings.service.url, token(fleet, *rights), fleet.folder / "authority/ca.pem")


def png(seed: int) -> bytes:
    return bytes(cv2.imencode(".png", picture(seed))[1].tobytes())


def filled(fleet: Rig) -> str:
    """Six parts of one box, sent as boxes send them, five with their picture and a label; the box's id."""
    box = fleet.enrol("press4", "line7")
    client = fleet.as_box(box)
    defects = [{"kind": "anomaly", "score": 3.0, "x": 10, "y": 5, "w": 8, "h": 4}]
    # The second is just above its limit: people at the service are asked to look at it.
    ng = {"outcome": "NG", "verdict": "NG", "defects": defects, "score": 51.0}
    bodies = [part_body(seq, width=40, height=30, **(ng if seq == 2 else {})) for seq in range(1, 7)]
    sent = client.post(
        "/v1/streams/records/1/1", data=zipped([line(n, "part", one) for n, one in enumerate(bodies, 1)]), headers=JSONL
    )
    assert sent.json == {"acked": 6}
    said = [("good", "", 1), ("defect", "dent", 2), ("good", "", 3), ("good", "", 4), ("unsure", "", 5)]
    labels = [
        {"what": "label", "n": n, "seq": seq, "part_epoch": 1, "truth": truth, "defect": kind, "who": "ann",
         "at": "2026-11-27T09:00:00Z", "second": False}
        for n, (truth, kind, seq) in enumerate(said, 1)
    ]  # fmt: skip
    sent = client.post(
        "/v1/streams/labels/1/1", data=zipped([line(n, "label", one) for n, one in enumerate(labels, 1)]), headers=JSONL
    )
    assert sent.json == {"acked": 5}
    for seq in range(1, 6):
        upload(client, seq, png(seq))
    return str(box.id)


def upload(client, seq: int, data: bytes) -> None:  # type: ignore[no-untyped-def]
    sha256 = hashlib.sha256(data).hexdigest()
    one = {"sha256": sha256, "size": len(data), "kind": "picture", "part_seq": seq, "epoch": 1, "camera": "top"}
    (told,) = client.post("/v1/blobs", json={"blobs": [one]}).json["blobs"]
    assert told["state"] == "put"
    parts = urlsplit(told["url"])
    put = client.put(f"{parts.path}?{parts.query}", data=data, headers=told.get("headers", {}))
    assert put.status_code in (200, 201, 204), put.text
    assert client.post("/v1/blobs/done", json={"sha256": sha256, "upload": None, "parts": []}).status_code == 200


def token(fleet: Rig, *rights: str) -> str:
    return fleet.bearer(*rights)["Authorization"].removeprefix("Bearer ")


def test_what_boxes_sent_becomes_a_set(fleet: Rig, tmp_path: Path) -> None:
    box = filled(fleet)
    store, client = DatasetStore(tmp_path / "sets"), client_of(fleet, "export")
    asked = {"since": "2026-11-26T00:00:00Z", "until": "2026-11-29T00:00:00Z", "recipe": "cap", "box": box}
    found = gather(client.samples(asked), client, store, "fleet")
    assert (found.samples, found.fetched) == (5, 4), "the sixth part has no picture; nobody could tell the fifth"
    known = {one.seen.seq: one for one in found.dataset.samples if one.seen}
    assert {seq: one.label for seq, one in known.items()} == {1: "good", 2: "dent", 3: "good", 4: "good"}
    assert known[2].seen == PartId(box, 1, 2)
    assert known[2].serial == known[2].part == "SN000002"
    assert known[2].boxes() == (("dent", Box(10, 5, 8, 4)),)
    assert {one.said_by for one in known.values()} == {"operator"}
    assert gather(client.samples(asked), client, store, "fleet").fetched == 0


def test_a_reviewer_who_says_otherwise_makes_a_contradiction_that_may_be_settled(fleet: Rig, tmp_path: Path) -> None:
    box = filled(fleet)
    with writing(fleet.service.engine) as db:
        room.add_person(db, "rita", "reviewer")
    given = {"box": box, "epoch": 1, "seq": 2, "truth": "good"}
    reviewed = fleet.app.test_client().post("/v1/review", json=given, headers=fleet.bearer("review"))
    assert reviewed.status_code == 200, reviewed.text
    store, client = DatasetStore(tmp_path / "sets"), client_of(fleet, "export")
    asked = {"since": "2026-11-26T00:00:00Z", "until": "2026-11-29T00:00:00Z"}
    (said,) = gather(client.samples(asked), client, store, "fleet").contradictions
    assert str(said).startswith(f"{box}-1-2: contradiction: ")
    settled = gather(client.samples(asked), client, store, "fleet", settled=True)
    assert settled.contradictions == ()
    assert {one.seen.seq: one.label for one in settled.dataset.samples if one.seen}[2] == "good"


def test_who_may_not_export_gets_nothing(fleet: Rig) -> None:
    with pytest.raises(BadService, match=r"/v1/samples: 403"):
        list(client_of(fleet, "look").samples({}))
    with pytest.raises(BadService, match=r"/v1/samples: 401"):
        list(FleetClient(fleet.settings.service.url, "nonsense", fleet.folder / "authority/ca.pem").samples({}))
    with pytest.raises(BadService, match="CERTIFICATE_VERIFY_FAILED"):
        list(FleetClient(fleet.settings.service.url, "nonsense").samples({}))


def test_a_person_gathers_by_a_command(fleet: Rig, tmp_path: Path) -> None:
    filled(fleet)
    (tmp_path / "token").write_text(token(fleet, "export") + "\n")
    words: tuple[str | Path, ...] = (
        "dataset",
        "gather",
        "caps",
        fleet.settings.service.url,
        "--store",
        tmp_path / "sets",
    )
    words += ("--token-file", tmp_path / "token", "--ca", fleet.folder / "authority/ca.pem")
    span = ("--since", "2026-11-26T00:00:00Z", "--until", "2026-11-29T00:00:00Z", "--line", "line7")
    done = CliRunner().invoke(cli, [str(word) for word in (*words, *span, "--no-doubles")])
    assert done.exit_code == 0, f"{done.output} {done.exception!r}"
    assert "5 parts at the service, 4 pictures fetched" in done.output
    assert "caps@1: digest " in done.output
    assert "note: 1 parts nobody could tell: left aside" in done.output
