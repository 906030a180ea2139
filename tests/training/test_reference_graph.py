"""Comparison with a template: what is laid over what, what is beyond, and the graph says what numpy says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadPicture, BadSettings
from okng.models.runtime import Session
from okng.tests.training import printed
from okng.training.reference_compare import compare, pair_of, reference_template
from okng.training.reference_field import MARGIN_PX, find_field, halved, moved, seen
from okng.training.reference_graph import reference_graph
from okng.training.reference_marks import KINDS, marked
from okng.training.reference_spots import places_of
from okng.training.reference_template import CELL_PX, Difference, Template, Tolerance, differ, template_of
from okng.training.reference_tolerance import learn_tolerance

Pixels = npt.NDArray[np.uint8]
STILL = printed.Printing(0.0, 0.0, 0.0, 2.0, 0.0)
CLOSE = Tolerance(level=20.0, spread=0.0, edge_px=1, window_px=5, search_px=8)


def shaped(picture: Pixels) -> Pixels:
    return picture.reshape(*picture.shape[:2], -1)


def shifted(picture: Pixels, x: float, y: float) -> Pixels:
    way = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = picture.shape[1], picture.shape[0]
    return np.asarray(cv2.warpAffine(picture, way, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def said_by_graph(templates: Sequence[Template], tolerance: Tolerance, pixels: Pixels) -> tuple[float, Difference]:
    session = Session(reference_graph(templates, tolerance), "cpu", 1)
    score, *maps = session.run(["score", "heat", "brighter", "darker"], {"picture": pixels[None]})
    return float(score[0]), Difference(*(each[0] for each in maps))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(
    "tolerance",
    [
        CLOSE,
        replace(CLOSE, edge_px=0, window_px=1, search_px=0),
        replace(CLOSE, edge_px=3, window_px=7, search_px=4, level=8.0),
    ],
    ids=str,
)
def test_the_graph_says_what_numpy_says(colour: bool, tolerance: Tolerance) -> None:
    template = template_of(shaped(printed.label(0, colour=colour)), None, tolerance)
    for seed, defect in enumerate(("", *printed.DEFECTS)):
        pixels = shaped(printed.label(50 + seed, defect, colour=colour))
        score, heard = said_by_graph([template], tolerance, pixels)
        difference = differ(pixels, template, tolerance)
        assert score == pytest.approx(difference.score, abs=1e-4)
        for one, other in ((heard.heat, difference.heat), (heard.brighter, difference.brighter)):
            assert np.abs(one - other).max() < 1e-4
        assert np.abs(heard.darker - difference.darker).max() < 1e-4


def test_of_several_templates_the_one_that_fits_speaks() -> None:
    texts = "LOT 52", "LOT 71"
    templates = [template_of(shaped(printed.label(0, text=text)), None, CLOSE) for text in texts]
    for at, text in enumerate(texts):
        pixels = shaped(printed.label(9, text=text))
        alone = differ(pixels, templates[at], CLOSE)
        assert differ(pixels, templates[1 - at], CLOSE).score > 2 * alone.score
        score, heard = said_by_graph(templates, CLOSE, pixels)
        assert score == pytest.approx(alone.score, abs=1e-4)
        assert np.abs(heard.heat - alone.heat).max() < 1e-4
    with pytest.raises(ValueError, match="expected one size"):
        reference_graph([], CLOSE)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (3.5, -2.25), (-7.0, 5.0)])
def test_a_shift_is_found_to_a_fraction_of_a_pixel(x: float, y: float) -> None:
    picture = printed.label(3, how=STILL)
    field = find_field(shaped(shifted(picture, x, y)), halved(shaped(picture)), 8)
    inner = slice(56, 104), slice(60, 180)  # where the print has edges both ways
    assert abs(float(np.median(field.shift_x[inner])) - x) < 0.5
    assert abs(float(np.median(field.shift_y[inner])) - y) < 0.5
    before, after = (
        float(np.abs(each - shaped(picture))[inner].mean())
        for each in (shaped(shifted(picture, x, y)).astype(np.float32), moved(shaped(shifted(picture, x, y)), field))
    )
    assert after < max(0.35 * before, 2.5)


def test_plain_paper_stays_where_it_is() -> None:
    rng = np.random.default_rng(0)
    paper = np.clip(rng.normal(200, 3, (96, 128, 1)), 0, 255).astype(np.uint8)
    plain = np.full_like(paper, 200)
    field = find_field(plain, halved(paper), 8)
    assert not field.shift_x.any()
    assert not field.shift_y.any()
    whole = seen(field)
    assert whole[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX].min() == 1.0
    assert whole[:MARGIN_PX].max() == 0.0


def test_what_the_edge_of_the_picture_cuts_is_not_judged() -> None:
    picture = printed.label(1, how=STILL)
    # The print goes on beyond the region: 3 px of another thing come in at its edge.
    come_in = picture.copy()
    come_in[:, :MARGIN_PX] = 20
    difference = compare(come_in, picture, CLOSE)
    assert difference.score < compare(printed.label(1, "extra", how=STILL), picture, CLOSE).score / 4


def test_missing_and_extra_ink_are_told_apart() -> None:
    picture = printed.label(2, how=STILL)
    spoilt = picture.copy()
    cv2.circle(spoilt, (60, 106), 3, 200, -1)
    cv2.circle(spoilt, (180, 88), 3, 50, -1)
    places = places_of(compare(spoilt, picture, CLOSE), 30.0)
    assert sorted(place.kind for place in places) == ["brighter", "darker"]
    for place in places:
        x, y = (60, 106) if place.kind == "brighter" else (180, 88)
        assert place.box.x <= x < place.box.x + place.box.w
        assert place.box.y <= y < place.box.y + place.box.h
        assert place.area_px <= place.box.w * place.box.h
        assert place.area_px % (CELL_PX * CELL_PX) == 0
    assert places[0].score >= places[1].score
    assert places_of(compare(picture, picture, CLOSE), 30.0) == []


def test_a_picture_far_off_is_brought_near_and_what_it_no_longer_shows_is_left_out() -> None:
    picture = printed.label(4, how=STILL)
    far = shifted(picture, 14, -9)
    pair = pair_of(far, picture, near_px=40)
    assert pair.unseen is not None
    assert pair.unseen[:, -13:].all()
    tight = differ(pair.picture, reference_template(pair, CLOSE), CLOSE).score
    assert tight < compare(far, picture, CLOSE).score / 4
    out_of_reach = pair_of(far, picture, near_px=5)
    assert out_of_reach.unseen is None
    assert np.array_equal(out_of_reach.picture[..., 0], far)


def test_pairs_that_do_not_fit_are_refused() -> None:
    picture = printed.label(0)
    with pytest.raises(BadPicture, match=r"the reference is of \(152, 240\)"):
        compare(picture, picture[:-8], CLOSE)
    with pytest.raises(BadPicture, match="expected multiples of 8"):
        compare(picture[:-1], picture[:-1], CLOSE)
    with pytest.raises(BadSettings, match="1 pairs of a good part and its reference: expected 10"):
        learn_tolerance([pair_of(picture, picture)], 0.05)


@pytest.mark.parametrize("wrong", [{"window_px": 4}, {"search_px": 3}, {"level": 0.0}, {"edge_px": -1}])
def test_a_tolerance_checks_itself(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        replace(CLOSE, **wrong)


def test_a_tolerance_learnt_from_pairs_serves_a_new_reference() -> None:
    """Each pair has another print; the template of a print never seen is enough to find what is wrong with it."""
    texts = [f"{letters} {number}" for letters in ("LOT", "BOX", "KEG") for number in (17, 28, 36, 49, 50)]
    pairs = [
        pair_of(printed.label(10 + at, text=text), printed.label(90, text=text, how=STILL), near_px=8)
        for at, text in enumerate(texts)
    ]
    lesson = learn_tolerance(pairs, 0.02)
    assert lesson.marks_found > 0.9
    assert lesson.scores.max() <= lesson.limit.value
    reference = printed.label(91, text="PIN 64", how=STILL)
    goods = [compare(printed.label(200 + at, text="PIN 64"), reference, lesson.tolerance) for at in range(20)]
    assert sum(good.score > lesson.limit.value for good in goods) <= 2  # 2 % asked for, of 15 goods to tell it from
    for seed in range(8):
        for defect in printed.DEFECTS:
            bad = compare(printed.label(300 + seed, defect, text="PIN 64"), reference, lesson.tolerance)
            assert bad.score > lesson.limit.value, defect


def test_places_known_to_be_defective_teach_nothing() -> None:
    reference = printed.label(0, how=STILL)
    pairs = []
    for seed in range(10):
        picture = printed.label(seed, how=STILL)
        picture[60:80, 40:60] = 255
        mask = np.zeros(picture.shape, bool)
        mask[52:88, 32:68] = True
        pairs.append(pair_of(picture, reference, mask))
    lesson = learn_tolerance(pairs, 0.1)
    without = learn_tolerance([replace(pair, defective=None) for pair in pairs], 0.1)
    assert lesson.limit.value < 30.0
    assert lesson.marks_found > without.marks_found
    assert lesson.tolerance.level < without.tolerance.level / 2


def test_marks_are_drawn_apart_and_say_where_they_are() -> None:
    pixels = shaped(printed.label(0, colour=True))
    spoilt, marks = marked(pixels, 6, np.random.default_rng(0))
    assert {mark.kind for mark in marks} == set(KINDS)
    left = np.abs(spoilt.astype(int) - pixels).max(axis=2)
    for mark in marks:
        window = slice(mark.top, mark.bottom), slice(mark.left, mark.right)
        assert left[window].max() > 50
        left[window] = 0
    assert left.max() == 0
