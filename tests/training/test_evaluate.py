"""Figures of labelled pictures; and of the real sets, where they are."""

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from okng.appliance.evaluate_door import evaluate as door
from okng.bus.errors import BadData, BadPicture
from okng.models import crop
from okng.models.box import Box
from okng.models.bundle import Bundle, open_bundle, write_bundle
from okng.models.findings import Findings, Spot
from okng.models.pictures import encode_png, read
from okng.training.confusion import confusion
from okng.training.data.shapes import write_mask
from okng.training.data.sources import SourceOptions
from okng.training.evaluate import Scored, _called, _hits, evaluate, summarise
from okng.training.evaluation import cautions, evaluation, taught_from
from okng.training.examine import examine
from okng.training.hits import Hits
from okng.training.labelled import labelled
from okng.training.options import TeachOptions
from okng.training.rates import Scores
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
Write = Callable[..., list[Path]]


def scored(label: str, *scores: float, lot: str | None = None, called: str = "") -> list[Scored]:
    return [Scored(Path("x"), label, score, 1, lot=lot, called=called) for score in scores]


@pytest.fixture
def mvtec(write_plates: Write, tmp_path: Path) -> Path:
    """Twelve good plates and eight scratched ones, with masks of exactly the pixels that differ."""
    root = tmp_path / "plates"
    write_plates(root / "train" / "good", range(3))
    write_plates(root / "test" / "good", range(1000, 1012))
    scratched = write_plates(root / "test" / "scratch", range(2000, 2008), defect="scratch")
    whole = write_plates(tmp_path / "whole", range(2000, 2008))
    masks = root / "ground_truth" / "scratch"
    masks.mkdir(parents=True)
    for path, bare in zip(scratched, whole, strict=True):
        differs = np.not_equal(read(path), read(bare))
        write_mask(masks / f"{path.stem}_mask.png", differs)
    return root


def test_rates_are_counted_at_the_threshold() -> None:
    parts = [*scored("good", 1, 2, 5), *scored("crack", 5, 6), *scored("pit", 2, 9, math.inf)]
    metrics = summarise(parts, 5.0)
    assert (metrics.escape.events, metrics.escape.n) == (2, 5)
    assert (metrics.overkill.events, metrics.overkill.n) == (0, 3)
    assert metrics.overkill.high == pytest.approx(1 - 0.025 ** (1 / 3))
    assert metrics.escape_by_class["crack"].rate == 0.5
    assert metrics.escape_by_class["pit"].rate == pytest.approx(1 / 3)
    assert metrics.auroc == pytest.approx((2.5 + 3 + 1.5 + 3) / 12)
    assert metrics.auroc_low < metrics.auroc < metrics.auroc_high
    assert metrics.by_class["crack"].auroc == pytest.approx(5.5 / 6)
    assert metrics.by_class["pit"].lowest == 2
    assert metrics.unjudged == 1


def test_an_unjudged_good_is_overkill_and_never_an_escape() -> None:
    metrics = summarise([*scored("good", math.inf), *scored("bad", math.inf)], 5.0)
    assert metrics.overkill.rate == 1.0
    assert metrics.escape.rate == 0.0
    assert math.isnan(metrics.auroc)
    assert metrics.unjudged == 2


def test_each_lot_has_its_own_rates() -> None:
    parts = [*scored("good", 1, 6, lot="a"), *scored("good", 1, lot="b"), *scored("pit", 2, 9, lot="b")]
    lots = summarise(parts, 5.0).by_lot
    assert lots["a"].overkill.rate == 0.5
    assert lots["a"].escape.n == 0
    assert lots["b"].escape.rate == 0.5
    assert summarise(scored("good", 1.0), 5.0).by_lot == {}


