"""What is learnt: each piece against its definition."""

import numpy as np
import pytest

from okng.training import blas, calibration, coreset, gaussian, lesson, threshold, whitening
from okng.training.heads import Mix, smoothed
from okng.training.options import TeachOptions


def cells(goods: int = 30, positions: int = 9, channels: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(goods, positions, channels)) @ rng.normal(size=(channels, channels))
    return (mixed + 5.0).astype(np.float32)


def test_white_features_have_no_correlation_and_equal_spread() -> None:
    features = cells(200)
    white = whitening.fit_whitening(features).apply(features).reshape(-1, 12)
    assert np.abs(white.mean(axis=0)).max() < 1e-3
    covariance = np.cov(white.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02
    assert (np.diag(covariance) <= 1.001).all()
    assert np.diag(covariance)[0] > 0.99


def test_a_direction_without_variance_does_not_blow_up() -> None:
    features = cells()
    features[..., 3] = 7.0
    white = whitening.fit_whitening(features).apply(features)
    assert np.isfinite(white).all()
    assert np.abs(white).max() < 40.0


def test_the_memory_covers_better_than_chance() -> None:
    white = np.random.default_rng(1).normal(size=(20, 50, 6)).astype(np.float32)
    flat = white.reshape(-1, 6)
    memory = coreset.fit_memory(white, 60, np.random.default_rng(0))
    chance = flat[np.random.default_rng(2).choice(len(flat), 60, replace=False)]

    def radius(centres: np.ndarray) -> float:
        return float(np.sqrt(((flat[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)).max())

    # Exact greedy choice, one at a time, for comparison.
    exact = [0]
    while len(exact) < 60:
        gaps = ((flat[:, None] - flat[exact][None]) ** 2).sum(axis=2).min(axis=1)
        exact.append(int(gaps.argmax()))
    assert len(memory.centres) == 60
    assert radius(memory.centres) < 0.8 * radius(chance)
    assert radius(memory.centres) < 1.15 * radius(flat[exact])
    for centre, good in zip(memory.centres, memory.goods, strict=True):
        assert (white[good] == centre).all(axis=1).any()


def test_distances_are_to_the_nearest_centre() -> None:
    white = np.random.default_rng(3).normal(size=(7, 9, 5)).astype(np.float32)
    memory = coreset.fit_memory(white, 20, np.random.default_rng(0))
    gaps = np.linalg.norm(white[:, :, None] - memory.centres[None, None], axis=3)
    assert memory.distances(white) == pytest.approx(gaps.min(axis=2), abs=2e-3)
    own = np.arange(7)[:, None, None] == memory.goods[None, None, :]
    expected = np.where(own, np.inf, gaps).min(axis=2)
    assert memory.distances(white, leave_out=True) == pytest.approx(expected, abs=2e-3)


def test_copies_do_not_fill_the_memory() -> None:
    white = np.tile(np.random.default_rng(0).normal(size=(1, 4, 6)).astype(np.float32), (10, 1, 1))
    assert len(coreset.fit_memory(white, 64, np.random.default_rng(0)).centres) <= 4


def test_the_gaussian_is_mahalanobis_per_position() -> None:
    white = np.random.default_rng(4).normal(size=(400, 3, 8)).astype(np.float32)
    white[:, 1] *= 3.0
    white = white[..., :5]
    fitted = gaussian.fit_gaussian(white)
    probe = np.random.default_rng(5).normal(size=(6, 3, 5)).astype(np.float32)
    for place in range(3):
        part = white[:, place].astype(float)
        inverse = np.linalg.inv(np.cov(part.T))
        offset = probe[:, place] - part.mean(axis=0)
        plain = np.sqrt(np.einsum("nd,de,ne->n", offset, inverse, offset))
        assert fitted.distances(probe)[:, place] == pytest.approx(plain, rel=0.05)


def test_leaving_out_is_as_fitting_anew() -> None:
    white = np.random.default_rng(6).normal(size=(70, 5, 10)).astype(np.float32)
    plain = gaussian.fit_gaussian(white).distances(white)
    anew = np.array(
        [
            gaussian.fit_gaussian(np.delete(white, good, axis=0)).distances(white[good : good + 1])[0]
            for good in range(70)
        ]
    )
    held = gaussian.left_out(plain)
    assert held == pytest.approx(anew, rel=0.05)
    assert held.mean() == pytest.approx(anew.mean(), rel=0.01)
    assert held.mean() > 1.05 * plain.mean()


@pytest.mark.parametrize("enough", [0, 10**9])
def test_held_out_scores_are_like_those_of_new_goods(enough: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of leaving out: by closed form with goods enough, by folds with few."""
    monkeypatch.setattr(lesson, "ENOUGH_CELLS", enough)
    goods = 240 if enough == 0 else 60
    features = np.random.default_rng(8).normal(size=(goods + 200, 16, 20)).astype(np.float32)
    options = TeachOptions(bank=64, dimensions=12)
    learnt = lesson.learn(features[:goods], lesson.Grid(4), options, Mix(1.0, 1.0), lambda _: lambda _: None)
    fresh = learnt.heads.heat(features[goods:]).max(axis=(1, 2))
    known = learnt.heads.heat(features[:goods]).max(axis=(1, 2))
    assert np.median(learnt.held_out) == pytest.approx(np.median(fresh), abs=0.35)
    assert np.median(known) < np.median(fresh) - 0.1


def test_z_of_each_good_is_by_the_others() -> None:
    distances = np.random.default_rng(7).gamma(4.0, size=(15, 6)).astype(np.float32)
    held = calibration.held_out_z(distances)
    for good in range(15):
        others = calibration.fit_calibration(np.delete(distances, good, axis=0))
        assert held[good] == pytest.approx(others.z(distances[good : good + 1])[0], rel=1e-4, abs=1e-4)


def test_a_place_that_never_varies_does_not_divide_by_nothing() -> None:
    distances = np.ones((12, 4), np.float32)
    distances[:, 1] = np.linspace(0, 1, 12)
    assert np.isfinite(calibration.fit_calibration(distances).z(distances + 1)).all()
    assert np.isfinite(calibration.held_out_z(distances)).all()
    assert np.isfinite(calibration.held_out_z(np.ones((12, 4), np.float32))).all()


def test_smoothing_keeps_level_and_mass() -> None:
    level = np.full((1, 16), 3.0, np.float32)
    assert smoothed(level) == pytest.approx(np.full((1, 4, 4), 3.0))
    spot = np.zeros((1, 25), np.float32)
    spot[0, 12] = 64.0
    assert smoothed(spot)[0, 1:4, 1:4].tolist() == [[1, 6, 1], [6, 36, 6], [1, 6, 1]]


@pytest.mark.parametrize("goods", [99, 120, 400])
def test_the_conformal_promise_holds(goods: int) -> None:
    """Share of new goods above the limit, in the mean over teachings: at most what was asked for."""
    rng = np.random.default_rng(goods)
    share = []
    for _ in range(300):
        limit = threshold.choose_threshold(rng.lognormal(sigma=0.8, size=goods), 0.01)
        assert "conformal" in limit.method
        assert limit.low < limit.overkill <= 0.01 < limit.high
        share.append((rng.lognormal(sigma=0.8, size=2000) > limit.value).mean())
    assert np.mean(share) == pytest.approx(limit.overkill, rel=0.25)


@pytest.mark.parametrize("goods", [10, 25, 60])
def test_the_tail_promise_holds_for_its_law(goods: int) -> None:
    rng = np.random.default_rng(goods)
    share = []
    for _ in range(25):
        scores = (8.0 + rng.gumbel(size=goods)) ** 2
        limit = threshold.choose_threshold(scores, 0.01)
        assert "extreme-value" in limit.method
        share.append(((8.0 + rng.gumbel(size=3000)) ** 2 > limit.value).mean())
    assert np.mean(share) == pytest.approx(0.01, abs=0.008)


def test_the_threshold_is_not_the_maximum() -> None:
    scores = np.random.default_rng(0).gamma(3.0, size=50)
    few = threshold.choose_threshold(scores, 0.01)
    assert few.value > scores.max()
    assert (few.low, few.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 50)), abs=1e-6)
    assert threshold.choose_threshold(scores, 0.10).value < scores.max()
    assert threshold.choose_threshold(scores, 0.10).goods == 50


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        threshold.choose_threshold(np.array([1.0, np.nan, 2.0]), 0.01)
    with pytest.raises(ValueError, match="expected three"):
        threshold.choose_threshold(np.array([1.0, 2.0]), 0.01)


def test_linear_algebra_is_limited_and_let_go() -> None:
    libraries = blas._libraries()
    before = [get() for get, _ in libraries]
    with blas.one_thread():
        assert all(get() == 1 for get, _ in libraries)
    assert [get() for get, _ in libraries] == before
