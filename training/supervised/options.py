"""What can be chosen when training with labels. No torch here: the door reads it before torch is there."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...bus.errors import BadSettings
from ...models.box import Box

Task = Literal["segmentation", "detection", "classification"]
OWN_BACKBONE = "lite0"
"""The backbone in this repository: EfficientNet-Lite0 cut after block 10, weights included."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augment(_Options):
    """Which changes leave a part what it is. The defaults suit a part that always lies the same way.

    A flip or turn that the product does not allow teaches the model parts that never come (a mirrored print is a
    defect), so both begin at none.
    """

    flip_x: bool = False
    """Left and right may be exchanged."""
    flip_y: bool = False
    """Top and bottom may be exchanged."""
    rotate_deg: float = Field(default=0.0, ge=0.0, le=180.0)
    """Turned by up to so much, either way. 180: parts lie in any direction."""
    scale: float = Field(default=0.05, ge=0.0, le=0.5)
    """Larger or smaller by up to this share."""
    shift: float = Field(default=0.03, ge=0.0, le=0.5)
    """Moved by up to this share of the side."""
    brightness: float = Field(default=0.1, ge=0.0, le=0.9)
    """Brighter or darker by up to this share of full scale."""
    contrast: float = Field(default=0.1, ge=0.0, le=0.9)
    """Contrast about the mean, up to this share more or less."""
    noise: float = Field(default=2.0, ge=0.0, le=64.0)
    """Standard deviation of added noise, up to so many grey levels."""
    blur: float = Field(default=0.0, ge=0.0, le=8.0)
    """Standard deviation of a blur, up to so many pixels of the model's input."""


class TrainOptions(_Options):
    """Options of one training."""

    task: Task
    name: str = Field(default="trained", pattern=r"^[\w][\w .+-]{0,99}$")
    """Name of the bundle."""
    version: str = Field(default="1.0.0", pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    size_px: int = Field(default=256, ge=32, le=2048, multiple_of=32)
    """Side of the model's square input; a region is stretched to it."""
    channels: Literal[0, 1, 3] = 0
    """1: grey, 3: RGB; must be what the line's camera gives. 0: as the pictures are."""
    region: Box | None = None
    """Part of each picture, pixels. None: each whole picture."""
    backbone: str = Field(default=OWN_BACKBONE, pattern=r"^[a-z][a-z0-9_]{0,59}$")
    """`lite0`, or the name of a torchvision classification model."""
    weights: str = "none"
    """Of a torchvision backbone: `none`, `download` (torchvision's own) or a file of its state dictionary."""
    width: int = Field(default=64, ge=16, le=512, multiple_of=16)
    """Channels of the decoder."""
    augment: Augment = Augment()
    epochs: int = Field(default=60, ge=1, le=100_000)
    """Most epochs; early stop ends sooner."""
    patience: int = Field(default=15, ge=1, le=100_000)
    """Epochs without a better validation figure before it stops."""
    batch: int = Field(default=16, ge=1, le=4096)
    """Pictures a step, over all processes together."""
    rate: float = Field(default=2e-3, gt=0.0, le=1.0)
    """Largest learning rate (AdamW, warm-up then cosine)."""
    backbone_rate: float = Field(default=0.1, ge=0.0, le=1.0)
    """Learning rate of the backbone as a share of `rate`. 0: it stays as it is."""
    decay: float = Field(default=1e-2, ge=0.0, le=1.0)
    """Weight decay."""
    amp: Literal["auto", "off", "bf16", "fp16"] = "auto"
    """Mixed precision. `auto`: on a GPU that can, off on the CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    overkill_percent: float = Field(default=1.0, ge=0.0, le=50.0)
    """Share of good parts that may be called NG: where the limits of the classes are put."""
    escape_percent: float | None = Field(default=None, ge=0.0, le=50.0)
    """Share of defective parts that may pass. None: what the overkill asked for allows."""
    validation_share: float = Field(default=0.2, gt=0.0, lt=0.9)
    test_share: float = Field(default=0.2, ge=0.0, lt=0.9)
    leave_out_unmarked: bool = False
    """True: defective pictures without the mask or box the task needs are left out and named; else they are refused."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    threads: int = Field(default=0, ge=0, le=256)
    """Of torch and of the pictures' preparation. 0: one per core."""
    memory_mb: int = Field(default=2048, ge=1, le=1 << 20)
    """Cut pictures beyond this many MiB are kept in a file beside the checkpoint and read from there."""
    replace: bool = False
    """True: a bundle that is already at the goal gives way."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.validation_share + self.test_share >= 0.95:
            raise ValueError("validation_share + test_share: expected less than 0.95, the rest is trained on")
        if self.backbone == OWN_BACKBONE and self.weights != "none":
            raise ValueError("weights: lite0 brings its own; name a torchvision backbone to load others")
        return self

    @property
    def weights_file(self) -> Path | None:
        """The file of the backbone's weights, where one is named."""
        return None if self.weights in ("none", "download") else Path(self.weights)

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree in to be gone on with: all but where, how long and how fast it is trained."""
        free = {"device", "threads", "memory_mb", "replace", "name", "version", "patience"}
        return self.model_dump(mode="json", exclude=free)


def options_of(**fields: Any) -> TrainOptions:
    """Return the options of these fields. BadSettings: one is unknown or out of range; the text names it."""
    try:
        return TrainOptions(**fields)
    except ValidationError as error:
        said = [f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg']}" for one in error.errors()]
        raise BadSettings("; ".join(said)) from error
