"""What stands beside the models in a recipe: measuring tools, each with its place on the picture. No numpy here."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ..imaging.rule_options import BlobOptions, CaliperOptions, ColourOptions, CountOptions, PresenceOptions
from .camera_section import CameraName


class _Placed(BaseModel):
    """Where a tool measures."""

    camera: CameraName | None = None
    """Camera in whose picture; None: every camera's."""
    box: tuple[int, int, int, int] | Literal["full"] = "full"
    """x, y, width, height in px of the developed picture; `full`: the whole picture. It moves with the part."""


class BlobTool(_Placed, BlobOptions):
    """`kind: blob`."""


class CaliperTool(_Placed, CaliperOptions):
    """`kind: caliper`."""


class PresenceTool(_Placed, PresenceOptions):
    """`kind: presence`."""


class ColourTool(_Placed, ColourOptions):
    """`kind: colour`."""


class CountTool(_Placed, CountOptions):
    """`kind: count`."""


Tool = Annotated[BlobTool | CaliperTool | PresenceTool | ColourTool | CountTool, Field(discriminator="kind")]
"""One tool of a recipe, told by its `kind`."""
