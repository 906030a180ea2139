"""The detector with every kind of output: limits of the bundle and of the recipe, features, several regions a run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from okng.bus.errors import BadBundle, BadSettings
from okng.models.box import Box
from okng.models.bundle import Bundle
from okng.models.detector import Detector

MakeBundle = Callable[..., Bundle]
SIDE = 32
CLASSES = {"adapter": "segmentation", "logits": "logits", "rows": 4, "columns": 4, "classes": ["bright"]}


def model(nodes: list[Any], outputs: list[Any], batch: int | str = "n", weights: list[Any] | None = None) -> Any:
    """A graph on `float`, the picture as float32 [n, 1, 32, 32] in 0..1."""
    shape = [batch, SIDE, SIDE, 1]
    front = [
        helper.make_node("Cast", ["picture"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["cast"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["turned", "full"], ["float"]),
    ]
    kept = [numpy_helper.from_array(np.array(255, np.float32), "full"), *(weights or [])]
    graph = helper.make_graph(
        [*front, *nodes],
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(name, kind, size) for name, kind, size in outputs],
        kept,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    return made


def segmentation(batch: int | str = "n") -> Any:
    """Logits of background 0 and of `bright` 10 x - 5, x the brightest pixel of each 8x8 cell; features: the mean."""
    nodes = [
        helper.make_node("MaxPool", ["float"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Mul", ["cells", "ten"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "five"], ["bright"]),
        helper.make_node("Mul", ["cells", "zero"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"], ["logits"], axis=1),
        helper.make_node("ReduceMean", ["float"], ["features"], axes=[2, 3], keepdims=0),
    ]
    weights = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in (("ten", 10), ("five", 5), ("zero", 0))
    ]
    outputs = [("logits", TensorProto.FLOAT, [batch, 2, 4, 4]), ("features", TensorProto.FLOAT, [batch, 1])]
    return model(nodes, outputs, batch, weights)


def picture(level: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    made = np.zeros((64, 64), np.uint8)
    made[2:4, 58:60] = level
    return made


def share(level: int) -> float:
    return float(1 / (1 + np.exp(-(10 * level / 255 - 5))))


WHOLE = Box(0, 0, 64, 64)


def test_limits_are_the_bundles_or_the_recipes(make_bundle: MakeBundle, tiny: Any) -> None:
    threshold = {**tiny.fields()["threshold"], "value": 1.0, "class_limits": {"bright": 0.8}}
    detector = Detector(make_bundle(segmentation(), output=CLASSES, threshold=threshold))
    found = detector.find(picture(200), WHOLE)
    assert found.sound
    assert found.score == pytest.approx(share(200) / 0.8, rel=1e-5)
    (spot,) = found.spots
    assert (spot.kind, spot.box, spot.limit) == ("bright", Box(48, 0, 16, 16), 0.8)
    assert detector.find(picture(200), WHOLE, {"bright": 0.95}).score == pytest.approx(share(200) / 0.95, rel=1e-5)
    # One cell is 16x16 px of the picture: an area of more is not there.
    assert detector.find(picture(200), WHOLE, {"bright.area_px": 256}).score == pytest.approx(found.score)
    assert detector.find(picture(200), WHOLE, {"bright.area_px": 257}).score < 0.1


def test_limits_of_what_the_bundle_does_not_know_are_refused(make_bundle: MakeBundle) -> None:
    detector = Detector(make_bundle(segmentation(), output=CLASSES))
    detector.check_limits({"bright": 0.2, "bright.area_px": 0})
    for limits, told in (
        ({"dull": 0.2}, "dull: the bundle knows bright"),
        ({"bright": 0.0}, "above 0"),
        ({"bright": float("nan")}, "above 0"),
    ):
        with pytest.raises(BadSettings, match=told):
            detector.check_limits(limits)
    with pytest.raises(BadSettings, match="no classes"):
        Detector(make_bundle()).check_limits({"bright": 0.5})


def test_features_travel_with_the_findings(make_bundle: MakeBundle) -> None:
    detector = Detector(make_bundle(segmentation(), output={**CLASSES, "features": "features"}))
    found = detector.find_cut(np.full((1, SIDE, SIDE, 1), 51, np.uint8))
    assert found.features is not None
    assert found.features.tolist() == [pytest.approx(0.2)]
    assert Detector(make_bundle(segmentation(), output=CLASSES)).find(picture(3), WHOLE).features is None


@pytest.mark.parametrize(("axis", "batch", "runs"), [("n", 3, 2), ("n", 1, 5), (1, 3, 5)])
def test_several_regions_are_what_each_alone_is(
    axis: int | str, batch: int, runs: int, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Detector(make_bundle(segmentation(axis), output={**CLASSES, "features": "features"}), batch=batch)
    assert detector.batch == (batch if axis == "n" else 1)
    asked = [
        (picture(level), Box(0, 0, side, side)) for level, side in ((9, 64), (90, 64), (200, 62), (120, 63), (33, 64))
    ]
    limits = [None, {"bright": 0.3}, None, {"bright": 0.9}, None]
    alone = [detector.find(*each, limit) for each, limit in zip(asked, limits, strict=True)]
    count = 0
    for session in {detector._session, detector._many or detector._session}:

        def run(outputs: Any, feeds: Any, real: Any = session.run) -> Any:
            nonlocal count
            count += 1
            return real(outputs, feeds)

        monkeypatch.setattr(session, "run", run)
    together = detector.find_many(asked, limits)
    assert count == runs
    assert [f.score for f in together] == pytest.approx([f.score for f in alone], rel=1e-6)
    assert [f.region for f in together] == [box for _, box in asked]
    assert [[s.box for s in f.spots] for f in together] == [[s.box for s in f.spots] for f in alone]
    assert [f.features.tolist() for f in together if f.features is not None] == [
        pytest.approx(f.features.tolist()) for f in alone if f.features is not None
    ]
    assert all(f.took_ns > 0 for f in together)
    assert detector.find_many([]) == []


def test_a_run_of_several_that_fails_makes_all_of_them_unsound(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Detector(make_bundle(segmentation(), output=CLASSES), batch=2)

    def fail(outputs: object, feeds: object) -> None:
        raise RuntimeError("device lost")

    monkeypatch.setattr(detector._many, "run", fail)
    found = detector.find_many([(picture(9), WHOLE)] * 3)
    assert [f.sound for f in found] == [False, False, True]  # the third went alone, by the other session


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ({**CLASSES, "rows": 8}, r"'logits' is float32 .*: the manifest says float32 \[1, 'any', 8, 4\]"),
        ({**CLASSES, "classes": ["bright", "dull"]}, "need 3 along axis 1"),
        ({**CLASSES, "features": "seen"}, "'seen' is missing"),
        ({**CLASSES, "adapter": "classification"}, r"\[1, 'any'\]"),
        ({**CLASSES, "adapter": "yolo", "predictions": "logits"}, r"\[1, 'any', 'any'\]"),
    ],
)
def test_a_graph_that_gives_other_than_its_adapter_reads_is_refused(
    output: dict[str, Any], told: str, make_bundle: MakeBundle
) -> None:
    with pytest.raises(BadBundle, match=told):
        Detector(make_bundle(segmentation(), output=output))


def test_boxes_of_a_graph_are_read_through_the_whole_detector(make_bundle: MakeBundle) -> None:
    """The one box is there when anything is bright: NonZero gives as many rows as there are such pixels."""
    nodes = [
        helper.make_node("ReduceMax", ["float"], ["brightest"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["brightest", "one"], ["each"]),
        helper.make_node("Greater", ["each", "half"], ["bright"]),
        helper.make_node("Compress", ["all_boxes", "bright"], ["boxes"], axis=0),
        helper.make_node("Compress", ["all_labels", "bright"], ["labels"], axis=0),
        helper.make_node("Compress", ["each", "bright"], ["scores"], axis=0),
    ]
    weights = [
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array([0.5], np.float32), "half"),
        numpy_helper.from_array(np.array([[0, 0, 16, 8]], np.float32), "all_boxes"),
        numpy_helper.from_array(np.array([1], np.int64), "all_labels"),
    ]
    outputs = [
        ("boxes", TensorProto.FLOAT, ["k", 4]),
        ("labels", TensorProto.INT64, ["k"]),
        ("scores", TensorProto.FLOAT, ["k"]),
    ]
    names = {"boxes": "boxes", "labels": "labels", "scores": "scores"}
    output = {"adapter": "torchvision_detection", **names, "rows": 4, "columns": 4, "classes": ["dent"]}
    detector = Detector(make_bundle(model(nodes, outputs, 1, weights), output=output), batch=2)
    dark, bright = detector.find_many([(picture(9), WHOLE), (picture(255), WHOLE)])
    assert (dark.score, dark.spots, dark.sound) == (0.0, (), True)
    assert (bright.score, [s.box for s in bright.spots]) == (2.0, [Box(0, 0, 32, 16)])
