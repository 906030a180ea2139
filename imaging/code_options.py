"""Codes that are read on the part: section `codes` of the recipe."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    pattern: str = Field(default="", max_length=200)
    """Regular expression the whole text must match; empty: any text."""
