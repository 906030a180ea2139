"""What the box's settings say of the inspection process."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class InspectOptions(BaseModel):
    """`[inspect]` of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Literal["cpu", "cuda", "tensorrt"] = "cpu"
    """Where the model runs. One that is missing is an error at start, never a silent fall-back."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads inside one inference. More than 1 helps only while cores are idle, and hurts when they are not."""
    golden_every_s: int = Field(default=60, ge=5, le=86_400)
    """After this long without a part one golden picture is run; a wrong score is a fault."""
