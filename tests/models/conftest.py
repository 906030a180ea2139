"""Hand-made models and bundles: small, and wrong in every way a model can be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from okng.models import crop
from okng.models.bundle import Bundle, open_bundle, write_bundle
from okng.models.pictures import encode_png

SIDE, CELLS, CHANNELS = 32, 4, 1
THRESHOLD = 200.0


def graph(
    *,
    side: int = SIDE,
    channels: int = CHANNELS,
    dtype: int = TensorProto.UINT8,
    scale: float = 1.0,
    divide_by: float = 1.0,
    outputs: tuple[str, str] = ("score", "heat"),
    domain: str = "",
    opset: int = 17,
) -> Any:
    """A model whose heat is the brightest pixel of each 8x8 cell, times scale / divide_by; the score its maximum."""
    score, heat = outputs
    weights = [
        numpy_helper.from_array(np.array(scale, np.float32), "scale"),
        numpy_helper.from_array(np.array(divide_by, np.float32), "divisor"),
        numpy_helper.from_array(np.array([1, side // 8, side // 8], np.int64), "shape"),
    ]
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMax", ["nchw"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("MaxPool", ["grey"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Mul", ["cells", "scale"], ["scaled"]),
        helper.make_node("Div", ["scaled", "divisor"], ["divided"], domain=domain),
        helper.make_node("Reshape", ["divided", "shape"], [heat]),
        helper.make_node("ReduceMax", [heat], [score], axes=[1, 2], keepdims=0),
    ]
    body = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("picture", dtype, [1, side, side, channels])],
        [
            helper.make_tensor_value_info(score, TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info(heat, TensorProto.FLOAT, [1, side // 8, side // 8]),
        ],
        weights,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def fields(**changes: Any) -> dict[str, Any]:
    """What a manifest of such a model says."""
    return {
        "name": "tiny",
        "version": "1.0.0",
        "created_at": "2026-11-23T08:00:00Z",
        "input": {"name": "picture", "width": SIDE, "height": SIDE, "channels": CHANNELS, "crop": crop.METHOD},
        "output": {"score": "score", "heat": "heat", "rows": CELLS, "columns": CELLS},
        "threshold": {
            "value": THRESHOLD,
            "method": "by hand",
            "overkill_percent": 1.0,
            "overkill_low_percent": 0.0,
            "overkill_high_percent": 5.0,
            "goods": 10,
        },
        "opset": 17,
        **changes,
    }


def contents(model: bytes, scores: dict[int, float] | None = None) -> dict[str, bytes]:
    """Files of a bundle. scores: by the brightest pixel of a golden picture."""
    files, expected = {"model.onnx": model, "report.json": b"{}"}, {}
    for level, score in (scores or {10: 10.0, 100: 100.0, 250: 250.0}).items():
        picture = np.zeros((SIDE, SIDE), np.uint8)
        picture[3, 5] = level
        files[f"golden/{level}.png"] = encode_png(picture)
        expected[f"{level}.png"] = {"score": score, "ok": score <= THRESHOLD}
    files["golden/expected.json"] = json.dumps({"tolerance": 1e-3, "pictures": expected}).encode()
    return files


MakeBundle = Callable[..., Bundle]


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Writes a bundle of a model made by `graph` and opens it."""

    def make(model: Any = None, scores: dict[int, float] | None = None, **changes: Any) -> Bundle:
        folder = tmp_path / f"bundle-{len(list(tmp_path.iterdir()))}"
        made = graph() if model is None else model
        data = made if isinstance(made, bytes) else made.SerializeToString()
        write_bundle(folder, contents(data, scores), fields(**changes))
        return open_bundle(folder)

    return make


@pytest.fixture
def tiny() -> Any:
    """The module's helpers, for tests that need a piece of them."""

    class Tiny:
        graph = staticmethod(graph)
        fields = staticmethod(fields)
        contents = staticmethod(contents)

    return Tiny
