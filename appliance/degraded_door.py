"""`okng degraded`: who is given up, for people; and the word of systemd that a unit is, for the unit okng-retry."""

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import click

from ..bus.clock import now_ns
from ..bus.degraded import give_up, how_it_ended, read_degraded
from ..bus.heartbeat import Pulse
from ..inspect.standby import JUDGE, STANDBY, role_missing
from .doors import FOLDER, settings_option

_UNIT = re.compile(r"okng-(?P<door>[a-z0-9-]+)(@(?P<name>[a-z0-9_-]+))?\.service")


@click.group(invoke_without_command=True)
@settings_option
@click.pass_context
def degraded(ctx: click.Context, settings_file: Path) -> None:
    """Say which processes are given up: started too often in a row, tried once a minute. Exit 1: there are some."""
    if ctx.invoked_subcommand is not None:
        return
    from ..settings import read_settings

    run_dir = read_settings(settings_file).box.run_dir
    pulse = Pulse(run_dir)
    beats = pulse.beats()
    pulse.close()
    standing = [each for each in read_degraded(run_dir) if each.stands(beats, now_ns())]
    for each in standing:
        click.echo(f"{each.name}: given up since {each.since}, {each.ended}")
        for line in each.stack.splitlines():
            click.echo(f"    {line}")
    ctx.exit(1 if standing else 0)


@degraded.command(hidden=True)
@click.option("--run-dir", type=FOLDER, default=Path("/run/okng"), show_default=True)
@click.argument("unit")
def note(run_dir: Path, unit: str) -> None:
    """Write down that UNIT is given up. How it ended stands in the environment (`MONITOR_*`, systemd 251 and later)."""
    found = _UNIT.fullmatch(unit)
    if found is None:
        raise click.BadParameter(f"{unit!r}: expected a service of okng, for example okng-camera@top.service")
    name = started = found["door"] + (f"-{found['name']}" if found["name"] else "")
    if name in (JUDGE, STANDBY):
        pulse = Pulse(run_dir)
        name = role_missing(pulse.beats(), now_ns())
        pulse.close()
    give_up(run_dir, name, _ended(os.environ), left_by=started)


def _ended(said: Mapping[str, str]) -> str:
    result, how, status = (said.get(f"MONITOR_{key}", "") for key in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"))
    if how == "exited" and status.isdecimal():
        words = how_it_ended(int(status))
    elif how in ("killed", "dumped"):
        words = how_it_ended(-signal.Signals[f"SIG{status}"]) if f"SIG{status}" in signal.Signals.__members__ else how
    else:
        words = "how it ended is not known"
    return f"{words}, {result}" if result in ("watchdog", "timeout", "oom-kill", "start-limit-hit") else words
