"""Several cameras and ignored places: each region its own model, and nothing is learnt from what is ignored."""

from typing import Any

from okng.appliance.workshop_of import box_of
from okng.bus.part import Outcome
from okng.inspect.recipe import read_recipe
from okng.workshop.judging import judging
from okng.workshop.past import past_parts

TOP = {"name": "plate", "camera": "top", "box": [192, 160, 192, 160]}
SIDE = {"name": "rim", "camera": "side", "box": [100, 100, 128, 128]}


def test_each_camera_is_taught_by_its_own_pictures(twins: Any) -> None:
    draft = twins.done("draft.new", {"name": "magnetic-tile"})["draft"]
    names = [one["name"] for one in twins.done("draft.read", {"draft": draft})["draft"]["regions"]]
    assert names == ["whole-top", "whole-side"]
    assert "camera side" in twins.refused("draft.change", {"draft": draft, "regions": [TOP]}).detail
    twins.done("draft.change", {"draft": draft, "regions": [TOP, SIDE]})
    for _ in range(12):
        assert {shot["camera"] for shot in twins.shoot(draft, "good")["shots"]} == {"top", "side"}
    taught = twins.result("draft.teach", {"draft": draft})["draft"]["taught"]
    assert {name: len(one["goods"]) for name, one in taught.items()} == {"plate": 12, "rim": 12}
    job = twins.result("draft.release", {"draft": draft})["job"]
    box = box_of(twins.settings)
    twins.line.judge(Outcome.NG, defect=(230, 220))
    with judging(box, read_recipe(box.recipes[job])) as judge:
        (bad,) = past_parts(box.store, 1)
        assert len(bad.views) == 2
        word = judge.word(bad)
    assert word.outcome is Outcome.NG
    assert [verdict.camera for verdict in word.verdicts if verdict.outcome is Outcome.NG] == ["top"]


def test_what_is_ignored_is_not_judged_and_sets_no_limit(shop: Any) -> None:
    draft = shop.done("draft.new", {"name": "magnetic-tile"})["draft"]
    ignore = [{"kind": "rect", "box": [160, 120, 170, 240]}]
    shop.done("draft.change", {"draft": draft, "regions": [{**TOP, "box": [160, 120, 288, 240], "ignore": ignore}]})
    for number in range(14):
        # Half of the goods are marked where nothing is looked at.
        shop.shoot(draft, "good", scratch=(180, 220) if number % 2 else None)
    told = shop.result("draft.teach", {"draft": draft})["draft"]["taught"]["plate"]
    job = shop.result("draft.release", {"draft": draft})["job"]
    box = box_of(shop.settings)
    shop.line.judge(Outcome.NG, defect=(180, 300))
    shop.line.judge(Outcome.NG, defect=(340, 230))
    with judging(box, read_recipe(box.recipes[job])) as judge:
        seen, ignored = (judge.word(part) for part in past_parts(box.store, 2))
    assert seen.outcome is Outcome.NG
    assert ignored.score < seen.score / 2
    assert told["threshold"] < seen.score
