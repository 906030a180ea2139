"""From what a source says to samples: every picture is opened, hashed and decoded once, every mask beside it too.

Nothing is skipped silently: a file that cannot be used is named with its reason, all of them at once.
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ...bus.errors import BadData, BadPicture, BadSettings
from ...models import pictures
from .dataset import GOOD, Annotation, Dataset, LeftOut, PartId, SaidBy, Sample, Split
from .wholeness import trouble_of, turned

Draw = Callable[[int, int], Sequence[Annotation]]
"""Given width and height of the picture, pixels, returns its defects. BadData, BadPicture: they do not fit it."""
Progress = Callable[[float], None]
GOOD_NAMES = frozenset({"good", "goods", "ok", "normal"})
"""What others call good parts, in small letters."""
_SHOWN = 20
_IGNORED = frozenset({".txt", ".md", ".json", ".csv", ".yaml", ".yml", ".xml", ".db", ".html", ".cache", ".log"})
"""Endings of files beside pictures that nobody takes for pictures."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a source says of a picture that nobody has opened yet."""

    picture: Path
    name: str
    """Unique within the set."""
    label: str | None
    """None: told by what is drawn: good where nothing is."""
    part: str | None = None
    lot: str | None = None
    split: Split | None = None
    said_by: SaidBy = "file"
    draw: Draw | None = None
    sha256: str = ""
    """What the source says the file hashes to; empty: it says nothing."""
    source_name: str = ""
    """What the picture was called where it came from; empty: as `name`."""
    serial: str | None = None
    seen: PartId | None = None
    said_when: tuple[str, SaidBy] | None = None
    """Who gave the label, if it is this one; None: `said_by`, whatever it is."""


@dataclass(slots=True)
class Reading:
    """All that a source says."""

    origin: str
    claims: list[Claim] = field(default_factory=list)
    broken: list[LeftOut] = field(default_factory=list)
    """What cannot be used, found without opening pictures."""
    notes: list[str] = field(default_factory=list)
    """What a person should know, and nothing is left out for."""
    classes: list[str] = field(default_factory=list)
    """In the source's own order; those of labels and drawings are added."""

    def refuse(self, file: str | Path, reason: str) -> None:
        """Name what cannot be used."""
        self.broken.append(LeftOut(str(file), reason))


class Naming:
    """Tells part and lot from what a picture is called."""

    def __init__(self, part: str = "", lot: str = "") -> None:
        """part, lot: regular expressions; what their first group holds is the value. Empty: not told by names.

        BadSettings: no expression, or none with a group.
        """
        self._part, self._lot = _compiled("part", part), _compiled("lot", lot)

    def part(self, name: str) -> str | None:
        """Which part a picture of that name shows; None: the name does not tell."""
        return _found(self._part, name)

    def lot(self, name: str) -> str | None:
        """Which lot it is of; None: the name does not tell."""
        return _found(self._lot, name)

    def missing(self, claims: Sequence[Claim]) -> list[str]:
        """Say how many names did not tell, where they should."""
        said = []
        for what, rule in (("part", self._part), ("lot", self._lot)):
            names = [one.source_name or one.name for one in claims if rule and getattr(one, what) is None]
            if names:
                pattern = rule.pattern if rule else ""
                said.append(f"{what}: {len(names)} names do not hold {pattern!r}, for example {names[0]}")
        return said


def take_in(
    reading: Reading, *, leave_out_broken: bool = False, threads: int = 0, progress: Progress | None = None
) -> Dataset:
    """Open all pictures and return the set.

    leave_out_broken: name the broken ones in the set instead of raising. threads: 0: one a core.
    BadData: broken files, all named; no pictures; two pictures of one name.
    """
    samples, broken = opened(reading, threads=threads, progress=progress)
    if broken and not leave_out_broken:
        raise BadData(told(reading.origin, broken))
    if not samples:
        raise BadData(f"{reading.origin}: no picture in it that can be used")
    return assembled(reading, samples, broken)


def opened(
    reading: Reading, *, threads: int = 0, progress: Progress | None = None
) -> tuple[list[Sample], list[LeftOut]]:
    """Open all pictures; return the samples in order, and everything that is broken."""
    broken, claims, names = list(reading.broken), [], set[str]()
    for claim in reading.claims:
        if claim.name in names:
            broken.append(LeftOut(claim.name, "comes twice in the source"))
            continue
        names.add(claim.name)
        claims.append(claim)

    def one(claim: Claim) -> Sample | LeftOut:
        try:
            return _opened(claim)
        except (BadPicture, BadData) as error:
            return LeftOut(str(claim.picture), str(error).removeprefix(f"{claim.picture}: "))

    samples = []
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)), "intake") as pool:
        for at, found in enumerate(pool.map(one, claims)):
            if isinstance(found, LeftOut):
                broken.append(found)
            else:
                samples.append(found)
            if progress is not None:
                progress((at + 1) / len(claims))
    return samples, broken


