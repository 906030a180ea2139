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
from ..imaging.align_options import AlignOptions
from ..imaging.code_options import CodeOptions
from ..imaging.develop_options import DevelopOptions
from ..imaging.formats import PixelFormat
from ..imaging.health_options import HealthOptions

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
CameraName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")]
FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""As GenApi names a feature."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraSection(_Section):
    """What one camera is set to each time it is opened; the same fields as `camera.profiles.Profile`, and `develop`."""

    pixel_format: PixelFormat = "Mono8"
    width: int = Field(ge=16, le=16384)
    """Pixels."""
    height: int = Field(ge=16, le=65535)
    """Pixels of the whole picture, also where it is put together from several frames."""
    offset_x: int = Field(default=0, ge=0, le=16384)
    offset_y: int = Field(default=0, ge=0, le=16384)
    trigger: Literal["software", "hardware", "off"] = "software"
    trigger_line: str = Field(default="Line0", pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")
    """Hardware trigger: the camera's name of the input."""
    trigger_edge: Literal["rising", "falling"] = "rising"
    trigger_delay_us: float = Field(default=0.0, ge=0.0, le=10_000_000.0)
    """From the trigger to the start of the exposure."""
    debounce_us: float = Field(default=0.0, ge=0.0, le=1_000_000.0)
    """Hardware trigger: shorter pulses are none."""
    overlap: Literal["camera", "off", "readout", "previous"] = "camera"
    """Whether a trigger is taken while the picture before is read out or exposed. `camera`: as it is."""
    exposure_us: float = Field(default=1000.0, ge=1.0, le=60_000_000.0)
    gain_db: float = Field(default=0.0, ge=0.0, le=48.0)
    frame_rate_hz: float = Field(default=30.0, ge=0.1, le=100_000.0)
    """Used in free run only."""
    frames: int = Field(default=1, ge=1, le=1024)
    """Frames put together to one picture, from above to below: a line-scan camera's blocks of lines."""
    user_set: str = Field(default="", pattern=r"^[A-Za-z0-9_]{0,32}$")
    """The camera's own settings loaded before all else, for example `UserSet1` or `Default`; empty: none."""
    features: dict[FeatureName, bool | int | float | str] = Field(default_factory=dict, max_length=200)
    """Further features of the camera by their names, set last, in this order, and read back."""
    develop: DevelopOptions = DevelopOptions()

    @model_validator(mode="after")
    def _whole(self) -> "CameraSection":
        if self.height % self.frames:
            raise ValueError(f"frames = {self.frames}: expected a divisor of height = {self.height}")
        if self.develop.crop != "full" and not self.develop.rectify:
            x, y, w, h = self.develop.crop
            if x + w > self.width or y + h > self.height:
                raise ValueError(
                    f"develop.crop reaches to {x + w},{y + h}: expected to lie inside {self.width}x{self.height}"
                )
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the developed picture, px."""
        crop = self.develop.crop
        return (self.width, self.height) if crop == "full" else (crop[2], crop[3])


class Region(_Section):
    """One place on the picture that the model looks at."""

    name: Name = "whole"
    camera: CameraName | None = None
    """Camera that sees it; None: every camera."""
    box: tuple[int, int, int, int] | Literal["full"] = "full"
    """x, y, width, height in px of the developed picture; `full`: the whole picture. It moves with the part."""
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
    camera: CameraSection | None = None
    """How every camera of the box is set; or `cameras`, by name."""
    cameras: dict[CameraName, CameraSection] = Field(default_factory=dict, max_length=16)
    regions: tuple[Region, ...] = Field(default=(Region(),), min_length=1, max_length=64)
    rules: Rules = Rules()
    align: dict[CameraName, AlignOptions] | AlignOptions | None = None
    """Where the part lies: for every camera, or by its name."""
    health: dict[CameraName, HealthOptions] | HealthOptions | None = None
    """What the picture is compared with: for every camera, or by its name."""
    codes: tuple[CodeOptions, ...] = Field(default=(), max_length=16)
    distances: Distances = Distances()

    @model_validator(mode="after")
    def _whole(self) -> "Recipe":
        if (self.camera is None) == (not self.cameras):
            raise ValueError("expected either `camera`, for every camera, or `cameras`, by name")
        names = [region.name for region in self.regions]
        if len(set(names)) != len(names):
            raise ValueError(f"regions: expected different names, found {names}")
        codes = [code.name for code in self.codes]
        if len(set(codes)) != len(codes):
            raise ValueError(f"codes: expected different names, found {codes}")
        for region in self.regions:
            self._inside("regions", region.name, region.camera, region.box)
        for code in self.codes:
            self._inside("codes", code.name, code.camera, code.box)
        if self.cameras and len(self.cameras) > 1:
            for code in self.codes:
                if code.camera is None:
                    raise ValueError(f"codes: {code.name}: expected `camera`, one of {', '.join(self.cameras)}")
        for kind, sections in (("align", self.align), ("health", self.health)):
            for name in sections if isinstance(sections, dict) and self.cameras else ():
                self._section_of(kind, name)
        for name in self.cameras:
            if not any(region.camera in (None, name) for region in self.regions):
                raise ValueError(f"regions: expected one or more for camera {name}")
        return self

    def _section_of(self, kind: str, name: str) -> CameraSection | None:
        if self.cameras and name not in self.cameras:
            raise ValueError(f"{kind}: camera {name}: expected one of {', '.join(self.cameras)}")
        return self.cameras.get(name, self.camera)

    def _inside(self, kind: str, name: str, camera: str | None, box: tuple[int, int, int, int] | str) -> None:
        """Raise ValueError where a box reaches out of the picture of a camera that sees it."""
        sections = [*self.cameras.values(), self.camera] if camera is None else [self._section_of(kind, camera)]
        for section in sections:
            if section is None or isinstance(box, str):
                continue
            x, y, w, h = box
            if x < 0 or y < 0 or x + w > section.size[0] or y + h > section.size[1]:
                raise ValueError(
                    f"{kind}: {name} reaches to {x + w},{y + h}: expected to lie inside the picture "
                    f"of {section.size[0]}x{section.size[1]}"
                )

    def section(self, camera: str) -> CameraSection:
        """How that camera is set. BadRecipe: the recipe says nothing of it."""
        found = self.cameras.get(camera, self.camera)
        if found is None:
            raise BadRecipe(
                f"recipe {self.name}: cameras: nothing is said of camera {camera}, found {', '.join(self.cameras)}"
            )
        return found

    def align_of(self, camera: str) -> AlignOptions | None:
        """How the part is found in that camera's picture; None: it lies still."""
        return self.align.get(camera) if isinstance(self.align, dict) else self.align

    def health_of(self, camera: str) -> HealthOptions | None:
        """What that camera's picture is compared with; None: nothing."""
        return self.health.get(camera) if isinstance(self.health, dict) else self.health

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files beside the recipe that it takes, sorted; the bundle is none of them."""
        sections = [*self.cameras.values(), *([self.camera] if self.camera else [])]
        found = {name for section in sections for name in section.develop.files}
        aligns = self.align.values() if isinstance(self.align, dict) else [self.align] if self.align else []
        healths = self.health.values() if isinstance(self.health, dict) else [self.health] if self.health else []
        found |= {each.golden for each in aligns} | {each.reference for each in healths}
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class ActiveRecipe:
    """A recipe as it lies on disk."""

    recipe: Recipe
    path: Path
    revision: str
    """First 12 hex digits of the sha256 of the file, and of every file beside it that it takes."""

    @property
    def folder(self) -> Path:
        """Where the files lie that it takes."""
        return self.path.parent

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
    return ActiveRecipe(recipe, path, _revision(path, raw, recipe.files))


def _revision(path: Path, raw: bytes, files: tuple[str, ...]) -> str:
    """A changed flat field or golden picture is another revision, as a changed line of the recipe is."""
    digest = hashlib.sha256(raw)
    for name in files:
        try:
            content = (path.parent / name).read_bytes()
        except OSError as error:
            raise BadRecipe(
                f"{path}: {name}: cannot be read: {error.strerror}; expected a file beside the recipe"
            ) from error
        digest.update(f"\n{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:12]
