"""Teaching from good parts alone: a folder of pictures in, a bundle out, in seconds and without torch.

    pictures -> features -> whitening -> memory + Gaussian -> calibration -> threshold -> graph -> golden -> bundle

Every good is used for everything, yet none judges itself (`lesson.py`): the scores that the threshold is put on
(`threshold.py`) are those of held-out goods. The model that runs then knows all goods.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..bus.clock import utc_now
from ..bus.errors import BadPicture, BadSettings
from ..models import crop, pictures
from ..models.bundle import SCORE_TOLERANCE, check_free, open_bundle, write_bundle
from ..models.detector import Detector
from ..models.manifest import EXPECTED, MODEL, REPORT
from ..models.parity import require_golden
from ..models.runtime import Session
from . import golden
from .blas import one_thread
from .features import cut_files, extract
from .graph import BACKBONE, OPSET, Layout, taught_graph
from .lesson import Lesson, learn
from .options import FEWEST_GOODS, TeachOptions
from .threshold import Limit, choose_threshold

UNLIKE = 10
"""How many of the most unlike goods are named for a person to look at."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Unlike:
    """A good that is unlike the others: perhaps no good at all."""

    file: str
    """Name of the picture file."""
    score: float
    """What it scores when the model does not know it."""


@dataclass(frozen=True, slots=True)
class TeachReport:
    """What a teaching came to."""

    bundle: Path
    digest: str
    goods: int
    """Pictures taught from."""
    threshold: float
    method: str
    """How the threshold was found."""
    overkill: float
    """Share of good parts expected above the threshold, 0..1."""
    overkill_low: float
    """95 % interval of that share."""
    overkill_high: float
    unlike: tuple[Unlike, ...]
    """The most unlike goods, the worst first."""
    seconds: dict[str, float]
    """Duration of each phase, and `total`."""


