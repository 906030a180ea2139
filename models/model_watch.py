"""Lamp, product or model? What the scores and features of good parts say, beside what the picture's health says.

    the picture has drifted (lamp, lens, camera)                 that comes first; nothing is added
    what the model sees has moved, the picture has not           the product: another lot, material, supplier
    scores have moved, what is seen has not                      the model: its device, or goods it was never taught

Advice, never a verdict. Only parts that were OK are taken up: a run of defects is no drift.
"""

from collections.abc import Collection
from typing import Any

from .bundle import Bundle
from .feature_chart import FeatureChart
from .findings import Findings
from .score_chart import ScoreChart

LAMP_FIRST = frozenset({"lamp", "lens", "camera moved"})


class ModelWatch:
    """One region's. One thread."""

    def __init__(self, region: str, scores: ScoreChart, features: FeatureChart | None) -> None:
        self._region = region
        self.scores = scores
        self.features = features
        """None: the model gives none."""

    @classmethod
    def of(cls, region: str, bundle: Bundle) -> "ModelWatch | None":
        """Return the watch for a region of a bundle; None: its report has no held-out scores to compare with."""
        held_out: Any = bundle.report.get("held_out_scores")
        if bundle.manifest.output.adapter != "anomaly" or not isinstance(held_out, list):
            return None
        try:
            scores = ScoreChart([float(score) for score in held_out])
        except (TypeError, ValueError):
            return None
        return cls(region, scores, _features(bundle))

    def look(self, findings: Findings, threshold: float) -> None:
        """Take up what was found on one part, if the region was OK."""
        if not findings.sound or findings.score > threshold:
            return
        self.scores.add(findings.score)
        if self.features is not None and findings.features is not None:
            self.features.add(findings.features)

    def alarm(self, picture: Collection[str], *, watched: bool) -> str:
        """Return `CAUSE: SEEN: DO`, or nothing.

        picture: causes that the picture's health names now. watched: whether it was commissioned at all.
        """
        if LAMP_FIRST & set(picture):
            return ""
        moved = self.features is not None and self.features.on
        if moved and self.features is not None:
            seen = (
                f"good parts look different to the model in region {self._region}, "
                f"{self.features.shift:.2f} of their spread (limit {self.features.limit:.2f})"
            )
            do = "check material and surface, then add goods of the new kind to the model"
            if not watched:
                do = f"the picture's health is not commissioned, so check the lamp first; {do}"
            return f"product: {seen}: {do}"
        if self.scores.on:
            way = "risen" if self.scores.average > 0.0 else "fallen"
            return (
                f"model: scores of good parts have {way} in region {self._region} by {abs(self.scores.average):.1f} "
                "standard deviations, though parts look the same: verify the model on this box, then add goods to it"
            )
        return ""


def _features(bundle: Bundle) -> FeatureChart | None:
    told: Any = bundle.report.get("features")
    if bundle.manifest.output.features is None or not isinstance(told, dict):
        return None
    try:
        return FeatureChart(told["mean"], told["spread"], int(told["goods"]))
    except (KeyError, TypeError, ValueError):
        return None
