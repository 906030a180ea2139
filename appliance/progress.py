"""How long it still takes, for people at a terminal and for logs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

PHASES_SHARE = "{task.description:<28}"


@contextmanager
def bar(console: Console) -> Iterator[Progress]:
    """A progress display with time gone and time left; on a pipe it prints nothing but its end."""
    with Progress(
        SpinnerColumn(),
        TextColumn(PHASES_SHARE),
        BarColumn(bar_width=36),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        yield progress


@contextmanager
def teaching(console: Console | None = None) -> Iterator[Callable[[str, float], None]]:
    """Yield the callback that `teach` reports to: phase and its share done, 0..1."""
    with phases("teach", console) as report:
        yield report


@contextmanager
def phases(what: str, console: Console | None = None) -> Iterator[Callable[[str, float], None]]:
    """Yield a callback for anything done in phases: name of the phase and its share done, 0..1."""
    with bar(console or Console(stderr=True)) as progress:
        tasks: dict[str, int] = {}

        def report(phase: str, share: float) -> None:
            if phase not in tasks:
                tasks[phase] = progress.add_task(f"{what}: {phase}", total=1.0)
            progress.update(tasks[phase], completed=share)  # type: ignore[arg-type]  # rich's TaskID is an int

        yield report
