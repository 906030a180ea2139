"""A defective part that passed is an escape, unless the model itself calls that very picture good."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from okng.models.box import Box

from . import eyes
from .eyes import NEAR, Eyes

THRESHOLD = 6.0
SCORES = (1.0, 20.0, 5.5)


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Eyes:
    """Three pictures, of which the model says SCORES: each picture holds its own number."""
    view = SimpleNamespace(width=8, height=8)
    looks = SimpleNamespace(view=view, picture=lambda at: np.full((8, 8), at, np.uint8))

    class Model:
        def __init__(self, bundle: Any) -> None:
            assert bundle.manifest.threshold.value == THRESHOLD

        def find(self, picture: Any, region: Box) -> Any:
            assert region == Box(0, 0, 8, 8)
            return SimpleNamespace(score=SCORES[int(picture[0, 0])])

    bundle = SimpleNamespace(manifest=SimpleNamespace(threshold=SimpleNamespace(value=THRESHOLD)))
    monkeypatch.setattr(eyes, "read_plan", lambda path: json.loads(path.read_text()))
    monkeypatch.setattr(eyes, "open_looks", lambda plan: looks)
    monkeypatch.setattr(eyes, "open_bundle", lambda folder: bundle)
    monkeypatch.setattr(eyes, "Detector", Model)
    plan = tmp_path / "line.json"
    plan.write_text("{}")
    return Eyes(plan, tmp_path)


def test_what_the_model_calls_good_is_overlooked(three: Eyes) -> None:
    assert three.overlook(0, 1.1)
    assert three.overlook(2, 5.0)


def test_what_it_finds_when_it_is_let_is_an_escape(three: Eyes) -> None:
    assert not three.overlook(1, 1.0)  # the line said 1.0 of a part whose picture has 20


def test_the_verdict_of_another_picture_is_an_escape(three: Eyes) -> None:
    assert not three.overlook(0, 1.0 + NEAR * THRESHOLD + 0.1)
    assert not three.overlook(0, float("inf"))  # no verdict at all
