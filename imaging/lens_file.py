"""Calibration of a lens and of the plane the parts lie in, as a JSON file beside the recipe. No numpy here."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..bus.complaint import complain
from ..bus.errors import BadRecipe

Number = Annotated[float, Field(allow_inf_nan=False)]
Row = tuple[Number, Number, Number]


class LensFile(BaseModel):
    """What a chessboard or a ChArUco board told. Pinhole model with Brown's distortion (OpenCV's `calibrateCamera`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(ge=16, le=16384)
    """Size of the pictures it was made from, px; it holds for no other."""
    height: int = Field(ge=16, le=16384)
    camera_matrix: tuple[Row, Row, Row]
    """px: fx 0 cx / 0 fy cy / 0 0 1."""
    distortion: tuple[Number, Number, Number, Number, Number]
    """k1 k2 p1 p2 k3."""
    plane: tuple[Row, Row, Row] | None = None
    """Homography from px of the straightened picture to px of the rectified one; None: the plane is not known."""
    mm_per_px: float = Field(gt=0.0, le=1000.0)
    """Scale in the plane of the board: of the rectified picture where `plane` is known, else at its middle."""
    reprojection_px: float = Field(ge=0.0, le=1000.0)
    """Root mean square of the distance between corners found and corners computed."""
    pictures: int = Field(ge=1, le=1000)
    """Views of the board it was made from."""
    made_at: str = Field(default="", max_length=40)
    """UTC, for people."""

    @model_validator(mode="after")
    def _holds(self) -> Self:
        (fx, _, _), (down, fy, _), last = self.camera_matrix
        if fx <= 0 or fy <= 0 or down != 0 or last != (0.0, 0.0, 1.0):
            raise ValueError("camera_matrix: expected fx 0 cx / 0 fy cy / 0 0 1 with fx and fy above 0")
        if self.plane is not None and abs(_determinant(self.plane)) < 1e-12:
            raise ValueError("plane: expected a homography that can be undone, its determinant is 0")
        return self


def _determinant(rows: tuple[Row, Row, Row]) -> float:
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def read_lens_file(path: Path) -> LensFile:
    """Read and check a calibration. BadRecipe names file, key, value and what was expected."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadRecipe(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return LensFile.model_validate_json(text)
    except ValidationError as error:
        raise BadRecipe(complain(path, error)) from error
