"""Samples of many boxes: page by page with a token that goes nowhere else, one word a part, pictures by their hash."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import pytest

from okng.bus.errors import BadData, BadSettings, StoreLost
from okng.models.box import Box
from okng.training.data.dataset import PartId
from okng.training.data.dataset_store import DatasetStore
from okng.training.data.fleet_client import BadService, FleetClient
from okng.training.data.gather import Gathered, gather

from .conftest import picture

TOKEN = "t0ken"


class Service:
    """Speaks HTTP as the fleet service does; what it answers is set by the test. `store` is another host's."""

    def __init__(self) -> None:
        self.pages: list[dict[str, Any]] = []
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        self.busy = 0
        self.moved: dict[str, str] = {}
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                service.asked.append((parts.path, parse_qs(parts.query), self.headers.get("Authorization", "")))
                status, data, more = service.answer(parts.path, parse_qs(parts.query))
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes, dict[str, str]]:
        if self.busy:
            self.busy -= 1
            return 429, b"{}", {"Retry-After": "7"}
        if path in self.moved:
            return 302, b"", {"Location": self.moved[path]}
        if path == "/v1/samples":
            at = int(query.get("cursor", ["0"])[0])
            return 200, json.dumps(self.pages[at]).encode(), {}
        if path in self.blobs:
            return 200, self.blobs[path], {}
        return 404, b'{"error": "no such object"}', {}

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


@pytest.fixture
def bucket() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return DatasetStore(tmp_path / "sets")


def png(seed: int) -> bytes:
    return bytes(cv2.imencode(".png", picture(seed))[1].tobytes())


def sample(bucket: Service, seq: int, *, box: str = "box1", seed: int | None = None, **said: Any) -> dict[str, Any]:
    data = png(seq if seed is None else seed)
    sha256 = hashlib.sha256(data).hexdigest()
    bucket.blobs[f"/sha256/{sha256}"] = data
    url = f"{bucket.url}/sha256/{sha256}?X-Amz-Signature=k"
    shown = [{"sha256": sha256, "kind": "picture", "camera": "top", "url": url}]
    known = {"box": box, "epoch": 1, "seq": seq, "taken_at": "2026-11-23T08:00:00+00:00", "camera": "top"}
    return {**known, "serial": "", "lot": "", "outcome": "OK", "pictures": shown, "labels": [], **said}


def label(truth: str, kind: str = "", who: str = "ann", at: str = "2026-11-24", **more: Any) -> dict[str, Any]:
    return {"truth": truth, "kind": kind, "who": who, "at": at, "from": "line", **more}


def taken(service: Service, store: DatasetStore, samples: list[dict[str, Any]], **how: Any) -> Gathered:
    service.pages = [{"samples": samples, "next": None}]
    client = FleetClient(service.url, TOKEN)
    return gather(client.samples({}), client, store, "fleet", **how)


def test_all_pages_are_read_and_the_token_goes_to_the_service_alone(
    service: Service, bucket: Service, store: DatasetStore
) -> None:
    made = [sample(bucket, n, labels=[label("good")]) for n in range(1, 8)]
    own = hashlib.sha256(png(7)).hexdigest()
    service.blobs[f"/v1/blobs/{own}"] = png(7)
    made[6]["pictures"][0]["url"] = f"/v1/blobs/{own}"
    service.pages = [
        {"samples": made[:3], "next": "1"},
        {"samples": made[3:6], "next": "2"},
        {"samples": made[6:], "next": None},
    ]
    client = FleetClient(service.url, TOKEN)
    found = gather(client.samples({"recipe": "cap", "box": "", "label": "good"}), client, store, "fleet")
    assert (found.samples, found.fetched, len(found.dataset.samples)) == (7, 7, 7)
    assert {token for path, _, token in service.asked} == {f"Bearer {TOKEN}"}
    assert [query for path, query, _ in service.asked if path == "/v1/samples"] == [
        {"recipe": ["cap"], "label": ["good"]},
        {"recipe": ["cap"], "label": ["good"], "cursor": ["1"]},
        {"recipe": ["cap"], "label": ["good"], "cursor": ["2"]},
    ]
    assert {token for _, _, token in bucket.asked} == {""}
    bucket.asked.clear()
    assert taken(service, store, made[:6]).fetched == 0
    assert bucket.asked == []


def test_a_redirect_takes_no_token_along(service: Service, bucket: Service) -> None:
    bucket.blobs["/there"] = b"bytes"
    service.moved["/v1/blobs/x"] = f"{bucket.url}/there"
    assert FleetClient(service.url, TOKEN).picture("/v1/blobs/x") == b"bytes"
    assert [token for _, _, token in service.asked] == [f"Bearer {TOKEN}"]
    assert [token for _, _, token in bucket.asked] == [""]


def test_parts_become_samples_with_all_that_is_known(service: Service, bucket: Service, store: DatasetStore) -> None:
    defects = [{"kind": "anomaly", "score": 3.0, "x": 10, "y": 5, "w": 8, "h": 4}]
    size: dict[str, Any] = {"width": 40, "height": 30}
    made = [
        sample(bucket, 1, labels=[label("good")], serial="A1", lot="L9"),
        sample(bucket, 2, labels=[label("defect", "dent")], outcome="NG", defects=defects, **size),
        sample(bucket, 3, box="box2", labels=[label("defect")], outcome="NG", defects=defects, width=80, height=60),
    ]
    one, two, three = taken(service, store, made).dataset.samples
    assert (one.label, one.serial, one.part, one.lot, one.seen) == ("good", "A1", "A1", "L9", PartId("box1", 1, 1))
    assert {one.said_by, two.said_by} == {"operator"}
    assert (two.part, two.lot, two.boxes()) == ("box1-1-2", "2026-11-23", (("dent", Box(10, 5, 8, 4)),))
    # It was judged on a picture of another size: where the defect lies on this one is not known.
    assert (three.label, three.annotations, three.seen) == ("anomaly", (), PartId("box2", 1, 3))


