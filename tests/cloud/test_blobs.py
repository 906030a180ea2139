import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import urllib3

from okng.cloud import shelf
from okng.cloud.blobs import PART
from okng.cloud.database import reading, writing
from okng.cloud.folder_blobs import FolderBlobs
from okng.cloud.tables import Alarm, Blob, Picture, Upload

from .engines import Seaweed
from .rig import BoxKey, Rig, rig, settings_of

HTTP = urllib3.PoolManager(retries=False, timeout=30)


@pytest.fixture(params=["folder", "seaweed"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, brought_up: Path) -> Iterator[Rig]:
    """The service on SQLite, its blobs in a folder or in S3."""
    seaweed: Seaweed | None = request.getfixturevalue("seaweed") if request.param == "seaweed" else None
    folder = tmp_path / "fleet"
    folder.mkdir()
    (folder / "fleet.db").write_bytes(brought_up.read_bytes())
    with rig(settings_of(folder, seaweed=seaweed), folder) as made:
        yield made


def noise(size: int) -> tuple[str, bytes]:
    data = os.urandom(size)
    return hashlib.sha256(data).hexdigest(), data


def offered(sha256: str, size: int, part: int = 1, **more: Any) -> dict[str, Any]:
    return {"sha256": sha256, "size": size, "kind": "picture", "part_seq": part, "epoch": 1, **more}


def offer(shop: Rig, box: BoxKey, *blobs: dict[str, Any]) -> list[dict[str, Any]]:
    answer = shop.as_box(box).post("/v1/blobs", json={"blobs": list(blobs)})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["blobs"]
    return found


def put(shop: Rig, url: str, data: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """(status, ETag) of sending bytes to a signed address: to S3 by wire, to the service within this process."""
    if url.startswith(shop.settings.service.url):
        answer = shop.app.test_client().put(url.removeprefix(shop.settings.service.url), data=data, headers=headers)
        return answer.status_code, answer.headers.get("ETag", "")
    got = HTTP.request("PUT", url, body=data, headers={"Content-Type": "application/octet-stream", **headers})
    return got.status, got.headers.get("ETag", "")


def done(shop: Rig, box: BoxKey, sha256: str, upload: str | None = None, parts: tuple[Any, ...] = ()) -> Any:
    return shop.as_box(box).post("/v1/blobs/done", json={"sha256": sha256, "upload": upload, "parts": [*parts]})


def fetched(shop: Rig, sha256: str) -> bytes:
    url = shop.service.blobs.get_url(sha256)
    if url.startswith(shop.settings.service.url):
        return bytes(shop.app.test_client().get(url.removeprefix(shop.settings.service.url), buffered=True).data)
    return bytes(HTTP.request("GET", url).data)


def test_a_blob_is_sent_once_and_had_by_all(shop: Rig) -> None:
    box, other = shop.enrol(), shop.enrol("other")
    sha256, data = noise(50_000)
    (todo,) = offer(shop, box, offered(sha256, len(data), camera="top"))
    assert todo["state"] == "put"
    assert done(shop, box, sha256).status_code == 409
    assert put(shop, todo["url"], data, todo["headers"])[0] == 200
    answer = done(shop, box, sha256)
    assert answer.get_json() == {"sha256": sha256, "size": 50_000}
    assert done(shop, box, sha256).get_json() == answer.get_json()
    assert [one["state"] for one in offer(shop, box, offered(sha256, len(data)))] == ["have"]
    assert [one["state"] for one in offer(shop, other, offered(sha256, len(data), part=9))] == ["have"]
    assert put(shop, todo["url"], data, todo["headers"])[0] == 412
    assert fetched(shop, sha256) == data
    assert b"".join(shop.service.blobs.read(sha256)) == data
    with reading(shop.service.engine) as db:
        seen = {tuple(row) for row in db.execute(sa.select(Picture.box, Picture.part_seq, Picture.camera))}
        assert seen == {(box.id, 1, "top"), (other.id, 9, "")}
        assert db.get_one(Blob, sha256).first_box == box.id


def test_a_lost_word_that_it_is_there_is_found_out(shop: Rig) -> None:
    box = shop.enrol()
    sha256, data = noise(1000)
    (todo,) = offer(shop, box, offered(sha256, len(data)))
    put(shop, todo["url"], data, todo["headers"])
    assert offer(shop, box, offered(sha256, len(data)))[0]["state"] == "have"


def test_other_bytes_longer_bytes_and_other_keys_are_refused_by_the_address(shop: Rig) -> None:
    box = shop.enrol()
    (sha256, data), (elsewhere, _) = noise(10_000), noise(10_000)
    (todo,) = offer(shop, box, offered(sha256, len(data)))
    other = bytes(len(data))
    assert put(shop, todo["url"], other, todo["headers"])[0] in (400, 403)
    assert put(shop, todo["url"].replace(sha256, elsewhere), data, todo["headers"])[0] == 403
    longer = {**todo["headers"], **({"Content-Length": str(len(data) + 1)} if todo["headers"] else {})}
    assert put(shop, todo["url"], data + b"x", longer)[0] in (400, 403, 413)
    spoiled = todo["url"][:-6] + ("aaaaaa" if not todo["url"].endswith("aaaaaa") else "bbbbbb")
    assert put(shop, spoiled, data, todo["headers"])[0] in (400, 403)
    assert done(shop, box, sha256).status_code == 409
    assert put(shop, todo["url"], data, todo["headers"])[0] == 200
    assert done(shop, box, sha256).status_code == 200


def test_a_large_blob_goes_on_where_it_was(shop: Rig) -> None:
    box, other = shop.enrol(), shop.enrol("other")
    sha256, data = noise(2 * PART + 12_345)
    (todo,) = offer(shop, box, offered(sha256, len(data)))
    assert (todo["state"], todo["part_size"], todo["done"]) == ("multipart", PART, [])
    assert [one["n"] for one in todo["parts"]] == [1, 2, 3]
    (theirs,) = offer(shop, other, offered(sha256, len(data)))
    assert theirs["upload"] != todo["upload"]

    def send(part: dict[str, Any]) -> dict[str, Any]:
        code, etag = put(shop, part["url"], data[(part["n"] - 1) * PART : part["n"] * PART], {})
        assert code == 200
        return {"n": part["n"], "etag": etag}

    sent = [send(todo["parts"][1])]
    (again,) = offer(shop, box, offered(sha256, len(data)))
    assert (again["upload"], again["done"], [one["n"] for one in again["parts"]]) == (todo["upload"], [2], [1, 3])
    assert done(shop, box, sha256, todo["upload"]).status_code == 409
    (afresh,) = offer(shop, box, offered(sha256, len(data)))
    assert (afresh["upload"], afresh["done"]) == (todo["upload"], [2])
    sent += [send(part) for part in afresh["parts"]]
    assert done(shop, other, sha256, afresh["upload"], tuple(sent)).status_code == 409
    assert done(shop, box, sha256, afresh["upload"], tuple(sent)).get_json() == {"sha256": sha256, "size": len(data)}
    assert fetched(shop, sha256) == data
    assert [one["state"] for one in offer(shop, other, offered(sha256, len(data)))] == ["have"]


def test_many_writers_of_one_box_send_one_upload(shop: Rig) -> None:
    box = shop.enrol()
    sha256, data = noise(PART + 10)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: offer(shop, box, offered(sha256, len(data)))[0], range(4)))
    assert len({one["upload"] for one in found}) == 1
    for part, todo in zip((1, 2), found, strict=False):
        assert put(shop, todo["parts"][part - 1]["url"], data[(part - 1) * PART : part * PART], {})[0] == 200
    with ThreadPoolExecutor(3) as pool:
        codes = list(pool.map(lambda _: done(shop, box, sha256, found[0]["upload"]).status_code, range(3)))
    assert 200 in codes
    assert fetched(shop, sha256) == data
    assert offer(shop, box, offered(sha256, len(data)))[0]["state"] == "have"


