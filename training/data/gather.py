"""Samples of many boxes as one set: what the fleet service holds, with what people said of it.

pages of /v1/samples -> one word for each part, or none -> pictures into the store by their hash -> set

A part is known by box, lineage and number, and by its serial where one was read: two boxes that saw one part saw one
part. What two persons say in two ways is kept apart by name, and so is one picture that two boxes label in two ways.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...bus.errors import BadData, Refused
from ...models.box import Box
from .dataset import GOOD, Annotation, Dataset, LeftOut, PartId
from .dataset_store import DatasetStore
from .intake import Claim, Draw, Progress, Reading, take_in
from .merge import merged
from .said import NAMELESS

_THREADS = 4
_ESCAPE = "escape"
"""Kind of a label that says no more than that the part was found defective downstream."""


class _Lenient(BaseModel):
    """A newer service may say more than is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Defect(_Lenient):
    kind: str = NAMELESS
    score: float = 0.0
    x: int = 0
    y: int = 0
    w: int = 0
    h: int = 0


class _Picture(_Lenient):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    kind: str = "picture"
    camera: str = ""
    url: str


class _Label(_Lenient):
    truth: str
    kind: str = ""
    who: str = ""
    at: str = ""
    undone: bool = False
    place: str = Field(default="line", alias="from")
    """line, or review: of people at the service."""


class _Sample(_Lenient):
    box: str = Field(min_length=1)
    epoch: int = Field(ge=1)
    seq: int = Field(ge=1)
    taken_at: str = ""
    serial: str | None = None
    lot: str | None = None
    outcome: str = ""
    camera: str = ""
    width: int | None = None
    height: int | None = None
    defects: list[_Defect] = []
    pictures: list[_Picture] = []
    labels: list[_Label] = []
    escaped: bool = False


