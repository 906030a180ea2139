"""The works behind `okng camera tune`: each looks at the part through the camera and says what to set."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..bus.clock import SECOND, now_ns, utc_now
from ..bus.errors import BadPicture, BadSettings
from ..imaging.board import Board
from ..imaging.calibration import calibrate
from ..imaging.correction import reference_png
from ..imaging.exposure import ExposureLimits, ExposureTarget, propose
from ..imaging.focus import FocusMeter
from ..imaging.formats import FORMATS
from ..imaging.grey import cut
from ..imaging.histogram import histogram_of
from ..imaging.picture import Box, Picture
from ..imaging.strobe import best_delay
from ..imaging.unpack import unpack
from ..imaging.white import propose_white_balance
from ..models.pictures import encode_png, files_in, read
from .camera_hand import CameraHand

_BAR = 24
_STEPS = 8
_APART = 0.06
"""A view of the board counts as another one when a corner has moved by this share of the picture's width."""
_MM_PER_INCH = 25.4


def focus_lines(hand: CameraHand, box: Box | None, seconds: float | None) -> Iterator[str]:
    """One line a picture: sharpness, its peak, which way it goes, the ends of the histogram. BadSettings: bad box."""
    try:
        meter = FocusMeter(box)
        until_ns = None if seconds is None else now_ns() + round(seconds * SECOND)
        while until_ns is None or now_ns() < until_ns:
            picture = hand.developed(hand.grab())
            reading = meter.add(picture)
            channels = histogram_of(picture, box)
            clipped, dark = max(each.high for each in channels), max(each.low for each in channels)
            bar = "#" * round(_BAR * reading.share)
            yield (
                f"focus {reading.value:8.2f}  peak {reading.peak:8.2f}  [{bar.ljust(_BAR)}] "
                f"{100 * reading.share:3.0f} %  {reading.trend.ljust(13)}  "
                f"clipped {100 * clipped:.1f} %  black {100 * dark:.1f} %"
            )
    except ValueError as error:
        raise BadSettings(f"--box: {error}") from error


def exposed(
    hand: CameraHand, box: Box | None, longest_us: float | None, highest_db: float | None, level: float
) -> Iterator[str | bool]:
    """Try exposures until the picture is well exposed; yield what was seen, at the end whether it is reached."""
    source = hand.source
    low_us, high_us = _range(hand, "ExposureTime", 20.0, 10_000.0)
    low_db, high_db = _range(hand, "Gain", 0.0, 0.0)
    limits = ExposureLimits(
        low_us, min(high_us, longest_us or high_us), low_db, min(high_db, high_db if highest_db is None else highest_db)
    )
    exposure_us, gain_db = hand.profile.exposure_us, hand.profile.gain_db
    target = ExposureTarget(level=level)
    for _ in range(_STEPS):
        try:
            proposal = propose(hand.fresh(), exposure_us, gain_db, limits, target, box)
        except ValueError as error:
            raise BadSettings(f"--box: {error}") from error
        yield f"{exposure_us:.0f} us, {gain_db:.1f} dB: {proposal.words}"
        if proposal.reached:
            yield f"in the recipe: exposure_us: {exposure_us:.0f}, gain_db: {gain_db:.1f}"
            yield True
            return
        if not proposal.possible:
            break
        exposure_us, gain_db = proposal.exposure_us, proposal.gain_db
        exposure_us = float(hand.set("ExposureTime", exposure_us))
        if source.describe("Gain").writable if high_db > low_db else False:
            gain_db = float(hand.set("Gain", gain_db))
    yield False


def _range(hand: CameraHand, name: str, low: float, high: float) -> tuple[float, float]:
    """The camera's own range of a feature, or what is taken where it does not say."""
    try:
        feature = hand.source.describe(name)
    except BadSettings:
        return low, high
    return (low if feature.low is None else feature.low), (high if feature.high is None else feature.high)


def balanced(hand: CameraHand, box: Box | None) -> str:
    """The white balance that makes the region grey, as a line of the recipe. BadPicture: it cannot be told."""
    picture = hand.fresh()
    whole = (0, 0, picture.shape[1], picture.shape[0])
    factors = propose_white_balance(picture, box or whole, hand.plan.white_balance)
    return f"in the recipe: develop: {{white_balance: [{', '.join(f'{each:g}' for each in factors)}]}}"


def averaged(hand: CameraHand, out: Path, kind: Literal["dark", "flat"], count: int) -> str:
    """Average raw frames and write them as a 16-bit PNG; say what was seen. BadPicture, BadSettings."""
    profile = hand.profile
    fmt = FORMATS[profile.pixel_format]
    levels: list[float] = []

    def frames() -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint16]]]:
        for _ in range(count):
            hand.grab()
            samples = np.asarray(unpack(hand.raw, profile.width, profile.frame_height, fmt), np.uint16)
            levels.append(float(samples.mean()))
            yield samples

    content = reference_png(frames(), fmt.depth_bits)
    _written(out, content)
    mean, most = float(np.mean(levels)), (1 << fmt.depth_bits) - 1
    seen = f"{out}: {kind} picture of {count} frames, mean level {mean:.1f} of {most}"
    if kind == "dark" and mean > 0.1 * most:
        return f"{seen}: too bright for a dark picture: cover the lens, switch the lamp off"
    if kind == "flat" and not 0.3 * most < mean < 0.9 * most:
        return f"{seen}: expected 30..90 %: change exposure or light, then take it again"
    return f"{seen}; in the recipe: develop: {{{kind}: {out.name}}}"


