"""Activation: proved on this box first, then one link is switched; old or new, never neither."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from okng.bus.errors import BadBundle, BadSettings
from okng.fleet import activate as room
from okng.fleet.activate import activate, active
from okng.models import crop
from okng.models.bundle import write_bundle

WIDTH, HEIGHT = 32, 16


def graph(gain: float) -> bytes:
    """Score: gain times the brightest pixel. Heat: gain times the brightest of each 4x4 block."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "gain"], ["scaled"]),
        helper.make_node("MaxPool", ["scaled"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Reshape", ["pooled", "heat_shape"], ["heat"]),
        helper.make_node("ReduceMax", ["heat"], ["highest"], keepdims=0),
        helper.make_node("Reshape", ["highest", "score_shape"], ["score"]),
    ]
    made = helper.make_graph(
        nodes,
        "brightest",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, HEIGHT, WIDTH, 1])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("heat", TensorProto.FLOAT, [1, 4, 8]),
        ],
        [
            helper.make_tensor("gain", TensorProto.FLOAT, [1], [gain]),
            helper.make_tensor("heat_shape", TensorProto.INT64, [3], [1, 4, 8]),
            helper.make_tensor("score_shape", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def make(folder: Path, *, gain: float = 1.0, stored: float = 1.0, version: str = "1.0.0") -> str:
    """A bundle whose model has one gain and whose golden scores were stored with another."""
    pick, files, pictures = np.random.default_rng(3), {}, {}
    for name in ("a", "b"):
        picture = pick.integers(0, 200, (HEIGHT, WIDTH), dtype=np.uint8)
        files[f"golden/{name}.png"] = cv2.imencode(".png", picture)[1].tobytes()
        score = float(picture.max()) * stored
        pictures[f"{name}.png"] = {"score": score, "ok": score <= 190.0}
    files["golden/expected.json"] = json.dumps({"tolerance": 1e-3, "pictures": pictures}).encode()
    files |= {"model.onnx": graph(gain), "report.json": b"{}"}
    fields: dict[str, Any] = {
        "name": "brightest",
        "version": version,
        "created_at": "2026-11-23T08:00:00Z",
        "input": {"name": "picture", "width": WIDTH, "height": HEIGHT, "channels": 1, "crop": crop.METHOD},
        "output": {"score": "score", "heat": "heat", "rows": 4, "columns": 8},
        "threshold": {
            "value": 190.0,
            "method": "by hand",
            "overkill_percent": 1.0,
            "overkill_low_percent": 0.0,
            "overkill_high_percent": 5.0,
            "goods": 10,
        },
        "opset": 17,
    }
    return write_bundle(folder, files, fields)


def test_a_bundle_that_scores_as_stored_is_switched_to(tmp_path: Path) -> None:
    slot = tmp_path / "current"
    assert active(slot) is None
    make(tmp_path / "one")
    make(tmp_path / "two", version="1.0.1")
    report = activate(tmp_path / "one", slot)
    assert (report.pictures, report.passed) == (2, True)
    assert active(slot) == (tmp_path / "one").resolve()
    assert not (tmp_path / "last-good").exists()
    activate(tmp_path / "two", slot)
    assert active(slot) == (tmp_path / "two").resolve()
    assert active(tmp_path / "last-good") == (tmp_path / "one").resolve()
    activate(tmp_path / "two", slot)  # once more is no change: last-good stays
    assert active(tmp_path / "last-good") == (tmp_path / "one").resolve()
    assert slot.readlink() == Path("two")  # relative: the folder may be moved or mounted elsewhere


def test_a_bundle_that_scores_otherwise_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    slot = tmp_path / "current"
    make(tmp_path / "good")
    activate(tmp_path / "good", slot)
    make(tmp_path / "off", stored=1.0001)  # far less than a verdict, yet not the taught model
    with pytest.raises(BadBundle, match="golden pictures score otherwise"):
        activate(tmp_path / "off", slot)
    make(tmp_path / "damaged")
    model = tmp_path / "damaged" / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(BadBundle, match=r"model\.onnx: damaged: sha256"):
        activate(tmp_path / "damaged", slot)
    with pytest.raises(BadBundle, match="not a bundle"):
        activate(tmp_path / "nothing", slot)
    with pytest.raises(BadSettings, match=r"tensorrt|provider"):
        activate(tmp_path / "good", slot, provider="tensorrt")
    assert active(slot) == (tmp_path / "good").resolve()
    assert not (tmp_path / "last-good").exists()


def test_a_slot_that_is_no_link_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path / "good")
    (tmp_path / "current").mkdir()
    with pytest.raises(BadBundle, match="is no link"):
        activate(tmp_path / "good", tmp_path / "current")
    assert (tmp_path / "current").is_dir()


def test_killed_at_any_file_operation_it_is_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, die_at: Callable[[int, Callable[[], None]], bool]
) -> None:
    for name in ("open_bundle", "Detector", "require_gate", "trial"):
        monkeypatch.setattr(room, name, lambda *_: None)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    slot, at, seen = tmp_path / "current", 0, set()
    while True:
        at += 1
        activate(tmp_path / "one", slot)
        died = die_at(at, functools.partial(_switch, tmp_path / "two", slot))
        found = active(slot)
        assert found in ((tmp_path / "one").resolve(), (tmp_path / "two").resolve()), at
        assert active(tmp_path / "last-good") in (None, (tmp_path / "one").resolve(), (tmp_path / "two").resolve()), at
        seen.add((found.name if found else "", died))
        if not died:
            break
    assert seen == {("one", True), ("two", True), ("two", False)}


def _switch(bundle: Path, slot: Path) -> None:
    activate(bundle, slot)
