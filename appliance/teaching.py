"""What a teaching came to, for people; and what a teaching is given, read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..bus.complaint import complain
from ..bus.errors import BadPicture, BadSettings
from ..models import pictures
from ..models.manifest import Manifest
from ..training.data.dataset import Sample
from ..training.data.manifest import read_manifest
from ..training.data.sources import KINDS, SourceOptions, open_dataset
from ..training.taught_report import TeachReport

NAMED = 3
Options = TypeVar("Options", bound=BaseModel)


def told(report: TeachReport, manifest: Manifest | None = None) -> list[str]:
    """Return the report as lines. manifest: of the bundle, for what was promised of escapes."""
    low, high = 100 * report.overkill_low, 100 * report.overkill_high
    unlike = ", ".join(f"{one.file} ({one.score:.2f})" for one in report.unlike[:NAMED])
    added = "" if report.added == report.goods else f", {report.added} of them new"
    lines = [
        f"taught from {report.goods} good parts{added} in {report.seconds['total']:.1f} s: model {report.digest[:12]}",
        f"chosen: {report.chosen}",
        f"threshold {report.threshold:.2f}: {report.method}",
        f"good parts expected above it: {100 * report.overkill:.2f} % (95 %: {low:.2f} .. {high:.2f} %)",
    ]
    if report.left_out:
        lines.insert(1, f"{report.left_out} pictures left out: copies, known already, or more than a model remembers")
    if manifest is not None and manifest.threshold.escape_percent is not None:
        promised = manifest.threshold
        lines.append(
            f"defective parts expected to escape: {promised.escape_percent:.2f} % "
            f"(95 %: {promised.escape_low_percent:.2f} .. {promised.escape_high_percent:.2f} %)"
        )
    lines += report.claims
    if report.labels:
        lines.append(f"labels: {report.labels}")
    if report.doubt:
        lines.append(f"doubtful: {report.doubt}")
    if unlike:
        lines.append(f"the goods least like the others, look at them: {unlike}")
    return lines


def goods_in(folder: Path) -> list[Path]:
    """Return the pictures of good parts in a folder, or in its `train/good` or `good`. BadPicture: there are none."""
    inside = [place for place in (folder / "train" / "good", folder / "good") if place.is_dir()]
    try:
        return pictures.files_in(folder)
    except BadPicture as error:
        if inside:
            return pictures.files_in(inside[0])
        if folder.is_dir():
            raise BadPicture(f"{error}, nor a folder good or train/good") from error
        raise


def defects_in(place: Path, kind: str, *, leave_out_broken: bool = False) -> tuple[list[Sample], list[str]]:
    """Return the labelled pictures of defective parts at a place, and what was left out as broken, for people.

    BadData: not read; BadSettings: none there.
    """
    options = SourceOptions(kind=next(each for each in KINDS if each == kind), leave_out_broken=leave_out_broken)
    data = open_dataset(place, options)
    found = [sample for sample in data.samples if not sample.ok]
    if not found:
        raise BadSettings(f"--defects {place}: no labelled defect in it")
    return found, [f"left out: {one}" for one in data.left_out]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a version of a data set gives a teaching: all of it but the side that is tested on."""

    name: str
    digest: str
    goods: list[Path]
    defects: tuple[Sample, ...]


def from_dataset(manifest: Path, goods: Path | None) -> Chosen:
    """Return what a version of a data set teaches, every file of it hashed.

    BadData: it is no manifest, or files are missing or changed. BadSettings: goods are given as well, or it has none.
    """
    if goods is not None:
        raise BadSettings(f"--dataset {manifest}: expected no GOODS beside it: its own are taken")
    found = read_manifest(manifest)
    learnt = [one for one in found.samples if one.split != "test"]
    good = [one.picture for one in learnt if one.ok]
    if not good:
        raise BadSettings(f"--dataset {manifest}: no good part to learn from in it")
    return Chosen(found.name or manifest.stem, found.digest, good, tuple(one for one in learnt if not one.ok))


def next_version(version: str) -> str:
    """Return the version after this one: its last number and one."""
    first, second, third = version.split(".")
    return f"{first}.{second}.{int(third) + 1}"


def named_after(goods: Path) -> str:
    """Return what a product is called whose good parts lie there: the folder, or the one its layout belongs to."""
    folder = goods.resolve()
    while folder.name in ("good", "goods", "train") and folder.parent.name:
        folder = folder.parent
    return folder.name or "taught"


def checked(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """Return the options. BadSettings names each that is wrong, its value and what was expected."""
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        raise BadSettings(complain(Path("okng teach"), error)) from error
