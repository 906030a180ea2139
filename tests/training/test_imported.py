"""A foreign model says inside a bundle what it says by itself, or it does not get in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from okng.__main__ import cli
from okng.bus.errors import BadBundle, BadPicture, BadSettings
from okng.models import crop
from okng.models.box import Box
from okng.models.bundle import Bundle, open_bundle
from okng.models.detector import Detector
from okng.models.parity import require_golden
from okng.models.pictures import read, with_channels
from okng.tests.training import foreign_models as foreign
from okng.training.import_options import import_options
from okng.training.imported import Imported, import_model
from okng.training.wrapping import prepared

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES: dict[str, int | None] = {"scratch": None, "dent": None}
Get = Callable[..., tuple[Bundle, Imported]]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(7)
    for number in range(6):
        picture = rng.integers(0, 60 + 30 * number, (90, 120, 3)).astype(np.uint8)
        cv2.circle(picture, (20 + 15 * number, 40), 12, (250, 40 * number, 20), -1)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


@pytest.fixture
def get(tmp_path: Path, pictures: Path) -> Get:
    """Saves a model, imports it and opens the bundle."""

    def imported(made: onnx.ModelProto, adapter: str, **more: Any) -> tuple[Bundle, Imported]:
        path = tmp_path / "foreign.onnx"
        path.write_bytes(made.SerializeToString())
        asked = {} if adapter == "anomaly" else {"classes": CLASSES}
        options = import_options(**{"adapter": adapter, "name": "part", **asked, **more})
        done = import_model(path, pictures, tmp_path / "bundle", options)
        return open_bundle(tmp_path / "bundle", done.digest), done

    return imported


def itself(made: onnx.ModelProto, fed: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """The foreign model by ONNX Runtime alone, no code of ours."""
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input": fed}), strict=True))


def picture_of(pictures: Path, number: int = 3) -> npt.NDArray[np.uint8]:
    return read(pictures / f"{number}.png")


def cut_of(pictures: Path, size: tuple[int, int] = (64, 64), number: int = 3) -> npt.NDArray[np.uint8]:
    picture = picture_of(pictures, number)
    return crop.crop_and_resize(picture, Box(0, 0, 120, 90), size)


def nchw(cut: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(((cut / 255.0 - MEAN) / STD).transpose(0, 3, 1, 2), np.float32)


WHOLE = Box(0, 0, 120, 90)


def softmax(logits: npt.NDArray[Any], axis: int) -> npt.NDArray[np.float64]:
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("batch", [1, "batch"])
def test_a_classifier_scores_as_by_itself(batch: int | str, get: Get, pictures: Path) -> None:
    made = foreign.classifier(batch)
    bundle, done = get(made, "classification", mean=MEAN, std=STD, limits={"dent": 0.2}, budget_ms=500)
    wanted = softmax(itself(made, nchw(cut_of(pictures)))["linear"], 1)[0]
    found = Detector(bundle).find(picture_of(pictures), WHOLE)
    assert found.score == pytest.approx(max(wanted[1] / 0.5, wanted[2] / 0.2), rel=1e-4)
    assert {s.kind: s.score for s in found.spots} == pytest.approx({"scratch": wanted[1], "dent": wanted[2]}, rel=1e-4)
    assert (done.pictures, done.free, done.largest_difference < 1e-4) == (6, batch != 1, True)
    assert bundle.manifest.budget_ms == 500
    assert bundle.manifest.threshold.class_limits == {"scratch": 0.5, "dent": 0.2}
    assert len(bundle.golden) == 6
    assert Detector(bundle, batch=4).batch == (4 if done.free else 1)
    assert require_golden(Detector(bundle)).passed


def test_every_way_of_feeding_is_what_numpy_feeds(get: Get, tmp_path: Path, pictures: Path) -> None:
    """Blue first, 0..255, last axis channels, grey repeated: each changes the score, and each is right."""
    plain = foreign.classifier()
    turned = foreign.classifier()
    turned.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 64, 64, 3]))
    turned.graph.node.insert(0, helper.make_node("Transpose", ["input"], ["turned"], perm=[0, 3, 1, 2]))
    turned.graph.node[1].input[0] = "turned"
    half = foreign.classifier()
    half.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    half.graph.node.insert(0, helper.make_node("Cast", ["input"], ["wide"], to=TensorProto.FLOAT))
    half.graph.node[1].input[0] = "wide"
    cut = cut_of(pictures).astype(np.float64)
    grey = crop.crop_and_resize(with_channels(picture_of(pictures), 1), WHOLE, (64, 64))
    ways: list[tuple[onnx.ModelProto, dict[str, Any], npt.NDArray[Any]]] = [
        (plain, {"bgr": True, "mean": MEAN, "std": STD}, nchw(cut[..., ::-1])),
        (plain, {"scale": 1.0, "mean": (127.0,), "std": (128.0,)}, (cut.transpose(0, 3, 1, 2) - 127) / 128),
        (turned, {}, cut / 255),
        (plain, {"grey": True}, np.repeat(grey.transpose(0, 3, 1, 2) / 255, 3, axis=1)),
        (half, {}, cut.transpose(0, 3, 1, 2) / 255),
    ]
    scores = []
    for number, (made, options, fed) in enumerate(ways):
        fed = fed.astype(np.float16 if made is half else np.float32)
        wanted = softmax(itself(made, fed)["linear"], 1)[0]
        bundle, _ = get(made, "classification", replace=bool(number), **options)
        picture = picture_of(pictures)
        if options.get("grey"):
            picture = with_channels(picture, 1)
        scores.append(Detector(bundle).find(picture, WHOLE).score)
        assert scores[-1] == pytest.approx(max(wanted[1], wanted[2]) / 0.5, rel=1e-3), options
    assert len({round(score, 4) for score in scores[:4]}) == 4


def test_a_segmentation_keeps_its_peaks_when_brought_down(get: Get, pictures: Path) -> None:
    made = foreign.segmenter()
    bundle, done = get(made, "segmentation", size=(256, 192), mean=MEAN, std=STD)
    assert (bundle.manifest.output.columns, bundle.manifest.output.rows) == (128, 96)
    assert any("128x96 cells" in note for note in done.notes)
    logits = itself(made, nchw(cut_of(pictures, (192, 256))))["out"]
    wanted = softmax(logits, 1)[0, 1:]
    found = Detector(bundle).find(picture_of(pictures), WHOLE)
    assert found.score == pytest.approx(wanted.max() / 0.5, rel=1e-4)
    blocks = wanted.max(axis=0).reshape(96, 2, 128, 2).max(axis=(1, 3))
    assert found.heat == pytest.approx(blocks / 0.5, abs=1e-3)
    assert done.free


def test_an_anomaly_export_keeps_score_and_peaks(get: Get, pictures: Path) -> None:
    made = foreign.anomaly()
    bundle, done = get(made, "anomaly", threshold=0.4)
    out = bundle.manifest.output
    assert (out.rows, out.columns, out.clipped, bundle.manifest.threshold.value) == (50, 36, (0.0, 1.0), 0.4)
    fed = np.ascontiguousarray(cut_of(pictures, (100, 72)).transpose(0, 3, 1, 2) / 255, np.float32)
    ran = itself(made, fed)
    found = Detector(bundle).find(picture_of(pictures), WHOLE)
    assert found.score == pytest.approx(float(ran["pred_score"][0, 0]), abs=1e-4)
    assert found.heat == pytest.approx(ran["anomaly_map"][0, 0].reshape(50, 2, 36, 2).max(axis=(1, 3)), abs=1e-4)
    assert done.free
    # A very good part: the map is cut off at 0 everywhere.
    assert Detector(bundle).find(np.zeros((90, 120, 3), np.uint8), WHOLE).sound


def test_a_map_alone_scores_by_its_maximum(get: Get, pictures: Path) -> None:
    made = foreign.anomaly(score=False, names=("", "distance"))
    bundle, _ = get(made, "anomaly", outputs={"heat": "distance"})
    found = Detector(bundle).find(picture_of(pictures), WHOLE)
    assert found.score == pytest.approx(float(found.heat.max()))
    assert bundle.manifest.output.clipped is None


@pytest.mark.parametrize("layout", ["v8", "v5"])
def test_yolo_boxes_lie_where_they_did(layout: str, get: Get, pictures: Path) -> None:
    made = foreign.yolo(layout)
    bundle, _ = get(made, "yolo", mean=MEAN, std=STD)
    assert bundle.manifest.output.layout == layout
    raw = itself(made, nchw(cut_of(pictures)))["output0"][0].astype(np.float64)
    rows = raw.T if layout == "v8" else raw
    shares = rows[:, 4:] if layout == "v8" else rows[:, 4:5] * rows[:, 5:]
    found = Detector(bundle).find(picture_of(pictures), WHOLE)
    assert found.score == pytest.approx(shares.max() / 0.5, rel=1e-4)
    x, y, w, h = rows[shares.max(axis=1).argmax(), :4]
    best = found.spots[0].box
    assert best.x == pytest.approx(max(0.0, (x - w / 2) * 120 / 64), abs=1)
    assert best.y == pytest.approx(max(0.0, (y - h / 2) * 90 / 64), abs=1)


@pytest.mark.parametrize("names", [("boxes", "labels", "scores"), ("2745", "2746", "2747")])
def test_boxes_of_a_torchvision_detector(names: tuple[str, str, str], get: Get, pictures: Path) -> None:
    made = foreign.detector(names)
    bundle, done = get(made, "torchvision_detection", limits={"scratch": 0.9})
    fed = np.ascontiguousarray(cut_of(pictures)[0].transpose(2, 0, 1) / 255, np.float32)
    ran = itself(made, fed)
    assert 1 < len(ran[names[2]]) < 16
    ratios = ran[names[2]] / np.where(ran[names[1]] == 1, 0.9, 0.5)
    found = Detector(bundle).find(picture_of(pictures), WHOLE)
    assert found.score == pytest.approx(ratios.max(), rel=1e-4)
    assert sum(s.ratio > 1 for s in found.spots) == (ratios > 1).sum()
    assert not done.free


def test_labels_may_be_chosen_and_others_are_passed_over(get: Get, pictures: Path) -> None:
    bundle, _ = get(foreign.detector(), "torchvision_detection", classes={"chip": 2})
    kinds = {s.kind for s in Detector(bundle).find(picture_of(pictures), WHOLE).spots}
    assert kinds == {"chip"}


def test_weights_beside_the_model_are_brought_inside(get: Get, tmp_path: Path, pictures: Path) -> None:
    """torch writes `model.onnx.data` of its own accord; a bundle never reads a second file."""
    made = foreign.classifier()
    options = import_options(adapter="classification", name="part", classes=CLASSES)
    beside = tmp_path / "beside.onnx"
    onnx.save_model(made, str(beside), save_as_external_data=True, location="beside.onnx.data", size_threshold=0)
    assert b"beside.onnx.data" in beside.read_bytes()
    import_model(beside, pictures, tmp_path / "one", options)
    inside, _ = get(made, "classification")
    assert open_bundle(tmp_path / "one").model == inside.model
    (tmp_path / "beside.onnx.data").rename(tmp_path / "moved")
    with pytest.raises(BadBundle, match="keep the two files together"):
        import_model(beside, pictures, tmp_path / "two", options)


@pytest.mark.parametrize("place", ["/etc/passwd", "../secret", "sub/weights", ".."])
def test_weights_elsewhere_are_refused(place: str, tmp_path: Path, pictures: Path) -> None:
    made = foreign.classifier()
    (kernel,) = [tensor for tensor in made.graph.initializer if tensor.name == "kernel"]
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value=place)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    options = import_options(adapter="classification", name="part", classes=CLASSES)
    with pytest.raises(BadBundle, match="plain file beside"):
        import_model(tmp_path / "m.onnx", pictures, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_local_functions_and_unused_domains_are_made_plain(get: Get) -> None:
    body = [helper.make_node("Relu", ["x"], ["y"])]
    own = helper.make_function("torch_local", "keep", ["x"], ["y"], body, [helper.make_opsetid("", 17)])
    made = foreign.classifier(more_opsets=("ai.onnx.ml", "torch_local"), functions=(own,))
    made.graph.node.append(helper.make_node("keep", ["linear"], ["kept"], domain="torch_local"))
    made.graph.output[0].name = "kept"
    made.metadata_props.add(key="stack_trace", value="/home/someone/secret.py")
    made.graph.node[0].doc_string = "/home/someone/secret.py"
    bundle, _ = get(made, "classification")
    assert b"secret" not in bundle.model
    assert b"torch_local" not in bundle.model


def twice(made: onnx.ModelProto) -> onnx.ModelProto:
    made.graph.input.append(helper.make_tensor_value_info("size", TensorProto.FLOAT, [2]))
    made.graph.node.append(helper.make_node("Identity", ["size"], ["unused"]))
    return made


OPEN = foreign.model(
    [foreign.conv()], [("map", foreign.F, [1, 3, "h", "w"])], [foreign.convolution(3)], (1, 3, "h", "w")
)
MICROSOFT = foreign.classifier(more_opsets=("com.microsoft",))
MICROSOFT.graph.node.append(helper.make_node("Gelu", ["linear"], ["g"], domain="com.microsoft"))
ARGMAX = foreign.model(
    [foreign.conv(), helper.make_node("ArgMax", ["map"], ["best"], axis=1, keepdims=0)],
    [("best", foreign.I64, [1, 64, 64])],
    [foreign.convolution(3)],
)


@pytest.mark.parametrize(
    ("made", "adapter", "more", "told"),
    [
        (twice(foreign.classifier()), "classification", {}, "inputs input, size: expected one"),
        (MICROSOFT, "classification", {}, r"operators com\.microsoft\.Gelu"),
        (foreign.classifier(opset=9), "classification", {}, r"opset 9: expected 11\.\."),
        (foreign.model([], [], []), "classification", {}, "no operator"),
        (foreign.classifier(kind=TensorProto.INT8), "classification", {}, "is int8 .*: expected float pictures"),
        (foreign.classifier(), "classification", {"size": (96, 64)}, "takes 64x64, not 96x64"),
        (OPEN, "segmentation", {}, "say --size"),
        (foreign.classifier(), "classification", {"layout": "hwc"}, "layout hwc has 3 axes"),
        (foreign.classifier(), "classification", {"classes": {"a": 5}}, "has 3 channels: the classes need 6"),
        (foreign.segmenter(), "classification", {"size": (64, 64)}, r"'out' is \[1, 3, 64, 64\]: no classification"),
        (foreign.segmenter(opset=12), "segmentation", {"size": (64, 64)}, "opset 12: a segmentation needs 13"),
        (ARGMAX, "segmentation", {}, "expected confidences, not classes"),
        (foreign.classifier(), "yolo", {}, r"'linear' is \[1, 3\]: no yolo"),
        (foreign.yolo(), "torchvision_detection", {}, "which one is 'boxes' cannot be told"),
        (foreign.anomaly(score=False, names=("", "distance")), "anomaly", {}, "which one is 'heat' cannot be told"),
        (foreign.anomaly(), "anomaly", {"outputs": {"heat": "maps"}}, "none is called 'maps'"),
        (foreign.anomaly(), "anomaly", {"outputs": {"logits": "anomaly_map"}}, "adapter anomaly reads score, heat"),
        (foreign.anomaly(), "anomaly", {"outputs": {"score": "anomaly_map"}}, "stands for two"),
        (foreign.classifier(), "classification", {"activation": "none"}, "expected 0..1"),
        (foreign.yolo(), "yolo", {"yolo": "v5"}, "."),
    ],
)  # fmt: skip
def test_what_cannot_become_a_bundle_says_why(
    made: onnx.ModelProto, adapter: str, more: dict[str, Any], told: str, get: Get, tmp_path: Path
) -> None:
    with pytest.raises(BadBundle, match=told):
        get(made, adapter, **more)
    assert not (tmp_path / "bundle").exists()


def test_what_is_no_model_or_no_picture_is_told(tmp_path: Path, pictures: Path) -> None:
    options = import_options(adapter="classification", name="part", classes=CLASSES)
    (tmp_path / "text.onnx").write_bytes(b"not a model at all")
    for name, told in (("text.onnx", "not an ONNX model"), ("none.onnx", "cannot be read")):
        with pytest.raises(BadBundle, match=told):
            import_model(tmp_path / name, pictures, tmp_path / "out", options)
    (tmp_path / "good.onnx").write_bytes(foreign.classifier().SerializeToString())
    with pytest.raises(BadPicture, match="no such folder"):
        import_model(tmp_path / "good.onnx", tmp_path / "nothing", tmp_path / "out", options)


def test_a_graph_that_says_otherwise_inside_is_refused(
    get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison is what keeps a wrong wrapping out: the foreign model is fed 2 % brighter."""

    def brighter(*asked: Any) -> Any:
        return prepared(*asked) * np.float32(1.02)

    monkeypatch.setattr("okng.training.import_parity.prepared", brighter)
    with pytest.raises(BadBundle, match=r"0\.png: inside the bundle the model says score .* by itself"):
        get(foreign.classifier(), "classification")
    assert not (tmp_path / "bundle").exists()


