"""What a preview says is what the line will say; a model is put in place whole, and taken back."""

import shutil
from typing import Any

import pytest

from okng.appliance.workshop_of import box_of
from okng.bus.part import Outcome
from okng.inspect.recipe import read_recipe
from okng.models.bundle import open_bundle
from okng.settings import read_settings
from okng.workshop.judging import judging
from okng.workshop.past import past_parts


@pytest.fixture(scope="module")
def product(taught: tuple[Any, str]) -> tuple[Any, int]:
    """A released product of the name of the parts in the ledger, and thirty parts with pictures."""
    shop, draft = taught
    shop.done("draft.change", {"draft": draft, "name": "magnetic-tile"})
    job = shop.result("draft.release", {"draft": draft})["job"]
    for number in range(10):
        shop.line.judge(Outcome.NG if number % 5 == 0 else Outcome.OK)
    return shop, job


def words(shop: Any, job: int, most: int) -> dict[int, tuple[str, float]]:
    """What the recipe in use says of the last kept pictures, by the line's own inspector."""
    box = box_of(shop.settings)
    with judging(box, read_recipe(box.recipes[job])) as judge:
        said = {part.seq: judge.word(part) for part in past_parts(box.store, most)}
    return {seq: (str(word.outcome), round(word.score, 4)) for seq, word in said.items()}


def test_a_preview_is_exactly_what_the_line_says_afterwards(product: tuple[Any, int]) -> None:
    shop, job = product
    before = words(shop, job, 20)
    scores = sorted(score for _, score in before.values())
    threshold = (scores[9] + scores[10]) / 2
    looked = shop.result("model.preview", {"job": job, "threshold": threshold, "most": 20})
    assert looked["looked_at"] == 20
    assert {seq: score for seq, score, _ in looked["scores"]} == {seq: score for seq, (_, score) in before.items()}
    assert looked["flips"], "half of the parts lie above the middle"
    read = shop.done("recipe.read", {"job": job})
    recipe = read["recipe"]
    recipe["regions"][0]["threshold"] = threshold
    saved = shop.done("recipe.save", {"job": job, "recipe": recipe, "base": read["revision"]})
    assert saved["old"]["file"] == "magnetic-tile.r0001.yaml"
    after = words(shop, job, 20)
    flipped = {seq for seq in after if after[seq][0] != before[seq][0]}
    assert flipped == {one["seq"] for one in looked["flips"]}
    assert {one["seq"]: one["after"]["outcome"] for one in looked["flips"]} == {seq: after[seq][0] for seq in flipped}
    late = shop.refused("recipe.save", {"job": job, "recipe": recipe, "base": read["revision"]})
    assert "changed meanwhile" in late.detail


def other_bundle(shop: Any, draft: str) -> str:
    """A second model: the draft taught again with fewer pictures."""
    told = shop.done("draft.read", {"draft": draft})["draft"]
    first = next(shot for shot in told["shots"] if shot["role"] == "good")
    shop.done("draft.drop", {"draft": draft, "shot": first["id"]})
    result = shop.result("draft.teach", {"draft": draft})
    one = result["draft"]["taught"]["plate"]
    place = shop.own / "drafts" / draft / one["bundle"]
    shutil.copytree(place, shop.own / "bundles" / "second")
    digest: str = one["digest"]
    return digest


def test_a_model_is_put_in_place_compared_and_taken_back(product: tuple[Any, int], taught: tuple[Any, str]) -> None:
    shop, job = product
    digest = other_bundle(shop, taught[1])
    told = shop.done("model.list")
    mine = next(one for one in told["models"] if one["used"])
    assert digest in {one["digest"] for one in told["models"]}
    both = shop.result("model.compare", {"a": mine["digest"], "b": digest, "job": job, "most": 10})
    assert sum(sum(row.values()) for row in both["agreement"].values()) == 10
    before = read_settings(shop.settings).recipes[job]
    done = shop.result("model.activate", {"bundle": digest, "job": job})
    assert done["new"]["models"] == {"plate": digest}
    active = read_recipe(read_settings(shop.settings).recipes[job])
    assert [open_bundle(folder).digest for folder in active.bundles.values()] == [digest]
    assert active.path != before
    assert "golden pictures score as stored" in done["proof"]
    back = shop.result("model.back", {"job": job})
    assert back["new"]["models"] == done["old"]["models"]
    assert read_settings(shop.settings).recipes[job] == before
    trail = [row.what for row in people(shop).audit_page(limit=20)]
    assert {"model.activate begun", "model.activate done", "model.back done"} <= set(trail)