def test_parts_that_are_not_what_the_hash_says_are_thrown_away_and_alarmed(shop: Rig) -> None:
    box = shop.enrol()
    sha256, data = noise(PART + 1000)
    (todo,) = offer(shop, box, offered(sha256, len(data)))
    put(shop, todo["parts"][0]["url"], bytes(PART), {})
    put(shop, todo["parts"][1]["url"], data[PART:], {})
    answer = done(shop, box, sha256, todo["upload"])
    assert answer.status_code == 422
    assert "hash" in answer.get_json()["detail"]
    assert shop.service.blobs.head(sha256) is None
    with reading(shop.service.engine) as db:
        assert db.execute(sa.select(Alarm.kind)).scalars().all() == ["blob_wrong"]
        assert db.get_one(Blob, sha256).state == "awaited"
    (afresh,) = offer(shop, box, offered(sha256, len(data)))
    assert afresh["done"] == []
    for part in afresh["parts"]:
        put(shop, part["url"], data[(part["n"] - 1) * PART : part["n"] * PART], {})
    assert done(shop, box, sha256, afresh["upload"]).status_code == 200


def test_an_upload_that_nobody_went_on_with_is_thrown_away(shop: Rig) -> None:
    box = shop.enrol()
    sha256, data = noise(PART + 1)
    (todo,) = offer(shop, box, offered(sha256, len(data)))
    put(shop, todo["parts"][0]["url"], data[:PART], {})
    assert shelf.tidy(shop.service) == 0
    with writing(shop.service.engine) as db:
        db.execute(sa.update(Upload).values(at=datetime.now(UTC) - timedelta(days=8)))
    assert shelf.tidy(shop.service) == 1
    assert shop.service.blobs.parts(box.id, sha256, todo["upload"]) is None
    (afresh,) = offer(shop, box, offered(sha256, len(data)))
    assert (afresh["upload"] != todo["upload"], afresh["done"]) == (True, [])


