"""Teaching a golden reference: good prints in, a bundle out, in seconds and without torch.

    pictures -> kinds of print -> laid over their mean -> tolerance -> held-out scores -> threshold -> graph -> bundle

For one product whose parts should all look the same: print, labels, boards. Where every part has a drawing of its own,
see `reference_compare.py`.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..bus.clock import utc_now
from ..bus.errors import BadPicture, BadSettings
from ..models import crop, pictures
from ..models.bundle import check_free, open_bundle, write_bundle
from ..models.detector import Detector
from ..models.manifest import MODEL, REPORT, REPORT_HTML
from ..models.parity import require_golden
from . import golden
from .base import WHOLE
from .blas import one_thread
from .digests import digest_of
from .features import cut_files, regarded
from .options import FEWEST_GOODS
from .phases import Phases, Progress
from .reference_field import BLOCK_PX
from .reference_goods import Kind, kinds_of
from .reference_graph import OPSET, reference_graph
from .reference_lesson import ReferenceLesson, learn_reference
from .reference_options import ReferenceOptions
from .reference_template import CELL_PX
from .report.teaching import teaching_report, unlike_good
from .taught_report import UNLIKE, TeachReport, Unlike

LEAST_FOUND = 0.5
"""Of the marks drawn on goods; a reference that finds fewer would pass nearly anything."""


def teach_golden(
    goods: Path | Sequence[Path], out: Path, options: ReferenceOptions, progress: Progress | None = None
) -> TeachReport:
    """Teach a golden reference from good prints and write the bundle to out.

    goods: a folder of pictures of good parts, or the picture files. progress: called with (phase, 0..1); what it raises
    ends the teaching and leaves nothing behind.
    BadPicture: no folder, no pictures, one does not decode or does not fit the others. BadSettings: too few goods, or
    they are not alike. BadBundle: something is at out already. OSError: the bundle cannot be written.
    """
    started, phases = time.monotonic(), Phases(progress)
    check_free(out, replace=options.replace)
    files = _goods(goods, options)
    size = _size(files, options)
    cuts = cut_files(files, size, options.channels, options.region, options.threads, phases.begin("pictures"))
    with one_thread():
        tell = phases.begin("templates")
        kinds = kinds_of(cuts, options.search_px, options.templates_most, options.threads, tell)
        lesson = learn_reference(cuts, kinds, options, phases.begin)
    _check_alike(lesson)
    limit = lesson.limit
    phases.begin("graph")
    model = reference_graph(lesson.templates, lesson.tolerance)
    phases.begin("golden")
    content = {MODEL: model, **golden.made(model, golden.Pool(cuts, lesson.held_out, {}, []), limit.value)}
    phases.begin("bundle")
    worst = np.argsort(-lesson.held_out, kind="stable")[:UNLIKE]
    unlike = tuple(Unlike(files[at].name, round(float(lesson.held_out[at]), 4)) for at in worst)
    train = _summary(files, kinds, lesson, size, options)
    report = _report(train, lesson, unlike, phases.seconds)
    looks = []
    for at in worst:
        picture = cuts[at].squeeze(axis=2) if cuts.shape[3] == 1 else cuts[at]
        looks.append(unlike_good(files[at].name, float(lesson.held_out[at]), limit.value, picture))
    content[REPORT] = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    content[REPORT_HTML] = teaching_report(report, looks, name=options.name)
    digest = write_bundle(
        out,
        content,
        _fields(lesson, size, cuts.shape[3], options, train),
        replace=options.replace,
        check=lambda folder: require_golden(Detector(open_bundle(folder))),
    )
    phases.end()
    return TeachReport(
        bundle=out,
        digest=digest,
        goods=len(files),
        added=len(files),
        threshold=limit.value,
        method=limit.method,
        overkill=limit.overkill,
        overkill_low=limit.low,
        overkill_high=limit.high,
        unlike=unlike,
        chosen=str(train["chosen"]),
        labels="",
        claims=limit.claims,
        seconds={**phases.seconds, "total": round(time.monotonic() - started, 3)},
    )


def _check_alike(lesson: ReferenceLesson) -> None:
    """BadSettings: the goods differ so much that what they allow hides even marks drawn on them."""
    if lesson.marks_found < LEAST_FOUND:
        raise BadSettings(
            f"the goods are not alike: within what they allow, {lesson.marks_found:.0%} of small marks on them are "
            f"found, expected {LEAST_FOUND:.0%} or more: sort them by print, let the recipe align the part, or teach "
            "without --mode golden"
        )


def _goods(goods: Path | Sequence[Path], options: ReferenceOptions) -> list[Path]:
    files = pictures.files_in(goods) if isinstance(goods, Path) else list(goods)
    if not files:
        raise BadPicture("no pictures of good parts were given")
    if len(files) < FEWEST_GOODS:
        raise BadSettings(f"{len(files)} pictures of good parts: expected {FEWEST_GOODS} or more")
    if len(files) > options.goods_max:
        rng = np.random.default_rng(options.seed)
        files = [files[place] for place in np.sort(rng.choice(len(files), options.goods_max, replace=False))]
    return files


def _size(files: Sequence[Path], options: ReferenceOptions) -> tuple[int, int]:
    """Height and width of the model's input: the region's own, to 8 px, unless that is too large."""
    first = pictures.read(files[0])
    _, box = regarded(files[0], files[0], first, options.channels, options.region)
    shrink = min(1.0, options.most_px / max(box.w, box.h))
    height, width = (max(4, round(side * shrink / BLOCK_PX)) * BLOCK_PX for side in (box.h, box.w))
    return height, width


def _summary(
    files: Sequence[Path],
    kinds: Sequence[Kind],
    lesson: ReferenceLesson,
    size: tuple[int, int],
    options: ReferenceOptions,
) -> dict[str, Any]:
    """How it was taught, for manifest and report. The digest of the goods is over their names and contents."""
    goods = hashlib.sha256()
    for path in files:
        goods.update(f"{path.name}\0{digest_of(path)}\n".encode())
    tolerance = lesson.tolerance
    return {
        "method": "golden reference",
        "okng": __version__,
        "goods": len(files),
        "goods_sha256": goods.hexdigest(),
        "height_px": size[0],
        "width_px": size[1],
        "templates": len(kinds),
        "level": round(tolerance.level, 3),
        "spread": tolerance.spread,
        "edge_px": tolerance.edge_px,
        "window_px": tolerance.window_px,
        "search_px": tolerance.search_px,
        "marks_found": round(lesson.marks_found, 4),
        "chosen": (
            f"{len(kinds)} template(s) of {size[1]}x{size[0]} px, edges may lie {tolerance.edge_px} px off, "
            f"window {tolerance.window_px} px: finds {lesson.marks_found:.0%} of small marks drawn on goods"
        ),
        "overkill_percent": options.overkill_percent,
        "seed": options.seed,
        "region": str(options.region) if options.region else WHOLE,
        **({"dataset": options.dataset, "dataset_sha256": options.dataset_sha256} if options.dataset_sha256 else {}),
    }


def _fields(
    lesson: ReferenceLesson, size: tuple[int, int], channels: int, options: ReferenceOptions, train: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": options.name,
        "version": options.version,
        "created_at": utc_now(),
        "input": {
            "name": "picture",
            "width": size[1],
            "height": size[0],
            "channels": channels,
            "crop": crop.METHOD,
        },
        "output": {"score": "score", "heat": "heat", "rows": size[0] // CELL_PX, "columns": size[1] // CELL_PX},
        "threshold": lesson.limit.promised(),
        "opset": OPSET,
        "train": train,
    }


def _report(
    train: dict[str, Any], lesson: ReferenceLesson, unlike: Sequence[Unlike], seconds: dict[str, float]
) -> dict[str, Any]:
    return {
        "train": train,
        "threshold": lesson.limit.told(),
        "held_out_scores": [round(float(score), 4) for score in np.sort(lesson.held_out)],
        "most_unlike_goods": [{"file": good.file, "score": good.score} for good in unlike],
        "seconds": dict(seconds),
    }
