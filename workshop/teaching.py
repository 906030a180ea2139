"""A draft is taught: each region a model of its own, from pictures of goods, and of defects where nothing is ignored.

What is shown of a picture was said by a model that did not know it. A region with ignored places is taught from goods
alone: its scores are the heat outside these places, which is what the line will judge by, and defects only test it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from ..inspect.mask import Mask, mask_of
from ..inspect.sections import Region
from ..models.box import Box
from ..models.bundle import open_bundle
from ..models.detector import Detector
from ..models.manifest import digest
from ..models.pictures import read, with_channels
from ..training.data.dataset import Sample
from ..training.options import TeachOptions
from ..training.report.looks import Look, drawn
from ..training.report.page import Words
from ..training.taught_report import Taught, TeachReport
from ..training.teach import teach
from .draft import Draft, Scored, Shot, TaughtRegion
from .drafts import HEAT, MODELS, Drafts, matter
from .jobs import Bench
from .limits import limits_of
from .options import WorkshopOptions
from .whole import put

SHOWN = 12
"""Heat maps drawn of each region's goods, and as many of its defects."""
_MOST_BYTES = 200_000
_PHASES = ("size", "pictures", "features", "heads", "whitening", "memory", "gaussian", "calibration", "labels", "head")
_WEIGHTS = dict(zip(_PHASES, (0.25, 0.05, 0.25, 0.15, 0.02, 0.05, 0.05, 0.03, 0.05, 0.05), strict=True))
"""Share of the time, about."""


def teach_draft(bench: Bench) -> dict[str, Any]:
    """Teach all regions of a draft. BadPicture, BadSettings, BadBundle, ValueError."""
    drafts = Drafts(bench.box.drafts)
    draft = drafts.read(bench.order["draft"])
    taught, told = {}, {}
    for place, region in enumerate(draft.regions):

        def tell(share: float, what: str, place: int = place, name: str = region.name) -> None:
            bench.tell((place + share) / len(draft.regions), f"{name}: {what}")

        one = _Region(drafts, draft, region, bench.folder.name)
        taught[region.name], told[region.name] = one.taught(bench.box.options, tell)
    whole = draft.model_copy(update={"taught": taught})
    limits = limits_of(whole, _wish(whole))
    for name, one in limits["regions"].items():
        taught[name] = taught[name].model_copy(update={"threshold": one["threshold"]})
    return {
        "draft": {
            "taught": {name: each.model_dump(mode="json") for name, each in taught.items()},
            "taught_from": matter(draft),
            "tried": [],
        },
        "limits": limits,
        "told": told,
    }


