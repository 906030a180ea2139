"""The board that a camera is calibrated with: drawn to be printed, and found in a picture."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from .grey import grey_of
from .picture import Picture

Points = npt.NDArray[np.float32]
_MARGIN = 1.0
"""White around the board, in squares: the finder needs it."""
FEWEST_CORNERS = 8
"""A view with fewer tells too little."""


@dataclass(frozen=True, slots=True)
class Board:
    """A chessboard, or a ChArUco board: of that a part may be hidden or outside the picture. ValueError: no board."""

    kind: Literal["chessboard", "charuco"]
    columns: int
    """Squares, 3..40."""
    rows: int
    square_mm: float
    """Side of one square as it was printed: measure it."""

    def __post_init__(self) -> None:
        if not (3 <= self.columns <= 40 and 3 <= self.rows <= 40):
            raise ValueError(f"board of {self.columns}x{self.rows} squares: expected 3..40 each way")
        if self.columns == self.rows:
            raise ValueError("board: expected different numbers of columns and rows, else nobody can tell how it lies")
        if not self.square_mm > 0:
            raise ValueError(f"square_mm = {self.square_mm}: expected more than 0")

    def _charuco(self) -> cv2.aruco.CharucoBoard:
        dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_1000)
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_mm, 0.72 * self.square_mm, dictionary)

    def draw(self, square_px: int) -> Picture:
        """Return the board with its margin, black on white, square_px a square (16 or more)."""
        if square_px < 16:
            raise ValueError(f"square_px = {square_px}: expected 16 or more")
        size = (self.columns * square_px, self.rows * square_px)
        if self.kind == "charuco":
            inner = np.asarray(self._charuco().generateImage(size), np.uint8)
        else:
            y, x = np.mgrid[0 : size[1], 0 : size[0]] // square_px
            inner = np.asarray(np.where((x + y) % 2 == 0, 0, 255), np.uint8)
        margin = round(_MARGIN * square_px)
        return np.pad(inner, margin, constant_values=255)

    def find(self, picture: Picture) -> tuple[Points, Points]:
        """Return corners on the board (n, 3) in mm, z 0, and where they lie in the picture (n, 2) in px.

        BadPicture: the board is not seen, or too little of it.
        """
        grey = grey_of(picture)
        return self._find_charuco(grey) if self.kind == "charuco" else self._find_chessboard(grey)

    def _find_chessboard(self, grey: Picture) -> tuple[Points, Points]:
        inner = (self.columns - 1, self.rows - 1)
        found, corners = cv2.findChessboardCornersSB(grey, inner, flags=cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY)
        if not found:
            raise BadPicture(
                f"no chessboard of {self.columns}x{self.rows} squares is seen: all of it must be in the picture, "
                "evenly lit, with its white margin"
            )
        y, x = np.mgrid[0 : inner[1], 0 : inner[0]]
        on_board = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3) * self.square_mm
        return on_board.astype(np.float32), np.asarray(corners, np.float32).reshape(-1, 2)

    def _find_charuco(self, grey: Picture) -> tuple[Points, Points]:
        board = self._charuco()
        corners, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(grey)
        if ids is None or len(ids) < FEWEST_CORNERS:
            seen = 0 if ids is None else len(ids)
            raise BadPicture(
                f"{seen} corners of the ChArUco board of {self.columns}x{self.rows} squares are seen, expected "
                f"{FEWEST_CORNERS} or more: bring more of it into the picture, sharp and without glare"
            )
        on_board, there = board.matchImagePoints(list(corners), np.asarray(ids))
        return np.asarray(on_board, np.float32).reshape(-1, 3), np.asarray(there, np.float32).reshape(-1, 2)
