"""What the doors of okng share: the box's settings, kinds of arguments, and how a process of the box begins."""

import faulthandler
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..bus.errors import StoreLost
from ..bus.stacks import keep_stacks

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
SOURCES = ("auto", "folders", "coco", "yolo", "label-studio", "ledger", "manifest")
"""What labelled pictures may be read from: `training.data.sources.KINDS`, which is not imported before a door opens."""
INSTALLED, DEMO = Path("/etc/okng/okng.toml"), Path("demo-out/okng.toml")


def default_settings() -> Path:
    """The box's settings; on a desk without any, those of the demonstration run last in this folder."""
    return DEMO if DEMO.exists() and not INSTALLED.exists() else INSTALLED


settings_option = click.option(
    "--settings",
    "settings_file",
    type=FILE,
    default=default_settings,
    envvar="OKNG_SETTINGS",
    show_default=f"{INSTALLED}, else {DEMO}",
    help="Settings of the box.",
)
"""Of every door that goes by them."""


def region_of(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, int, int, int] | None:
    """Read x,y,w,h in picture pixels."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) == 4 and all(part.strip().isdecimal() for part in parts):
        x, y, w, h = (int(part) for part in parts)
        if w and h:
            return x, y, w, h
    raise click.BadParameter(f"{text!r}: expected x,y,w,h in pixels, for example 100,50,640,480", ctx, param)


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """What the disk refuses is told in words. StoreLost: full, not ours to write to, gone."""
    try:
        yield
    except OSError as error:
        raise StoreLost(f"{out}: cannot be written: {error.strerror or error}") from error


def become_process(name: str) -> None:
    """Make this a process of the box: its name in the log, its stacks on demand."""
    multiprocessing.current_process().name = name
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)


def enter(run_dir: Path) -> None:
    """Make the run folder if it is not there; from here on the process leaves its stacks in it when it breaks."""
    run_dir.mkdir(parents=True, exist_ok=True)
    keep_stacks(run_dir, multiprocessing.current_process().name)
