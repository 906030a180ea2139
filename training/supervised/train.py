"""From labelled pictures to a bundle in one command.

    labelled set -> cut, labelled -> (search) -> epochs -> best weights -> limits -> graph -> bundle

Ctrl-C or a kill leaves the checkpoint of the last whole epoch and no bundle; the same command goes on from there.
"""

import hashlib
import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision

from ... import __version__
from ...bus.errors import BadSettings
from ...models.bundle import check_free
from ...models.manifest import REPORT
from ..data.dataset import Dataset
from . import checkpoint
from .fit import Fitted, NotFinite, fit
from .limits import Outcome
from .material import Material, material_of
from .options import OWN_BACKBONE, TrainOptions
from .ranks import Ranks, joined
from .release import Released, release
from .search import Found, search
from .track import Tracker

_LOG = logging.getLogger(__name__)

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training came to."""

    bundle: Path
    digest: str
    classes: tuple[str, ...]
    epochs: int
    best_epoch: int
    ended: str
    """Why it stopped, for people."""
    resumed_at: int
    """Epochs that an earlier process had done."""
    limits: dict[str, float]
    notes: tuple[str, ...]
    """What could not be kept, for people."""
    target: str
    validation: Outcome
    test: Outcome | None
    figures: dict[str, float]
    """Of the best epoch on the validation pictures."""
    trials: int
    """Of the search; 0: there was none."""
    seconds: dict[str, float]
    run: str = ""
    """In MLflow; empty: nobody was told."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a training lies while it runs, and who is told of it."""

    work: Path | None = None
    """Folder of checkpoint and search. None: beside the bundle, `NAME.training`."""
    fresh: bool = False
    """True: what lies there is removed first."""
    keep: bool = False
    """True: the checkpoint stays when the bundle is made."""
    track: str = ""
    """MLflow's address; empty: nobody is told."""
    trials: int = 0
    """Of a search for better options; 0: the options are taken as they are."""
    dataset: str = ""
    """Version of the data set, `plates@3`; empty: it is of none."""
    dataset_sha256: str = ""


def train(
    dataset: Dataset, out: Path, options: TrainOptions, place: Place | None = None, progress: Progress | None = None
) -> TrainReport | None:
    """Train on the side `train` of a split set and write the bundle to out. None: in all processes but the first.

    progress: called with (phase, 0..1); what it raises ends the training as Ctrl-C does.
    BadData: the set lacks what the task needs. BadPicture: a picture does not decode or fit. BadSettings: an option,
    the weights, the device, or a checkpoint of another training. BadBundle: something is at out, or the exported graph
    says otherwise than the network. StoreLost: MLflow does not answer at the start.
    """
    started, place = time.monotonic(), place or Place()
    work = place.work or out.with_name(f"{out.name}.training")
    tell = progress or (lambda phase, share: None)
    seconds: dict[str, float] = {}
    with joined(options) as ranks:
        check_free(out, replace=options.replace)
        if place.fresh and ranks.first:
            shutil.rmtree(work, ignore_errors=True)
        ranks.agreed(None)
        material = material_of(dataset, options, work, lambda share: tell("pictures", share))
        options = options.model_copy(update={"channels": material.channels})
        seconds["pictures"] = time.monotonic() - started
        found = None
        if place.trials:
            found = search(
                material.learnt,
                material.validation,
                len(material.classes),
                options,
                ranks,
                work,
                place.trials,
                lambda share: tell("search", share),
            )
            options = found.options
            seconds["search"] = time.monotonic() - started - sum(seconds.values())
        tracker = _tracker(place, options, material) if ranks.first and place.track else None
        run = tracker.run if tracker is not None else ""
        try:
            fitted = _fitted(material, options, ranks, work, tracker, tell)
            seconds["epochs"] = time.monotonic() - started - sum(seconds.values())
            if not ranks.first:
                return None
            released = _released(fitted, material, options, place, out, found, seconds, tell)
            seconds["bundle"] = time.monotonic() - started - sum(seconds.values())
            if tracker is not None:
                tracker.finished(out / REPORT, released.digest, _test_figures(released))
        finally:
            if tracker is not None:
                tracker.close()
    if not place.keep:
        shutil.rmtree(work, ignore_errors=True)
    best = next(row for row in fitted.curves if row["epoch"] == fitted.best_epoch)
    return TrainReport(
        bundle=out,
        digest=released.digest,
        classes=material.classes,
        epochs=len(fitted.curves),
        best_epoch=fitted.best_epoch,
        ended=fitted.why,
        resumed_at=fitted.resumed_at,
        limits=released.limits.by_class,
        notes=released.limits.notes,
        target=released.target,
        validation=released.validation,
        test=released.test,
        figures={name: best[name] for name in ("figure", "auroc", "aim") if name in best},
        trials=place.trials,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        run=run,
    )


