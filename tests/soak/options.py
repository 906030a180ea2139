"""What was asked of `make soak`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """See the command's help."""

    parts: int = 1_000_000
    every: int = 50_000
    rate: float = 350.0
    """Parts a second that the belt brings at most. The box lets in as many as it takes."""
    out: Path = Path("soak-out")
    seed: int = 1
    keep_model: bool = False
    standby: bool = True
    minutes: float = 0.0
    """End the segment after so long; 0: not."""

    def kept(self) -> dict[str, Any]:
        """What has to be the same in all segments of one soak."""
        return {name: asdict(self)[name] for name in ("parts", "every", "seed", "standby")}
