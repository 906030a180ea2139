"""The pixel formats a camera may send, by their PFNC names. No numpy here: every process reads recipes.

Source: EMVA Pixel Format Naming Convention 2.4 and its 32-bit values. `YUV422_8` is Y U Y V, `YUV422_8_UYVY` U Y V Y,
both of full range, 0..255.
"""

from dataclasses import dataclass
from typing import Literal, get_args

PixelFormat = Literal[
    "Mono8",
    "Mono10",
    "Mono10p",
    "Mono10Packed",
    "Mono12",
    "Mono12p",
    "Mono12Packed",
    "Mono16",
    "BayerRG8",
    "BayerGR8",
    "BayerGB8",
    "BayerBG8",
    "BayerRG10",
    "BayerGR10",
    "BayerGB10",
    "BayerBG10",
    "BayerRG10Packed",
    "BayerGR10Packed",
    "BayerGB10Packed",
    "BayerBG10Packed",
    "BayerRG10p",
    "BayerGR10p",
    "BayerGB10p",
    "BayerBG10p",
    "BayerRG12",
    "BayerGR12",
    "BayerGB12",
    "BayerBG12",
    "BayerRG12p",
    "BayerGR12p",
    "BayerGB12p",
    "BayerBG12p",
    "BayerRG12Packed",
    "BayerGR12Packed",
    "BayerGB12Packed",
    "BayerBG12Packed",
    "BayerRG16",
    "BayerGR16",
    "BayerGB16",
    "BayerBG16",
    "RGB8",
    "BGR8",
    "YUV422_8",
    "YUV422_8_UYVY",
]
"""What okng unpacks. `p`: bits end to end, the first pixel in the lowest bits. `Packed`: GigE Vision 1.x's, three bytes
a pair, the low bits of both in the middle one."""
Colour = Literal["grey", "bayer", "rgb", "bgr", "yuyv", "uyvy"]
Packing = Literal["plain", "p", "packed"]


@dataclass(frozen=True, slots=True)
class Format:
    """How the pixels of one format lie in memory."""

    name: str
    colour: Colour
    tile: str
    """Colours of the sensor's first two pixels of the first row, for a Bayer format: RG, GR, GB, BG; else empty."""
    depth_bits: int
    """Significant bits of a sample: 8, 10, 12 or 16."""
    packing: Packing
    bits_per_pixel: int
    """Bits a pixel takes in memory."""

    @property
    def quad(self) -> str:
        """Colours of the sensor's first two pixels of the first and of the second row, for example RGGB; else empty."""
        return self.tile + {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[self.tile] if self.tile else ""

    def payload_bytes(self, width: int, height: int) -> int:
        """Bytes of a picture without line padding; the bits of the last pixel are filled up to a byte."""
        return (width * height * self.bits_per_pixel + 7) // 8


def _format(name: str) -> Format:
    if name in ("RGB8", "BGR8"):
        return Format(name, "rgb" if name == "RGB8" else "bgr", "", 8, "plain", 24)
    if name.startswith("YUV422_8"):
        return Format(name, "uyvy" if name.endswith("UYVY") else "yuyv", "", 8, "plain", 16)
    colour: Colour = "bayer" if name.startswith("Bayer") else "grey"
    tile = name[5:7] if colour == "bayer" else ""
    packing: Packing = "p" if name.endswith("p") else "packed" if name.endswith("Packed") else "plain"
    depth = int("".join(letter for letter in name if letter.isdigit()))
    bits = depth if packing == "p" else 12 if packing == "packed" else 8 if depth == 8 else 16
    return Format(name, colour, tile, depth, packing, bits)


FORMATS: dict[str, Format] = {name: _format(name) for name in get_args(PixelFormat)}
"""By PFNC name."""