def test_other_thresholds_by_trying_all() -> None:
    rng = random.Random(3)
    goods = [round(rng.gauss(2, 1), 1) for _ in range(40)] + [math.inf]
    bad = [round(rng.gauss(4, 1.5), 1) for _ in range(30)] + [math.inf]
    scores = Scores(goods, bad)
    tried = [at / 20 for at in range(-60, 400)]
    for most in (0.0, 0.01, 0.05, 0.2, 0.5):
        fits = [at for at in tried if sum(score <= at for score in bad) <= most * len(bad)]
        found = scores.for_escape(most)
        assert found is not None
        assert found.escape.rate <= most
        assert found.overkill.rate == pytest.approx(sum(score > max(fits) for score in goods) / len(goods))
    for most in (0.05, 0.2, 0.5):
        fits = [at for at in tried if sum(score > at for score in goods) <= most * len(goods)]
        found = scores.for_overkill(most)
        assert found is not None
        assert found.overkill.rate <= most
        assert found.escape.rate == pytest.approx(sum(score <= min(fits) for score in bad) / len(bad))
    assert scores.for_overkill(0.0) is None  # one good part is unjudged: no threshold mends that
    curve = scores.curve()
    assert curve[0][1:] == (0.0, 1.0)
    assert list(curve[-1][1:]) == pytest.approx([30 / 31, 1 / 41])
    assert [at for at, _, _ in curve] == sorted(at for at, _, _ in curve)


def test_one_kind_alone_has_no_operating_curve() -> None:
    assert Scores([1.0, 2.0], []).curve() == []
    assert Scores([1.0, 2.0], []).for_escape(0.1) is None
    assert Scores([], [1.0]).for_overkill(0.1) is None
    assert Scores([1.0], [math.inf]).for_escape(0.0).threshold == 1.0  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="NaN"):
        Scores([math.nan], [])


def test_who_was_called_what() -> None:
    pairs = [("good", "good")] * 3 + [("pit", "pit"), ("pit", "good"), ("pit", "crack"), ("good", "unjudged")]
    seen = confusion(pairs)
    assert seen.labels == ("good", "pit", "crack", "unjudged")
    assert seen.counts == ((3, 0, 0, 1), (1, 1, 1, 0), (0, 0, 0, 0), (0, 0, 0, 0))
    pit = {one.label: one for one in seen.classes}["pit"]
    assert (pit.recall.events, pit.recall.n) == (1, 3)
    assert (pit.precision.events, pit.precision.n) == (1, 1)


def test_a_folder_without_labelled_pictures_is_refused(taught: TeachReport, tmp_path: Path) -> None:
    bundle = open_bundle(taught.bundle)
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(BadData, match=folder.name):
            evaluate(bundle, folder)
    with pytest.raises(BadPicture, match="no labelled pictures"):
        evaluate(bundle, [])


def test_masks_say_where_the_model_should_have_looked(taught: TeachReport, mvtec: Path) -> None:
    metrics = evaluate(open_bundle(taught.bundle), mvtec)
    assert (metrics.overkill.n, metrics.escape.n) == (12, 8)  # the test side alone
    assert metrics.pixels is not None
    assert metrics.pixels.pictures == 20
    assert metrics.pixels.auroc > 0.9
    assert metrics.pixels.aupro[0.3] > 0.6
    assert metrics.places is not None
    assert metrics.places.found.n == metrics.pixels.regions >= 8
    assert metrics.places.pictures == 20
    assert metrics.not_drawn == metrics.outside == 0


def test_the_test_folder_itself_finds_its_masks(mvtec: Path) -> None:
    whole, side = labelled(mvtec), labelled(mvtec / "test")
    assert [sample.sha256 for sample in whole.samples] == [sample.sha256 for sample in side.samples]
    assert sum(sample.drawn for sample in side.samples) == 8
    assert {sample.split for sample in labelled(mvtec / "train").samples} == {"train"}


