"""Recipes are read, judged on past pictures and saved as their next version; a version in use never changes."""

import json
from typing import Any

import pytest

from okng.bus.part import Outcome
from okng.inspect.recipe import read_recipe
from okng.settings import read_settings


@pytest.fixture
def read(shop: Any) -> dict[str, Any]:
    """The recipe in use, as it is read."""
    found: dict[str, Any] = shop.done("recipe.read")
    return found


def test_what_is_read_can_be_sent_back(shop: Any, read: dict[str, Any]) -> None:
    assert (read["job"], read["active"], read["file"], read["versions"]) == (3, True, "tile.yaml", ["tile.yaml"])
    assert read["whole"]["rules"]["min_defect_px"] == 1
    assert shop.done("recipe.judge", {"recipe": json.loads(json.dumps(read["whole"])), "only": True})["errors"] == []
    before = (shop.folder / "recipes" / "tile.yaml").read_bytes()
    saved = shop.done("recipe.save", {"text": read["text"] + "# better\n", "base": read["revision"]})
    assert (saved["file"], saved["old"]["file"]) == ("tile.r0002.yaml", "tile.yaml")
    assert (shop.folder / "recipes" / "tile.yaml").read_bytes() == before
    settings = read_settings(shop.settings)
    assert read_recipe(settings.recipe).revision == saved["revision"]
    assert shop.done("recipe.read")["versions"] == ["tile.yaml", "tile.r0002.yaml"]
    assert "# on a tmpfs" in shop.settings.read_text()


def test_mistakes_are_told_so_that_a_screen_can_say_them(shop: Any, read: dict[str, Any]) -> None:
    wrong = {**read["recipe"], "deadline_ms": 1, "unheard": 2}
    for name in ("recipe.judge", "recipe.save"):
        answer = shop.refused(name, {"recipe": wrong, "base": read["revision"]})
        found = {tuple(one["loc"]): one for one in answer.body["errors"]}
        assert found["deadline_ms",]["type"] == "greater_than_equal"
        assert found["deadline_ms",]["ctx"] == {"ge": "5"}
        assert found["unheard",]["type"] == "extra_forbidden"
    for text in ("name: [", "- 1", "name: a\nname: b\n", "!!python/object/apply:os.system ['true']"):
        assert shop.refused("recipe.save", {"text": text, "base": read["revision"]}).body["errors"]
    assert [path.name for path in (shop.folder / "recipes").glob("*.yaml")] == ["tile.yaml"]


def test_a_draft_of_a_recipe_is_judged_on_the_last_pictures(shop: Any, read: dict[str, Any]) -> None:
    for outcome in (Outcome.NG, Outcome.OK, Outcome.NG):
        shop.line.judge(outcome)
    draft = {**read["recipe"], "tools": [{**read["recipe"]["tools"][0], "max_count": 0, "box": "full"}]}
    told = shop.work(shop.done("recipe.judge", {"recipe": draft})["work"])
    assert told["work"]["state"] == "done", told["work"]
    parts = told["result"]["parts"]
    assert len(parts) == 3
    assert {one["before"]["outcome"] for one in parts} == {"OK"}
    assert {one["after"]["outcome"] for one in parts} == {"NG"}
    assert parts[0]["after"]["defects"][0]["kind"] == "dark"
    assert sorted(told["result"]["flips"]) == [1, 2, 3]


def test_camera_and_timing_change_their_own_sections_alone(shop: Any, read: dict[str, Any]) -> None:
    section = {**read["recipe"]["camera"], "exposure_us": 333.0}
    body = {"camera": "top", "section": section, "base": read["revision"]}
    saved = shop.done("recipe.camera", body)
    whole = shop.done("recipe.read")["whole"]
    assert whole["camera"]["exposure_us"] == 333.0
    assert "changed meanwhile" in shop.refused("recipe.camera", body).detail
    timing = {"deadline_ms": 90, "distances": {"margin_ms": 77.0}, "cameras": {"top": {"trigger_delay_us": 5.0}}}
    shop.done("recipe.timing", {**timing, "base": saved["revision"]})
    after = shop.done("recipe.read")
    assert after["recipe"]["deadline_ms"] == 90
    assert after["recipe"]["distances"] == {"eye_to_gate_mm": 700.0, "margin_ms": 77.0}
    assert after["recipe"]["camera"] == {**section, "trigger_delay_us": 5.0}
    sneaky = {"cameras": {"top": {"exposure_us": 1.0}}, "base": after["revision"]}
    assert "expected of a camera no more" in shop.refused("recipe.timing", sneaky).detail
    assert "expected a camera of top" in shop.refused("recipe.camera", {**body, "camera": "low"}).detail
