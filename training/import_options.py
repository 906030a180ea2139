"""What can be said of a foreign model when it is imported. No onnx here: the door reads it first."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..bus.complaint import complain
from ..bus.errors import BadSettings
from ..models.manifest import CLASS_LIMIT, Adapter, ClassName

Layout = Literal["nchw", "nhwc", "chw", "hwc"]
"""Axes of the foreign input: n pictures, c channels, h rows, w columns. Without n it takes one picture."""
_Three = tuple[float, ...]


class ImportOptions(BaseModel):
    """How a foreign model is wrapped and read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: Adapter
    name: str = Field(pattern=r"^[\w][\w .+-]{0,99}$")
    """Name of the bundle."""
    version: str = Field(default="1.0.0", pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    classes: dict[ClassName, int | None] = Field(default_factory=dict, max_length=2000)
    """Defect classes with their channel or label. None for all: in order, see `Output.numbers`."""
    limits: dict[ClassName, float] = Field(default_factory=dict)
    """Confidence 0..1 above which a class is NG. Classes left out: 0.5."""
    areas_px: dict[ClassName, float] = Field(default_factory=dict)
    """Of a segmentation: least area of a class, picture pixels."""
    threshold: float = Field(default=0.5, allow_inf_nan=False)
    """Of an anomaly model. anomalib normalises its scores so that 0.5 is its threshold."""
    size: tuple[int, int] | None = None
    """Width and height of the input, pixels. None: as the graph states."""
    layout: Layout | None = None
    """None: as the axis of 1 or 3 channels tells."""
    grey: bool = False
    """The bundle takes grey pictures; they are repeated for a foreign model of 3 channels."""
    bgr: bool = False
    """The foreign model takes blue first."""
    scale: float = Field(default=255.0, gt=0, le=1e6, allow_inf_nan=False)
    """Grey levels are divided by this: 255 makes 0..1 of them, 1 leaves them as they are."""
    mean: _Three = (0.0,)
    """Then taken off, for each channel or for all, in the foreign model's order."""
    std: _Three = (1.0,)
    """Then divided by, likewise."""
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    """What makes confidences of a classification's or segmentation's output; `none`: they are already."""
    yolo: Literal["v8", "v5"] | None = None
    """None: as the longer axis tells."""
    overlap: float = Field(default=0.5, gt=0, le=1)
    """Of yolo boxes of one class that overlap by more, the best is kept."""
    outputs: dict[str, str] = Field(default_factory=dict, max_length=10)
    """Foreign output for a name of ours (`score`, `heat`, `logits`, `predictions`, `boxes`, `labels`, `scores`). What
    is left out is found by name, type and shape, or asked for."""
    clipped: tuple[float, float] | None = None
    """See `Output.clipped`. None: 0..1 for an export of anomalib."""
    budget_ms: float | None = Field(default=None, gt=0, le=60_000)
    """Longest one inference may take on a box."""
    replace: bool = False
    """A bundle that is already at the goal gives way."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.classes) == (self.adapter == "anomaly"):
            raise ValueError("classes: an anomaly model has none, every other adapter needs the names of its defects")
        given = [number for number in self.classes.values() if number is not None]
        if given and (len(given) != len(self.classes) or len(set(given)) != len(given) or min(given) < 0):
            raise ValueError("classes: number all of them differently from 0, or none")
        for name in ("limits", "areas_px"):
            if unknown := set(getattr(self, name)) - set(self.classes):
                raise ValueError(f"{name}: {', '.join(sorted(unknown))}: no such class")
        if self.size is not None and not all(16 <= side <= 8192 for side in self.size):
            raise ValueError(f"size: {self.size[0]}x{self.size[1]}: expected 16..8192 each way")
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, 3):
                raise ValueError(f"{name}: expected 1 or 3 numbers")
        if any(value <= 0 for value in self.std):
            raise ValueError("std: expected numbers above 0")
        return self

    @property
    def numbers(self) -> tuple[int, ...]:
        """Channel or label of each class; empty: in order."""
        return tuple(number for number in self.classes.values() if number is not None)

    def class_limits(self) -> dict[str, float]:
        """Limit of each class."""
        return {name: self.limits.get(name, CLASS_LIMIT) for name in self.classes}


def import_options(**fields: Any) -> ImportOptions:
    """Return the options of these fields. BadSettings: one is unknown or out of range; the text names it."""
    try:
        return ImportOptions(**fields)
    except ValidationError as error:
        raise BadSettings(complain("import", error)) from error
