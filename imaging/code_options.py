"""Codes that are read on the part: section `codes` of the recipe."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

CodeKind = Literal[
    "DataMatrix", "QRCode", "MicroQRCode", "Aztec", "PDF417", "Code128", "Code39", "Code93", "Codabar", "EAN13", "EAN8",
    "UPCA", "UPCE", "ITF",
]  # fmt: skip


class CodeOptions(BaseModel):
    """One code. What cannot be read makes the part UNJUDGED where `required`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")] = "code"
    camera: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")] | None = None
    """Camera that sees it; None: the only one."""
    box: tuple[int, int, int, int] | Literal["full"] = "full"
    """Where it is looked for, px of the developed picture; it moves with the part."""
    kinds: tuple[CodeKind, ...] = Field(default=("DataMatrix", "QRCode", "Code128"), min_length=1)
    required: bool = True
    """True: a part whose code cannot be read is UNJUDGED."""
    serial: bool = True
    """True: what is read is the part's serial number."""
    time_ms: int = Field(default=25, ge=1, le=10_000)
    """No further try is begun after this time."""
    pattern: str = Field(default="", max_length=200)
    """Regular expression the whole text must match; empty: any text. Python's syntax, ASCII classes."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern, re.ASCII)
        except re.error as error:
            raise ValueError(f"expected a regular expression: {error}") from error
        return pattern
