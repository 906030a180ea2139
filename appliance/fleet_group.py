"""`okng fleet`: the box's place among others, and the service that they all speak to."""

import click


@click.group()
def fleet() -> None:
    """Let a box join a fleet, see how it stands; run the fleet service."""
