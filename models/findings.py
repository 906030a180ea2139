"""What a model says of one region of one picture."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .box import Box


@dataclass(frozen=True, slots=True)
class Findings:
    """What a model says of one region. Unsound findings judge nothing: the part is UNJUDGED."""

    region: Box
    """Where in the picture, sensor pixels."""
    score: float
    """How unlike a good part the region is, in the model's own units; `inf` when unsound, so that nothing passes."""
    heat: npt.NDArray[np.float32]
    """`(rows, columns)` float32, the score of each cell of the region; the score is its maximum. Zeros when unsound."""
    model: str
    """Digest of the bundle, 64 hex digits."""
    took_ns: int
    """Crop, resize and inference."""
    trouble: str = ""
    """What is wrong with the output (`NaN in the heat map`), for people; empty: sound."""

    @property
    def sound(self) -> bool:
        """True when score and heat may be judged by."""
        return not self.trouble
