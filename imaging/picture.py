"""A picture, as every room has it."""

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Rows x columns (grey) or rows x columns x 3 (RGB, not OpenCV's BGR), uint8."""
Box = tuple[int, int, int, int]
"""x, y, width, height in px of the picture."""
