"""The pictures an evaluation shows: scored once more, because no heat map is kept while a set goes by."""

from collections.abc import Sequence
from typing import Any

from ...models import pictures
from ...models.box import Box
from ...models.detector import Detector
from ..data.dataset import Sample
from .looks import Look
from .page import Words


def shown(
    named: Sequence[dict[str, Any]], samples: Sequence[Sample], detector: Detector, region: Box | None
) -> list[Look]:
    """Return a look for each named picture.

    named: `worst_goods` or `best_hidden` of an evaluation. BadPicture: a picture is no longer as it was.
    """
    by_name = {sample.name: sample for sample in samples}
    threshold = detector.bundle.manifest.threshold.value
    return [_look(one, by_name[one["name"]], detector, region, threshold) for one in named if one["name"] in by_name]


def _look(one: dict[str, Any], sample: Sample, detector: Detector, region: Box | None, threshold: float) -> Look:
    picture = pictures.with_channels(sample.read(), detector.bundle.manifest.input.channels)
    findings = detector.find(picture, region or Box(0, 0, picture.shape[1], picture.shape[0]))
    places = detector.bundle.manifest.output.adapter != "classification"
    score = one["score"]
    if score is None:
        detail = Words(f"unjudged: {findings.trouble}", f"无法判定：{findings.trouble}")
    elif score > threshold:
        detail = Words(f"{score:.2f}, above {threshold:.2f}: rejected", f"{score:.2f}，高于 {threshold:.2f}：剔除")
    else:
        detail = Words(f"{score:.2f}, not above {threshold:.2f}: passes", f"{score:.2f}，不高于 {threshold:.2f}：放行")
    kind = Words("good part", "良品") if sample.ok else Words(sample.label, sample.label)
    return Look(
        caption=sample.name,
        detail=detail,
        alt=Words(f"{kind.en} {sample.name}: {detail.en}", f"{kind.zh} {sample.name}：{detail.zh}"),
        picture=sample.read(),
        # A classifier points nowhere: its heat is one colour, which would only hide the picture.
        heat=findings.heat if findings.sound and places else None,
        region=findings.region,
        threshold=threshold,
        mask=None if sample.ok else sample.mask(),
        paired=True,
    )
