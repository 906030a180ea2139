"""How what was taught or trained is told to a registry: the same options for both doors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from ..bus.errors import BadSettings


@dataclass(frozen=True, slots=True)
class Registering:
    """What a door was asked to tell, and where."""

    track: str
    """Registry: a folder, or the address of an MLflow server; empty: nobody is told."""
    name: str
    alias: str

    def __post_init__(self) -> None:
        if self.name and not self.track:
            raise BadSettings(f"--register {self.name}: expected --track with it: the registry")
        if self.alias and not self.name:
            raise BadSettings(f"--alias {self.alias}: expected --register with it: the model's name")

    def check(self) -> None:
        """Say what is wrong before the work is done. BadSettings."""
        from ..training.registry import aliased, named, open_registry

        if self.track:
            open_registry(self.track)
        if self.name:
            named(self.name)
        if self.alias:
            aliased(self.alias)

    def do(self, bundle: Path, run: str = "") -> None:
        """Tell it, and say what came of it. run: that tells of it already; empty: none. Errors as of `log_bundle`."""
        if not self.track:
            return
        from ..training.registered import log_bundle
        from ..training.registry import open_registry

        logged, version = log_bundle(open_registry(self.track), bundle, name=self.name, alias=self.alias, run=run)
        click.echo(f"told {self.track}: run {logged}")
        if version is not None:
            click.echo(f"{version.name} version {version.version}{f', {self.alias}' if self.alias else ''}")


def track_options(command: Callable[..., None]) -> Callable[..., None]:
    """Where a model that was made is told of."""
    for option in (
        click.option("--alias", default="", help="That stands for the new version: challenger."),
        click.option("--register", default="", metavar="NAME", help="Make it the next version of this model there."),
        click.option("--track", default="", metavar="URL", help="Registry to tell: a folder, or an MLflow server."),
    ):
        command = option(command)
    return command
