"""`okng camera tune`: aids for the person at the lens, the lamp and the recipe."""

import sys
from pathlib import Path
from typing import Any, Literal

import click

from .camera_choice import chosen, which_camera
from .doors import FILE, FOLDER

_BOX = (click.INT, click.INT, click.INT, click.INT)
_BoxArgument = tuple[int, int, int, int] | None


def _box(command: Any) -> Any:
    """The region that is looked at."""
    return click.option(
        "--box", type=_BOX, default=None, metavar="X Y W H", help="Region in px; else the whole picture."
    )(command)


def _board(command: Any) -> Any:
    """The options that describe a calibration board."""
    for option in (
        click.option("--square", "square_mm", type=float, required=True, help="Side of one printed square, mm."),
        click.option("--squares", type=(int, int), default=(10, 7), show_default=True, help="Columns and rows."),
        click.option("--kind", type=click.Choice(["charuco", "chessboard"]), default="charuco", show_default=True),
    ):
        command = option(command)
    return command


@click.group()
def tune() -> None:
    """Set up lens, light, exposure and calibration of a camera, with the part before it."""


@tune.command()
@which_camera
@_box
@click.option("--seconds", type=click.FloatRange(0.5, 86_400), default=None, help="Default: until Ctrl-C.")
def focus(box: _BoxArgument, seconds: float | None, **which: Any) -> None:
    """Show sharpness with peak hold, and the histogram's ends, while somebody turns the lens."""
    from .camera_hand import in_hand
    from .camera_tune import focus_lines

    options, profile, plan = chosen(**which)
    with in_hand(options, profile, plan) as hand:
        try:
            for line in focus_lines(hand, box, seconds):
                click.echo(f"\r{line}\033[K" if sys.stdout.isatty() else line, nl=not sys.stdout.isatty())
        except KeyboardInterrupt:
            pass
        if sys.stdout.isatty():
            click.echo()


@tune.command()
@which_camera
@_box
@click.option(
    "--longest", "longest_us", type=click.FloatRange(1, 60_000_000), default=None, help="us; else the camera's."
)
@click.option(
    "--gain", "highest_db", type=click.FloatRange(0, 48), default=None, help="Most gain, dB; else the camera's."
)
@click.option("--level", type=click.FloatRange(20, 250), default=200.0, show_default=True, help="Of the brightest 5 %.")
def exposure(box: _BoxArgument, longest_us: float | None, highest_db: float | None, level: float, **which: Any) -> None:
    """Find exposure and gain, and print what belongs into the recipe. Exit 1: the light does not allow it."""
    from .camera_hand import in_hand
    from .camera_tune import exposed

    options, profile, plan = chosen(**which)
    with in_hand(options, profile, plan) as hand:
        *lines, reached = exposed(hand, box, longest_us, highest_db, level)
        click.echo("\n".join(map(str, lines)))
    sys.exit(0 if reached else 1)


@tune.command()
@which_camera
@_box
def white(box: _BoxArgument, **which: Any) -> None:
    """Find the white balance from a grey or white region, and print what belongs into the recipe."""
    from .camera_hand import in_hand
    from .camera_tune import balanced

    options, profile, plan = chosen(**which)
    with in_hand(options, profile, plan) as hand:
        click.echo(balanced(hand, box))


@tune.command()
@click.argument("kind", type=click.Choice(["dark", "flat"]))
@which_camera
@click.argument("out", type=FILE)
@click.option("--count", type=click.IntRange(1, 1000), default=32, show_default=True, help="Frames that are averaged.")
def reference(kind: Literal["dark", "flat"], out: Path, count: int, **which: Any) -> None:
    """Take the dark picture (lens covered) or the flat one (evenly lit sheet), averaged, for the recipe's develop."""
    from .camera_hand import in_hand
    from .camera_tune import averaged

    options, profile, _ = chosen(**which)
    with in_hand(options, profile, None) as hand:
        click.echo(averaged(hand, out, kind, count))


@tune.command()
@which_camera
@_box
@click.option("--feature", required=True, help="What delays the flash, for example LineDelay.")
@click.option("--range", "span_us", type=(float, float), default=(0.0, 1000.0), show_default=True, help="us.")
@click.option("--step", "step_us", type=click.FloatRange(0.1, 1_000_000), default=50.0, show_default=True, help="us.")
def strobe(box: _BoxArgument, feature: str, span_us: tuple[float, float], step_us: float, **which: Any) -> None:
    """Scan the delay of the flash, set the middle of the plateau. Exit 1: the lamp does not follow."""
    from .camera_hand import in_hand
    from .camera_tune import scanned

    options, profile, plan = chosen(**which)
    with in_hand(options, profile, plan) as hand:
        *lines, found = scanned(hand, box, feature, span_us, step_us)
        click.echo("\n".join(map(str, lines)))
    sys.exit(0 if found else 1)


@tune.command()
@click.argument("out", type=FILE)
@_board
@click.option("--dpi", type=click.IntRange(50, 2400), default=300, show_default=True)
def board(
    out: Path, kind: Literal["charuco", "chessboard"], squares: tuple[int, int], square_mm: float, dpi: int
) -> None:
    """Draw the calibration board to be printed at 100 %. Measure a square afterwards."""
    from .camera_tune import board_drawn

    click.echo(board_drawn(out, kind, squares, square_mm, dpi))


@tune.command()
@which_camera
@click.argument("out", type=FILE)
@_board
@click.option("--views", type=click.IntRange(3, 100), default=12, show_default=True, help="Views of the board to take.")
@click.option("--from", "folder", type=FOLDER, default=None, help="Pictures taken before, instead of the camera.")
@click.option("--plane", is_flag=True, help="In the last view the board lies where the parts do.")
@click.option("--seconds", type=click.FloatRange(5, 3600), default=300.0, show_default=True, help="Longest time.")
def lens(
    out: Path,
    kind: Literal["charuco", "chessboard"],
    squares: tuple[int, int],
    square_mm: float,
    views: int,
    folder: Path | None,
    plane: bool,
    seconds: float,
    **which: Any,
) -> None:
    """Calibrate the lens with a board that is moved about, and write OUT for the recipe's develop.lens."""
    from .camera_hand import in_hand
    from .camera_tune import as_board, calibrated, collected, read_views

    seen = as_board(kind, squares, square_mm)
    if folder is not None:
        found = read_views(folder)
    else:
        options, profile, _ = chosen(**which)
        with in_hand(options, profile, None) as hand:
            found = collected(hand, seen, views, seconds, click.echo)
    for line in calibrated(found, seen, out, plane=plane):
        click.echo(line)
