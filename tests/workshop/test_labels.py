"""What is drawn on parts goes out in three forms and comes back to the same parts."""

import io
import json
import zipfile
from typing import Any

import pytest

from okng.bus.part import Outcome


def fetch(shop: Any, work: str, name: str) -> bytes:
    data, size = b"", 1
    while len(data) < size:
        piece = shop.done("work.status", {"work": work, "file": name, "offset": len(data)})
        data, size = data + piece["data"], piece["size"]
    return data


@pytest.fixture(scope="module")
def drawn(taught: tuple[Any, str]) -> tuple[Any, dict[int, Any]]:
    """Three parts with something drawn on them."""
    shop, _ = taught
    shop.line.add_people()
    said: dict[int, Any] = {}
    for number in range(3):
        shop.line.judge(Outcome.NG)
        seq = shop.line.part
        body: dict[str, Any]
        if number:
            counts = [480 * 100 + 50, 20, 480 * 640 - 480 * 100 - 70]
            body = {"masks": [{"kind": "scratch", "counts": counts}], "boxes": []}
        else:
            body = {"masks": [], "boxes": [{"kind": "dent", "x": 10, "y": 20, "w": 30, "h": 40}]}
        said[seq] = {"width": 640, "height": 480, "camera": "", **body}
        answer = shop.line.ask("drawing.set", {"seq": seq, "body": said[seq]}, who="eng")
        assert answer.done, answer.detail
    return shop, said


@pytest.mark.parametrize("form", ["label-studio", "coco", "masks"])
def test_drawings_come_back_to_their_parts(drawn: tuple[Any, dict[int, Any]], form: str) -> None:
    shop, said = drawn
    told = shop.work(shop.done("labels.export", {"format": form, "seqs": list(said)})["work"])
    assert told["work"]["state"] == "done", told["work"]
    assert told["result"]["pictures"] == 3
    data = fetch(shop, told["work"]["id"], told["result"]["file"])
    back = shop.result("labels.import", {"format": form, "data": data})
    assert back["strange"] == 0
    assert set(back["drawings"]) == {str(seq) for seq in said}
    for seq, body in said.items():
        found = back["drawings"][str(seq)]
        assert (found["width"], found["height"]) == (640, 480)
        if body["masks"]:
            assert found["masks"] == body["masks"]
        elif form != "masks":  # a folder of masks knows no boxes without pixels
            assert found["boxes"] == body["boxes"]
        assert shop.line.ask("drawing.set", {"seq": seq, "body": found}, who="eng").done


def test_a_file_of_tasks_alone_finds_its_pictures_in_the_store(drawn: tuple[Any, dict[int, Any]]) -> None:
    shop, said = drawn
    told = shop.work(shop.done("labels.export", {"format": "label-studio", "seqs": list(said)})["work"])
    data = fetch(shop, told["work"]["id"], "labels.zip")
    tasks = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("tasks.json"))
    back = shop.result("labels.import", {"format": "label-studio", "data": json.dumps(tasks).encode()})
    assert set(back["drawings"]) == {str(seq) for seq in said}


def test_a_hostile_archive_is_refused(drawn: tuple[Any, dict[int, Any]]) -> None:
    shop, _ = drawn
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../okng.toml", "recipe = 1")
    before = shop.settings.read_bytes()
    for data, why in (
        (packed.getvalue(), "leads out"),
        (b"PK\x03\x04rubbish", "cannot be read"),
        (b"{", "no JSON of COCO"),
    ):
        failed = shop.work(shop.done("labels.import", {"format": "coco", "data": data})["work"])["work"]
        assert failed["state"] == "failed"
        assert why in failed["detail"]
    assert shop.settings.read_bytes() == before
    assert "data" in shop.refused("labels.import", {"format": "coco", "data": "text"}).detail
    assert (
        "no kept picture"
        in shop.work(shop.done("labels.export", {"format": "coco", "seqs": [9999]})["work"])["work"]["detail"]
    )
