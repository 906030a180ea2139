"""A QR code as a path of squares, for a page to draw: no picture file, no colour of its own."""

from dataclasses import dataclass

import numpy as np
import zxingcpp


@dataclass(frozen=True, slots=True)
class QrCode:
    """One code, without the quiet edge of four modules that it needs."""

    side: int
    """Modules along an edge."""
    path: str
    """Of an SVG whose unit is a module: every dark run of a row."""


def qr_code(text: str) -> QrCode:
    """The code of a text, error correction M. ValueError: it is empty or too long for one."""
    if not text:
        raise ValueError("a QR code of nothing")
    made = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    dark = np.asarray(made.to_image(scale=1, add_quiet_zones=False)) < 128
    runs = []
    for y, row in enumerate(dark):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(np.int8), [0]))))
        runs += [f"M{x} {y}h{end - x}v1h{x - end}z" for x, end in zip(edges[::2], edges[1::2], strict=True)]
    return QrCode(int(dark.shape[0]), "".join(runs))
