"""What differs between two bundles: manifests, golden scores, figures of their reports, and verdicts on pictures."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import pictures
from .box import Box
from .bundle import Bundle
from .detector import Detector

_SKIPPED = frozenset({"files", "check"})
_KEY_FIGURES = ("auroc", "aupro", "escape", "overkill", "precision", "recall", "mean_ap", "median_ms")
"""A figure with one of these in its name is told even where both bundles have the same."""

Value = str | float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of two bundles."""

    name: str
    """Dotted, as in the file it comes from."""
    left: Value
    """None: not there."""
    right: Value

    @property
    def change(self) -> float | None:
        """Right less left, where both are numbers."""
        if isinstance(self.left, float) and isinstance(self.right, float):
            return self.right - self.left
        return None


@dataclass(frozen=True, slots=True)
class Flip:
    """A picture on which the two say otherwise."""

    picture: str
    left_score: float
    right_score: float
    left_ok: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two bundles, left and right."""

    same: bool
    """One content: their digests are equal."""
    manifest: tuple[Row, ...]
    """Keys that differ."""
    golden: tuple[Row, ...]
    """Scores of golden pictures of one name; those that only one has are there too."""
    report: tuple[Row, ...]
    """Figures that differ, and those that are always asked for."""
    flips: tuple[Flip, ...] = ()
    looked_at: int = 0
    """Pictures that both have judged."""


def difference(left: Bundle, right: Bundle) -> Difference:
    """Return what differs, as far as the bundles say it themselves."""
    manifests = _rows(_fields(left), _fields(right))
    golden = _rows({one.name: one.score for one in left.golden}, {one.name: one.score for one in right.golden})
    report = _rows(figures(left.report), figures(right.report))
    return Difference(
        same=left.digest == right.digest,
        manifest=tuple(row for row in manifests if row.left != row.right),
        golden=tuple(golden),
        report=tuple(row for row in report if row.left != row.right or is_key_figure(row.name)),
    )


def flips(left: Detector, right: Detector, folder: Path) -> tuple[list[Flip], int]:
    """Judge a folder's pictures, each as a whole, by both; return those with two verdicts, and how many there were.

    Each bundle judges by its own threshold; grey and colour are converted as it needs. Unsound is not OK.
    BadPicture: no folder, no picture in it, or one that does not decode.
    """
    found = []
    files = pictures.files_in(folder)
    for path in files:
        picture = pictures.read(path)
        (left_score, left_ok), (right_score, right_ok) = _judged(left, picture), _judged(right, picture)
        if left_ok != right_ok:
            found.append(Flip(path.name, left_score, right_score, left_ok))
    return found, len(files)


def figures(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a report by their dotted keys; lists, which are curves, are left out."""
    return {name: value for name, value in _leaves(report, "") if isinstance(value, float)}


def is_key_figure(name: str) -> bool:
    """True for a figure that people choose models by."""
    return any(word in name.lower() for word in _KEY_FIGURES)


def _judged(detector: Detector, picture: pictures.Picture) -> tuple[float, bool]:
    manifest = detector.bundle.manifest
    shown = pictures.with_channels(picture, manifest.input.channels)
    score = detector.find(shown, Box(0, 0, shown.shape[1], shown.shape[0])).score
    return score, score <= manifest.threshold.value


def _fields(bundle: Bundle) -> dict[str, Value]:
    whole = {k: v for k, v in bundle.manifest.model_dump(mode="json").items() if k not in _SKIPPED}
    return dict(_leaves(whole, ""))


def _leaves(value: Mapping[str, Any], above: str) -> Iterator[tuple[str, Value]]:
    for key, inner in value.items():
        name = f"{above}{key}"
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{name}.")
        elif isinstance(inner, bool) or inner is None:
            yield name, str(inner)
        elif isinstance(inner, int | float):
            if math.isfinite(inner):
                yield name, float(inner)
        elif isinstance(inner, str):
            yield name, inner
        elif isinstance(inner, Sequence) and all(isinstance(each, str) for each in inner):
            yield name, ", ".join(inner)


def _rows(left: Mapping[str, Value], right: Mapping[str, Value]) -> list[Row]:
    return [Row(name, left.get(name), right.get(name)) for name in dict.fromkeys([*left, *right])]
