"""Looking for better options: short trainings with drawn options, the bad ones broken off, the best one kept.

Needs the extra `search` (Optuna). Judged on the validation pictures only; the test pictures stay unseen.
"""

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...bus.errors import BadSettings
from .examples import Examples
from .fit import NotFinite, fit
from .options import TrainOptions
from .ranks import Ranks

_LOG = logging.getLogger(__name__)
STUDY = "search.db"
_FIRST = 5
"""Trials that are never broken off: the others are compared with them."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to."""

    options: TrainOptions
    """Those asked for, with the best trial's in their place."""
    aim: float
    """Its validation figure."""
    trials: list[dict[str, Any]]
    """Of each trial: number, state, aim, and what was drawn."""


def search(
    learnt: Examples,
    validation: Examples,
    classes: int,
    options: TrainOptions,
    ranks: Ranks,
    work: Path,
    trials: int,
    tell: Callable[[float], None],
) -> Found:
    """Try so many trainings and return the best options. A search that was cut off goes on in `work`.

    BadSettings: Optuna is not installed, no trial ended well, or this is one of several processes.
    """
    if importlib.util.find_spec("optuna") is None:
        raise BadSettings("optuna is not installed: pip install 'okng[search]'")
    if ranks.world > 1:
        raise BadSettings("a search runs in one process: without torchrun")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    work.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{work / STUDY}",
        study_name="okng",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=options.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST, n_warmup_steps=3),
    )

    def objective(trial: Any) -> float:
        drawn = options.model_copy(update=drawn_options(trial, options))

        def report(row: dict[str, float]) -> None:
            trial.report(row["aim"], int(row["epoch"]))
            if trial.should_prune():
                raise optuna.TrialPruned

        place = work / f"trial-{trial.number}"
        fitted = fit(learnt, validation, classes, drawn, ranks, place, drawn.identity(), report)
        return max(row["aim"] for row in fitted.curves)

    ended = len([trial for trial in study.trials if trial.state.is_finished()])
    study.optimize(
        objective,
        n_trials=max(0, trials - ended),
        catch=(NotFinite,),
        callbacks=[lambda study, _: tell(len(study.trials) / trials)],
    )
    rows = [
        {"trial": trial.number, "state": trial.state.name, "aim": trial.value, **trial.params} for trial in study.trials
    ]
    if not any(row["state"] == "COMPLETE" for row in rows):
        raise BadSettings(f"none of {len(rows)} trials ended well: the loss went astray in all of them")
    best = study.best_trial
    update = drawn_options(best, options)
    _LOG.info("search: trial %d of %d is the best, %.4f", best.number, len(rows), best.value)
    return Found(options.model_copy(update=update), float(best.value), rows)


def drawn_options(trial: Any, options: TrainOptions) -> dict[str, Any]:
    """Return what a trial tries: how fast, how much of the backbone moves, how wide, how strongly pictures are changed.

    Which flips and turns a product allows is not a matter of figures and stays as it was asked for.
    """
    strength = trial.suggest_float("augment", 0.0, 2.0)
    augment = options.augment
    changed = {
        name: min(limit, getattr(augment, name) * strength)
        for name, limit in (("scale", 0.5), ("shift", 0.5), ("brightness", 0.9), ("contrast", 0.9), ("noise", 64.0))
    }
    return {
        "rate": trial.suggest_float("rate", 3e-4, 1e-2, log=True),
        "backbone_rate": trial.suggest_categorical("backbone_rate", [0.0, 0.03, 0.1, 0.3, 1.0]),
        "decay": trial.suggest_float("decay", 1e-4, 1e-1, log=True),
        "width": trial.suggest_categorical("width", [32, 64, 96]),
        "augment": augment.model_copy(update=changed),
    }
