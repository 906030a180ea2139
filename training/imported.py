"""A foreign ONNX model becomes a bundle, and is refused where it would say otherwise than it did before.

file -> read and made plain -> nodes around it -> held, picture by picture, against the foreign graph fed by numpy
     -> golden pictures -> bundle, opened and scored again by the line's own detector before it takes its place
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bus.clock import utc_now
from ..bus.errors import BadBundle
from ..models import crop
from ..models.box import Box
from ..models.bundle import SCORE_TOLERANCE, check_free, open_bundle, write_bundle
from ..models.detector import Detector
from ..models.manifest import EXPECTED, MODEL, REPORT, Output
from ..models.parity import require_golden
from ..models.pictures import encode_png, files_in, read, with_channels
from ..models.reading import Reading
from ..models.runtime import Session
from ..models.sandbox import trial_bytes
from .foreign import Foreign, open_foreign
from .foreign_ports import Plan, connect, plan_of
from .import_options import ImportOptions
from .import_parity import Itself, Pair, reader_of
from .wrapping import Taken, Wrapped, taken_by

MOST_COMPARED = 64
"""Pictures of the folder that are looked at, evenly over their names."""
GOLDEN = 16
_NEAR = 0.02
"""A score nearer to its limit than this share of it makes no golden picture where there are others."""

Cuts = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Imported:
    """A foreign model that became a bundle."""

    digest: str
    folder: Path
    pictures: int
    """Compared."""
    largest_difference: float
    """Between a number of the bundle's graph and that of the foreign graph, as a share of it where it is above 1."""
    free: bool
    """It takes several pictures in one run."""
    notes: tuple[str, ...]
    """What whoever imports it should know, for people."""


@dataclass(frozen=True, slots=True)
class _Made:
    model: bytes
    picture: str
    ports: dict[str, str]
    free: bool


def import_model(
    path: Path, folder: Path, out: Path, options: ImportOptions, tell: Callable[[str], None] = lambda _: None
) -> Imported:
    """Write the bundle of a foreign model, whole or not at all.

    path: an ONNX file. folder: pictures as the line will see them, uint8, at least one. tell: told what is done next.
    BadBundle: the model cannot become a bundle, says otherwise inside it, or something is at out already. BadPicture:
    no picture, or one does not decode.
    """
    check_free(out, replace=options.replace)
    tell(f"reading {path}")
    foreign = open_foreign(path)
    trial_bytes(foreign.model.SerializeToString(), str(path))
    taken = taken_by(foreign, options)
    names, cuts = _cuts(folder, taken, options)
    tell(f"comparing on {len(names)} pictures")
    itself = Itself(foreign, taken, options)
    plan = plan_of(foreign, itself.outputs(cuts[:1]), options)
    made = _made(foreign, taken, options, plan, cuts)
    output = _output(plan, made, options)
    pair = Pair(itself, Session(made.model, "cpu", 1), made.picture, plan, reader_of(output, taken, options))
    readings, largest = pair.held(names, cuts)
    limit = options.threshold if plan.adapter == "anomaly" else 1.0
    golden = _golden([reading.score for reading in readings], limit)
    notes = _notes(readings, plan, made)
    expected = {
        f"{at:02d}.png": {
            "score": readings[place].score,
            "ok": bool(readings[place].score <= limit),
            "spots": sum(spot.ratio > 1.0 for spot in readings[place].spots),
        }
        for at, place in enumerate(golden)
    }
    how: dict[str, Any] = {
        "method": "imported",
        "file": path.name,
        "file_sha256": foreign.sha256,
        "producer": foreign.producer[:200],
        "adapter": plan.adapter,
        "input": f"{taken.layout} scale {options.scale:g} mean {_list(options.mean)} std {_list(options.std)}"
        + (" bgr" if options.bgr else "")
        + (" grey" if options.grey else ""),
        "pool": plan.pool,
    }
    report = {
        "import": {**how, "outputs": plan.source, "notes": notes},
        "parity": {"pictures": len(names), "largest_difference": largest, "tolerance": SCORE_TOLERANCE},
    }
    content = {
        MODEL: made.model,
        EXPECTED: json.dumps({"tolerance": SCORE_TOLERANCE, "pictures": expected}, indent=2, sort_keys=True).encode(),
        REPORT: json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False).encode(),
        **{f"golden/{at:02d}.png": encode_png(_plain(cuts[place])) for at, place in enumerate(golden)},
    }
    tell(f"writing {out}")
    digest = write_bundle(
        out,
        content,
        _fields(foreign, taken, made, output, how, options, limit),
        replace=options.replace,
        check=lambda written: require_golden(Detector(open_bundle(written))),
    )
    return Imported(digest, out, len(names), largest, made.free, notes)


