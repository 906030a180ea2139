"""What Aravis calls the pixel formats of imaging/formats.py."""

import re
from typing import Any

from ..imaging.formats import FORMATS

_PFNC = {"Mono10p": 0x010A0046, "Mono12p": 0x010C0047}
"""Those the library has no name for, by the PFNC's 32-bit values."""
_PARTS = re.compile(r"(Mono|Bayer)(RG|GR|GB|BG)?(\d+)(p|Packed|)")
_LIBRARY_NAMES = {
    "RGB8": "RGB_8_PACKED",
    "BGR8": "BGR_8_PACKED",
    "YUV422_8": "YUV_422_YUYV_PACKED",
    "YUV422_8_UYVY": "YUV_422_PACKED",
}


def format_names(library: Any) -> dict[int, str]:
    """PFNC names by the 32 bits that travel."""
    names = {code: name for name, code in _PFNC.items()}
    for name in FORMATS:
        parts = _PARTS.fullmatch(name)
        if parts is not None:
            own = f"{parts[1]}_{parts[2] + '_' if parts[2] else ''}{parts[3]}{parts[4].replace('Packed', '_Packed')}"
        else:
            own = _LIBRARY_NAMES[name]
        code = getattr(library, f"PIXEL_FORMAT_{own.upper()}", None)
        if code is not None:
            names[int(code) & 0xFFFFFFFF] = name
    return names
