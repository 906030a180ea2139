"""`okng camera`: the process of one camera, and the tools of the person who sets it up."""

import dataclasses
import functools
import json
import sys
from pathlib import Path
from typing import Any

import click

from .camera_choice import chosen, options_of, settings_at, which_camera
from .doors import FILE, FOLDER, become_process, default_settings, enter
from .tune_door import tune


class CameraGroup(click.Group):
    """`okng camera NAME` is the process of that camera; a word that is a tool is the tool."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but what is no tool is the name of a camera."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            return "run", self.commands["run"], args
        return super().resolve_command(ctx, args)


@click.group(cls=CameraGroup)
def camera() -> None:
    """Hold a camera (okng camera NAME), or look at cameras and set them up."""


@camera.command(name="run", hidden=True)
@click.argument("name")
@click.option("--settings", "settings_file", type=FILE, default=None, envvar="OKNG_SETTINGS")
def run_process(name: str, settings_file: Path | None) -> None:
    """Hold one camera and its ring of frames."""
    from ..camera.process import run
    from .jobs import Jobs

    become_process(f"camera-{name}")
    settings, file = settings_at(settings_file)
    options = options_of(settings, file, name)
    enter(settings.box.run_dir)
    jobs = Jobs(settings, file)
    setup = jobs.setup(jobs.active(), name)
    sys.exit(run(name, options, setup, settings.box.run_dir, functools.partial(jobs.setup, camera=name)))


@camera.command(name="list")
@click.option("--settings", "settings_file", type=FILE, default=None, envvar="OKNG_SETTINGS", help="Of the box.")
@click.option("--producer", "producers", type=FILE, multiple=True, help="GenTL producer (.cti); may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(settings_file: Path | None, producers: tuple[Path, ...], as_json: bool) -> None:
    """List the cameras that the producers see: those given, of the settings, and in GENICAM_GENTL64_PATH."""
    from ..camera.discovery import list_cameras, video_devices
    from ..camera.producers import producers_in_path
    from .camera_tools import camera_lines

    known = [file.resolve() for file in producers]
    if not known:
        known = [file.resolve() for file in producers_in_path()]
        if settings_file is not None or default_settings().exists():
            settings, _ = settings_at(settings_file)
            known += [options.producer.resolve() for options in settings.camera.values() if options.producer]
    listing = list_cameras(sorted(set(known)))
    devices = video_devices()
    if as_json:
        said = {"cameras": [dataclasses.asdict(each) for each in listing.cameras], "troubles": listing.troubles}
        click.echo(json.dumps({**said, "video": devices}, indent=2))
    else:
        click.echo("\n".join(camera_lines(listing, devices)))
    sys.exit(0 if listing.cameras or devices else 1)


@camera.command()
@which_camera
@click.argument("words", nargs=-1)
@click.option("--all", "whole", is_flag=True, help="Experts' and gurus' features, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(words: tuple[str, ...], whole: bool, as_json: bool, **which: Any) -> None:
    """List the features of camera NAME, those whose name, category or meaning holds all WORDS."""
    from .camera_hand import opened
    from .camera_tools import feature_lines, matching

    with opened(chosen(**which)[0]) as source:
        found = matching(source.features(), words, whole=whole)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
    else:
        click.echo("\n".join(feature_lines(found)))


@camera.command(name="set")
@which_camera
@click.argument("changes", nargs=-1, required=True, metavar="FEATURE=VALUE...")
def set_(changes: tuple[str, ...], **which: Any) -> None:
    """Write features of camera NAME in this order, and print what they are then. FEATURE alone runs a command.

    What is written is gone when the camera is switched off or its process starts, unless UserSetSave is run here (then
    load it by `user_set` in the recipe), or the features are written into the recipe.
    """
    from .camera_hand import opened
    from .camera_tools import change

    with opened(chosen(**which)[0]) as source:
        for each in changes:
            click.echo(change(source, each))


@camera.command()
@which_camera
@click.argument("out", type=FILE)
@click.option("--raw", is_flag=True, help="The bytes as the camera sent them.")
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Pictures; OUT is numbered."
)
def snap(out: Path, raw: bool, count: int, **which: Any) -> None:
    """Take a picture with camera NAME as the recipe sets it up, and write it to OUT (PNG)."""
    from .camera_hand import in_hand
    from .camera_tools import snapped

    options, profile, plan = chosen(**which)
    with in_hand(options, profile, plan) as hand:
        for number in range(count):
            file = out if count == 1 else out.with_stem(f"{out.stem}-{number:04d}")
            click.echo(snapped(hand, file, raw=raw))


@camera.command()
@which_camera
@click.option("--seconds", type=click.FloatRange(0.5, 86_400), default=5.0, show_default=True)
@click.option(
    "--rate", type=click.FloatRange(0.1, 100_000), default=None, help="Frames a second; default: the recipe's."
)
@click.option("--record", type=FOLDER, default=None, help="Keep every frame in this new folder, for driver = replay.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stream(seconds: float, rate: float | None, record: Path | None, as_json: bool, **which: Any) -> None:
    """Let camera NAME run free and say what comes: rate, gaps, incomplete frames, delay, clock. Exit 1: frames lost."""
    from .camera_hand import in_hand
    from .camera_tools import streamed

    options, profile, plan = chosen(**which)
    with in_hand(options, profile, plan) as hand:
        if rate is not None or profile is not None:
            wanted = rate if rate is not None else (profile.frame_rate_hz if profile else 30.0)
            hand.restart(dataclasses.replace(hand.profile, frame_rate_hz=wanted))
        found = streamed(hand, seconds, record)
    click.echo(json.dumps(dataclasses.asdict(found), indent=2) if as_json else "\n".join(found.lines()))
    sys.exit(1 if found.lost else 0)


camera.add_command(tune)
