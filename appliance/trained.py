"""A training as the door runs it: the set read and split, progress shown, and what came of it in words."""

import logging
import os
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ..training.data.sources import SourceOptions, open_dataset
from ..training.supervised.limits import Share
from ..training.supervised.options import TrainOptions
from ..training.supervised.sides import sided
from ..training.supervised.train import Place, TrainReport, train
from .progress import bar

_LOG = logging.getLogger(__name__)


def trained(data: Path, source: SourceOptions, out: Path, options: TrainOptions, place: Place) -> TrainReport | None:
    """Read the set, split it where it is not, train, and return what came of it; None: not the first process.

    Errors as of `open_dataset`, `split` and `train`.
    """
    first = os.environ.get("RANK", "0") == "0"
    with bar(Console(stderr=True, quiet=not first)) as progress:
        tasks: dict[str, int] = {}

        def tell(phase: str, share: float) -> None:
            if phase not in tasks:
                tasks[phase] = progress.add_task(f"train: {phase}", total=1.0)
            progress.update(tasks[phase], completed=share)  # type: ignore[arg-type]  # rich's TaskID is an int

        dataset = open_dataset(data, source, lambda share: tell("reading", share))
        place = replace(place, dataset=dataset.name, dataset_sha256=dataset.digest)
        shares = options.validation_share, options.test_share
        dataset = sided(dataset, *shares, options.seed, lambda share: tell("doubles", share))
        for note in dataset.notes if first else ():
            _LOG.warning("%s", note)
        return train(dataset, out, options, place, tell)


def lines(report: TrainReport) -> list[str]:
    """Return what a training came to, for people."""
    figures = ", ".join(f"{name} {value:.3f}" for name, value in report.figures.items())
    went_on = f", {report.resumed_at} of them before" if report.resumed_at else ""
    said = [
        f"trained {', '.join(report.classes)}: {report.epochs} epochs{went_on}; {report.ended}",
        f"best: epoch {report.best_epoch} (validation: {figures})",
        f"model {report.digest[:12]} at {report.bundle}, {sum(report.seconds.values()):.0f} s",
        "limits: " + ", ".join(f"{name} {limit:.3f}" for name, limit in report.limits.items()),
        *report.notes,
        f"asked for: {report.target}",
    ]
    if report.test is None:
        return [*said, "no test pictures: what the limits come to on parts never seen is not known"]
    said.append(f"on test pictures: overkill {_told(report.test.overkill)}, escapes {_told(report.test.escape)}")
    return [*said, *(f"  {name}: escapes {_told(share)}" for name, share in report.test.by_class.items())]


def _told(share: Share) -> str:
    if not share.n:
        return "not known (no such picture)"
    return (
        f"{share.events} of {share.n} ({share.percent:.1f} %, 95 %: {100 * share.low:.1f} .. {100 * share.high:.1f} %)"
    )
