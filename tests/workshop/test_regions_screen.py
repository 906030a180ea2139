"""The Regions and Timing screens on the real workshop: what they send is what it takes."""

from typing import Any

import yaml

from okng.tests.webui.engineer import pages, somebody, trail

from .conftest import Shop


def tools_only(shop: Shop) -> dict[str, Any]:
    (newest, *_) = sorted(shop.folder.glob("recipes/*.yaml"), key=lambda path: path.stat().st_mtime, reverse=True)
    found: dict[str, Any] = yaml.safe_load(newest.read_text())
    return found


def test_timing_is_saved_as_the_next_version(shop: Shop) -> None:
    with pages(shop.folder, shop.folder / "store") as made, trail(shop.folder):
        page = made.get("/timing/")
        assert page.status_code == 200
        assert "magnetic-tile" in page.text
        given = {"eye_to_camera_mm": 0, "eye_to_gate_mm": 650, "gate_to_confirm_mm": 90, "max_speed_mm_s": 500}
        given |= {"deadline_ms": 140, "valve_ms": 12, "pulse_ms": 20, "spare_ms": 5, "margin_ms": 150, "job": 3}
        old = shop.done("recipe.read")["revision"]
        answer = made.post("/timing/save", {**given, "base": old}).get_json()
        assert answer["done"], answer["detail"]
        again = made.post("/timing/save", {**given, "base": old}).get_json()
    assert again["done"] is False  # of another revision
    recipe = tools_only(shop)
    assert recipe["deadline_ms"] == 140
    assert recipe["distances"]["eye_to_gate_mm"] == 650
    assert [tool["name"] for tool in recipe["tools"]] == ["dark"]


def test_camera_values_are_saved_as_the_next_version(shop: Shop) -> None:
    with pages(shop.folder, shop.folder / "store") as made, trail(shop.folder):
        values = {"ExposureTime": 1500.0, "Gain": 2.0, "BlackLevel": 3.0}
        answer = made.post("/camera/save", {"values": values}).get_json()
        assert answer["done"], answer["detail"]
        lens = made.get("/camera/lens.json").get_json()
    assert lens["section"]["exposure_us"] == 1500.0
    assert tools_only(shop)["camera"]["features"] == {"BlackLevel": 3.0}


def test_regions_of_a_draft_are_drawn(shop: Shop) -> None:
    draft = shop.done("draft.new", {"name": "tile-new"})["draft"]
    with pages(shop.folder, shop.folder / "store") as made, trail(shop.folder):
        made.who[0] = somebody("lead")
        assert made.get(f"/regions/?draft={draft}").status_code == 200
        assert made.get("/regions/?draft=000000000000").status_code == 404
        ignore = [{"kind": "ellipse", "box": [20, 20, 30, 30]}]
        regions = [{"name": "plate", "box": [10, 10, 200, 160], "ignore": ignore}]
        saved = made.post(f"/regions/save?draft={draft}", {"base": 1, "regions": regions}).get_json()
        assert saved["done"], saved["detail"]
        stale = made.post(f"/regions/save?draft={draft}", {"base": 1, "regions": regions}).get_json()
    assert stale["done"] is False
    (region,) = shop.done("draft.read", {"draft": draft})["draft"]["regions"]
    assert region["ignore"] == ignore


def test_what_is_no_recipe_is_refused_and_nothing_is_written(shop: Shop) -> None:
    with pages(shop.folder, shop.folder / "store") as made, trail(shop.folder):
        base = shop.done("recipe.read")["revision"]
        regions = [{"name": "plate", "box": [10, 10, 9000, 160]}]
        answer = made.post("/regions/save", {"job": 3, "base": base, "regions": regions}).get_json()
        assert answer["done"] is False
        judged = made.post("/regions/judge", {"job": 3, "base": base, "regions": regions}).get_json()
    assert judged["done"] is False
    assert shop.done("recipe.read")["revision"] == base