def test_a_defect_outside_the_region_counts_for_escape_alone(taught: TeachReport, mvtec: Path) -> None:
    metrics = evaluate(open_bundle(taught.bundle), mvtec, region=Box(64, 64, 32, 32))
    assert metrics.outside >= 6
    assert metrics.escape.n == 8
    assert metrics.places is None or metrics.places.found.n <= 2
    with pytest.raises(BadPicture, match="not inside"):
        evaluate(open_bundle(taught.bundle), mvtec, region=Box(64, 64, 64, 64))


def test_goods_it_was_taught_from_are_called_that(taught: TeachReport, goods: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "good").symlink_to(goods)
    data = labelled(tmp_path / "set")
    bundle = open_bundle(taught.bundle)
    metrics = evaluate(bundle, data)
    said = cautions(metrics, bundle, data)
    assert "no_defects" in said
    assert "taught_pictures" in said
    assert taught_from(bundle, data) == 40
    assert taught_from(bundle, data.with_samples(data.samples[1:])) == 39
    plain = replace(bundle, lesson=None)  # then the manifest names them only as a whole
    assert taught_from(plain, data) == 40
    assert taught_from(plain, data.with_samples(data.samples[1:])) == 0
    assert "taught_pictures" not in cautions(metrics, replace(plain), data.with_samples(data.samples[1:]))


def test_more_overkill_than_promised_is_said(taught: TeachReport, mvtec: Path) -> None:
    bundle, data = open_bundle(taught.bundle), labelled(mvtec)
    worse = summarise([*scored("good", *[1e6] * 40), *scored("scratch", *[1e6] * 40)], taught.threshold)
    assert "more_overkill_than_promised" in cautions(worse, bundle, data)
    assert "more_overkill_than_promised" not in cautions(evaluate(bundle, data), bundle, data)


def test_an_evaluation_is_strict_json_with_every_figure(taught: TeachReport, mvtec: Path) -> None:
    phases = []
    source = SourceOptions(lot_from=r"(\d\d)\.png$")
    made = examine(taught.bundle, mvtec, source=source, page=False, progress=lambda phase, _: phases.append(phase))
    assert made.html == b""
    assert set(phases) == {"pictures", "scores"}
    found = json.loads(made.json, parse_constant=pytest.fail)
    assert found == made.figures
    assert found["bundle"]["digest"] == taught.digest
    assert found["data"]["goods"] == 12
    assert found["escape"]["n"] == 8
    assert len(found["scores"]["good"]) == 12
    assert found["latency_ms"]["n"] == 20
    assert 0 < found["latency_ms"]["min"] <= found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert found["operating"]["note"] == "read off these very pictures, not a promise"
    assert {claim["rate"] for claim in found["claims"]["escape"]} == {0.05, 0.02, 0.01, 0.005}
    assert len(found["lots"]) == 12  # the goods' numbers end in 00..11, the scratched ones' in 00..07
    assert found["machine"]["provider"] == "CPUExecutionProvider"


def test_further_bundles_tell_the_spread(
    taught: TeachReport, goods: Path, mvtec: Path, quick: TeachOptions, tmp_path: Path
) -> None:
    other = teach(goods, tmp_path / "other", quick.model_copy(update={"seed": 5}))
    made = examine(taught.bundle, mvtec, also=[other.bundle])
    seen = made.figures["stability"]
    assert [one["seed"] for one in seen["bundles"]] == [0, 5]
    assert seen["figures"]["auroc"]["values"][0] == made.figures["image"]["auroc"]
    low, high = sorted(seen["figures"]["aupro_0.3"]["values"])
    assert seen["figures"]["aupro_0.3"]["mean"] == pytest.approx((low + high) / 2)
    assert seen["figures"]["aupro_0.3"]["spread"] == pytest.approx((high - low) / 2**0.5)
    assert b"Over 2 bundles on the same pictures" in made.html
    assert examine(taught.bundle, mvtec, page=False).figures["stability"] is None