class Samples(Protocol):
    """Where they come from: `FleetClient`."""

    def picture(self, url: str) -> bytes:
        """Return the bytes at a sample's address. StoreLost, Refused."""
        ...


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of it."""

    dataset: Dataset
    samples: int
    """That the service told of."""
    fetched: int
    """Pictures that the store did not have."""
    contradictions: tuple[LeftOut, ...]


def gather(
    said: Any,
    client: Samples,
    store: DatasetStore,
    origin: str,
    *,
    verdicts: bool = False,
    settled: bool = False,
    leave_out_broken: bool = False,
    progress: Progress | None = None,
) -> Gathered:
    """Return the set that samples (an iterable of their JSON) make.

    verdicts: parts nobody labelled are taken too, by what the model said; else they are left aside. settled: where
    people at the service have reviewed a part, their newest word counts and no other.
    BadData: a sample is none, pictures cannot be used (all named), or nothing is left. StoreLost.
    """
    reading, aside = Reading(origin), Counter[str]()
    against: list[LeftOut] = []
    wanted: dict[str, str] = {}
    count = 0
    for one in said:
        count += 1
        sample = _read(one, origin)
        known = PartId(sample.box, sample.epoch, sample.seq)
        label, why = _word(sample, verdicts=verdicts, settled=settled)
        if label is None:
            if why.startswith("contradiction"):
                against.append(LeftOut(str(known), why))
            else:
                aside[why] += 1
            continue
        pictures = [each for each in sample.pictures if each.kind == "picture"]
        if not pictures:
            aside["have no whole picture at the service"] += 1
        for each in pictures:
            # Where a defect lies is known on the deciding camera's picture; others would be taught as a sound view.
            if label != GOOD and sample.camera and each.camera not in ("", sample.camera):
                aside["are NG by another camera's picture"] += 1
                continue
            wanted.setdefault(each.sha256, each.url)
            reading.claims.append(_claim(sample, known, each, label, store, people=why == "people"))
    fetched, broken = _fetch(wanted, client, store, progress)
    reading.notes += [f"{number} parts {text}: left aside" for text, number in sorted(aside.items())]
    reading.claims = [claim for claim in reading.claims if claim.sha256 not in broken]
    for gone in broken.values():
        reading.refuse(gone.file, gone.reason)
    found = _joined(reading, against, leave_out_broken=leave_out_broken)
    return Gathered(found[0], count, fetched, (*against, *found[1]))


def _joined(reading: Reading, against: list[LeftOut], *, leave_out_broken: bool) -> tuple[Dataset, tuple[LeftOut, ...]]:
    if not reading.claims and not reading.broken:
        notes = "; ".join([*reading.notes, *(f"{each}" for each in against[:5])])
        raise BadData(f"{reading.origin}: no picture that can be used: {notes or 'the service has no such sample'}")
    # Two boxes may have kept the very same bytes: one sample, or a contradiction.
    made = merged([take_in(reading, leave_out_broken=leave_out_broken)])
    left_out = (*made.dataset.left_out, *against)
    return replace(made.dataset, left_out=left_out), made.contradictions


def _read(one: Any, origin: str) -> _Sample:
    try:
        return _Sample.model_validate(one)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadData(f"{origin}: sample {str(one)[:80]}: {key}: {first['msg']}") from error


def _word(sample: _Sample, *, verdicts: bool, settled: bool) -> tuple[str | None, str]:
    """The label of a part and `people` or `verdict`; None and why it has none.

    The newest word of each person counts. Whoever was unsure says nothing against another.
    """
    labels = sorted((one for one in sample.labels if not one.undone), key=lambda each: each.at)
    escaped = sample.escaped or any(one.kind == _ESCAPE for one in labels)
    labels = [one for one in labels if one.kind != _ESCAPE]
    reviews = [one for one in labels if one.place == "review"]
    newest = {one.who: one for one in (reviews[-1:] if settled and reviews else labels)}
    words = {who: one for who, one in newest.items() if one.truth in ("good", "defect")}
    kinds = {GOOD if one.truth == "good" else one.kind or _worst(sample) for one in words.values()}
    if len(kinds) > 1:
        told = ", ".join(
            f"{who} says {one.truth}{f' ({one.kind})' if one.kind else ''}" for who, one in sorted(words.items())
        )
        return None, f"contradiction: {told}"
    if kinds == {GOOD} and escaped:
        return None, "contradiction: labelled good, and found defective downstream"
    if kinds:
        return kinds.pop(), "people"
    if newest:
        return None, "nobody could tell"
    if escaped:
        return None, "were found defective downstream, but nobody labelled them"
    if not verdicts:
        return None, "nobody has labelled"
    if sample.outcome == "UNJUDGED" or not sample.outcome:
        return None, "were UNJUDGED"
    return (GOOD if sample.outcome == "OK" else _worst(sample)), "verdict"


def _worst(sample: _Sample) -> str:
    worst = max(sample.defects, key=lambda one: one.score, default=None)
    return NAMELESS if worst is None else worst.kind


def _claim(
    sample: _Sample, known: PartId, picture: _Picture, label: str, store: DatasetStore, *, people: bool
) -> Claim:
    place = store.blob(picture.sha256)
    return Claim(
        picture=place,
        name=f"{sample.box}/{sample.epoch}/{sample.seq}/{picture.camera or 'picture'}-{picture.sha256[:12]}",
        label=label,
        part=sample.serial or str(known),
        lot=sample.lot or sample.taken_at[:10] or None,
        said_by="operator" if people else "verdict",
        draw=None if label == GOOD else _drawing(sample, label, people=people),
        sha256=picture.sha256,
        serial=sample.serial or None,
        seen=known,
    )


def _drawing(sample: _Sample, label: str, *, people: bool) -> Draw:
    def draw(width: int, height: int) -> list[Annotation]:
        found: list[Annotation] = []
        # What was found on a picture of another size is nowhere on this one.
        for one in sample.defects if (sample.width, sample.height) == (width, height) else ():
            left, top = max(one.x, 0), max(one.y, 0)
            right, bottom = min(one.x + one.w, width), min(one.y + one.h, height)
            if right > left and bottom > top:
                found.append(Annotation(label if people else one.kind, Box(left, top, right - left, bottom - top)))
        return found

    return draw


def _fetch(
    wanted: dict[str, str], client: Samples, store: DatasetStore, progress: Progress | None
) -> tuple[int, dict[str, LeftOut]]:
    """Bring the pictures that are not here; return how many, and those that cannot be had, by hash."""
    missing = [(sha256, url) for sha256, url in wanted.items() if not store.blob(sha256).is_file()]
    broken: dict[str, LeftOut] = {}

    def bring(one: tuple[str, str]) -> LeftOut | None:
        sha256, url = one
        try:
            store.put(client.picture(url), sha256)
        except Refused as error:
            return LeftOut(sha256, str(error).removeprefix(f"{sha256}: "))
        return None

    tell: Callable[[float], None] = progress or (lambda _: None)
    with ThreadPoolExecutor(_THREADS, "gather") as pool:
        for at, (one, failed) in enumerate(zip(missing, pool.map(bring, missing), strict=True)):
            if failed is not None:
                broken[one[0]] = failed
            tell((at + 1) / len(missing))
    return len(missing) - len(broken), broken
