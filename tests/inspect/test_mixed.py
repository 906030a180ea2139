"""One recipe, several models and tools: one session for each bundle, figures in the verdict, and a model that fails."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from okng.bus.errors import BadBundle, BadRecipe, Fault
from okng.bus.part import Outcome, Verdict
from okng.inspect import models_at_hand
from okng.inspect.inspector import Inspector
from okng.inspect.models_at_hand import Models, proved
from okng.inspect.options import InspectOptions
from okng.inspect.recipe import read_recipe
from okng.models.bundle import Bundle, write_bundle
from okng.models.detector import Detector
from okng.plc_io.views import Views
from okng.tests.inspect.test_inspector import FLAW, HEIGHT, REGION, WIDTH, Bench, part
from okng.tests.models.conftest import contents, fields, graph
from okng.tests.models.test_detector_adapters import segmentation, share

CAMERA = {"width": WIDTH, "height": HEIGHT}
LINE = (60, 280, 120, 40)
"""Where the dark bar lies, 20 px broad."""


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.close()


def with_bar(breadth_px: int = 20, flaw: bool = False) -> Any:
    picture = part(flaw=flaw)
    picture[LINE[1] : LINE[1] + LINE[3], LINE[0] : LINE[0] + LINE[2]] = 150
    left = LINE[0] + 50
    picture[LINE[1] : LINE[1] + LINE[3], left : left + breadth_px] = 30
    return picture


WIDTH_TOOL = {"name": "bar", "kind": "caliper", "box": list(LINE), "low": 19.0, "high": 21.0, "lines": 4}


def test_a_tool_measures_beside_the_model(benches: list[Bench], tmp_path: Path) -> None:
    line = Bench(tmp_path, {"tools": [{**WIDTH_TOOL, "unit": "mm", "mm_per_px": 0.1, "low": 1.9, "high": 2.1}]})
    benches.append(line)
    good, broad, bad = line.judge(with_bar()), line.judge(with_bar(24)), line.judge(with_bar(flaw=True))
    assert good.outcome is Outcome.OK, good.reasons
    figures = {each.name: each for each in good.measures}
    assert figures
    assert all((each.camera, each.region, each.within) == ("top", "bar", True) for each in good.measures)
    worst = max(good.measures, key=lambda each: each.value)
    assert worst.value == pytest.approx(2.0, abs=0.06)
    assert worst.unit == "mm"
    assert broad.outcome is Outcome.NG
    assert all("mm outside 1.90..2.10 in bar" in reason for reason in broad.reasons), broad.reasons
    defect = broad.defects[0]
    assert (defect.region, defect.y, defect.h) == ("bar", 280, 40)
    assert abs(defect.x - 110) <= 2
    assert abs(defect.w - 24) <= 3
    assert bad.outcome is Outcome.NG
    assert all("in region bore" in reason for reason in bad.reasons)
    assert [each.within for each in bad.measures] == [each.within for each in good.measures]


def test_a_recipe_without_any_model_judges_by_its_tools(benches: list[Bench], tmp_path: Path) -> None:
    line = Bench(tmp_path, {"bundle": None, "regions": [], "tools": [WIDTH_TOOL]})
    benches.append(line)
    assert line.judge(with_bar()).outcome is Outcome.OK
    assert line.judge(with_bar(24)).outcome is Outcome.NG
    missing = line.judge(np.full((HEIGHT, WIDTH), 150, np.uint8))
    assert (missing.outcome, missing.reasons[0][:5]) == (Outcome.UNJUDGED, "bar: ")
    assert (line.inspector.provider, line.inspector.trouble, line.inspector.wait_ns()) == ("none", "", None)


def test_each_region_has_its_own_model_and_its_own_limit(benches: list[Bench], tmp_path: Path) -> None:
    lax = contents(graph(scale=0.5).SerializeToString(), scores={10: 5.0, 100: 50.0})
    write_bundle(tmp_path / "lax", lax, fields())
    dark = [20, 250, 64, 64]
    regions = [{"name": "bore", "box": list(REGION)}, {"name": "edge", "box": dark, "bundle": "lax"}]
    line = Bench(tmp_path, {"regions": regions})
    benches.append(line)
    good, flawed = part(), part()
    flawed[270:280, 40:50] = 250
    assert line.judge(good).outcome is Outcome.OK
    assert line.judge(flawed).outcome is Outcome.OK, "half the score: 125 is below 200"
    assert line.inspector.job.model not in {*line.inspector.models.digests.values()}
    strict = [regions[0], {**regions[1], "threshold": 100.0}]
    line = Bench(tmp_path, {"regions": strict})
    benches.append(line)
    verdict = line.judge(flawed)
    assert verdict.outcome is Outcome.NG
    assert verdict.reasons == ("score 125.00 above 100.00 in region edge",)


class Loader:
    """Loads detectors as inspect does, and counts them; those it makes can be broken."""

    def __init__(self) -> None:
        self.made: list[Detector] = []
        self.refuse = ""
        self.threads: set[str] = set()

    def __call__(self, bundle: Bundle, options: InspectOptions, batch: int) -> Detector:
        self.threads.add(threading.current_thread().name)
        if self.refuse:
            raise BadBundle(self.refuse)
        self.made.append(proved(bundle, options, batch))
        return self.made[-1]

    def break_it(self) -> None:
        """The next run of the newest detector fails, as when a GPU falls off the bus."""

        def run(outputs: Any, feeds: Any) -> Any:
            session.failures += 1
            raise RuntimeError("device lost")

        session = self.made[-1]._session
        session.run = run  # type: ignore[method-assign]


def test_regions_of_one_bundle_share_one_session(tmp_path: Path) -> None:
    for name in ("one", "copy"):
        write_bundle(tmp_path / name, contents(graph().SerializeToString()), fields())
    write_bundle(tmp_path / "two", contents(graph().SerializeToString()), fields(version="2.0.0"))
    regions = [{"name": n, "bundle": b} for n, b in (("a", "one"), ("b", "copy"), ("c", "two"), ("d", "one"))]
    (tmp_path / "r.yaml").write_text(
        yaml.safe_dump({"name": "r", "deadline_ms": 99, "camera": CAMERA, "regions": regions})
    )
    loader = Loader()
    models = Models(read_recipe(tmp_path / "r.yaml"), InspectOptions(), loader)
    assert len(loader.made) == 2
    assert len(set(models.digests.values())) == 2
    models.close()


def test_every_bundle_is_proved_before_the_job_is_ready(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one", contents(graph().SerializeToString()), fields())
    write_bundle(tmp_path / "two", contents(graph().SerializeToString(), scores={10: 11.0, 100: 100.0}), fields())
    regions = [{"name": "a", "bundle": "one"}, {"name": "b", "bundle": "two"}]
    recipe = {"name": "r", "deadline_ms": 99, "camera": CAMERA, "regions": regions}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(BadBundle, match="two: golden pictures score otherwise"):
        Inspector(1, read_recipe(tmp_path / "r.yaml"), InspectOptions(), ("top",), tmp_path)


def test_a_limit_for_a_class_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=r"recipe\.yaml: regions: bore: limits: scratch"):
        Bench(tmp_path, {"regions": [{"name": "bore", "limits": {"scratch": 0.5}}]})


def test_a_mean_needs_limits_above_nothing(tmp_path: Path) -> None:
    agreements = [{"name": "weld", "regions": ["bore"], "ng_when": "mean"}]
    with pytest.raises(BadRecipe, match="expected a limit above 0, region bore has -1"):
        Bench(tmp_path, {"regions": [{"name": "bore", "threshold": -1.0}], "agreements": agreements})


def until(line: Bench, done: Any) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        line.inspector.turn()
        time.sleep(0.01)


def test_a_model_that_fails_costs_its_part_and_is_loaded_again(
    benches: list[Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader()
    monkeypatch.setattr(models_at_hand.Models.__init__, "__defaults__", (loader,))
    line = Bench(tmp_path, {})
    benches.append(line)
    assert line.judge(part()).outcome is Outcome.OK
    loader.break_it()
    failed = line.judge(part())
    assert (failed.outcome, failed.reasons) == (
        Outcome.UNJUDGED,
        ("the model did not run: device lost in region bore",),
    )
    assert "device lost" in line.inspector.trouble
    until(line, lambda: not line.inspector.trouble)
    assert line.judge(part()).outcome is Outcome.OK
    assert line.judge(part(flaw=True)).outcome is Outcome.NG
    assert loader.threads == {"MainThread", "rebuild"}

    loader.break_it()
    loader.refuse = "the bundle is gone"
    monkeypatch.setattr("okng.models.keeper._FIRST_WAIT_S", 0.01)
    line.judge(part())
    assert line.judge(part()).outcome is Outcome.UNJUDGED
    with pytest.raises(Fault, match="the bundle is gone"):
        until(line, lambda: False)
    line.inspector.close()


def test_two_cameras_vote_and_the_part_passes_when_only_one_objects(benches: list[Bench], tmp_path: Path) -> None:
    more = {
        "regions": [{"name": "bore", "box": list(REGION)}],
        "agreements": [{"name": "bore", "regions": ["bore"], "ng_when": 2}],
    }
    lines = {}
    for camera in ("top", "side"):
        lines[camera] = Bench(tmp_path, more, camera=camera, cameras=("top", "side"))
        benches.append(lines[camera])
    (agreement,) = lines["top"].inspector.job.agreements
    assert lines["top"].inspector.job == lines["side"].inspector.job
    assert agreement.members == ("top/bore", "side/bore")

    def part_of(top: bool, side: bool) -> Verdict | None:
        views, found = Views(("top", "side"), lines["top"].inspector.job.agreements), None
        for camera, flaw in (("top", top), ("side", side)):
            assert found is None
            found = views.add(lines[camera].judge(part(flaw=flaw)))
        return found

    both, one, none = part_of(True, True), part_of(True, False), part_of(False, False)
    assert both is not None
    assert one is not None
    assert none is not None
    assert (both.outcome, one.outcome, none.outcome) == (Outcome.NG, Outcome.OK, Outcome.OK)
    assert both.reasons[0] == "2 of 2 views object to bore, limit 2"
    assert [(each.name, each.value) for each in one.measures] == [("objections", 1.0)]


def test_a_model_that_knows_classes_is_judged_by_the_regions_limits(benches: list[Bench], tmp_path: Path) -> None:
    levels = (10, 100, 250)
    output = {"adapter": "segmentation", "logits": "logits", "rows": 4, "columns": 4, "classes": ["bright"]}
    threshold = {**fields()["threshold"], "value": 1.0, "class_limits": {"bright": 0.95}}
    files = contents(segmentation().SerializeToString())
    golden = {f"{level}.png": {"score": share(level) / 0.95, "ok": share(level) <= 0.95} for level in levels}
    files["golden/expected.json"] = json.dumps({"tolerance": 1e-3, "pictures": golden}).encode()
    write_bundle(tmp_path / "classes", files, fields(output=output, threshold=threshold))
    region = {"name": "bore", "box": list(REGION), "bundle": "classes"}
    strict = Bench(tmp_path, {"regions": [region]})
    benches.append(strict)
    bad = strict.judge(part(flaw=True))
    assert (bad.outcome, bad.reasons) == (Outcome.NG, ("bright 0.99 above 0.95 in region bore",))
    (defect,) = bad.defects
    assert (defect.kind, defect.region) == ("bright", "bore")
    assert defect.x <= FLAW[0] <= defect.x + defect.w
    assert defect.y <= FLAW[1] <= defect.y + defect.h
    assert strict.judge(part()).outcome is Outcome.OK
    lax = Bench(tmp_path, {"regions": [{**region, "limits": {"bright": 0.999}}]})
    benches.append(lax)
    assert lax.judge(part(flaw=True)).outcome is Outcome.OK
    assert lax.inspector.job.model == bad.model
    assert lax.inspector.job.revision != bad.revision