def test_a_graph_that_is_wrong_for_several_pictures_takes_one(get: Get) -> None:
    """It says its first axis is open, but takes the largest number of all pictures together off."""
    made = foreign.classifier("batch")
    made.graph.node[2].CopyFrom(helper.make_node("ReduceMax", ["mean"], ["most"], keepdims=1))
    made.graph.node[3].CopyFrom(helper.make_node("Sub", ["mean", "most"], ["less"]))
    made.graph.node.append(helper.make_node("Flatten", ["less"], ["linear"]))
    bundle, done = get(made, "classification")
    assert not done.free
    assert Detector(bundle, batch=3).batch == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"adapter": "classification"}, "needs the names of its defects"),
        ({"adapter": "anomaly", "classes": {"dent": None}}, "has none"),
        ({"adapter": "magic"}, "adapter"),
        ({"adapter": "yolo", "classes": {"a": 1, "b": None}}, "number all of them"),
        ({"adapter": "yolo", "classes": {"a": 1}, "limits": {"b": 0.5}}, "b: no such class"),
        ({"adapter": "anomaly", "std": (0.0,)}, "above 0"),
        ({"adapter": "anomaly", "mean": (0.0, 1.0)}, "1 or 3"),
        ({"adapter": "anomaly", "size": (4, 4)}, "4x4"),
        ({"adapter": "anomaly", "surprise": 1}, "surprise"),
    ],
)
def test_wrong_options_are_named(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSettings, match=told):
        import_options(**{"name": "part", **asked})


