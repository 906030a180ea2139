"""Millimetres a pixel of the developed picture. No numpy here."""

from pathlib import Path

from .develop_options import DevelopOptions
from .lens_file import read_lens_file


def scale_of(develop: DevelopOptions, folder: Path) -> float | None:
    """Return mm per px by the calibration that the recipe names; None: it names none, or the picture is left bent.

    folder: where the recipe's files lie. With `rectify` it holds in the whole plane of the parts; with `undistort`
    alone only where the camera looks straight down on it. BadRecipe: the file cannot be read, or is none.
    """
    if not develop.lens or not (develop.rectify or develop.undistort):
        return None
    return read_lens_file(folder / develop.lens).mm_per_px
