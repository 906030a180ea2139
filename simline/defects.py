"""What can be wrong with a rendered part, drawn in the part's own frame together with its truth."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]

DEFECTS = ("scratch", "pit", "stain", "missing")


@dataclass(slots=True)
class Drawing:
    """A part while it is drawn, in its own frame. All fields are rows x columns float32."""

    face: Field
    """Grey levels of the metal."""
    cover: Field
    """0 belt .. 1 metal."""
    chamfer: Field
    """0..1 where edges catch the light."""
    mask: Field
    """1 where a defect was drawn."""


def add_defect(
    drawing: Drawing,
    defect: str,
    rng: np.random.Generator,
    holes: float,
    hole: float,
    hole_angles: Sequence[float],
    outer: float,
    bore: float,
) -> None:
    """Draw a defect of DEFECTS. Radii are in units of the picture's shorter side, angles in degrees."""
    height, width = drawing.face.shape
    short = min(width, height)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    if defect == "missing":
        _fill_hole(drawing, centre, short, float(rng.choice(np.asarray(hole_angles))), holes, hole)
        return
    for _ in range(40):  # until enough of it lies on metal
        bearing, far = rng.uniform(0, 2 * np.pi), rng.uniform(bore + 0.04, outer - 0.05)
        at = centre + short * far * np.array([np.cos(bearing), np.sin(bearing)])
        if defect == "scratch":
            delta, touched = _scratch(drawing.face.shape, rng, at, short)
        elif defect == "pit":
            delta, touched = _pit(drawing.face.shape, rng, at, short)
        else:
            delta, touched = _stain(drawing.face.shape, rng, at, short)
        on_metal = touched * (drawing.cover > 0.9)
        if on_metal.sum() > 0.8 * touched.sum() > 0:
            drawing.face += delta
            drawing.mask[:] = on_metal
            return
    drawing.face += delta
    drawing.mask[:] = on_metal


def _scratch(
    shape: tuple[int, ...], rng: np.random.Generator, at: npt.NDArray[np.float64], short: int
) -> tuple[Field, Field]:
    """Return a bent scratch: a bright groove with a dark lip, fading at the ends."""
    bearing, length = rng.uniform(0, np.pi), rng.uniform(0.10, 0.26) * short
    along = np.array([np.cos(bearing), np.sin(bearing)])
    side = np.array([-along[1], along[0]])
    steps = np.linspace(-0.5, 0.5, 24)
    wobble = np.cumsum(rng.normal(0, 0.004, 24)) * short
    path = at + np.outer(steps * length, along) + np.outer(rng.normal(0, 0.25) * length * steps**2 + wobble * 0.5, side)
    thick = max(1, round(short / 320 * rng.uniform(1.2, 2.6)))
    strength = rng.uniform(80, 125)
    bright, dark = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for i, (start, end) in enumerate(itertools.pairwise(path)):
        fade = float(np.sin(np.pi * (i + 1) / 25) ** 0.5)
        _line(bright, start, end, strength * fade, thick)
        _line(dark, start + side * thick, end + side * thick, 0.6 * strength * fade, thick)
    delta = cv2.GaussianBlur(bright, (0, 0), 0.6) - cv2.GaussianBlur(dark, (0, 0), 0.8)
    touched = cv2.dilate(((bright + dark) > 0).astype(np.float32), np.ones((3, 3), np.uint8))
    return np.asarray(delta, np.float32), np.asarray(touched, np.float32)


def _line(on: Field, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], value: float, thick: int) -> None:
    """Draw one stretch with 1/16 pixel ends."""
    first, last = ((round(float(each[0]) * 16), round(float(each[1]) * 16)) for each in (start, end))
    cv2.line(on, first, last, value, thick, cv2.LINE_8, 4)


def _pit(
    shape: tuple[int, ...], rng: np.random.Generator, at: npt.NDArray[np.float64], short: int
) -> tuple[Field, Field]:
    """Return one to three craters: a dark floor, a bright crescent away from the lamp."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    delta, touched = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        middle = at + rng.normal(0, 0.025, 2) * short
        size = rng.uniform(0.008, 0.018) * short
        away = np.hypot(x - middle[0], (y - middle[1]) * rng.uniform(0.85, 1.2)) / size
        floor = np.clip(1.25 - away, 0, 1) * rng.uniform(75, 105)
        rim = np.exp(-((away - 1.25) ** 2) / 0.05) * np.clip(
            ((x - middle[0]) * -0.5 + (y - middle[1]) * 0.8) / size, 0, 1
        )
        delta += (rim * 55 - floor).astype(np.float32)
        touched = np.maximum(touched, (away < 1.35).astype(np.float32))
    return delta, touched


def _stain(
    shape: tuple[int, ...], rng: np.random.Generator, at: npt.NDArray[np.float64], short: int
) -> tuple[Field, Field]:
    """Return an oily spot: an uneven darkening with a tide mark."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    size = rng.uniform(0.045, 0.09) * short
    bearing = np.arctan2(y - at[1], x - at[0])
    away = np.hypot(x - at[0], y - at[1]) / size
    shape_of = np.ones_like(away)
    for waves in (2, 3, 5):
        shape_of = shape_of + np.float32(rng.normal(0, 0.13)) * np.sin(
            waves * bearing + np.float32(rng.uniform(0, 6.3))
        )
    away = away / np.clip(shape_of, 0.45, 1.7)
    depth = rng.uniform(26, 46)
    body = np.clip((1 - away) * 3, 0, 1)
    tide = np.exp(-((away - 0.93) ** 2) / 0.006)
    cloud = cv2.resize(
        rng.uniform(0.6, 1.2, (9, 9)).astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC
    )
    delta = -(depth * body * cloud + 0.45 * depth * tide)
    return np.asarray(delta, np.float32), np.asarray(away < 1.02, np.float32)


def _fill_hole(
    drawing: Drawing, centre: npt.NDArray[np.float64], short: int, degrees: float, holes: float, hole: float
) -> None:
    """Leave a screw hole out: a drill that broke."""
    y, x = np.mgrid[0 : drawing.face.shape[0], 0 : drawing.face.shape[1]].astype(np.float32)
    at = centre + short * holes * np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    away = np.hypot(x - at[0], y - at[1]) / short
    drawing.cover[away < hole + 0.02] = 1
    drawing.chamfer[away < hole + 0.02] = 0
    drawing.mask[away < hole + 0.008] = 1
