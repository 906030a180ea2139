"""What a person may set about the commissioning check."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class CheckOptions(BaseModel):
    """Section `[plc.check]`: is the gate far enough from the eye? Distance and top speed are the recipe's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    valve_ms: float = Field(default=12.0, ge=0.0, le=10_000.0)
    """From the coil to air at the part, worst case of the valve's data sheet."""
    spare_ms: float = Field(default=5.0, ge=0.0, le=10_000.0)
    """Kept free on top of what was measured."""
    parts: int = Field(default=10_000, ge=1000, le=100_000)
    """Newest parts of the recipe that are measured over; a thousand must be there."""
    required: bool = False
    """READY only after `okng plc check --save` has passed with measured figures for the active recipe."""
    file: Path = Path("commissioning.json")
    """Where the check that was saved lies, relative to the settings."""
