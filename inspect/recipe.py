"""The recipe: how one product is seen and judged. YAML, every key bounded, an unknown or doubled key refused.

No numpy here: every process reads the recipe, the one that talks to the PLC too.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..bus.complaint import complain
from ..bus.errors import BadRecipe

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraSection(_Section):
    """What the camera is set to each time it is opened; the same fields as `camera.profiles.Profile`."""

    pixel_format: Literal["Mono8", "BayerRG8", "RGB8"] = "Mono8"
    width: int = Field(ge=16, le=16384)
    """Pixels."""
    height: int = Field(ge=16, le=16384)
    offset_x: int = Field(default=0, ge=0, le=16384)
    offset_y: int = Field(default=0, ge=0, le=16384)
    trigger: Literal["software", "line0", "off"] = "software"
    exposure_us: float = Field(default=1000.0, ge=10.0, le=1_000_000.0)
    gain_db: float = Field(default=0.0, ge=0.0, le=48.0)
    frame_rate_hz: float = Field(default=30.0, ge=0.1, le=2000.0)
    """Used in free run only."""


class Region(_Section):
    """One place on the picture that the model looks at."""

    name: Name = "whole"
    box: tuple[int, int, int, int] | Literal["full"] = "full"
    """x, y, width, height in sensor pixels; `full`: the whole picture."""
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    """Score above which the region is NG. None: the bundle's own."""

    @model_validator(mode="after")
    def _inside(self) -> "Region":
        if self.box != "full":
            x, y, w, h = self.box
            if x < 0 or y < 0 or w < 8 or h < 8:
                raise ValueError("expected x and y of 0 or more, width and height of 8 or more pixels")
        return self


class Rules(_Section):
    """Rules beside the model."""

    brightness: tuple[int, int] = (4, 251)
    """Mean grey level a region must have, 0..255; outside it is UNJUDGED: look at the lamp, not at the part."""
    min_defect_px: int = Field(default=1, ge=1, le=10_000_000)
    """A place above the threshold that covers fewer sensor pixels is not drawn as a defect. The score still rules."""

    @model_validator(mode="after")
    def _ordered(self) -> "Rules":
        low, high = self.brightness
        if not 0 <= low < high <= 255:
            raise ValueError("brightness: expected two levels in 0..255, the lower one first")
        return self


class Distances(_Section):
    """Where things stand beside the belt. Too near for deadline and margin: io refuses READY (`okng plc check`)."""

    eye_to_gate_mm: float = Field(default=500.0, ge=1.0, le=100_000.0)
    gate_to_confirm_mm: float = Field(default=100.0, ge=1.0, le=100_000.0)
    max_speed_mm_s: float = Field(default=600.0, ge=1.0, le=20_000.0)
    margin_ms: float = Field(default=150.0, ge=0.0, le=60_000.0)
    """Time for the PLC's scan, the link and the valve, on top of the deadline."""


class Recipe(_Section):
    """How one product is seen and judged."""

    name: Name
    description: str = Field(default="", max_length=500)
    deadline_ms: int = Field(ge=5, le=60_000)
    """From the trigger to the verdict; at this moment it is late."""
    bundle: str = Field(min_length=1)
    """Folder of the model bundle, relative to the recipe."""
    camera: CameraSection
    regions: tuple[Region, ...] = Field(default=(Region(),), min_length=1, max_length=64)
    rules: Rules = Rules()
    distances: Distances = Distances()

    @model_validator(mode="after")
    def _whole(self) -> "Recipe":
        names = [region.name for region in self.regions]
        if len(set(names)) != len(names):
            raise ValueError(f"regions: expected different names, found {names}")
        for region in self.regions:
            if region.box != "full":
                x, y, w, h = region.box
                if x + w > self.camera.width or y + h > self.camera.height:
                    raise ValueError(
                        f"regions: {region.name} reaches to {x + w},{y + h}: expected to lie inside the picture "
                        f"of {self.camera.width}x{self.camera.height}"
                    )
        return self


@dataclass(frozen=True, slots=True)
class ActiveRecipe:
    """A recipe as it lies on disk."""

    recipe: Recipe
    path: Path
    revision: str
    """First 12 hex digits of the file's sha256."""

    @property
    def bundle(self) -> Path:
        """Folder of the bundle."""
        return (self.path.parent / self.recipe.bundle).resolve()


class _NoDoubles(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice (plain YAML silently keeps the last)."""


def _mapping(loader: _NoDoubles, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            mark = key_node.start_mark
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is written twice", mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_NoDoubles.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_recipe(path: Path) -> ActiveRecipe:
    """Read and check one recipe. BadRecipe names the file, each key, its value and what was expected."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadRecipe(f"{path}: cannot be read: {error.strerror}") from error
    try:
        content = yaml.load(raw, Loader=_NoDoubles)
    except yaml.YAMLError as error:
        raise BadRecipe(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadRecipe(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise BadRecipe(complain(path, error)) from error
    return ActiveRecipe(recipe, path, hashlib.sha256(raw).hexdigest()[:12])
