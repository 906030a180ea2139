"""A bundle that is added to: what it remembers of its lesson, and what was chosen for it."""

import hashlib
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from ..bus.errors import BadBundle
from ..models import crop, pictures
from ..models.box import Box
from ..models.bundle import open_bundle
from ..models.manifest import Manifest
from ..models.pictures import Picture
from .choice import Choice
from .graph import BACKBONE, CHANNELS
from .heads import Mix
from .layout import Layout
from .options import TeachOptions
from .store import Remembered, unpacked

WHOLE = "whole picture"


@dataclass(frozen=True, slots=True)
class Base:
    """What a teaching goes on from."""

    digest: str
    remembered: Remembered
    choice: Choice
    options: TeachOptions
    """As it was taught with; name, version, promise, seed and threads as asked for now."""
    golden: dict[str, Picture]
    """Its golden goods, by name."""

    def without(self, digests: Collection[str]) -> "Base":
        """Return it without some goods, named by the sha256 of their files."""
        kept = [at for at, digest in enumerate(self.remembered.digests) if digest not in digests]
        if len(kept) == len(self.remembered.digests):
            return self
        old = self.remembered
        names, known = tuple(old.names[at] for at in kept), tuple(old.digests[at] for at in kept)
        return replace(self, remembered=Remembered(old.features[kept], names, known, old.defects))


def read_base(folder: Path, asked: TeachOptions) -> Base:
    """Return what a bundle remembers.

    BadBundle: damaged, taught otherwise or by another backbone, or without a lesson.
    """
    opened = open_bundle(folder)
    manifest = opened.manifest
    if manifest.backbone_sha256 is None:
        raise BadBundle(f"{folder}: was not taught by `okng teach` from usual goods: nothing can be added, teach anew")
    if manifest.backbone_sha256 != hashlib.sha256(BACKBONE.read_bytes()).hexdigest():
        raise BadBundle(f"{folder}: backbone_sha256 {manifest.backbone_sha256}: expected this okng's own: teach anew")
    if manifest.input.crop != crop.METHOD:
        raise BadBundle(f"{folder}: crop {manifest.input.crop!r}: this okng cuts by {crop.METHOD!r}: teach anew")
    try:
        layout = Layout(
            manifest.input.width, manifest.input.height, manifest.input.channels, _whole(manifest, folder, "step_px")
        )
    except ValueError as error:
        raise BadBundle(f"{folder}: {error}") from error
    mix = Mix(_number(manifest, folder, "mix_memory"), _number(manifest, folder, "mix_gaussian"))
    if min(mix.memory, mix.gaussian) < 0.0 or not mix.memory + mix.gaussian > 0.0:
        raise BadBundle(f"{folder}: manifest.json: heads weighed {mix.memory:g} and {mix.gaussian:g}: teach anew")
    taught = {
        "channels": layout.channels,
        "step_px": layout.step_px,
        "region": _region(manifest, folder),
        "bank": _whole(manifest, folder, "bank"),
        "dimensions": _whole(manifest, folder, "dimensions"),
    }
    try:
        options = TeachOptions.model_validate(
            {**{name: getattr(asked, name) for name in asked.model_fields_set}, **taught}
        )
    except ValidationError as error:
        raise BadBundle(f"{folder}: manifest.json: train: {error.errors()[0]['loc']}: teach anew") from error
    goods = {one.name: pictures.decode(one.png, one.name) for one in opened.golden if one.name.startswith("good-")}
    remembered = unpacked(folder, layout.cells, CHANNELS)
    return Base(opened.digest, remembered, Choice(layout, mix, reason="as the bundle added to"), options, goods)


def _number(manifest: Manifest, folder: Path, key: str) -> float:
    value = manifest.train.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise BadBundle(f"{folder}: manifest.json: train.{key} = {value!r}: expected a number: teach anew")
    return float(value)


def _whole(manifest: Manifest, folder: Path, key: str) -> int:
    return int(_number(manifest, folder, key))


def _region(manifest: Manifest, folder: Path) -> Box | None:
    text = str(manifest.train.get("region", WHOLE))
    if text == WHOLE:
        return None
    found = re.fullmatch(r"(\d+)x(\d+) at (\d+),(\d+)", text)
    if found is None:
        raise BadBundle(f"{folder}: manifest.json: train.region = {text!r}: expected WxH at X,Y or {WHOLE!r}")
    width, height, x, y = map(int, found.groups())
    return Box(x, y, width, height)
