"""What is ignored is left out, what reaches out of it is judged; a mask that cannot be applied passes nothing."""

import numpy as np
import pytest
from pydantic import ValidationError

from okng.bus.errors import BadRecipe
from okng.inspect.mask import Mask, mask_of
from okng.inspect.sections import Region
from okng.models.box import Box
from okng.models.findings import Findings, Measure, Spot
from okng.models.reading import LEFT_OUT

WHOLE = (0, 0, 400, 300)
REGION = Box(100, 50, 200, 100)


def made(**fields: object) -> Mask:
    mask = mask_of(Region.model_validate({"name": "r", "box": (100, 50, 200, 100), **fields}), WHOLE)
    assert mask is not None
    return mask


def heat(*hot: tuple[int, int, float]) -> np.ndarray:
    """10 rows of 20 cells, each of 10x10 px."""
    found = np.ones((10, 20), np.float32)
    for row, column, value in hot:
        found[row, column] = value
    return found


def anomaly(*hot: tuple[int, int, float], score: float | None = None) -> Findings:
    map_ = heat(*hot)
    return Findings(REGION, float(map_.max()) if score is None else score, map_, "m", 1)


def spots(*boxes: tuple[int, int, int, int, float], measures: tuple[Measure, ...] = ()) -> Findings:
    found = tuple(Spot("scratch", Box(*box), score, 0.5) for *box, score in boxes)
    return Findings(
        REGION, max(s.ratio for s in found), np.zeros((10, 20), np.float32), "m", 1, spots=found, measures=measures
    )


RECT = {"kind": "rect", "box": (120, 60, 40, 40)}


def test_heat_in_an_ignored_place_is_not_scored() -> None:
    out = made(ignore=[RECT]).applied(anomaly((2, 3, 9.0), (8, 18, 3.0)), by_spots=False)
    assert out.score == 3.0
    assert out.heat.max() == 3.0
    assert out.sound


def test_a_cell_that_reaches_out_by_a_pixel_is_judged() -> None:
    near = {"kind": "rect", "box": (120, 60, 39, 40)}
    assert made(ignore=[near]).applied(anomaly((1, 5, 9.0)), by_spots=False).score == 9.0
    assert made(ignore=[RECT]).applied(anomaly((1, 5, 9.0)), by_spots=False).score == 1.0


def test_a_score_without_a_place_is_unjudged_where_the_hottest_is_ignored() -> None:
    mask = made(ignore=[RECT])
    assert mask.applied(anomaly((2, 3, 9.0), score=0.7), by_spots=False).trouble
    kept = mask.applied(anomaly((8, 18, 9.0), score=0.7), by_spots=False)
    assert kept.sound
    assert kept.score == 0.7


def test_only_places_wholly_inside_are_left_out() -> None:
    mask = made(ignore=[RECT])
    inside, across = (125, 65, 10, 10, 0.9), (150, 65, 20, 10, 0.6)
    out = mask.applied(spots(inside, across), by_spots=True)
    assert [spot.score for spot in out.spots] == [0.6]
    assert out.score == pytest.approx(1.2)
    assert mask.applied(spots(inside), by_spots=True).score == 0.0


def test_places_that_are_not_listed_keep_the_score() -> None:
    more = spots((125, 65, 10, 10, 0.9), measures=(Measure(LEFT_OUT, 3.0, "count"),))
    assert made(ignore=[RECT]).applied(more, by_spots=True).score == pytest.approx(1.8)


def test_unsound_findings_stay_unsound() -> None:
    bad = Findings(REGION, float("inf"), heat(), "m", 1, trouble="NaN")
    assert made(ignore=[RECT]).applied(bad, by_spots=False) is bad


@pytest.mark.parametrize(
    ("shape", "inside", "outside"),
    [
        ({"kind": "ellipse", "box": (100, 50, 200, 100)}, (5, 10), (0, 0)),
        ({"kind": "polygon", "points": [(100, 50), (200, 50), (100, 150)]}, (1, 1), (8, 18)),
        ({"kind": "polygon", "points": [(100, 150), (200, 50), (100, 50)]}, (1, 1), (8, 18)),
    ],
)
def test_only_within_is_judged(shape: dict[str, object], inside: tuple[int, int], outside: tuple[int, int]) -> None:
    mask = made(within=shape)
    out = mask.applied(anomaly((*inside, 5.0), (*outside, 9.0)), by_spots=False)
    assert out.score == 5.0
    ignored = made(ignore=[shape]).applied(anomaly((*inside, 9.0), (*outside, 5.0)), by_spots=False)
    assert ignored.score == 5.0


def test_something_has_to_be_left() -> None:
    with pytest.raises(BadRecipe, match="left to judge"):
        made(ignore=[{"kind": "rect", "box": (0, 0, 400, 300)}])
    assert (
        mask_of(
            Region.model_validate({"ignore": [{"kind": "rect", "box": (5, 5, 9, 9)}], "box": (50, 50, 20, 20)}), WHOLE
        )
        is None
    )


def test_a_shape_without_area_is_refused() -> None:
    with pytest.raises(ValidationError, match="one line"):
        Region.model_validate({"ignore": [{"kind": "polygon", "points": [(0, 0), (5, 5), (9, 9)]}]})
    with pytest.raises(ValidationError, match="1 or more"):
        Region.model_validate({"within": {"kind": "rect", "box": (0, 0, 0, 5)}})
