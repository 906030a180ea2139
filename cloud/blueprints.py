"""Every blueprint of the service, one line each, and what puts more on the application once they are there."""

from collections.abc import Callable

from flask import Blueprint, Flask

from .health import health_views
from .service import Service

BLUEPRINTS: tuple[Callable[[Service], Blueprint], ...] = (health_views,)
MOUNTED: tuple[Callable[[Flask, Service], None], ...] = ()
"""Called last, in order: the pages of people."""
