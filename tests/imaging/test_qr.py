"""A drawn code is read again by what reads codes."""

import re

import numpy as np
import pytest
import zxingcpp

from okng.imaging.qr import QrCode, qr_code

ADDRESS = (
    "otpauth://totp/okng%20line%201:eve?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=okng%20line%201&algorithm=SHA1"
)


def drawn(code: QrCode, scale: int = 4) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """As a browser draws it: dark on light, with the quiet edge."""
    made = np.full((code.side + 8, code.side + 8), 255, np.uint8)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", code.path):
        made[int(y) + 4, int(x) + 4 : int(x) + 4 + int(width)] = 0
    return np.kron(made, np.ones((scale, scale), np.uint8))


@pytest.mark.parametrize("text", [ADDRESS, "x", "良品"])
def test_what_is_drawn_is_read_again(text: str) -> None:
    code = qr_code(text)
    (read,) = zxingcpp.read_barcodes(drawn(code))
    assert read.text == text
    assert re.fullmatch(r"(M\d+ \d+h\d+v1h-\d+z)+", code.path), "nothing but squares: it stands in a page"


@pytest.mark.parametrize("text", ["", "x" * 5000])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of the library, in its words
        qr_code(text)
