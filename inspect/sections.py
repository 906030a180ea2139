"""What a recipe says of the places on a part: regions, what holds for all, and who has to agree. No numpy here."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .camera_section import CameraName
from .shapes import Shape

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
ClassName = Annotated[str, Field(min_length=1, max_length=100)]
"""As the bundle's manifest names a class of defects."""
BundleFolder = Annotated[str, Field(min_length=1, max_length=1000)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Region(_Section):
    """One place on the picture that the model looks at."""

    name: Name = "whole"
    camera: CameraName | None = None
    """Camera that sees it; None: every camera."""
    box: tuple[int, int, int, int] | Literal["full"] = "full"
    """x, y, width, height in px of the developed picture; `full`: the whole picture. It moves with the part."""
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    """Score above which the region is NG. None: the bundle's own."""
    bundle: BundleFolder | None = None
    """Folder of the model bundle that looks at it, relative to the recipe. None: the recipe's."""
    limits: dict[ClassName, Annotated[float, Field(ge=0.0, le=1e9)]] = Field(default_factory=dict, max_length=200)
    """Score above which a place is a defect, by its class; `CLASS.area_px`: the least area that is one, of a model that
    tells areas. What is not named is as the bundle has it."""
    ignore: tuple[Shape, ...] = Field(default=(), max_length=32)
    """Places inside it that are not judged. Only what lies wholly in them is left out."""
    within: Shape | None = None
    """The only place inside it that is judged; None: all of it."""

    @model_validator(mode="after")
    def _inside(self) -> "Region":
        if self.box != "full":
            x, y, w, h = self.box
            if x < 0 or y < 0 or w < 8 or h < 8:
                raise ValueError("expected x and y of 0 or more, width and height of 8 or more pixels")
        return self


class Rules(_Section):
    """What holds for all regions that a model looks at."""

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


class AgreementSection(_Section):
    """Regions or tools that see one place: how many of them have to object before the part is NG.

    A region that names no camera has one word for each camera. What could not be judged is UNJUDGED all the same.
    """

    name: Name
    regions: tuple[Name, ...] = Field(min_length=1, max_length=64)
    """Names of regions and tools."""
    ng_when: Literal["any", "all", "mean"] | Annotated[int, Field(ge=1, le=1024)] = "any"
    """`any`: one is enough. A number: so many. `all`: every one. `mean`: the mean of their scores, each as a share of
    its limit, is above 1; for limits above 0."""


class Distances(_Section):
    """Where things stand beside the belt. Too near for deadline and margin: io refuses READY (`okng plc check`)."""

    eye_to_gate_mm: float = Field(default=500.0, ge=1.0, le=100_000.0)
    gate_to_confirm_mm: float = Field(default=100.0, ge=1.0, le=100_000.0)
    max_speed_mm_s: float = Field(default=600.0, ge=1.0, le=20_000.0)
    margin_ms: float = Field(default=150.0, ge=0.0, le=60_000.0)
    """Time for the PLC's scan, the link and the valve, on top of the deadline."""
