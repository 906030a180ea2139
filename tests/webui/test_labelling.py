"""Labels drawn by finger: exactly the sensor's pixels are kept, and what goes out comes back the same."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.part import Outcome
from okng.models.box import Box
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.training.data.dataset import Annotation, Dataset, Sample
from okng.training.data.export import export
from okng.training.data.rle import counts_of, from_coco
from okng.training.data.shapes import box_of
from okng.training.data.sources import open_dataset
from okng.webui.options import WebOptions
from okng.webui.watch import Watch
from okng.workshop.labels import export_labels, import_labels

PATIENCE_MS = 20_000
WIDTH, HEIGHT = 640, 480
BODY: dict[str, Any] = {
    "width": WIDTH,
    "height": HEIGHT,
    "camera": "top",
    "masks": [{"kind": "dent", "counts": [100, 5, WIDTH * HEIGHT - 105]}],
    "boxes": [{"kind": "scratch", "x": 3, "y": 4, "w": 50, "h": 60}],
}


@pytest.fixture
def client(people: Any, client_on: Callable[..., FlaskClient], sign_in: Any) -> FlaskClient:
    made = client_on(Watch(people.run_dir, ("top",), WebOptions()), sign_ins_a_minute=1000)
    sign_in(made, "eng")
    return made


def test_a_drawing_is_kept_as_it_was_sent(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.NG)
    assert client.post("/labelling/1", json={"body": BODY, "id": "a" * 32}).json["done"]  # type: ignore[index]
    assert PeopleReader(people.store).drawings([1])[1].body == BODY
    page = client.get("/labelling/?show=drawn").get_data(as_text=True)
    assert 'data-seq="1"' in page
    assert "drawn by eng" in page
    assert "&#34;counts&#34;: [100, 5," in client.get("/labelling/1").get_data(as_text=True)


def test_a_drawing_that_goes_beyond_its_picture_is_refused(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.NG)
    beyond = {**BODY, "boxes": [{"kind": "scratch", "x": 600, "y": 4, "w": 50, "h": 60}]}
    answer = client.post("/labelling/1", json={"body": beyond, "id": "b" * 32}).json
    assert answer is not None
    assert not answer["done"]
    assert PeopleReader(people.store).drawings([1]) == {}
    assert client.get("/labelling/99").status_code == 404
    assert client.get("/labelling/?show=x").status_code == 404


def test_drawing_and_taking_out_need_the_right(client: FlaskClient, sign_in: Any) -> None:
    sign_in(client, "lead")
    assert client.get("/labelling/").status_code == 403
    for path in ("/labelling/1", "/labelling/export", "/labelling/import", "/labelling/take"):
        assert client.post(path, json={}).status_code == 403, path


def test_without_a_workshop_the_export_says_so(people: Any, client: FlaskClient) -> None:
    assert client.post("/labelling/export", json={"format": "xml"}).status_code == 400
    nothing = client.post("/labelling/export", json={"format": "coco"}).json
    assert nothing is not None
    assert (nothing["done"], nothing["detail"]) == (False, "Nothing is drawn yet.")
    people.judge(Outcome.NG)
    people.ask("drawing.set", {"seq": 1, "body": BODY}, "eng")
    silent = client.post("/labelling/export", json={"format": "coco"}).json
    assert silent is not None
    assert (silent["done"], silent["silent"]) == (False, True)


def dataset_of(picture: Path, body: dict[str, Any]) -> Dataset:
    """What is drawn, as the training side has it."""
    marks = []
    for one in body["masks"]:
        runs = from_coco(one["counts"], body["width"], body["height"])
        around = box_of(runs.mask(body["width"], body["height"]))
        assert around is not None
        marks.append(Annotation(one["kind"], around, runs))
    marks += [Annotation(one["kind"], Box(one["x"], one["y"], one["w"], one["h"])) for one in body["boxes"]]
    digest = hashlib.sha256(picture.read_bytes()).hexdigest()
    kinds = tuple(sorted({one.kind for one in marks}))
    sample = Sample(picture, digest, body["width"], body["height"], 1, kinds[0], picture.name, annotations=tuple(marks))
    return Dataset((sample,), "drawn", kinds)


@pytest.mark.parametrize("form", ["coco", "label-studio"])
def test_what_is_drawn_goes_out_and_comes_back_the_same(people: Any, tmp_path: Path, form: Any) -> None:
    people.judge(Outcome.NG)
    row = LedgerReader(people.store).row(1)
    assert row is not None
    body = {**BODY, "masks": [{"kind": "dent", "counts": [9700, 40, 440, 40, WIDTH * HEIGHT - 10220]}]}
    before = dataset_of(people.store / str(row.picture), body)
    export(before, tmp_path / "out", form)
    (sample,) = open_dataset(tmp_path / "out").samples
    masks = {one.kind: counts_of(one.mask(WIDTH, HEIGHT)) for one in sample.annotations if one.kind == "dent"}
    assert list(masks["dent"]) == body["masks"][0]["counts"]
    boxes = [one.box for one in sample.annotations if one.kind == "scratch"]
    assert boxes == [Box(3, 4, 50, 60)]


@pytest.mark.parametrize("form", ["coco", "label-studio"])
def test_an_export_of_the_workshop_imported_again_gives_the_same_drawing(
    people: Any, tmp_path: Path, form: str
) -> None:
    people.judge(Outcome.NG)
    body = {**BODY, "masks": [{"kind": "dent", "counts": [9700, 40, 440, 40, WIDTH * HEIGHT - 10220]}]}
    assert people.ask("drawing.set", {"seq": 1, "body": body}, "eng").done
    order = {"format": form, "seqs": [1], "most": 500}
    bench: Any = SimpleNamespace(
        box=SimpleNamespace(store=people.store), order=order, folder=tmp_path, tell=lambda *_: None
    )
    export_labels(bench)
    (tmp_path / "given").write_bytes((tmp_path / "labels.zip").read_bytes())
    back = import_labels(bench)["drawings"]["1"]
    assert back["masks"] == body["masks"]
    assert back["boxes"] == body["boxes"]
    assert people.ask("drawing.set", {"seq": 1, "body": back}, "eng").done


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_brush_box_undo_and_what_is_kept(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    line, server = people, serve(people.run_dir, sign_ins_a_minute=1000)
    page.set_default_timeout(PATIENCE_MS)
    line.judge(Outcome.NG)
    sign_in(page, "eng", server.url)
    page.goto(server.url + "/labelling/1", wait_until="domcontentloaded")
    expect(page.locator("#draw")).to_have_attribute("data-ready", "yes")
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    scale = min(stage["width"] / WIDTH, stage["height"] / HEIGHT)
    left = stage["x"] + (stage["width"] - WIDTH * scale) / 2
    top = stage["y"] + (stage["height"] - HEIGHT * scale) / 2

    def drag(x0: float, y0: float, x1: float, y1: float) -> None:
        page.mouse.move(left + x0 * scale, top + y0 * scale)
        page.mouse.down()
        page.mouse.move(left + x1 * scale, top + y1 * scale, steps=5)
        page.mouse.up()

    def save() -> dict[str, Any]:
        page.locator("#save").tap()
        expect(page.locator("#told")).to_have_text("saved")
        return dict(PeopleReader(line.store).drawings([1])[1].body)

    drag(100, 100, 300, 100)
    drag(100, 300, 200, 300)
    page.locator("#undo").tap()
    page.locator("[data-tool=box]").tap()
    drag(320, 200, 400, 280)
    body = save()
    assert (body["width"], body["height"]) == (WIDTH, HEIGHT)
    mask = from_coco(body["masks"][0]["counts"], WIDTH, HEIGHT).mask(WIDTH, HEIGHT)
    assert mask[100, 100:300].all()
    assert not mask[300, 100:200].any(), "it was taken back"
    columns = np.flatnonzero(mask.any(axis=0))
    assert abs(int(columns[0]) - 90) <= 2
    assert abs(int(columns[-1]) - 309) <= 2
    (box,) = body["boxes"]
    assert max(abs(box[name] - value) for name, value in (("x", 320), ("y", 200), ("w", 80), ("h", 80))) <= 1
    # Read in again and saved again it is the same, to the pixel.
    page.locator("[data-tool=eraser]").tap()
    drag(500, 400, 510, 400)
    page.locator("#undo").tap()
    page.goto(server.url + "/labelling/1", wait_until="domcontentloaded")
    expect(page.locator("#count")).to_have_text("1 boxes, 1 painted classes")
    drag(10, 10, 11, 11)
    page.locator("#undo").tap()
    assert save() == body
    # A handle is felt over 15 mm around the corner that is drawn.
    page.locator("[data-tool=box]").tap()
    page.mouse.click(left + 360 * scale, top + 240 * scale)
    off = 30 / scale
    drag(400 + off * 0.6, 280 + off * 0.6, 440, 300)
    pulled = save()["boxes"][0]
    assert (pulled["x"], pulled["y"]) == (320, 200)
    assert abs(pulled["w"] - 120) <= 1
