"""Where the time goes: every stage is there, and what is inside the graph adds up to the inference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from okng.bus.errors import BadPicture
from okng.models.bundle import Bundle
from okng.models.pictures import encode_png
from okng.models.runtime_options import RuntimeOptions
from okng.models.stages import grouped, measure

MakeBundle = Callable[..., Bundle]


def test_a_picture_is_followed_from_file_to_findings(make_bundle: MakeBundle, tmp_path: Path) -> None:
    file = tmp_path / "part.png"
    file.write_bytes(encode_png(np.random.default_rng(1).integers(0, 250, (120, 160), dtype=np.uint8)))
    found = measure(make_bundle(), file, RuntimeOptions(), seconds=0.02)
    assert list(found.stages) == ["decode", "cut", "inference", "findings", "part"]
    for spread in found.stages.values():
        assert 0 < spread.least_ms <= spread.p50_ms <= spread.p99_ms
        assert spread.runs >= 20
    assert sum(found.inside.values()) == pytest.approx(found.stages["inference"].p50_ms)
    assert {"Cast", "MaxPool"} <= set(found.inside)  # no taught graph: told by kinds of nodes
    assert found.parts_a_second == pytest.approx(1000 / found.stages["part"].p50_ms)


def test_an_invented_picture_does_too(make_bundle: MakeBundle) -> None:
    found = measure(make_bundle(), (320, 200), RuntimeOptions(), seconds=0.01)
    assert "decode" not in found.stages


def test_a_batch_that_the_graph_does_not_take_is_refused(make_bundle: MakeBundle) -> None:
    with pytest.raises(BadPicture, match=r"batch = 4: the graph of .* takes 1 at a time"):
        measure(make_bundle(), (320, 200), RuntimeOptions(), batch=4, seconds=0.01)


def test_a_file_that_is_no_picture_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    with pytest.raises(BadPicture, match=r"none\.png: does not decode"):
        measure(make_bundle(), tmp_path / "none.png", RuntimeOptions(), seconds=0.01)


def event(name: str, kind: str, dur: int) -> dict[str, Any]:
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": dur, "args": {"op_name": kind}}


def test_nodes_of_a_taught_graph_are_grouped_by_their_names() -> None:
    events = []
    for dur in (9000, 1000, 1000):  # the first run warms up
        events += [event("conv_1", "Conv", dur), event("reorder_token_2", "ReorderOutput", dur)]
        events += [event("memory.products", "MatMul", dur // 2), event("gaussian.squared", "Mul", dur // 2)]
        events += [event("heat", "Reshape", 0), {"cat": "Session", "name": "model_run", "dur": dur}]
    assert grouped(events, 6.0) == pytest.approx({"backbone": 4.0, "memory": 1.0, "gaussian": 1.0, "map": 0.0})


def test_of_any_other_graph_the_kinds_are_told_and_the_small_ones_summed() -> None:
    events = [event(f"n{at}", f"Kind{at:02}", 100 - at) for at in range(12)]
    found = grouped(events, 10.0)
    assert len(found) == 8
    assert "others" in found
    assert sum(found.values()) == pytest.approx(10.0)
    assert grouped([], 1.0) == {}