def assembled(reading: Reading, samples: Sequence[Sample], broken: Sequence[LeftOut]) -> Dataset:
    """Put the set together: its classes in the source's order, then those only pictures name."""
    seen = {sample.label for sample in samples} - {GOOD}
    drawn = {sample.label for sample in samples if sample.annotations}
    bare = [sample.name for sample in samples if sample.label in drawn and not sample.annotations]
    notes = list(reading.notes)
    if bare:
        notes.append(f"{len(bare)} defective pictures have nothing drawn while others of their class do: {bare[0]}")
    first = [name for name in dict.fromkeys(reading.classes) if name != GOOD]
    return Dataset(
        samples=tuple(samples),
        origin=reading.origin,
        classes=(*first, *sorted(seen.difference(first))),
        left_out=tuple(broken),
        notes=tuple(notes),
    )


def told(origin: str, broken: Sequence[LeftOut]) -> str:
    """Say what is broken: the first of them, and how many more."""
    how = "mend or remove them; --leave-out-broken, where a command has it, goes on without them"
    lines = [f"{origin}: {len(broken)} files cannot be used ({how})"]
    lines += [f"  {one}" for one in broken[:_SHOWN]]
    if len(broken) > _SHOWN:
        lines.append(f"  and {len(broken) - _SHOWN} more: `okng data check` names all")
    return "\n".join(lines)


def label_of(name: str) -> str:
    """Return a source's label as okng writes it: `good` for whatever good parts are called."""
    return GOOD if name.strip().lower() in GOOD_NAMES else name.strip()


def pictures_below(folder: Path, reading: Reading) -> list[Path]:
    """Return the picture files in a folder and below, sorted; other files that look like pictures are refused."""
    found = []
    # A link to nowhere is no file, and is named like one that is missing.
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix.lower() in pictures.SUFFIXES:
            found.append(path)
        elif path.suffix.lower() not in _IGNORED:
            endings = ", ".join(sorted(pictures.SUFFIXES))
            reading.refuse(path, f"ending {path.suffix or 'none'}: expected {endings}")
    return found


def _opened(claim: Claim) -> Sample:
    try:
        data = claim.picture.read_bytes()
    except OSError as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise BadPicture(reason) from error
    trouble = trouble_of(data)
    if trouble:
        raise BadPicture(trouble)
    digest = hashlib.sha256(data).hexdigest()
    if claim.sha256 and claim.sha256 != digest:
        raise BadData(f"changed: sha256 {digest[:16]}, the source says {claim.sha256[:16]}")
    pixels = pictures.decode(data, str(claim.picture))
    height, width = pixels.shape[:2]
    drawn = tuple(claim.draw(width, height)) if claim.draw is not None else ()
    if drawn and turned(data) != 1:
        raise BadData(f"its EXIF turns it (orientation {turned(data)}) and defects are drawn on it: save it upright")
    label = claim.label
    if label is None:
        area: dict[str, int] = {}
        for one in drawn:
            area[one.kind] = area.get(one.kind, 0) + one.box.w * one.box.h
        label = max(sorted(area), key=area.__getitem__) if area else GOOD
    if label == GOOD and drawn:
        raise BadData(f"called good, and {drawn[0].kind} is drawn on it")
    return Sample(
        picture=claim.picture,
        sha256=digest,
        width=width,
        height=height,
        channels=1 if pixels.ndim == 2 else 3,
        label=label,
        name=claim.name,
        part=claim.part,
        lot=claim.lot,
        split=claim.split,
        annotations=drawn,
        said_by=claim.said_when[1] if claim.said_when and claim.said_when[0] == label else claim.said_by,
        serial=claim.serial,
        seen=claim.seen,
    )


def _compiled(what: str, rule: str) -> re.Pattern[str] | None:
    if not rule:
        return None
    try:
        made = re.compile(rule)
    except re.error as error:
        raise BadSettings(f"{what} from names: {rule!r}: {error}: expected a regular expression") from error
    if not made.groups:
        raise BadSettings(f"{what} from names: {rule!r}: expected a group, for example {'(exp[0-9]+)_'!r}")
    return made


def _found(rule: re.Pattern[str] | None, name: str) -> str | None:
    hit = rule.search(name) if rule else None
    return next((group for group in hit.groups() if group), None) if hit else None