def _cuts(folder: Path, taken: Taken, options: ImportOptions) -> tuple[list[str], Cuts]:
    """Names and pictures, cut whole to the input, uint8 [n, h, w, c]."""
    files = files_in(folder)
    chosen = [files[place] for place in _spread(len(files), MOST_COMPARED)]
    cuts = []
    for file in chosen:
        picture = with_channels(read(file), 1 if options.grey else taken.channels)
        whole = Box(0, 0, picture.shape[1], picture.shape[0])
        cuts.append(crop.crop_and_resize(picture, whole, (taken.height, taken.width)))
    return [file.name for file in chosen], np.concatenate(cuts)


def _made(foreign: Foreign, taken: Taken, options: ImportOptions, plan: Plan, cuts: Cuts) -> _Made:
    """Return the wrapped graph. Its first axis stays free only where two pictures at once give what each alone does."""
    wrapped = Wrapped(foreign, taken, options)
    connect(wrapped, plan)
    names = list(wrapped.ports.values())
    try:
        single = Session(wrapped.bytes_of(1), "cpu", 1)
        alone = [single.run(names, {wrapped.picture: cuts[at : at + 1]}) for at in (0, len(cuts) - 1)]
    except (BadBundle, RuntimeError) as error:
        raise BadBundle(f"{foreign.path}: does not run with nodes around it: {error}") from error
    free = taken.free and plan.adapter != "torchvision_detection"
    if free:
        try:
            pair = Session(wrapped.bytes_of("n"), "cpu", 1, 2)
            both = pair.run(names, {wrapped.picture: cuts[[0, len(cuts) - 1]]})
            free = all(
                len(value) == 2 and np.allclose(value[at : at + 1], alone[at][port], rtol=1e-4, atol=1e-5)
                for port, value in enumerate(both)
                for at in (0, 1)
            )
        except (BadBundle, RuntimeError):
            free = False
    shapes: dict[str, tuple[int | str, ...]] = {}
    for ours, value in zip(wrapped.ports, alone[0], strict=True):
        counted = "k" if plan.adapter == "torchvision_detection" else "n" if free else 1
        shapes[ours] = (counted, *value.shape[1:])
    return _Made(wrapped.bytes_of("n" if free else 1, shapes), wrapped.picture, wrapped.ports, free)


def _output(plan: Plan, made: _Made, options: ImportOptions) -> Output:
    """The manifest's word on the outputs."""
    return Output(
        adapter=plan.adapter,
        rows=plan.rows,
        columns=plan.columns,
        classes=tuple(options.classes),
        numbers=options.numbers,
        # A segmentation's confidences are made in the graph, before its maps are brought down.
        activation="none" if plan.adapter == "segmentation" else plan.activation,
        layout=plan.layout,
        overlap=options.overlap,
        area_limits_px=options.areas_px,
        clipped=plan.clipped,
        **made.ports,
    )


def _golden(scores: list[float], limit: float) -> list[int]:
    """Places of the golden pictures, evenly over the scores; those right at the limit only for want of others."""
    order = np.argsort(scores, kind="stable")
    clear = [int(place) for place in order if abs(scores[place] - limit) > _NEAR * abs(limit)] or [*map(int, order)]
    return [clear[at] for at in _spread(len(clear), GOLDEN)]


def _notes(readings: list[Reading], plan: Plan, made: _Made) -> tuple[str, ...]:
    notes = []
    scores = [reading.score for reading in readings]
    if len(scores) > 1 and max(scores) - min(scores) < SCORE_TOLERANCE:
        notes.append(f"every picture scores {scores[0]:.4g}: name pictures that differ, golden ones prove little so")
    if plan.pool > 1:
        notes.append(
            f"maps are brought down to {plan.columns}x{plan.rows} cells, each the maximum of {plan.pool}x{plan.pool}"
        )
    if not made.free:
        notes.append("takes one picture a run")
    return tuple(notes)


def _fields(
    foreign: Foreign,
    taken: Taken,
    made: _Made,
    output: Output,
    how: dict[str, Any],
    options: ImportOptions,
    limit: float,
) -> dict[str, Any]:
    return {
        "name": options.name,
        "version": options.version,
        "created_at": utc_now(),
        "input": {
            "name": made.picture,
            "width": taken.width,
            "height": taken.height,
            "channels": 1 if options.grey else taken.channels,
            "crop": crop.METHOD,
        },
        "output": output.model_dump(mode="json"),
        "threshold": {
            "value": limit,
            "method": "given at the import of a foreign model; nothing was measured here",
            "target": "nothing is promised: evaluate it on labelled pictures of the line",
            "class_limits": options.class_limits(),
            # Any share is possible, and that is what is said.
            "overkill_percent": 0.0,
            "overkill_low_percent": 0.0,
            "overkill_high_percent": 100.0,
            "goods": 0,
        },
        "budget_ms": options.budget_ms,
        "opset": foreign.opset,
        "train": how,
    }


def _spread(count: int, most: int) -> list[int]:
    return [int(place) for place in np.unique(np.linspace(0, count - 1, min(count, most)).round())]


def _plain(picture: Cuts) -> Cuts:
    return picture[..., 0] if picture.shape[2] == 1 else picture


def _list(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)