class _Phases:
    """Names the phases, tells progress, keeps the time of each."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._name, self._since = "", time.monotonic()
        self.seconds: dict[str, float] = {}

    def begin(self, name: str) -> Callable[[float], None]:
        """End the phase before and start one; returns what tells its progress, 0..1."""
        self.end()
        self._name, self._since = name, time.monotonic()
        self._tell(name, 0.0)
        return lambda share: self._tell(name, share)

    def end(self) -> None:
        if self._name:
            self.seconds[self._name] = round(time.monotonic() - self._since, 3)
            self._tell(self._name, 1.0)
            self._name = ""

    def _tell(self, name: str, share: float) -> None:
        if self._progress is not None:
            self._progress(name, share)


def teach(
    goods: Path | Sequence[Path], out: Path, options: TeachOptions, progress: Progress | None = None
) -> TeachReport:
    """Teach from good parts and write the bundle to out.

    goods: a folder of pictures, or the picture files. progress: called with (phase, 0..1); what it raises ends the
    teaching and leaves nothing behind.
    BadPicture: no folder, no pictures, one does not decode or does not fit the others. BadSettings: too few goods.
    BadBundle: something is at out already. OSError: the bundle cannot be written.
    """
    started, phases = time.monotonic(), _Phases(progress)
    check_free(out, replace=options.replace)
    files = _goods(goods, options)
    tell = phases.begin("pictures")
    cuts = cut_files(files, options.size_px, options.channels, options.region, options.threads, tell)
    layout = Layout(options.size_px, cuts.shape[3], options.grid or options.size_px // 16)
    features = extract(cuts, layout, options.threads, phases.begin("features"))
    with one_thread():
        lesson = learn(features, options, phases.begin)
    phases.begin("threshold")
    if not np.isfinite(lesson.held_out).all():
        raise BadPicture(f"{files[int(np.isfinite(lesson.held_out).argmin())]}: scores no finite number")
    limit = choose_threshold(lesson.held_out, options.overkill_percent / 100.0)
    phases.begin("graph")
    model = taught_graph(layout, lesson.heads)
    phases.begin("golden")
    content = {MODEL: model, **_golden(model, layout, cuts, lesson.held_out, limit)}
    phases.begin("bundle")
    unlike = _most_unlike(files, lesson.held_out)
    summary = _summary(files, layout, options)
    content[REPORT] = _report(summary, limit, unlike, lesson, phases.seconds)
    digest = write_bundle(
        out,
        content,
        _fields(layout, options, limit, summary),
        replace=options.replace,
        check=lambda folder: require_golden(Detector(open_bundle(folder))),
    )
    phases.end()
    return TeachReport(
        bundle=out,
        digest=digest,
        goods=len(files),
        threshold=limit.value,
        method=limit.method,
        overkill=limit.overkill,
        overkill_low=limit.low,
        overkill_high=limit.high,
        unlike=unlike,
        seconds={**phases.seconds, "total": round(time.monotonic() - started, 3)},
    )


def _goods(goods: Path | Sequence[Path], options: TeachOptions) -> list[Path]:
    files = pictures.files_in(goods) if isinstance(goods, Path) else list(goods)
    if not files:
        raise BadPicture("no pictures of good parts were given")
    if len(files) < FEWEST_GOODS:
        raise BadSettings(f"{len(files)} pictures of good parts: expected {FEWEST_GOODS} or more")
    if len(files) > options.goods_max:
        rng = np.random.default_rng(options.seed)
        files = [files[place] for place in np.sort(rng.choice(len(files), options.goods_max, replace=False))]
    return files


def _golden(
    model: bytes,
    layout: Layout,
    cuts: npt.NDArray[np.uint8],
    held_out: npt.NDArray[np.float64],
    limit: Limit,
) -> dict[str, bytes]:
    chosen = golden.choose(cuts, held_out)
    session = Session(model, "cpu", 1)
    shape = (1, layout.size_px, layout.size_px, layout.channels)
    scores = {
        name: float(session.run(["score"], {"picture": picture.reshape(shape)})[0][0])
        for name, picture in chosen.items()
    }
    return {EXPECTED: golden.expected(scores, limit.value, SCORE_TOLERANCE), **golden.files(chosen)}


def _most_unlike(files: Sequence[Path], held_out: npt.NDArray[np.float64]) -> tuple[Unlike, ...]:
    worst = np.argsort(-held_out, kind="stable")[:UNLIKE]
    return tuple(Unlike(files[place].name, round(float(held_out[place]), 4)) for place in worst)


def _summary(files: Sequence[Path], layout: Layout, options: TeachOptions) -> dict[str, Any]:
    """How it was taught, for manifest and report. The digest of the goods is over their names and contents."""
    goods = hashlib.sha256()
    for path in files:
        goods.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return {
        "method": "memory+gaussian",
        "okng": __version__,
        "goods": len(files),
        "goods_sha256": goods.hexdigest(),
        "size_px": layout.size_px,
        "channels": layout.channels,
        "grid": layout.grid,
        "bank": options.bank,
        "dimensions": options.dimensions,
        "overkill_percent": options.overkill_percent,
        "seed": options.seed,
        "region": str(options.region) if options.region else "whole picture",
    }


def _fields(layout: Layout, options: TeachOptions, limit: Limit, summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": options.name,
        "version": options.version,
        "created_at": utc_now(),
        "input": {
            "name": "picture",
            "width": layout.size_px,
            "height": layout.size_px,
            "channels": layout.channels,
            "crop": crop.METHOD,
        },
        "output": {"score": "score", "heat": "heat", "rows": layout.grid, "columns": layout.grid},
        "threshold": {
            "value": limit.value,
            "method": limit.method,
            "overkill_percent": 100.0 * limit.overkill,
            "overkill_low_percent": 100.0 * limit.low,
            "overkill_high_percent": 100.0 * limit.high,
            "goods": limit.goods,
        },
        "opset": OPSET,
        "backbone_sha256": hashlib.sha256(BACKBONE.read_bytes()).hexdigest(),
        "train": summary,
    }


def _report(
    summary: dict[str, Any], limit: Limit, unlike: Sequence[Unlike], lesson: Lesson, seconds: dict[str, float]
) -> bytes:
    ordered = np.sort(lesson.held_out)
    report = {
        "train": summary,
        "threshold": {
            "value": limit.value,
            "method": limit.method,
            "overkill": limit.overkill,
            "low": limit.low,
            "high": limit.high,
            "goods": limit.goods,
        },
        "held_out_scores": [round(float(score), 4) for score in ordered],
        "most_unlike_goods": [{"file": good.file, "score": good.score} for good in unlike],
        "memory_vectors": len(lesson.heads.memory.centres),
        "seconds": seconds,
    }
    return json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False).encode()
