"""What the doors of okng share: the box's settings, kinds of arguments, and how a process of the box begins."""

import faulthandler
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..bus.errors import StoreLost

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
INSTALLED, DEMO = Path("/etc/okng/okng.toml"), Path("demo-out/okng.toml")


def default_settings() -> Path:
    """The box's settings; on a desk without any, those of the demonstration run last in this folder."""
    return DEMO if DEMO.exists() and not INSTALLED.exists() else INSTALLED


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
