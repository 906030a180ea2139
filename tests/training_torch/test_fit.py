"""The loop: checkpoints are whole and only of this training, early stop stops, a search keeps the better options."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make test-train")
pytestmark = [pytest.mark.train, pytest.mark.timeout(300)]

from okng.bus.errors import BadSettings
from okng.training.data.dataset import Dataset
from okng.training.supervised import checkpoint
from okng.training.supervised.fit import Fitted, fit
from okng.training.supervised.material import Material, material_of
from okng.training.supervised.options import TrainOptions, options_of
from okng.training.supervised.ranks import Ranks
from okng.training.supervised.search import search

ONE = Ranks(0, 1, "cpu")


@pytest.fixture(scope="module")
def material(few_plates: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Material:
    return material_of(few_plates, quick(), tmp_path_factory.mktemp("material"), lambda share: None)


def quick(**fields: object) -> TrainOptions:
    return options_of(**{"task": "classification", "size_px": 96, "channels": 1, "threads": 1, "epochs": 3, **fields})


def run(material: Material, work: Path, options: TrainOptions, name: str = "a") -> Fitted:
    return fit(material.learnt, material.validation, 2, options, ONE, work, {"name": name})


def weights(fitted: Fitted) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in fitted.net.state_dict().items()}


def test_a_seed_gives_one_training_and_another_seed_another(material: Material, tmp_path: Path) -> None:
    first, second, other = (
        weights(run(material, tmp_path / str(at), quick(seed=seed))) for at, seed in enumerate((1, 1, 2))
    )
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
    assert any((value != other[name]).any() for name, value in first.items())


def test_a_training_in_two_goes_ends_as_one_in_one_go(material: Material, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise Cut

    options = quick(epochs=4)
    with pytest.raises(Cut):
        fit(material.learnt, material.validation, 2, options, ONE, tmp_path / "cut", {}, cut)
    whole = fit(material.learnt, material.validation, 2, options, ONE, tmp_path / "whole", {})
    parts = fit(material.learnt, material.validation, 2, options, ONE, tmp_path / "cut", {})
    assert (whole.resumed_at, parts.resumed_at) == (0, 2)
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(value, weights(parts)[name])
    assert [row["loss"] for row in whole.curves] == [row["loss"] for row in parts.curves]


def test_it_stops_when_nothing_gets_better(material: Material, tmp_path: Path) -> None:
    fitted = run(material, tmp_path, quick(epochs=60, patience=2, rate=0.02))
    assert fitted.why == "no better validation figure for 2 epochs"
    assert fitted.best_epoch == len(fitted.curves) - 2
    best = fitted.curves[fitted.best_epoch - 1]
    assert all(row["aim"] <= best["aim"] + 1e-4 for row in fitted.curves)


@pytest.mark.parametrize("amp", ["bf16"])
def test_half_precision_trains_where_it_is_asked_for(material: Material, tmp_path: Path, amp: str) -> None:
    fitted = run(material, tmp_path, quick(amp=amp))
    assert all(np.isfinite(row["loss"]) for row in fitted.curves)
    assert next(iter(fitted.net.parameters())).dtype == torch.float32


def test_a_fixed_backbone_stays_as_it_is(material: Material, tmp_path: Path) -> None:
    fitted = run(material, tmp_path, quick(backbone_rate=0.0))
    from okng.training.supervised.backbone import own_weights

    np.testing.assert_array_equal(weights(fitted)["backbone.stem.1.weight"], own_weights()["conv_stem.w"])


def test_a_checkpoint_of_another_training_is_refused(material: Material, tmp_path: Path) -> None:
    run(material, tmp_path, quick(epochs=1))
    with pytest.raises(BadSettings, match="of a training with other options"):
        run(material, tmp_path, quick(epochs=1), "b")


def test_a_damaged_checkpoint_is_refused_and_half_a_one_is_no_one(material: Material, tmp_path: Path) -> None:
    run(material, tmp_path, quick(epochs=1))
    (tmp_path / f".{checkpoint.NAME}.123").write_bytes(b"half")
    assert run(material, tmp_path, quick(epochs=1)).resumed_at == 1
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]
    whole = (tmp_path / checkpoint.NAME).read_bytes()
    (tmp_path / checkpoint.NAME).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadSettings, match="damaged"):
        run(material, tmp_path, quick(epochs=1))


def test_a_checkpoint_holds_nothing_that_runs(material: Material, tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit(99)",))

    torch.save({"format": 1, "net": Bad()}, tmp_path / checkpoint.NAME)
    with pytest.raises(BadSettings, match="damaged"):
        run(material, tmp_path, quick(epochs=1))


def test_a_search_keeps_the_best_trial_and_goes_on_where_it_was(material: Material, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed: make test-train")
    told: list[float] = []
    found = search(material.learnt, material.validation, 2, quick(epochs=2), ONE, tmp_path, 3, told.append)
    assert len(found.trials) == 3
    assert found.aim == max(float(row["aim"]) for row in found.trials if row["state"] == "COMPLETE")
    best = next(row for row in found.trials if row["aim"] == found.aim)
    assert found.options.rate == pytest.approx(best["rate"])
    assert found.options.augment.flip_x is False
    assert told[-1] == 1.0
    again = search(material.learnt, material.validation, 2, quick(epochs=2), ONE, tmp_path, 3, told.append)
    assert again == found
