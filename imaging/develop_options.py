"""How a raw picture becomes the one that is judged: section `develop` of a camera in the recipe. All of it optional."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Factor = Annotated[float, Field(ge=0.1, le=16.0)]
File = Annotated[str, Field(max_length=200)]
Length = Annotated[int, Field(ge=0, le=65535)]


class DevelopOptions(BaseModel):
    """In this order: dark, flat, demosaic, white balance, levels, lens, plane, crop. Files lie beside the recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dark: File = ""
    """Grey picture of the sensor's pixels, taken with the lens covered, of the camera's size; empty: none. PNG or TIFF
    of 16 bits, raw levels times 2 ** (16 - bits of the pixel format), or of 8 bits for a format of 8."""
    flat: File = ""
    """Picture of an evenly bright sheet, not saturated, likewise; empty: no flat-field correction."""
    lens: File = ""
    """Calibration of lens and plane as JSON (`okng camera tune lens`); empty: none."""
    undistort: bool = False
    """Straighten what the lens bends. Needs `lens`."""
    rectify: bool = False
    """See the calibrated plane straight from above; straightens too. Needs `lens`."""
    white_balance: tuple[Factor, Factor, Factor] = (1.0, 1.0, 1.0)
    """Factors of red, green and blue; nothing on a grey picture."""
    levels: tuple[Length, Length] | None = None
    """Raw levels that become 0 and 255; None: the whole range of the pixel format."""
    crop: tuple[int, int, int, int] | Literal["full"] = "full"
    """x, y, width, height in px of the picture after all else; what lies outside is thrown away."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.undistort or self.rectify) and not self.lens:
            raise ValueError("undistort, rectify: expected the calibration's file in `lens`")
        if self.levels is not None and self.levels[0] >= self.levels[1]:
            raise ValueError(f"levels = {list(self.levels)}: expected the darker one first")
        if self.crop != "full":
            x, y, w, h = self.crop
            if x < 0 or y < 0 or w < 16 or h < 16:
                raise ValueError("crop: expected x and y of 0 or more, width and height of 16 or more pixels")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files it takes."""
        return tuple(name for name in (self.dark, self.flat, self.lens) if name)
