"""Two bundles side by side: what their manifests, golden scores and reports say, and where their verdicts part."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from okng.bus.errors import BadPicture
from okng.models.bundle import Bundle, open_bundle, write_bundle
from okng.models.detector import Detector
from okng.models.difference import Flip, Row, difference, figures, flips
from okng.models.pictures import encode_png

MakeBundle = Callable[..., Bundle]


def test_one_content_does_not_differ(make_bundle: MakeBundle) -> None:
    found = difference(make_bundle(), make_bundle())
    assert found.same
    assert found.manifest == ()
    assert all(row.change == 0 for row in found.golden)


def test_what_differs_is_told(make_bundle: MakeBundle, tiny: Any, tmp_path: Path) -> None:
    left = make_bundle(scores={10: 10.0, 100: 100.0})
    files = tiny.contents(tiny.graph().SerializeToString(), {10: 10.0, 250: 250.0})
    files["report.json"] = json.dumps({"image": {"auroc": 0.97, "curve": [1, 2]}, "n": 5, "name": "x"}).encode()
    threshold = {**tiny.fields()["threshold"], "value": 180.0}
    write_bundle(tmp_path / "right", files, tiny.fields(version="1.1.0", threshold=threshold, budget_ms=20.0))
    found = difference(left, open_bundle(tmp_path / "right"))
    assert not found.same
    assert {row.name: (row.left, row.right) for row in found.manifest} == {
        "version": ("1.0.0", "1.1.0"),
        "threshold.value": (200.0, 180.0),
        "budget_ms": ("None", 20.0),
    }
    assert found.golden == (Row("10.png", 10.0, 10.0), Row("100.png", 100.0, None), Row("250.png", None, 250.0))
    assert found.report == (Row("image.auroc", None, 0.97), Row("n", None, 5.0))
    assert Row("x", 1.0, 3.5).change == 2.5


def test_numbers_of_a_report_are_found_however_deep() -> None:
    report = {"a": {"b": {"c": 1, "d": "words"}}, "e": True, "f": [1, 2], "g": float("nan"), "h": None}
    assert figures(report) == {"a.b.c": 1.0}


def test_verdicts_that_flip_are_named(make_bundle: MakeBundle, tiny: Any, tmp_path: Path) -> None:
    left = Detector(make_bundle())
    stricter = {**tiny.fields()["threshold"], "value": 90.0}
    right = Detector(make_bundle(threshold=stricter))
    folder = tmp_path / "shown"
    folder.mkdir()
    for name, level in (("good", 20), ("between", 120), ("bad", 240)):
        picture = np.zeros((64, 48, 3), np.uint8)  # colour, of another size: as a line's camera gives it
        picture[8:24, 8:24] = level
        (folder / f"{name}.png").write_bytes(encode_png(picture))
    assert flips(left, right, folder) == ([Flip("between.png", 120.0, 120.0, left_ok=True)], 3)
    assert flips(left, left, folder) == ([], 3)
    with pytest.raises(BadPicture, match="no such folder"):
        flips(left, right, tmp_path / "none")
