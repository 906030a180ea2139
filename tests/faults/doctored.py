"""Models broken on purpose: right on their golden pictures, so that they are put in place, and wrong on the line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from okng.models.bundle import write_bundle
from okng.models.manifest import MANIFEST, MODEL, read_manifest

SICK = ("NaN score", "infinite heat", "constant heat", "score out of range")
"""What it gives, by the sum of the picture's pixels modulo one more than there are; the last remainder is healthy."""
FAR = -1e30
"""Far below every threshold: who only compares calls it very good."""


def sick_bundle(good: Path, out: Path) -> None:
    """Write the bundle whose output is unsound for four pictures of five that are none of its golden ones."""
    model = onnx.load(good / MODEL)
    _rename(model, {"score": "score_sound", "heat": "heat_sound"})
    sums = [_sum(file) for file in sorted((good / "golden").glob("*.png"))]
    constants = {
        "known_sums": np.array([[0, *sums]], np.int64),
        "ways": np.array(len(SICK) + 1, np.int64),
        "axes": np.array([1, 2, 3], np.int64),
        "one": np.array([1], np.int64),
        "map_axes": np.array([1, 2], np.int64),
        "nan": np.array(np.nan, np.float32),
        "inf": np.array(np.inf, np.float32),
        "flat": np.array(0.5, np.float32),
        "far": np.array(FAR, np.float32),
        **{f"way_{at}": np.array(at, np.int64) for at in range(len(SICK))},
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["picture"], ["whole"], to=TensorProto.INT64),
        node("ReduceSum", ["whole", "axes"], ["sum"], keepdims=0),
        node("Unsqueeze", ["sum", "one"], ["sum_2"]),
        node("Equal", ["sum_2", "known_sums"], ["same"]),
        node("Cast", ["same"], ["same_number"], to=TensorProto.INT64),
        node("ReduceMax", ["same_number"], ["golden_number"], axes=[1], keepdims=0),
        node("Cast", ["golden_number"], ["golden"], to=TensorProto.BOOL),
        node("Mod", ["sum", "ways"], ["way"]),
        *(node("Equal", ["way", f"way_{at}"], [f"is_{at}"]) for at in range(len(SICK))),
        node("Where", ["is_0", "nan", "score_sound"], ["score_0"]),
        node("Where", ["is_3", "far", "score_0"], ["score_sick"]),
        node("Where", ["golden", "score_sound", "score_sick"], ["score"]),
        node("Unsqueeze", ["is_1", "map_axes"], ["map_1"]),
        node("Unsqueeze", ["is_2", "map_axes"], ["map_2"]),
        node("Unsqueeze", ["golden", "map_axes"], ["map_golden"]),
        node("Where", ["map_1", "inf", "heat_sound"], ["heat_1"]),
        node("Where", ["map_2", "flat", "heat_1"], ["heat_sick"]),
        node("Where", ["map_golden", "heat_sound", "heat_sick"], ["heat"]),
    ]
    _write(good, out, model, nodes, constants, "sick")


def heavy_bundle(good: Path, out: Path, rounds: int) -> None:
    """Write the same model made slow: so many products of large matrices a part, which change nothing."""
    model = onnx.load(good / MODEL)
    _rename(model, {"score": "score_sound"})
    side = 768
    constants = {"ballast_zero": np.array(0.0, np.float32)}
    constants["ballast_square"] = np.full((side, side), 1.0 / side, np.float32)
    node = helper.make_node
    nodes = [
        node("Cast", ["picture"], ["ballast_whole"], to=TensorProto.FLOAT),
        node("ReduceMean", ["ballast_whole"], ["ballast_mean"], keepdims=0),
        node("Add", ["ballast_square", "ballast_mean"], ["ballast_0"]),
        *(node("MatMul", [f"ballast_{at}", "ballast_square"], [f"ballast_{at + 1}"]) for at in range(rounds)),
        node("ReduceMean", [f"ballast_{rounds}"], ["ballast_little"], keepdims=0),
        node("Mul", ["ballast_little", "ballast_zero"], ["ballast_nothing"]),
        node("Add", ["score_sound", "ballast_nothing"], ["score"]),
    ]
    _write(good, out, model, nodes, constants, "heavy")


def tampered(good: Path, out: Path, at: int) -> str:
    """Copy a bundle with one injury; return what it was. at: which, from 0 on; a seeded choice is the caller's."""
    files = {str(file.relative_to(good)): file.read_bytes() for file in sorted(good.rglob("*")) if file.is_file()}
    names = sorted(files)
    name = names[at % len(names)]
    kind = ("bit flipped", "cut short", "taken out", "something added")[at // len(names) % 4]
    data = bytearray(files[name])
    if kind == "bit flipped":
        data[at * 7919 % len(data)] ^= 1 << at % 8
        files[name] = bytes(data)
    elif kind == "cut short":
        files[name] = bytes(data[: len(data) // 2])
    elif kind == "taken out":
        del files[name]
    else:
        files[f"{name}.more"] = b"more"
    for path, content in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(content)
    return f"{kind}: {name}"


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    for each in model.graph.node:
        for values in (each.input, each.output):
            values[:] = [names.get(value, value) for value in values]


def _sum(file: Path) -> int:
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return int(picture.astype(np.int64).sum())


def _write(
    good: Path,
    out: Path,
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, Any],
    name: str,
) -> None:
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    onnx.checker.check_model(model)
    files = {str(file.relative_to(good)): file.read_bytes() for file in good.rglob("*") if file.is_file()}
    del files[MANIFEST]
    files[MODEL] = model.SerializeToString()
    fields = read_manifest(good).model_dump(mode="json", exclude={"files", "check"})
    write_bundle(out, files, {**fields, "name": name}, replace=True)
