"""Limits keep what they promise on the pictures they are chosen by, and say what they could not keep. No torch here."""

import numpy as np
import pytest

from okng.training.supervised.limits import choose_limits, needed, outcome_of, share_of
from okng.training.supervised.options import TrainOptions

CLASSES = ("scratch", "stain")


def options(**fields: float) -> TrainOptions:
    return TrainOptions.model_validate({"task": "segmentation", **fields})


def confidences(seed: int, apart: float, goods: int = 200, each: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of goods and of two classes; the further apart, the better the model."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [goods, each, each])
    odds = rng.normal(-3.0, 1.0, (len(labels), 2))
    for place in range(2):
        odds[labels == place + 1, place] += apart
    return 1.0 / (1.0 + np.exp(-odds)), labels


@pytest.mark.parametrize("overkill", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("apart", [2.0, 4.0, 12.0])
def test_overkill_is_kept_on_the_validation_pictures(overkill: float, apart: float) -> None:
    shares, labels = confidences(0, apart)
    limits = choose_limits(shares, labels, CLASSES, options(overkill_percent=overkill))
    outcome = outcome_of(shares, labels, CLASSES, limits)
    assert outcome.overkill.percent <= overkill + 1e-9
    assert all(0.02 <= limit <= 0.98 for limit in limits.by_class.values())
    if apart == 12.0:
        assert outcome.escape.events == 0


def test_escapes_go_before_overkill_and_it_is_said() -> None:
    shares, labels = confidences(0, 3.0)
    limits = choose_limits(shares, labels, CLASSES, options(overkill_percent=1.0, escape_percent=2.0))
    outcome = outcome_of(shares, labels, CLASSES, limits)
    assert outcome.escape.percent <= 2.0
    assert outcome.overkill.percent > 1.0
    assert any("goods are NG" in note for note in limits.notes)


def test_between_separate_classes_the_limit_lies_in_the_gap() -> None:
    shares, labels = confidences(1, 12.0)
    for each in (choose_limits(shares, labels, CLASSES, options(**more)) for more in ({}, {"escape_percent": 0.0})):
        for place, name in enumerate(CLASSES):
            assert shares[labels == 0, place].max() < each.by_class[name] < shares[labels == place + 1, place].min()
        assert each.notes == ()


def test_a_defect_below_the_limit_is_told() -> None:
    shares, labels = confidences(2, 4.0)
    shares[labels == 2, 1] = 0.001
    limits = choose_limits(shares, labels, CLASSES, options(overkill_percent=1.0))
    assert any(note.startswith("stain: 50 of 50") for note in limits.notes)


def test_parts_still_needed_follow_the_rule_of_299() -> None:
    assert needed(1.0, share_of(0, 0)) == 299
    assert needed(1.0, share_of(0, 100)) == 199
    assert needed(1.0, share_of(0, 1000)) == 0
    assert needed(None, share_of(0, 0)) == 0
