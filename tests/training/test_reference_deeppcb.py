"""Golden reference on real boards: the aims, on pictures that nothing was chosen on. The table is bench/golden.py."""

import json
from pathlib import Path

import pytest

from okng.bench import golden as bench
from okng.models import pictures

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "deeppcb"


@pytest.mark.data
@pytest.mark.timeout(300)
def test_boards_are_compared_as_well_as_was_aimed_at() -> None:
    if not (DATA / "reference" / "mixed").is_dir():
        pytest.skip(f"{DATA} is not there")
    boxes = json.loads((DATA / "boxes_mixed.json").read_text(encoding="utf-8"))
    design, shown = bench.split([path.stem for path in pictures.files_in(DATA / "test" / "mixed")])
    assert (len(design), len(shown), set(design) & set(shown)) == (40, 160, set())
    result, cost = bench.figures(0, DATA, boxes, design, shown)
    assert result.auroc_pictures >= 0.98
    assert result.auroc_cells_4x4 >= 0.98
    assert result.recall >= 0.95
    assert result.false_regions_per_picture <= 0.1
    assert cost.largest_difference <= 1e-4
