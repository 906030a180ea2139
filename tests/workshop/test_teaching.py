"""From pictures taken beside the line to a product that the box takes."""

from typing import Any

from okng.appliance.jobs import checked
from okng.bus.part import Outcome
from okng.settings import read_settings


def test_a_draft_is_taught_promised_tried_and_released(taught: tuple[Any, str]) -> None:
    shop, draft = taught
    told = shop.done("draft.read", {"draft": draft})
    region = told["draft"]["taught"]["plate"]
    assert len(region["goods"]) == 20
    assert len(region["defects"]) == 4
    assert not told["stale"]
    assert min(one["score"] for one in region["defects"]) > region["goods"][-1]["score"]
    picture = shop.done("draft.read", {"draft": draft, "file": region["goods"][0]["heat"]})
    assert picture["data"][:2] == b"\xff\xd8"
    limits = shop.done("draft.limit", {"draft": draft, "overkill_percent": 5.0, "escape_percent": 5.0, "keep": True})
    assert limits["overkill"]["n"] == 20
    assert limits["escape"]["more"] > 40
    shop.shoot(draft, "challenge", Outcome.NG)
    assert "1 challenge parts" in shop.refused("draft.release", {"draft": draft}).detail
    (tried,) = shop.result("draft.try", {"draft": draft})["draft"]["tried"]
    assert tried["outcome"] == "NG"
    before = shop.settings.read_text()
    made = shop.result("draft.release", {"draft": draft})
    settings = read_settings(shop.settings)
    assert made["job"] == 4
    assert "revision" in checked(settings.recipes[4])
    assert before.splitlines()[0] in shop.settings.read_text()
    assert shop.done("draft.read", {"draft": draft})["draft"]["released"]["job"] == 4
