"""The Regions screen: what is drawn is saved to the pixel, at any zoom, and what the workshop says is shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from okng.bus.asks import Ask
from okng.bus.part import Outcome
from okng.inspect.sections import Region
from okng.tests.webui.engineer import Pages, owner, pages, somebody, trail

REGIONS = [
    Region(name="plate", box=(101, 53, 407, 311), threshold=4.5).model_dump(mode="json"),
    Region(name="edge", box=(3, 5, 90, 40)).model_dump(mode="json"),
]


class Workshop:
    """Reads, judges and saves one recipe."""

    def __init__(self) -> None:
        self.regions: list[Any] = REGIONS
        self.revision = 1
        self.seq = 1

    def read(self, ask: Ask) -> dict[str, Any]:
        recipe = {"name": "tile", "bundle": "models/tile", "regions": self.regions}
        whole = {**recipe, "camera": {"width": 640, "height": 480}, "cameras": {}}
        return {"job": 7, "revision": self.name, "recipe": recipe, "whole": whole}

    @property
    def name(self) -> str:
        return f"rev-{self.revision}"

    def judge(self, ask: Ask) -> dict[str, Any]:
        [Region.model_validate(one) for one in ask.body["recipe"]["regions"]]
        return {"work": "w1"}

    def status(self, ask: Ask) -> dict[str, Any]:
        words: list[dict[str, Any]] = [
            {"outcome": outcome, "score": 5.1, "threshold": 4.5, "reasons": []} for outcome in ("OK", "NG")
        ]
        part = {"seq": self.seq, "part": 1, "was": "OK", "before": words[0], "after": words[1]}
        return {"work": {"state": "done", "share": 1.0, "detail": ""}, "result": {"parts": [part], "flips": [1]}}

    def save(self, ask: Ask) -> dict[str, Any]:
        assert ask.body["base"] == self.name
        assert ask.body["recipe"]["bundle"] == "models/tile"
        self.regions = [Region.model_validate(one).model_dump(mode="json") for one in ask.body["recipe"]["regions"]]
        self.revision += 1
        return {"revision": self.name, "job": 7}

    def handlers(self) -> dict[str, Any]:
        names = {"recipe.read": self.read, "recipe.judge": self.judge, "recipe.save": self.save}
        return {**names, "work.status": self.status, "draft.read": lambda ask: {"draft": {"regions": self.regions}}}


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def screens(line: Any, run_dir: Path, workshop: Workshop) -> Iterator[Pages]:
    line.judge(Outcome.OK)
    line.judge(Outcome.NG)
    with (
        pages(run_dir, run_dir / "store") as made,
        trail(run_dir),
        owner(run_dir, "workshop", workshop.handlers()),
    ):
        yield made


def test_only_who_may_gets_in(screens: Pages) -> None:
    screens.who[0] = somebody("operator")
    assert screens.get("/regions/").status_code == 403
    screens.who[0] = None
    assert screens.post("/regions/save", {}).status_code == 401
    screens.who[0] = somebody("lead")  # teaches, but edits no recipe
    assert screens.get("/regions/").status_code == 403
    assert screens.get("/regions/?draft=0123456789ab").status_code == 200


def test_the_page_stands_without_a_workshop(line: Any, run_dir: Path) -> None:
    with pages(run_dir, run_dir / "store") as made:
        answer = made.get("/regions/")
    assert answer.status_code == 200
    assert "No answer from workshop" in answer.text


def test_saving_over_another_ones_work_is_refused(screens: Pages, workshop: Workshop) -> None:
    body = {"job": 7, "base": "rev-0", "regions": REGIONS}
    answer = screens.post("/regions/save", body).get_json()
    assert answer["done"] is False
    assert answer["conflict"] == "rev-1"
    assert workshop.revision == 1
    assert screens.post("/regions/save", {**body, "base": "rev-1"}).get_json()["revision"] == "rev-2"


def drawn(page: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(page.locator("#regions").get_attribute("data-now"))
    return found


def view_of(page: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.locator("#regions").get_attribute("data-view"))
    return found


def open_page(page: Any, screens: Pages) -> None:
    page.goto(f"{screens.url}/regions/", wait_until="domcontentloaded")
    page.wait_for_selector("#regions[data-now][data-picture]")


@pytest.mark.ui
def test_what_is_saved_is_exact_at_every_zoom(screens: Pages, workshop: Workshop, page: Any) -> None:
    open_page(page, screens)
    for key in ("#zoom-in", "#zoom-in", "#zoom-out", "#zoom-out", "#zoom-out", "#fit"):
        page.locator(key).click()
        assert drawn(page) == REGIONS
    page.locator("#zoom-in").click()
    page.locator("#right").click()
    page.locator("#step").click()
    page.locator("#down").click()
    page.locator("#w").fill("123")
    page.locator("#w").press("Enter")
    page.locator("#threshold").fill("3.25")
    page.locator("#threshold").press("Enter")
    page.locator("#save").click()
    page.locator("#save-now").click()
    expect(page.locator("#saving-state")).to_contain_text("rev-2")
    assert workshop.regions[0]["box"] == [102, 63, 123, 311]
    assert workshop.regions[0]["threshold"] == 3.25
    assert workshop.regions[1] == REGIONS[1]
    open_page(page, screens)
    assert drawn(page) == workshop.regions


@pytest.mark.ui
def test_a_handle_pulls_whole_pixels_and_undo_takes_it_back_whole(screens: Pages, page: Any) -> None:
    open_page(page, screens)
    page.wait_for_timeout(300)  # the alarm band may come or go at first
    view, stage = view_of(page), page.locator("#stage").bounding_box()
    scale, away = view["scale"], 46 * 2**-0.5
    x = stage["x"] + (101 + 407) * scale + view["x"] + away
    y = stage["y"] + (53 + 311) * scale + view["y"] + away
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 10, y - 10)
    page.mouse.move(x - 50, y - 30, steps=4)
    page.wait_for_timeout(50)
    assert page.locator("#loupe").is_visible()
    page.mouse.up()
    box = drawn(page)[0]["box"]
    assert box[:2] == [101, 53]
    assert box[2] == pytest.approx(407 - 50 / scale, abs=1)
    assert box[3] == pytest.approx(311 - 30 / scale, abs=1)
    assert all(isinstance(value, int) for value in box)
    page.locator("#undo").click()
    assert drawn(page) == REGIONS
    page.locator("#redo").click()
    assert drawn(page)[0]["box"] == box


@pytest.mark.ui
def test_places_are_ignored_and_judged(screens: Pages, workshop: Workshop, page: Any) -> None:
    open_page(page, screens)
    for key in ("#add-rect", "#add-ellipse", "#add-polygon"):
        page.locator(key).click()
    page.locator("#corner-add").click()
    page.locator("#add-within").click()
    regions = drawn(page)
    assert [shape["kind"] for shape in regions[0]["ignore"]] == ["rect", "ellipse", "polygon"]
    assert len(regions[0]["ignore"][2]["points"]) == 6
    assert [Region.model_validate(one).model_dump(mode="json") for one in regions] == regions
    page.locator("#judge").click()
    page.wait_for_selector("#judged-parts figure")
    assert "1" in page.locator("#judged-state").text_content()
    assert page.locator("#judged-parts figure.flipped").count() == 1
    page.locator("#judged [data-close]").click()
    page.locator("#drop").click()
    assert drawn(page)[0]["within"] is None
