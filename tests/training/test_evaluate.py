"""Figures of labelled pictures; and of the real sets, where they are."""

import math
from pathlib import Path

import pytest

from okng.bus.errors import BadPicture
from okng.models.bundle import open_bundle
from okng.training.evaluate import Scored, evaluate, summarise
from okng.training.options import TeachOptions
from okng.training.teach import TeachReport, teach

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def scored(label: str, *scores: float) -> list[Scored]:
    return [Scored(Path("x"), label, score, 1) for score in scores]


def test_rates_are_counted_at_the_threshold() -> None:
    parts = [*scored("good", 1, 2, 5), *scored("crack", 5, 6), *scored("pit", 2, 9, math.inf)]
    metrics = summarise(parts, 5.0)
    assert (metrics.escape.events, metrics.escape.n) == (2, 5)
    assert (metrics.overkill.events, metrics.overkill.n) == (0, 3)
    assert metrics.overkill.high == pytest.approx(1 - 0.025 ** (1 / 3))
    assert metrics.escape_by_class["crack"].rate == 0.5
    assert metrics.escape_by_class["pit"].rate == pytest.approx(1 / 3)
    assert metrics.auroc == pytest.approx((2.5 + 3 + 1.5 + 3) / 12)


def test_an_unjudged_good_is_overkill_and_never_an_escape() -> None:
    metrics = summarise([*scored("good", math.inf), *scored("bad", math.inf)], 5.0)
    assert metrics.overkill.rate == 1.0
    assert metrics.escape.rate == 0.0
    assert math.isnan(metrics.auroc)


def test_a_folder_without_labelled_pictures_is_refused(taught: TeachReport, tmp_path: Path) -> None:
    bundle = open_bundle(taught.bundle)
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(BadPicture, match="no labelled pictures"):
            evaluate(bundle, folder)


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