def test_two_who_disagree_are_kept_apart_by_name(service: Service, bucket: Service, store: DatasetStore) -> None:
    made = [
        sample(bucket, 1, labels=[label("good"), label("defect", "dent", who="eve")]),
        sample(bucket, 2, labels=[label("defect", "dent"), label("defect", "crack", who="eve")]),
        # One person who looked again, one who could not tell, and one who took it back contradict nobody.
        sample(bucket, 3, labels=[label("good"), label("defect", "dent", at="2026-11-25")]),
        sample(bucket, 4, labels=[label("good"), label("unsure", who="eve")]),
        sample(bucket, 5, labels=[label("good"), label("defect", "dent", who="eve", undone=True)]),
        sample(bucket, 6, labels=[label("good"), label("defect", "escape", who="eve")]),
        # The same bytes from two boxes, labelled in two ways.
        sample(bucket, 7, labels=[label("good")]),
        sample(bucket, 8, seed=7, box="box2", labels=[label("defect", "dent", who="bob")]),
    ]
    found = taken(service, store, made)
    assert {one.seen.seq: one.label for one in found.dataset.samples if one.seen} == {3: "dent", 4: "good", 5: "good"}
    said = [str(one) for one in found.contradictions]
    assert said[0] == "box1-1-1: contradiction: ann says good, eve says defect (dent)"
    assert said[1] == "box1-1-2: contradiction: ann says defect (dent), eve says defect (crack)"
    assert said[2] == "box1-1-6: contradiction: labelled good, and found defective downstream"
    assert "box1/1/7/" in said[3]
    assert "box2/1/8/" in said[3]
    assert len(said) == 4
    assert {str(one) for one in found.dataset.left_out} == set(said)


def test_a_review_settles_where_it_is_asked_to(service: Service, bucket: Service, store: DatasetStore) -> None:
    review = {**label("defect", "dent", who="quality"), "from": "review"}
    made = [sample(bucket, 1, labels=[label("good"), review])]
    with pytest.raises(BadData, match="quality says defect"):
        taken(service, store, made)
    assert [one.label for one in taken(service, store, made, settled=True).dataset.samples] == ["dent"]


def test_what_nobody_labelled_is_counted_and_taken_only_when_asked(
    service: Service, bucket: Service, store: DatasetStore
) -> None:
    made = [
        sample(bucket, 1, labels=[label("good")]),
        sample(bucket, 2),
        sample(bucket, 3, outcome="UNJUDGED"),
        sample(bucket, 4, labels=[label("unsure")]),
        sample(bucket, 5, labels=[label("good")], pictures=[]),
    ]
    found = taken(service, store, made).dataset
    assert len(found.samples) == 1
    assert found.notes == (
        "1 parts have no whole picture at the service: left aside",
        "1 parts nobody could tell: left aside",
        "2 parts nobody has labelled: left aside",
    )
    by_model = taken(service, store, made, verdicts=True).dataset.samples
    assert [(one.label, one.said_by) for one in by_model] == [("good", "operator"), ("good", "verdict")]


def test_a_picture_that_is_another_or_gone_is_named(service: Service, bucket: Service, store: DatasetStore) -> None:
    made = [sample(bucket, n, labels=[label("good")]) for n in (1, 2, 3)]
    spoilt, gone = (made[n]["pictures"][0]["sha256"] for n in (0, 1))
    bucket.blobs[f"/sha256/{spoilt}"] = png(99)
    del bucket.blobs[f"/sha256/{gone}"]
    with pytest.raises(BadData, match="2 files cannot be used") as caught:
        taken(service, store, made)
    assert f"{spoilt}: what came hashes to" in str(caught.value)
    assert f"{gone}: {bucket.url}/sha256/{gone}: 404 no such object" in str(caught.value)
    assert "X-Amz" not in str(caught.value)
    assert len(taken(service, store, made, leave_out_broken=True).dataset.samples) == 1
    assert sorted(path.name for path in (store.folder / "sha256").iterdir()) == [made[2]["pictures"][0]["sha256"]]


def test_a_busy_service_is_waited_for_and_a_silent_one_is_lost(service: Service) -> None:
    waits: list[float] = []
    service.pages = [{"samples": [], "next": None}]
    service.busy = 2
    assert list(FleetClient(service.url, TOKEN, wait=waits.append).samples({})) == []
    assert waits == [7.0, 7.0]
    with pytest.raises(StoreLost, match=r"127\.0\.0\.1:9/v1/samples"):
        list(FleetClient("http://127.0.0.1:9", TOKEN, wait=waits.append).samples({}))


def test_pages_that_go_round_and_answers_of_another_form_are_refused(service: Service) -> None:
    service.pages = [{"samples": [], "next": "0"}]
    with pytest.raises(BadService, match="go round"):
        list(FleetClient(service.url, TOKEN).samples({}))
    service.pages = [{"rows": []}]
    with pytest.raises(BadService, match="expected samples and next"):
        list(FleetClient(service.url, TOKEN).samples({}))
    with pytest.raises(BadService, match="expected http or https"):
        FleetClient(service.url, TOKEN).picture("file:///etc/passwd")


@pytest.mark.parametrize(
    ("url", "token", "why"),
    [
        ("http://fleet.example", "t", "expected https"),
        ("fleet.example", "t", "expected https://HOST"),
        ("https://fleet.example", " ", "expected a token"),
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(url: str, token: str, why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        FleetClient(url, token)