def _fitted(
    material: Material, options: TrainOptions, ranks: Ranks, work: Path, tracker: Tracker | None, tell: Progress
) -> Fitted:
    identity = {
        "options": options.identity(),
        "classes": list(material.classes),
        "learnt": material.learnt.digest,
        "validation": material.validation.digest,
    }

    def on_epoch(row: dict[str, float]) -> None:
        shown = " ".join(
            f"{key} {row[key]:.4f}" for key in ("loss", "validation_loss", "figure", "auroc") if key in row
        )
        _LOG.info("epoch %d of %d: %s (%.1f s)", row["epoch"], options.epochs, shown, row["seconds"])
        if tracker is not None:
            tracker.epoch(row)
        tell("epochs", row["epoch"] / options.epochs)

    tell("epochs", 0.0)
    try:
        fitted = fit(
            material.learnt, material.validation, len(material.classes), options, ranks, work, identity, on_epoch
        )
    except NotFinite as error:
        raise BadSettings(str(error)) from error
    tell("epochs", 1.0)
    return fitted


def _released(
    fitted: Fitted,
    material: Material,
    options: TrainOptions,
    place: Place,
    out: Path,
    found: Found | None,
    seconds: dict[str, float],
    tell: Progress,
) -> Released:
    names = hashlib.sha256("\n".join(material.names["train"]).encode()).hexdigest()
    summary: dict[str, Any] = {
        "method": f"supervised {options.task}",
        "okng": __version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "backbone": options.backbone,
        "weights": "the backbone's own" if options.backbone == OWN_BACKBONE else _weights(options),
        "pictures": len(material.learnt),
        "pictures_sha256": material.learnt.digest,
        "names_sha256": names,
        "validation_pictures": len(material.validation),
        "test_pictures": len(material.test) if material.test else 0,
        "epochs": len(fitted.curves),
        "best_epoch": fitted.best_epoch,
        "seed": options.seed,
        "size_px": options.size_px,
        "region": str(options.region) if options.region else "whole picture",
    }
    if place.dataset_sha256:
        summary |= {"dataset": place.dataset, "dataset_sha256": place.dataset_sha256}
    if options.weights_file is not None:
        summary["weights_sha256"] = hashlib.sha256(options.weights_file.read_bytes()).hexdigest()
    more: dict[str, Any] = {
        "options": options.model_dump(mode="json", exclude={"replace", "weights"}),
        "sides": material.names,
        "left_out": material.left_out,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }
    if found is not None:
        more["search"] = {"aim": found.aim, "trials": found.trials}
    tell("bundle", 0.0)
    return release(fitted, material, options, out, summary, more, lambda share: tell("bundle", share))


def _weights(options: TrainOptions) -> str:
    """What a torchvision backbone began with, without the place of a file."""
    return "a file" if options.weights_file else options.weights


def _tracker(place: Place, options: TrainOptions, material: Material) -> Tracker:
    told = options.model_dump(mode="json", exclude={"augment", "replace"})
    told |= {f"augment.{name}": value for name, value in options.augment.model_dump().items()}
    told |= {"pictures": len(material.learnt), "classes": ", ".join(material.classes)}
    tags = {"okng": __version__, "pictures_sha256": material.learnt.digest}
    return Tracker(place.track, options.name, told, tags)


def _test_figures(released: Released) -> dict[str, float]:
    if released.test is None:
        return {}
    found = {"test_overkill_percent": released.test.overkill.percent}
    if released.test.escape.n:
        found["test_escape_percent"] = released.test.escape.percent
    return {name: value for name, value in found.items() if math.isfinite(value)}


def started_at(work: Path) -> bool:
    """True when a training lies in that folder to be gone on with."""
    return (work / checkpoint.NAME).exists()