def test_what_is_no_list_of_blobs_is_refused_in_words(shop: Rig) -> None:
    client = shop.as_box(shop.enrol())
    sha256 = "0" * 64
    for blobs in (
        [],
        [offered(sha256, 1)] * 65,
        [offered("../../x", 1)],
        [offered(sha256.replace("0", "A"), 1)],
        [offered(sha256, 0)],
        [offered(sha256, 1, kind="video")],
        [offered(sha256, 1, part=0)],
        [offered(sha256, 1, more=1)],
        "text",
    ):
        answer = client.post("/v1/blobs", json={"blobs": blobs})
        assert answer.status_code == 400, blobs
        assert "blobs" in answer.get_json()["detail"]
    assert client.post("/v1/blobs", json={"blobs": [offered(sha256, 1 << 40)]}).status_code == 413
    assert shop.app.test_client().post("/v1/blobs", json={"blobs": [offered(sha256, 1)]}).status_code == 401


def test_an_address_holds_for_a_while(shop: Rig) -> None:
    if not isinstance(shop.service.blobs, FolderBlobs):
        pytest.skip("S3's own matter")
    sha256, data = noise(10)
    shop.service.blobs.take(sha256, 10, [data])
    client, url = shop.app.test_client(), shop.service.blobs.get_url(sha256, valid_s=1)
    place = url.removeprefix(shop.settings.service.url)
    assert client.get(place, buffered=True).data == data
    assert client.get(place, headers={"Range": "bytes=2-4"}, buffered=True).data == data[2:5]
    time.sleep(2.1)
    assert client.get(place).status_code == 403
    later = place.partition("ends=")[2].partition("&")[0]
    assert client.get(place.replace(later, "9" * 10)).status_code == 403
