"""The operating point worked out anew: shown beside what holds, written as another bundle, never moved in place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from okng.bus.errors import BadBundle, BadData, BadSettings
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.parity import check_golden
from okng.training.data.dataset import Sample
from okng.training.data.sources import open_dataset
from okng.training.operating import moved, operating_point
from okng.training.promise import Costs, Targets
from okng.training.taught_report import TeachReport

Write = Callable[..., list[Path]]


@pytest.fixture(scope="module")
def samples(tests_folder: Path) -> tuple[Sample, ...]:
    return open_dataset(tests_folder).samples


def test_labels_give_a_new_point_and_what_it_promises(taught: TeachReport, samples: tuple[Sample, ...]) -> None:
    found = operating_point(taught.bundle, samples, Targets(0.05, 0.2))
    assert (found.goods, found.defects) == (30, 30)
    assert found.held == {"": taught.threshold}
    limit = found.found[""]
    assert set(limit.classes) == {"scratch", "stain"}
    assert limit.defects == 30
    assert limit.escape_low is not None
    assert len(limit.claims) == 2


def test_nothing_moves_unless_a_bundle_is_written(
    taught: TeachReport, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in taught.bundle.rglob("*") if path.is_file()}
    found = operating_point(taught.bundle, samples, Targets(0.05, 0.2))
    digest = moved(taught.bundle, tmp_path / "moved", found, "1.0.1")
    assert {path: path.read_bytes() for path in taught.bundle.rglob("*") if path.is_file()} == before
    made = open_bundle(tmp_path / "moved", digest)
    assert made.manifest.threshold.value == pytest.approx(found.found[""].value)
    assert made.manifest.threshold.defects == 30
    assert made.manifest.train["operating_point_of"] == taught.digest
    assert made.model == open_bundle(taught.bundle).model
    assert check_golden(Detector(made)).passed
    with pytest.raises(BadBundle, match="is there already"):
        moved(taught.bundle, tmp_path / "moved", found, "1.0.2")


def test_parts_it_was_taught_from_do_not_take_part(
    taught: TeachReport, goods: Path, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "good").symlink_to(goods)
    known = open_dataset(tmp_path / "all").samples
    found = operating_point(taught.bundle, [*samples, *known], Targets(0.05))
    assert len(found.taught) == 40
    assert found.goods == 30
    with pytest.raises(BadData, match="was not taught from: expected 10"):
        operating_point(taught.bundle, known, Targets(0.05))


def test_costs_may_rule(taught: TeachReport, samples: tuple[Sample, ...], crosses: tuple[Path, Path]) -> None:
    hard = [*(one for one in samples if one.ok), *open_dataset(crosses[1]).defects]
    dear = operating_point(taught.bundle, hard, Targets(costs=Costs(1000.0, 1.0, 0.1))).found[""]
    cheap = operating_point(taught.bundle, hard, Targets(costs=Costs(0.1, 1.0, 0.1))).found[""]
    assert dear.value < cheap.value
    assert "least expected cost" in dear.method


def test_escapes_need_defects(taught: TeachReport, samples: tuple[Sample, ...]) -> None:
    only = [one for one in samples if one.ok]
    with pytest.raises(BadSettings, match="goods alone tell no escapes"):
        operating_point(taught.bundle, only, Targets(0.05, 0.05))


def test_a_region_has_a_point_of_its_own(taught: TeachReport, samples: tuple[Sample, ...]) -> None:
    whole = operating_point(taught.bundle, samples, Targets(0.05)).found[""]
    part = operating_point(taught.bundle, samples, Targets(0.05), region=Box(0, 0, 90, 90)).found[""]
    assert whole.value != part.value
