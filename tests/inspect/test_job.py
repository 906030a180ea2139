"""What a recipe makes of a box: the digest that stands for all models, and who has to agree with whom."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from okng.bus.errors import BadBundle, BadRecipe
from okng.inspect.job import agreements_of, job_of, model_of
from okng.inspect.judge import judge
from okng.inspect.recipe import ActiveRecipe, read_recipe
from okng.inspect.seen import Seen
from okng.models.bundle import write_bundle
from okng.tests.models.conftest import contents, fields, graph

A, B = "a" * 64, "b" * 64


def active(folder: Path, **more: Any) -> ActiveRecipe:
    content: dict[str, Any] = {"name": "r", "deadline_ms": 100, "bundle": "one", "camera": {"width": 64, "height": 32}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**content, **more}))
    return read_recipe(folder / "recipe.yaml")


def test_one_digest_stands_for_all_models() -> None:
    assert model_of([A]) == model_of([A, A]) == A
    assert model_of([A, B]) == model_of([B, A, B]) == hashlib.sha256(f"{A}\n{B}\n".encode()).hexdigest()
    assert model_of([]) == hashlib.sha256(b"").hexdigest()


def test_the_job_covers_every_bundle_of_the_recipe(tmp_path: Path) -> None:
    for name, version in (("one", "1.0.0"), ("two", "2.0.0")):
        write_bundle(tmp_path / name, contents(graph().SerializeToString()), fields(version=version))
    regions = [{"name": "rim"}, {"name": "body", "bundle": "two"}]
    one = job_of(active(tmp_path), ("top",)).model
    both = job_of(active(tmp_path, regions=regions), ("top",)).model
    assert len({one, both}) == 2
    write_bundle(tmp_path / "two", contents(graph().SerializeToString()), fields(version="2.0.1"), replace=True)
    assert job_of(active(tmp_path, regions=regions), ("top",)).model != both
    with pytest.raises(BadBundle, match="three"):
        job_of(active(tmp_path, regions=[{"name": "rim", "bundle": "three"}]), ("top",))


REGIONS = [{"name": "left", "camera": "top"}, {"name": "right", "camera": "side"}, {"name": "seam"}]
CAMERAS = {"top": {"width": 64, "height": 32}, "side": {"width": 64, "height": 32}}


def agreed(folder: Path, ng_when: Any, regions: list[str], cameras: tuple[str, ...] = ("top", "side")) -> Any:
    section = {"name": "weld", "regions": regions, "ng_when": ng_when}
    recipe = active(folder, regions=REGIONS, cameras=CAMERAS, camera=None, agreements=[section])
    return agreements_of(recipe, cameras)[0], job_of(recipe, cameras, {"one": A})


def test_members_are_the_views_that_see_the_place(tmp_path: Path) -> None:
    found, job = agreed(tmp_path, 2, ["left", "right", "seam"])
    assert found.members == ("top/left", "side/right", "top/seam", "side/seam")
    assert (found.needed, job.agreements) == (2, (found,))
    assert [agreed(tmp_path, when, ["left", "seam"])[0].needed for when in ("any", "all", "mean")] == [1, 3, 0]
    alone, job = agreed(tmp_path, "all", ["left"])
    assert (alone.members, job.agreements) == (("top/left",), ())
    with pytest.raises(BadRecipe, match=r"weld: ng_when = 4: expected 1\.\.3, so many views are there"):
        agreed(tmp_path, 4, ["left", "seam"])
    with pytest.raises(BadRecipe, match="no camera of this box sees any of its regions"):
        agreed(tmp_path, "any", ["left"], ("side",))


def test_within_one_picture_too_few_objections_are_outvoted(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    section = {"name": "spots", "regions": names, "ng_when": 2}
    recipe = active(tmp_path, regions=[{"name": name} for name in names], agreements=[section])
    agreements = agreements_of(recipe, ("top",))

    def judged(*scores: float, trouble: str = "") -> Any:
        seen = [
            Seen(name, (0, 0, 64, 32), score, np.full((1, 1), score, np.float32), 4.0, 100.0, trouble * (name == "c"))
            for name, score in zip(names, scores, strict=True)
        ]
        return judge(recipe.recipe.rules, recipe.recipe.regions, seen, (), agreements, "top")

    one, two = judged(9.0, 1.0, 1.0), judged(9.0, 9.0, 1.0)
    assert (one.outcome, one.reasons, one.defects, one.votes, one.apart) == ("OK", (), (), (), None)
    assert [(each.region, each.value, each.high) for each in one.measures] == [("spots", 1.0, 1.0)]
    assert (two.outcome, len(two.defects)) == ("NG", 2)
    doubt = judged(9.0, 1.0, 1.0, trouble="the model did not run: x")
    assert (doubt.outcome, doubt.defects) == ("UNJUDGED", ())
    assert "the model did not run: x in region c" in doubt.reasons


def test_across_cameras_a_view_only_votes(tmp_path: Path) -> None:
    section = {"name": "weld", "regions": ["seam"], "ng_when": "all"}
    recipe = active(tmp_path, regions=REGIONS, cameras=CAMERAS, camera=None, agreements=[section])
    agreements = agreements_of(recipe, ("top", "side"))

    def seen(name: str, score: float, light: float = 100.0) -> Seen:
        return Seen(name, (0, 0, 64, 32), score, np.full((1, 1), score, np.float32), 4.0, light)

    mine = [region for region in recipe.recipe.regions if region.camera in (None, "top")]
    made = judge(recipe.recipe.rules, mine, [seen("left", 1.0), seen("seam", 8.0)], (), agreements, "top")
    assert (made.outcome, made.apart) == ("NG", "OK")
    assert [(vote.agreement, vote.region, vote.outcome, vote.share) for vote in made.votes] == [
        ("weld", "seam", "NG", 2.0)
    ]
    dark = judge(recipe.recipe.rules, mine, [seen("left", 1.0), seen("seam", 8.0, 0.0)], (), agreements, "top")
    assert (dark.outcome, dark.apart) == ("NG", "UNJUDGED"), "a dark picture is no objection that others outvote"
    own = judge(recipe.recipe.rules, mine, [seen("left", 9.0), seen("seam", 1.0)], (), agreements, "top")
    assert (own.outcome, own.apart) == ("NG", "NG")
