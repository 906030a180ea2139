"""A labelled set as the trainer needs it: the task's classes, and the sides of the split cut to the model's size.

What a task needs and a picture lacks is refused with the pictures' names, never passed over.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...bus.errors import BadData
from ...models.pictures import with_channels
from ..data.dataset import SPLITS, Dataset, Sample, Split
from .examples import Examples, Known
from .options import Task, TrainOptions

_NAMED = 5
FEWEST = 4
"""Pictures a side of training or validation must have."""


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained on, chosen by, and judged on."""

    classes: tuple[str, ...]
    """Defects, in the order of the model's channels."""
    learnt: Examples
    validation: Examples
    test: Examples | None
    """Never looked at before the bundle is made. None: no picture was put aside."""
    channels: int
    names: dict[Split, list[str]]
    """Of the samples on each side."""
    left_out: tuple[str, ...]
    """Names of defective pictures that nothing is drawn on."""


def material_of(dataset: Dataset, options: TrainOptions, spill: Path, tell: Callable[[float], None]) -> Material:
    """Return the pictures of a split set, cut and labelled.

    spill: folder for what does not fit `memory_mb`.
    BadData: a side or a class is missing, or pictures lack what the task needs. BadPicture: one does not decode or fit.
    """
    classes = dataset.classes if options.task == "classification" else dataset.kinds
    if not classes:
        raise BadData(f"{dataset.origin}: no class of defect in it: nothing to train (okng teach needs goods only)")
    lacking = unmarked(dataset.samples, options.task)
    if lacking and not options.leave_out_unmarked:
        raise BadData(_refusal(lacking, options.task))
    dataset = dataset.with_samples(sample for sample in dataset.samples if sample.name not in lacking)
    channels: int = options.channels or max(sample.channels for sample in dataset.samples)
    sides: dict[Split, tuple[Sample, ...]] = {side: dataset.of(side) for side in SPLITS}
    _require(sides["train"], classes, options.task, "to train on")
    _require(sides["val"], classes, options.task, "to validate by")
    total = sum(map(len, sides.values()))
    size = options.size_px
    needs = total * size * size * (channels + (1 if options.task == "segmentation" else 0))
    done = 0

    def known(samples: Sequence[Sample]) -> Iterator[Known]:
        nonlocal done
        for sample in samples:
            yield _known(sample, classes, options.task, channels)
            done += 1
            tell(done / total)

    def cut(samples: Sequence[Sample]) -> Examples:
        return Examples(
            known(samples),
            len(samples),
            size,
            channels,
            region=options.region,
            masks=options.task == "segmentation",
            spill=spill if needs > options.memory_mb << 20 else None,
        )

    test = sides["test"]
    names = {side: [sample.name for sample in samples] for side, samples in sides.items()}
    return Material(
        classes=classes,
        learnt=cut(sides["train"]),
        validation=cut(sides["val"]),
        test=cut(test) if test else None,
        channels=channels,
        names=names,
        left_out=tuple(lacking),
    )


def _known(sample: Sample, classes: Sequence[str], task: Task, channels: int) -> Known:
    masks = sample.masks() if task == "segmentation" else {}
    boxes = sample.boxes() if task == "detection" else ()
    label = 0
    if not sample.ok:
        label = 1 + classes.index(sample.label if sample.label in classes else sample.kinds[0])
    return Known(
        name=sample.name,
        picture=with_channels(sample.read(), channels),
        label=label,
        masks=[(classes.index(kind), mask) for kind, mask in masks.items()],
        boxes=[(classes.index(kind), box) for kind, box in boxes],
    )


def unmarked(samples: Sequence[Sample], task: Task) -> list[str]:
    """Return the names of defective pictures that lack what the task learns from."""
    if task == "classification":
        return []
    return [one.name for one in samples if not (one.ok or (one.drawn if task == "segmentation" else one.boxes()))]


def _refusal(lacking: Sequence[str], task: Task) -> str:
    named = ", ".join(lacking[:_NAMED]) + (", ..." if len(lacking) > _NAMED else "")
    what = "mask" if task == "segmentation" else "box or mask"
    return (
        f"{len(lacking)} defective pictures have no {what}: {named} (--leave-out-unmarked goes on without them, "
        "classification needs none)"
    )


def _require(samples: Sequence[Sample], classes: Sequence[str], task: Task, what: str) -> None:
    if len(samples) < FEWEST:
        raise BadData(f"{len(samples)} pictures {what}: expected {FEWEST} or more")
    there = {kind for one in samples for kind in ((one.label,) if task == "classification" else one.kinds)}
    missing = [name for name in classes if name not in there]
    if missing:
        raise BadData(f"no picture {what} shows {', '.join(missing)}: give more pictures or another --seed")
    if not any(one.ok for one in samples):
        raise BadData(f"no good part {what}: no limit can be told from defects alone")