def test_the_door_imports_and_the_report_says_how(tmp_path: Path, pictures: Path) -> None:
    path, out = tmp_path / "seg.onnx", tmp_path / "seg"
    path.write_bytes(foreign.segmenter().SerializeToString())
    asked = f"bundle import {path} --adapter segmentation --pictures {pictures} --out {out} --classes scratch=2,dent=1 "
    asked += "--limits dent=0.7 --areas scratch=20 --size 64x48 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --bgr"
    done = CliRunner().invoke(cli, asked.split(), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "6 pictures alike within" in done.output
    bundle = open_bundle(out)
    seen = bundle.manifest.output
    assert (seen.classes, seen.class_numbers, seen.area_limits_px) == (("scratch", "dent"), (2, 1), {"scratch": 20})
    assert bundle.manifest.threshold.class_limits == {"scratch": 0.5, "dent": 0.7}
    report = json.loads((out / "report.json").read_text())
    assert report["import"]["outputs"] == {"logits": "out"}
    assert report["parity"]["largest_difference"] <= report["parity"]["tolerance"]


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--size 64", "expected WIDTHxHEIGHT"),
        ("--limits dent", "expected NAME=VALUE"),
        ("--limits dent=high", "expected a number"),
        ("--classes dent,dent", "twice"),
        ("--classes dent=first", "channel or label"),
    ],
)
def test_the_door_names_what_was_mistyped(option: str, told: str, tmp_path: Path, pictures: Path) -> None:
    asked = f"bundle import {tmp_path}/m.onnx --adapter yolo --pictures {pictures} --out {tmp_path}/out {option}"
    with pytest.raises(BadSettings, match=told):
        CliRunner().invoke(cli, asked.split(), catch_exceptions=False)
