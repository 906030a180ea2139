"""Which camera a command means: one of the settings as its recipe sets it, or any by its serial number."""

from pathlib import Path
from typing import Any

import click

from ..bus.errors import BadSettings
from ..settings import Settings, read_settings
from .doors import FILE, default_settings


def which_camera(command: Any) -> Any:
    """The argument and the options that say which camera is meant."""
    for option in (
        click.option("--settings", "settings_file", type=FILE, default=None, envvar="OKNG_SETTINGS", help="The box's."),
        click.option("--producer", type=FILE, default=None, help="GenTL producer (.cti), for a camera by its serial."),
        click.option("--as-found", is_flag=True, help="Leave the recipe out: take the camera as it is set."),
    ):
        command = option(command)
    return click.argument("name")(command)


def settings_at(file: Path | None) -> tuple[Settings, Path]:
    """Read the settings; None: the default ones. BadSettings."""
    found = file or default_settings()
    return read_settings(found), found


def options_of(settings: Settings, file: Path, name: str) -> Any:
    """The options of one camera of the settings. BadSettings: there is none of that name."""
    if name not in settings.camera:
        raise BadSettings(f"{file}: [camera.{name}]: no such camera; there are {', '.join(settings.cameras)}")
    return settings.camera[name]


def chosen(name: str, settings_file: Path | None, producer: Path | None, as_found: bool) -> tuple[Any, Any, Any]:
    """The options of the camera that is meant, and the recipe's profile and development plan of it (None: as found)."""
    from ..camera.options import CameraOptions
    from .jobs import Jobs

    if producer is not None:
        return CameraOptions(producer=producer.resolve(), serial=name), None, None
    if settings_file is None and not default_settings().exists():
        return CameraOptions(serial=name), None, None
    settings, file = settings_at(settings_file)
    if name not in settings.camera and settings_file is None:
        return CameraOptions(serial=name), None, None
    options = options_of(settings, file, name)
    if as_found:
        return options, None, None
    jobs = Jobs(settings, file)
    setup = jobs.setup(jobs.active(), name)
    return options, setup.profile, setup.plan