def scanned(
    hand: CameraHand, box: Box | None, feature: str, span_us: tuple[float, float], step_us: float
) -> Iterator[str | bool]:
    """Set each delay, look, and at the end set the best one; yield what was seen, at the end whether there is one."""
    measured = []
    before = hand.source.get(feature)
    count = int((span_us[1] - span_us[0]) / step_us) + 1
    if not 3 <= count <= 1000:
        raise BadSettings(f"--range {span_us[0]:g} {span_us[1]:g} --step {step_us:g}: {count} delays, expected 3..1000")
    kind = hand.source.describe(feature).kind
    for number in range(count):
        delay = span_us[0] + number * step_us
        hand.set(feature, round(delay) if kind == "integer" else delay)
        picture = hand.fresh()
        seen = float((picture if box is None else cut(picture, box)).mean())
        measured.append((delay, seen))
        yield f"{feature} {delay:8.1f} us  {seen:6.1f}  {'#' * round(seen / 255 * 2 * _BAR)}"
    found = best_delay(measured)
    chosen = found.delay_us if found.found else float(before)
    hand.set(feature, round(chosen) if kind == "integer" else chosen)
    yield found.words
    if found.found:
        yield f"in the recipe: features: {{{feature}: {chosen:g}}}"
    yield found.found


# ---- the board ----


def as_board(kind: Literal["charuco", "chessboard"], squares: tuple[int, int], square_mm: float) -> Board:
    """The board that is meant. BadSettings: it is none."""
    try:
        return Board(kind, *squares, square_mm)
    except ValueError as error:
        raise BadSettings(str(error)) from error


def board_drawn(
    out: Path, kind: Literal["charuco", "chessboard"], squares: tuple[int, int], square_mm: float, dpi: int
) -> str:
    """Draw the board to a PNG; say how large it is to be printed. BadSettings."""
    board = as_board(kind, squares, square_mm)
    square_px = round(square_mm / _MM_PER_INCH * dpi)
    try:
        picture = board.draw(square_px)
    except ValueError as error:
        raise BadSettings(f"--square {square_mm:g} --dpi {dpi}: {error}") from error
    _written(out, encode_png(picture))
    wide, high = (side / dpi * _MM_PER_INCH for side in picture.shape[1::-1])
    return f"{out}: print it {wide:.1f} x {high:.1f} mm ({dpi} dpi, 100 %), glue it to something flat, measure a square"


def read_views(folder: Path) -> list[tuple[str, Picture]]:
    """The pictures of a folder by name. BadPicture: one cannot be read."""
    return [(file.name, read(file)) for file in files_in(folder)]


def collected(
    hand: CameraHand, board: Board, count: int, seconds: float, say: Callable[[str], None]
) -> list[tuple[str, Picture]]:
    """Take views of a board that somebody moves about, each unlike those before. BadPicture: too few in time."""
    views: list[tuple[str, Picture]] = []
    corners: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    until = time.monotonic() + seconds
    told = ""
    while len(views) < count:
        if time.monotonic() > until:
            raise BadPicture(f"{len(views)} views of the board within {seconds:.0f} s, expected {count}: {told}")
        picture = hand.fresh()
        try:
            _, there = board.find(picture)
        except BadPicture as error:
            if told != str(error):
                told = str(error)
                say(told)
            continue
        middle = there.mean(axis=0)
        reach = np.array([*middle, *there.max(axis=0), *there.min(axis=0)], np.float32)
        if corners and min(float(np.abs(reach - each).max()) for each in corners) < _APART * picture.shape[1]:
            continue
        corners.append(reach)
        views.append((f"view-{len(views):03d}", picture))
        told = f"view {len(views)} of {count}: move and tilt the board, into the corners too"
        say(told)
    return views


def calibrated(views: Sequence[tuple[str, Picture]], board: Board, out: Path, *, plane: bool) -> Iterator[str]:
    """Calibrate and write the lens' file; yield what came of it. BadPicture, BadSettings."""
    made = calibrate(views, board, plane=views[-1][0] if plane and views else None, made_at=utc_now())
    _written(out, made.lens.model_dump_json(indent=2).encode() + b"\n")
    lens = made.lens
    yield f"{out}: {lens.pictures} views, corners {lens.reprojection_px:.3f} px off, {lens.mm_per_px:.5f} mm a pixel"
    yield f"seen in {100 * made.coverage:.0f} % of the picture; worst view {max(made.view_px):.3f} px"
    yield from made.refused
    yield from made.warnings
    what = "undistort: true, rectify: true" if plane else "undistort: true"
    yield f"in the recipe: develop: {{lens: {out.name}, {what}}}"


def _written(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise BadSettings(f"{out}: cannot be written: {error.strerror}") from error