class _Region:
    """One region of a draft, being taught."""

    def __init__(self, drafts: Drafts, draft: Draft, region: Region, name: str) -> None:
        self._drafts, self._draft, self._region = drafts, draft, region
        self._root = drafts.place(draft)
        self._out = self._root / MODELS / f"{region.name}-{name}"
        self._box = None if region.box == "full" else Box(*region.box)
        self._goods, self._bad = draft.seen_in(region, "good"), draft.seen_in(region, "defect")
        width, height = draft.cameras[self._goods[0].camera]
        self._mask: Mask | None = mask_of(region, (0, 0, width, height))
        self._found: Taught | None = None

    def taught(self, asked: WorkshopOptions, tell: Callable[[float, str], None]) -> tuple[TaughtRegion, dict[str, Any]]:
        """Teach it; return what the draft keeps, and what is told once."""
        options = TeachOptions(
            name=f"{self._draft.name} {self._region.name}",
            region=self._box,
            threads=asked.threads,
            budget_ms=asked.budget_ms,
            overkill_percent=self._draft.wish.overkill_percent,
        )
        files = [self._drafts.picture(self._draft, shot.id) for shot in self._goods]
        samples = [] if self._mask is not None else [self._sample(shot) for shot in self._bad]
        report = teach(files, self._out, options, _Steps(tell), defects=samples, seen=self._keep)
        assert self._found is not None
        return self._made(report, self._found), {
            "seconds": report.seconds,
            "goods": report.goods,
            "left_out": report.left_out,
            "doubt": report.doubt,
            "labels": report.labels,
            "chosen": report.chosen,
        }

    def _keep(self, found: Taught) -> None:
        self._found = found

    def _made(self, report: TeachReport, found: Taught) -> TaughtRegion:
        goods = {digest_: self._score(found, place) for place, digest_ in enumerate(found.digests)}
        detector = Detector(open_bundle(self._out))
        bad = self._defects(found, detector)
        highest = sorted(goods, key=lambda each: -goods[each])
        worst = sorted(bad, key=lambda each: bad[each])
        places = {digest_: place for place, digest_ in enumerate(found.digests)}
        drawn_goods = {
            each: self._draw(each, found.lesson.heat_of(places[each]), report.threshold) for each in highest[:SHOWN]
        }
        drawn_bad = {each: self._draw(each, self._heat(detector, each), report.threshold) for each in worst[:SHOWN]}
        return TaughtRegion(
            bundle=f"{MODELS}/{self._out.name}",
            digest=digest(self._out),
            threshold=report.threshold,
            own_threshold=report.threshold,
            goods=tuple(Scored(shot=each, score=goods[each], heat=drawn_goods.get(each, "")) for each in highest),
            defects=tuple(Scored(shot=each, score=bad[each], heat=drawn_bad.get(each, "")) for each in worst),
            chosen=report.chosen,
            labels=report.labels,
            doubt=report.doubt,
            seconds=report.seconds["total"],
        )

    def _score(self, found: Taught, place: int) -> float:
        """Of a good, by a model that did not know it, outside of what is ignored."""
        if self._mask is None:
            return float(found.supervision.held_out[place])
        heat = found.lesson.heat_of(place)
        return float(heat[~self._mask.cells(*heat.shape)].max())

    def _defects(self, found: Taught, detector: Detector) -> dict[str, float]:
        """Scores of the defects: of those that were learnt from, as left out; of the others, as the model says."""
        learnt = found.labels.digests if found.labels is not None else ()
        scores = dict(zip(learnt, (float(each) for each in found.supervision.defects), strict=False))
        for shot in self._bad:
            if shot.id not in scores:
                findings = self._findings(detector, shot.id)
                if findings.sound:
                    scores[shot.id] = float(findings.score)
        return scores

    def _findings(self, detector: Detector, shot: str) -> Any:
        picture = with_channels(self._picture(shot), detector.bundle.manifest.input.channels)
        box = self._box or Box(0, 0, picture.shape[1], picture.shape[0])
        found = detector.find(picture, box)
        return found if self._mask is None else self._mask.applied(found, by_spots=False)

    def _heat(self, detector: Detector, shot: str) -> npt.NDArray[np.float32]:
        heat: npt.NDArray[np.float32] = self._findings(detector, shot).heat
        return heat

    def _picture(self, shot: str) -> npt.NDArray[np.uint8]:
        return read(self._drafts.picture(self._draft, shot))

    def _draw(self, shot: str, heat: npt.NDArray[np.float32], threshold: float) -> str:
        """Write a picture with its heat; return its name in the draft's folder, empty where it cannot be."""
        name = f"{HEAT}/{self._out.name}-{shot[:16]}.jpg"
        try:
            look = Look("", "", Words("", ""), self._picture(shot), heat, self._box, threshold)
        except BadPicture:
            return ""
        data = drawn(look, _MOST_BYTES)
        if not data:
            return ""
        put(self._root / name, data)
        return name

    def _sample(self, shot: Shot) -> Sample:
        path: Path = self._drafts.picture(self._draft, shot.id)
        part = f"{shot.epoch}-{shot.part}" if shot.part else None
        return Sample(path, shot.id, shot.width, shot.height, shot.channels, shot.kind, path.name, part)


class _Steps:
    """Makes one share of the phases."""

    def __init__(self, tell: Callable[[float, str], None]) -> None:
        self._tell = tell

    def __call__(self, phase: str, share: float) -> None:
        """As `training.phases.Progress`."""
        before = 0.0
        for name, weight in _WEIGHTS.items():
            if name == phase:
                self._tell(min(0.97, before + weight * share), phase)
                return
            before += weight
        self._tell(0.97, phase)


def _wish(draft: Draft) -> dict[str, Any]:
    """What is wished for, as far as the pictures can tell it: without defects no escape can be asked for."""
    wish = draft.wish.model_dump()
    if not any(one.defects for one in draft.taught.values()):
        wish["escape_percent"] = None
    return wish