def test_who_edits_a_recipe_changes_no_model_by_it(product: tuple[Any, int], taught: tuple[Any, str]) -> None:
    """It would be neither proved, nor signed, nor confirmed by a second person."""
    shop, job = product
    told = shop.done("model.list")["models"]
    used = next(one for one in told if any(use["job"] == job for use in one["used"]))
    stranger = shop.own / "bundles" / "stranger"
    shutil.copytree(shop.own / "bundles" / used["folder"], stranger)
    before = shop.settings.read_bytes()
    read = shop.done("recipe.read", {"job": job})
    first = read["whole"]["regions"][0]
    more = {**first, "name": "more", "bundle": str(stranger)}
    for regions in ([{**first, "bundle": str(stranger)}], [first, more]):
        recipe = {**read["recipe"], "regions": regions}
        answer = shop.refused("recipe.save", {"job": job, "recipe": recipe, "base": read["revision"]})
        assert "is not changed here" in answer.detail
    assert shop.settings.read_bytes() == before
    shutil.rmtree(stranger)


def test_where_the_recipe_names_a_slot_the_link_is_switched(product: tuple[Any, int], taught: tuple[Any, str]) -> None:
    shop, job = product
    folder = shop.folder / "recipes"
    told = shop.done("model.list")["models"]
    old = next(one for one in told if any(use["job"] == job for use in one["used"]))
    (folder / "current").symlink_to(f"../workshop/bundles/{old['folder']}")
    read = shop.done("recipe.read", {"job": job})
    recipe = read["recipe"]
    recipe["regions"][0]["bundle"] = "current"
    saved = shop.done("recipe.save", {"job": job, "recipe": recipe, "base": read["revision"]})
    other = next((one["digest"] for one in told if one["digest"] != old["digest"]), None) or other_bundle(
        shop, taught[1]
    )
    done = shop.result("model.activate", {"bundle": other, "job": job})
    assert done["new"]["file"] == saved["file"], "the recipe stays, its model changes"
    assert open_bundle((folder / "current").resolve()).digest == other
    assert shop.result("model.back", {"job": job})["new"]["models"] == {"plate": old["digest"]}
    assert open_bundle((folder / "current").resolve()).digest == old["digest"]


def people(shop: Any) -> Any:
    from okng.records.people_read import PeopleReader

    return PeopleReader(shop.folder / "store")


def test_a_damaged_or_unknown_model_never_comes_to_its_place(product: tuple[Any, int]) -> None:
    shop, job = product
    before = shop.settings.read_bytes()
    assert "none such" in shop.refused("model.activate", {"bundle": "ab" * 32, "job": job}).detail
    told = next(one for one in shop.done("model.list")["models"] if one["used"])
    broken = shop.own / "bundles" / "broken"
    shutil.copytree(shop.own / "bundles" / told["folder"], broken)
    (broken / "manifest.json").write_text((broken / "manifest.json").read_text() + " ")
    digest = next(one["digest"] for one in shop.done("model.list")["models"] if one["folder"] == "broken")
    failed = shop.work(shop.done("model.activate", {"bundle": digest, "job": job})["work"])["work"]
    assert (failed["state"], "damaged" in failed["detail"]) == ("failed", True)
    assert shop.settings.read_bytes() == before
    shutil.rmtree(broken)


def test_signatures_and_a_second_person_are_asked_for_where_the_settings_say_so(product: tuple[Any, int]) -> None:
    shop, job = product
    told = next(one for one in shop.done("model.list")["models"] if one["used"])
    text = shop.settings.read_text()
    asked_for = "[workshop]\nrequire_signed = true\nfour_eyes = true\n"
    shop.settings.write_text(text.replace("[workshop]\n", asked_for))
    asked = {"bundle": told["digest"], "job": job}
    for second in (None, {"name": "lea"}, {"name": ""}):
        assert "second person" in shop.refused("model.activate", {**asked, "second": second}).detail
    failed = shop.work(shop.done("model.activate", {**asked, "second": {"name": "emil"}})["work"])["work"]
    assert "authorities" in failed["detail"]
    shop.settings.write_text(text)
