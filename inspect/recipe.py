"""The recipe: how one product is seen and judged. YAML, every key bounded, an unknown or doubled key refused.

No numpy here: every process reads the recipe, the one that talks to the PLC too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..bus.complaint import complain
from ..bus.errors import BadRecipe
from ..bus.form import FIRST, other_form
from ..bus.last_good import hint
from ..bus.outside import read_bounded
from ..bus.yaml_text import BoundedLoader, parsed_yaml
from ..imaging.align_options import AlignOptions
from ..imaging.code_options import CodeOptions
from ..imaging.health_options import HealthOptions
from .camera_section import CameraName, CameraSection
from .sections import AgreementSection, BundleFolder, Distances, Name, Region, Rules
from .tool_section import Tool

__all__ = ["ActiveRecipe", "CameraSection", "Recipe", "Region", "Rules", "read_recipe"]


REVISION_DIGITS = 12
VERSION = 1
"""Of a recipe's form: the only one that is read. Older files are brought up to it: `appliance/migrations.py`."""


class _Named(Protocol):
    """A section with a name."""

    @property
    def name(self) -> str:
        """Different from all others of its kind."""
        ...


class Recipe(BaseModel):
    """How one product is seen and judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(default=FIRST, ge=FIRST, le=VERSION, strict=True)
    """Of the recipe's form; counts up where a key changes its name or meaning. A file without it has the first."""
    name: Name
    description: str = Field(default="", max_length=500)
    deadline_ms: int = Field(ge=5, le=60_000)
    """From the trigger to the verdict; at this moment it is late."""
    bundle: BundleFolder | None = None
    """Folder of the model bundle, relative to the recipe, for all regions that name none of their own."""
    camera: CameraSection | None = None
    """How every camera of the box is set; or `cameras`, by name."""
    cameras: dict[CameraName, CameraSection] = Field(default_factory=dict, max_length=16)
    regions: tuple[Region, ...] = Field(default=(Region(),), max_length=64)
    """What models look at. Left out: the whole picture of every camera, or nothing where there is no `bundle`."""
    tools: tuple[Tool, ...] = Field(default=(), max_length=64)
    """What is measured beside them, in the order it is done."""
    agreements: tuple[AgreementSection, ...] = Field(default=(), max_length=32)
    """Where one objection is not enough, or several are counted together. Else the first that objects decides."""
    rules: Rules = Rules()
    align: dict[CameraName, AlignOptions] | AlignOptions | None = None
    """Where the part lies: for every camera, or by its name."""
    health: dict[CameraName, HealthOptions] | HealthOptions | None = None
    """What the picture is compared with: for every camera, or by its name."""
    codes: tuple[CodeOptions, ...] = Field(default=(), max_length=16)
    distances: Distances = Distances()

    @model_validator(mode="before")
    @classmethod
    def _no_model_no_region(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("bundle") is None and "regions" not in given:
            return {**given, "regions": ()}
        return given

    @model_validator(mode="after")
    def _whole(self) -> "Recipe":
        if (self.camera is None) == (not self.cameras):
            raise ValueError("expected either `camera`, for every camera, or `cameras`, by name")
        _different("regions", self.regions)
        _different("regions and tools", (*self.regions, *self.tools))
        _different("codes", self.codes)
        _different("agreements", self.agreements)
        for region in self.regions:
            if region.bundle is None and self.bundle is None:
                raise ValueError(f"regions: {region.name}: expected `bundle`, here or for the whole recipe")
            self._inside("regions", region.name, region.camera, region.box)
        for tool in self.tools:
            self._inside("tools", tool.name, tool.camera, tool.box)
        if not (self.regions or self.tools or self.codes):
            raise ValueError("expected `bundle`, or `tools` or `codes`: a recipe has to look at something")
        self._agreed()
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
            if not any(each.camera in (None, name) for each in (*self.regions, *self.tools, *self.codes)):
                raise ValueError(f"regions: expected one or more for camera {name}, or a tool or a code")
        return self

    def _agreed(self) -> None:
        known = {each.name for each in (*self.regions, *self.tools)}
        taken: set[str] = set()
        for agreement in self.agreements:
            for name in agreement.regions:
                if name not in known:
                    raise ValueError(f"agreements: {agreement.name}: {name!r}: expected the name of a region or a tool")
                if name in taken:
                    raise ValueError(f"agreements: {agreement.name}: {name} is in an agreement already: expected one")
                taken.add(name)

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
    def bundles(self) -> tuple[str, ...]:
        """Folders of all bundles it takes, relative to it, each once, in the order of the regions."""
        return tuple(dict.fromkeys(self.bundle_of(region) for region in self.regions))

    def bundle_of(self, region: Region) -> str:
        """Folder of the bundle that looks at a region, relative to the recipe."""
        found = region.bundle or self.bundle
        if found is None:  # pragma: no cover - refused when the recipe is read
            raise BadRecipe(f"recipe {self.name}: regions: {region.name}: expected `bundle`")
        return found

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files beside the recipe that it takes, sorted; bundles are none of them."""
        sections = [*self.cameras.values(), *([self.camera] if self.camera else [])]
        found = {name for section in sections for name in section.develop.files}
        aligns = self.align.values() if isinstance(self.align, dict) else [self.align] if self.align else []
        healths = self.health.values() if isinstance(self.health, dict) else [self.health] if self.health else []
        found |= {each.golden for each in aligns} | {each.reference for each in healths}
        found |= {name for tool in self.tools for name in tool.files}
        return tuple(sorted(found))


def _different(kind: str, sections: Sequence[_Named]) -> None:
    """Raise ValueError where two have one name."""
    names = [each.name for each in sections]
    if len(set(names)) != len(names):
        raise ValueError(f"{kind}: expected different names, found {names}")


@dataclass(frozen=True, slots=True)
class ActiveRecipe:
    """A recipe as it lies on disk."""

    recipe: Recipe
    path: Path
    digest: str
    """sha256 of the file, and of every file beside it that it takes, 64 hex digits: what a signature is bound to."""
    places: dict[str, Path] = field(default_factory=dict)
    """Where bundles lie that are not to be looked for where the recipe's links lead to, by what it calls each."""

    @property
    def revision(self) -> str:
        """The first 12 digits of it: what is shown, sent and kept with each part."""
        return self.digest[:REVISION_DIGITS]

    @property
    def folder(self) -> Path:
        """Where the files lie that it takes."""
        return self.path.parent

    @property
    def bundles(self) -> dict[str, Path]:
        """Folder of each bundle by what the recipe calls it. A folder may be a link: it is followed now."""
        return {name: self.places.get(name) or (self.folder / name).resolve() for name in self.recipe.bundles}


class _NoDoubles(BoundedLoader):
    """Loader that refuses a key written twice (plain YAML silently keeps the last)."""


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
        raw = read_bounded(path)
    except OSError as error:
        raise BadRecipe(f"{path}: cannot be read: {error.strerror}{hint(path)}") from error
    try:
        content = parsed_yaml(raw, _NoDoubles)
    except ValueError as error:
        raise BadRecipe(f"{path}: not YAML: {error}{hint(path)}") from error
    if not isinstance(content, dict):
        raise BadRecipe(f"{path}: expected a mapping of keys, found {type(content).__name__}{hint(path)}")
    if (other := other_form(path, content, VERSION)) is not None:
        raise BadRecipe(other)
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise BadRecipe(f"{complain(path, error)}{hint(path)}") from error
    return ActiveRecipe(recipe, path, _digest(path, raw, recipe.files))


def _digest(path: Path, raw: bytes, files: tuple[str, ...]) -> str:
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
    return digest.hexdigest()
