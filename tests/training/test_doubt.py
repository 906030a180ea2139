"""Defects among the goods are told of, with what they do to the threshold; goods of one law seldom are."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from okng.models.bundle import open_bundle
from okng.training.doubt import doubt, outstanding
from okng.training.options import TeachOptions
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

Write = Callable[..., list[Path]]


@pytest.mark.parametrize("goods", [20, 100, 1000])
def test_goods_of_one_law_seldom_stand_out(goods: int) -> None:
    rng = np.random.default_rng(goods)
    named = [bool(outstanding(rng.gumbel(2.0, 0.8, goods))) for _ in range(400)]
    assert np.mean(named) < 0.08


def test_defects_among_goods_stand_out_and_raise_the_threshold() -> None:
    scores = np.random.default_rng(0).gumbel(2.0, 0.7, 200)
    scores[[3, 70, 120, 121, 150, 160, 170, 180, 190, 199]] = np.linspace(11, 20, 10)
    names = [f"{at}.png" for at in range(200)]
    assert outstanding(scores)[:2] == [199, 190]
    said = doubt(names, scores, 0.01)
    assert said.startswith("10 of 200 goods stand out by more than chance: 199.png, 190.png, ")
    assert "with them the goods' threshold is 19" in said
    assert doubt(names, np.delete(scores, outstanding(scores)), 0.01) == ""


def test_nothing_is_said_of_too_few_or_of_copies() -> None:
    assert outstanding(np.array([1.0] * 15 + [90.0])) == []
    assert outstanding(np.array([1.0] * 39 + [90.0])) == []


def test_a_polluted_teaching_says_so(
    tmp_path: Path, write_plates: Write, quick: TeachOptions, taught: TeachReport
) -> None:
    assert taught.doubt == ""
    files = write_plates(tmp_path / "goods", range(60))
    bad = write_plates(tmp_path / "goods", range(50_000, 50_003), defect="stain")
    report = teach([*files, *bad], tmp_path / "out", quick)
    assert "goods stand out by more than chance" in report.doubt
    assert any(path.name in report.doubt for path in bad)
    bundle = open_bundle(report.bundle)
    assert bundle.report["doubt"] == report.doubt
    page = (report.bundle / "report.html").read_text(encoding="utf-8")
    assert "Doubtful: " in page
    assert "存疑：" in page
    assert json.loads((taught.bundle / "report.json").read_text())["doubt"] == ""