def test_the_digest_of_the_pictures_is_of_labels_and_contents(taught: TeachReport, mvtec: Path) -> None:
    bundle = open_bundle(taught.bundle)

    def digest() -> str:
        data = labelled(mvtec)
        return str(evaluation(evaluate(bundle, data), bundle, data, {}, None)["data"]["sha256"])

    first = digest()
    assert digest() == first
    (mvtec / "test" / "good" / "1000.png").rename(mvtec / "test" / "good" / "0999.png")
    assert digest() != first


def classifier(folder: Path) -> Bundle:
    """Calls a picture `bright` when its mean is above 128."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["mean", "middle"], ["above"]),
        helper.make_node("Reshape", ["above", "column"], ["bright"]),
        helper.make_node("Mul", ["bright", "nothing"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"], ["logits"], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.array(128.0, np.float32), "middle"),
        numpy_helper.from_array(np.array(0.0, np.float32), "nothing"),
        numpy_helper.from_array(np.array([1, 1], np.int64), "column"),
    ]
    body = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, 32, 32, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])],
        constants,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    golden = {"golden/dark.png": encode_png(np.zeros((32, 32), np.uint8))}
    expected = {"tolerance": 1e-3, "pictures": {"dark.png": {"score": 0.0, "ok": True}}}
    fields = {
        "name": "bright",
        "version": "1.0.0",
        "created_at": "2026-11-23T08:00:00Z",
        "input": {"name": "picture", "width": 32, "height": 32, "channels": 1, "crop": crop.METHOD},
        "output": {"adapter": "classification", "logits": "logits", "classes": ["bright"], "rows": 4, "columns": 4},
        "threshold": {
            "value": 1.0,
            "method": "by hand",
            "overkill_percent": 0.0,
            "overkill_low_percent": 0.0,
            "overkill_high_percent": 100.0,
            "goods": 0,
        },
        "opset": 17,
    }
    content = {"model.onnx": model.SerializeToString(), "report.json": b"{}", **golden}
    content["golden/expected.json"] = json.dumps(expected).encode()
    write_bundle(folder, content, fields)
    return open_bundle(folder)


def test_a_model_that_knows_classes_has_a_confusion_and_points_nowhere(tmp_path: Path) -> None:
    for label, levels in (("good", (10, 90, 200)), ("bright", (180, 190, 30)), ("pit", (250,))):
        (tmp_path / "set" / label).mkdir(parents=True)
        for level in levels:
            picture = np.full((40, 40), level, np.uint8)
            (tmp_path / "set" / label / f"{level}.png").write_bytes(encode_png(picture))
    metrics = evaluate(classifier(tmp_path / "bundle"), tmp_path / "set")
    assert metrics.confusion is not None
    counts = dict(zip(metrics.confusion.labels, metrics.confusion.counts, strict=True))
    assert metrics.confusion.labels == ("bright", "good", "pit")
    assert counts == {"bright": (2, 1, 0), "good": (1, 2, 0), "pit": (1, 0, 0)}
    assert (metrics.escape.events, metrics.overkill.events) == (1, 1)
    assert metrics.pixels is None
    assert metrics.places is None


def test_a_model_that_names_boxes_is_held_to_its_boxes(tmp_path: Path) -> None:
    bundle = classifier(tmp_path / "bundle")
    boxes = bundle.manifest.output.model_copy(update={"adapter": "yolo"})
    bundle = replace(bundle, manifest=bundle.manifest.model_copy(update={"output": boxes}))
    region, known = Box(10, 10, 40, 40), np.zeros((40, 40), bool)
    known[5:15, 5:15] = True
    spots = (
        Spot("pit", Box(15, 15, 10, 10), 0.9, 0.5),
        Spot("crack", Box(40, 40, 5, 5), 0.8, 0.2),
        Spot("pit", Box(30, 15, 5, 5), 0.4, 0.5),  # below its limit: not named
        Spot("pit", Box(0, 0, 9, 9), 0.9, 0.5),  # outside the region
    )
    findings = Findings(region, 4.0, np.zeros((4, 4), np.float32), "0" * 64, 1, spots=spots)
    assert _called(findings, bundle) == "crack"  # furthest above its own limit
    assert _hits(findings, known, bundle) == Hits(defects=1, found=1, false_places=1, boxes_found=1)
    assert _called(replace(findings, score=0.8), bundle) == "good"
    assert _called(replace(findings, score=math.inf, trouble="NaN"), bundle) == "unjudged"


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_boxes_without_masks_count_for_places_and_not_for_pixels(
    taught: TeachReport, kind: str, tmp_path: Path, write_plates: Write
) -> None:
    (good,) = write_plates(tmp_path / "images", range(1000, 1001))
    (bad,) = write_plates(tmp_path / "images", range(2000, 2001), defect="scratch")
    if kind == "coco":
        coco = {
            "images": [
                {"id": 1, "file_name": good.name, "width": 96, "height": 96},
                {"id": 2, "file_name": bad.name, "width": 96, "height": 96},
            ],
            "categories": [{"id": 1, "name": "scratch"}],
            "annotations": [{"id": 1, "image_id": 2, "category_id": 1, "bbox": [4, 4, 60, 80]}],
        }
        place = tmp_path / "coco.json"
        place.write_text(json.dumps(coco))
        metrics = evaluate(open_bundle(taught.bundle), labelled(place, SourceOptions(pictures=tmp_path / "images")))
    else:
        (tmp_path / "labels").mkdir()
        (tmp_path / "labels" / f"{good.stem}.txt").write_text("")
        (tmp_path / "labels" / f"{bad.stem}.txt").write_text("0 0.35 0.45 0.6 0.8\n")
        (tmp_path / "data.yaml").write_text("path: .\ntest: images\nnames: [scratch]\n")
        metrics = evaluate(open_bundle(taught.bundle), tmp_path)
    assert (metrics.escape.n, metrics.overkill.n) == (1, 1)
    assert metrics.places is not None
    assert metrics.places.found.n == 1
    assert metrics.pixels is None
    assert metrics.not_drawn == 1


def test_the_door_prints_a_table_and_writes_page_and_json(taught: TeachReport, mvtec: Path, tmp_path: Path) -> None:
    asked = [str(taught.bundle), str(mvtec), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(door, asked)
    assert done.exit_code == 0, done.output
    assert "image AUROC" in done.stdout
    assert "scratch" in done.stdout
    found = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert f"{found['image']['auroc']:.4f}" in done.stdout
    assert b"</html>" in (tmp_path / "out" / "report.html").read_bytes()
    printed = CliRunner().invoke(door, [str(taught.bundle), str(mvtec), "--json", "--region", "0,0,90,80"])
    assert json.loads(printed.stdout)["data"]["region"] == [0, 0, 90, 80]


@pytest.mark.parametrize("region", ["1,2,3", "a,b,c,d", "0,0,0,5", "-1,0,5,5"])
def test_a_region_that_is_none_is_refused(region: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(door, [str(tmp_path), str(tmp_path), "--region", region])
    assert done.exit_code == 2
    assert "expected x,y,w,h" in done.output


@pytest.mark.data
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("product", "least"), [("magnetic_tile", 0.90), ("mvtec_bottle", 0.995)])
def test_real_pictures(product: str, least: float, tmp_path: Path) -> None:
    if not (DATA / product / "train" / "good").is_dir():
        pytest.skip(f"{DATA / product} is not there")
    options = TeachOptions(name=product, overkill_percent=5.0)
    report = teach(DATA / product / "train" / "good", tmp_path / product, options)
    metrics = evaluate(open_bundle(report.bundle), DATA / product / "test")
    assert metrics.auroc >= least
    assert metrics.unjudged == 0
    assert metrics.overkill.low <= report.overkill_high
    if product == "magnetic_tile":
        assert metrics.pixels is not None
        assert metrics.pixels.aupro[0.3] >= 0.68
