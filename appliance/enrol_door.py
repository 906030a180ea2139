"""`okng fleet enrol | status | resume`, on the box: join the fleet without a screen, see how the box stands there."""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .doors import settings_option, writing

ANSWER_MS = 3000


def _groups(fingerprint: str) -> str:
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


@click.command()
@settings_option
@click.option("--wait", "wait_s", type=click.IntRange(0, 3600), default=900, show_default=True, help="Seconds at most.")
def enrol(settings_file: Path, wait_s: int) -> None:
    """Ask the fleet service of `[fleet]` to let this box in, show the code, wait for the answer.

    The box makes its own key; it never leaves. Somebody at the service types the code and compares the fingerprint.
    Exit 1: refused, or nobody answered in time; the request goes on while `okng sync` runs.
    """
    from ..bus.errors import BadSettings
    from ..fleet.enrol import Enrolment, home_of, wires
    from ..settings import read_settings
    from .sync import places

    settings = read_settings(settings_file)
    if settings.fleet is None:
        raise BadSettings(f"{settings_file}: [fleet]: missing; expected service and ca of the fleet service")
    state = places(settings, settings_file)[2]
    home = home_of(settings.fleet, state)
    name, line = settings.box.name, settings.fleet.line or settings.box.station
    with writing(home.folder):
        doing = Enrolment(home, wires(settings.fleet, home), name, line)
        shown = doing.begin()
    click.echo(f"code         {shown.code}")
    click.echo(f"fingerprint  {_groups(shown.fingerprint)}")
    click.echo(f"Type the code at {settings.fleet.service} within {shown.left_s // 60} minutes.")
    click.echo("Let it in only where the fingerprint there is the one above.")
    end = time.monotonic() + wait_s
    told = ""
    while True:
        waits = doing.step()
        shown = doing.shown
        if shown.trouble and shown.trouble != told:
            click.echo(shown.trouble, err=True)
        told = shown.trouble
        if shown.state == "enrolled":
            click.echo(f"enrolled as {shown.box} until {shown.ends}")
            return
        if shown.state != "waiting" or time.monotonic() >= end:
            break
        time.sleep(min(waits, max(0.0, end - time.monotonic())))
    words = {"waiting": "nobody has answered yet", "refused": "the box was refused", "expired": "the code has ended"}
    click.echo(words.get(shown.state, shown.state), err=True)
    sys.exit(1)


@click.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(settings_file: Path, as_json: bool) -> None:
    """Say how this box stands with its fleet service. Exit 1: not enrolled, or nothing gets through."""
    said = _looked(settings_file)
    if as_json:
        click.echo(json.dumps(said, indent=2, sort_keys=True))
    else:
        for line in _lines(said):
            click.echo(line)
    fine = said["enrolment"]["state"] == "enrolled" and not said["uplink"].get("trouble")
    sys.exit(0 if fine else 1)


@click.command()
@settings_option
@click.argument("stream")
@click.argument("epoch", type=click.IntRange(1))
@click.option("--reason", required=True, help="For the log.")
def resume(settings_file: Path, stream: str, epoch: int, reason: str) -> None:
    """Let a halted stream go on where the service stands: what is contested stays as it is there."""
    from ..bus.asks import Ask, new_id
    from ..bus.channel import ask_once
    from ..bus.errors import LinkLost, Refused
    from ..settings import read_settings

    run_dir = read_settings(settings_file).box.run_dir
    who = os.environ.get("SUDO_USER") or os.environ.get("USER") or "console"
    body: dict[str, Any] = {"stream": stream, "epoch": epoch}
    answer = ask_once(run_dir, "uplink", Ask(new_id(), "fleet.resume", who, "fleet.enrol", reason, body), ANSWER_MS)
    if answer is None:
        raise LinkLost(f"{run_dir}: no answer: is `okng sync --watch` running?")
    if not answer.done:
        raise Refused(answer.detail)
    click.echo(f"stream {stream}/{epoch} goes on")


def _looked(settings_file: Path) -> dict[str, Any]:
    """What the process says; without it what lies in its folder."""
    from ..bus.asks import Ask, new_id
    from ..bus.channel import ask_once
    from ..bus.errors import BadSettings, ChannelLost
    from ..fleet.enrol import Enrolment, home_of, wires
    from ..settings import read_settings
    from .sync import places

    settings = read_settings(settings_file)
    if settings.fleet is None:
        raise BadSettings(f"{settings_file}: [fleet]: missing; expected service and ca of the fleet service")
    try:
        answer = ask_once(settings.box.run_dir, "uplink", Ask(new_id(), "fleet.look", "console", ""), ANSWER_MS)
    except ChannelLost:
        answer = None
    if answer is not None and answer.done:
        return answer.body
    home = home_of(settings.fleet, places(settings, settings_file)[2])
    name, line = settings.box.name, settings.fleet.line or settings.box.station
    shown = Enrolment(home, wires(settings.fleet, home), name, line).shown
    return {
        "service": settings.fleet.service,
        "enrolment": asdict(shown),
        "uplink": {"trouble": "`okng sync --watch` does not run"},
    }


def _lines(said: dict[str, Any]) -> list[str]:
    shown, uplink = said["enrolment"], said["uplink"]
    lines = [f"service    {said['service']}", f"state      {shown['state']}"]
    if shown["code"]:
        lines.append(f"code       {shown['code']}, {shown['left_s']} s left")
        lines.append(f"key        {_groups(shown['fingerprint'])}")
    if shown["box"]:
        lines += [f"box        {shown['box']}", f"ends       {shown['ends']}, renewed from {shown['renews']}"]
    if shown["trouble"]:
        lines.append(f"trouble    {shown['trouble']}")
    if uplink.get("trouble"):
        lines.append(f"uplink     {uplink['trouble']} (since {uplink.get('since') or 'now'})")
    owed = {name: count for name, count in (uplink.get("owed") or {}).items() if count}
    lines.append("owed       " + (", ".join(f"{name} {count}" for name, count in owed.items()) or "nothing"))
    for name, halt in (uplink.get("halted") or {}).items():
        lines.append(f"halted     {name} at {halt['seq']}: {halt['why']}")
    return lines
