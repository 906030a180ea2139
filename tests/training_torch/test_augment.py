"""Augmentation changes what the product allows and keeps truth and picture together. No torch in here."""

from dataclasses import replace

import numpy as np
import pytest

from okng.bus.errors import BadSettings
from okng.training.supervised.augment import Marked, augmented
from okng.training.supervised.options import Augment, options_of

STILL = Augment(scale=0.0, shift=0.0, brightness=0.0, contrast=0.0, noise=0.0, blur=0.0)


def marked(side: int = 64) -> Marked:
    """A dark field with one bright rectangle, left of the middle and above it."""
    picture = np.full((side, side, 1), 40, np.uint8)
    picture[10:20, 12:28] = 220
    mask = (picture[..., 0] > 128).astype(np.uint8) * np.uint8(2)
    return Marked(picture, 2, mask, np.array([[12.0, 10.0, 28.0, 20.0]], np.float32), np.array([1]))


def drawn(options: Augment, count: int = 40) -> list[Marked]:
    return [augmented(marked(), options, np.random.default_rng([7, at])) for at in range(count)]


def test_what_is_not_allowed_does_not_happen() -> None:
    for one in drawn(STILL, 10):
        np.testing.assert_array_equal(one.picture, marked().picture)
        np.testing.assert_array_equal(one.boxes, marked().boxes)


def test_a_flip_mirrors_picture_mask_and_box_alike_and_only_along_the_axis_allowed() -> None:
    across = drawn(STILL.model_copy(update={"flip_x": True}))
    seen = {tuple(one.boxes[0]) for one in across}
    assert seen == {(12.0, 10.0, 28.0, 20.0), (36.0, 10.0, 52.0, 20.0)}
    turned = next(one for one in across if one.boxes[0][0] == 36.0)
    np.testing.assert_array_equal(turned.picture, marked().picture[:, ::-1])
    np.testing.assert_array_equal(turned.mask, marked().mask[:, ::-1])


def test_picture_mask_and_box_move_together() -> None:
    options = STILL.model_copy(update={"rotate_deg": 180.0, "scale": 0.1, "shift": 0.05, "flip_y": True})
    for one in drawn(options):
        bright, masked = one.picture[..., 0] > 128, one.mask == 2
        overlap = (bright & masked).sum() / (bright | masked).sum()
        assert overlap > 0.85
        rows, columns = np.nonzero(masked)
        left, top, right, bottom = one.boxes[0]
        assert left - 4 <= columns.min()
        assert right + 4 >= columns.max()
        assert top - 4 <= rows.min()
        assert bottom + 4 >= rows.max()


def test_light_changes_pixels_and_nothing_else() -> None:
    lit = drawn(STILL.model_copy(update={"brightness": 0.3, "contrast": 0.3, "noise": 8.0, "blur": 1.0}), 10)
    assert all((one.picture != marked().picture).any() for one in lit)
    assert all((one.mask == marked().mask).all() for one in lit)


def test_the_same_draw_gives_the_same_picture() -> None:
    options = Augment(rotate_deg=30.0, flip_x=True)
    first, second = (augmented(marked(), options, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.picture, second.picture)


def test_a_defect_that_would_leave_the_picture_stays() -> None:
    edge = marked()
    edge = replace(edge, boxes=np.array([[0.0, 0.0, 3.0, 3.0]], np.float32), mask=np.zeros_like(edge.mask))
    edge.mask[:3, :3] = 2
    moved = [augmented(edge, STILL.model_copy(update={"shift": 0.4}), np.random.default_rng(at)) for at in range(50)]
    assert all(len(one.boxes) == 1 and one.mask.any() for one in moved)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"size_px": 100}, "size_px"),
        ({"rate": 0.0}, "rate"),
        ({"flip": True}, "flip"),
        ({"augment": {"rotate_deg": 300}}, "augment.rotate_deg"),
        ({"weights": "download"}, "lite0 brings its own"),
        ({"validation_share": 0.5, "test_share": 0.5}, "expected less than 0.95"),
    ],
)
def test_options_out_of_range_are_refused_by_name(fields: dict[str, object], said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        options_of(task="detection", **fields)
