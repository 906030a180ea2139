"""Every blueprint of the service, one line each, and what puts more on the application once they are there."""

from collections.abc import Callable

from flask import Blueprint, Flask

from .api import api_views
from .health import health_views
from .metrics import metric_views
from .pages.mount import mount
from .service import Service
from .sign_in import sign_in_views

BLUEPRINTS: tuple[Callable[[Service], Blueprint], ...] = (api_views, health_views, metric_views, sign_in_views)
MOUNTED: tuple[Callable[[Flask, Service], None], ...] = (mount,)
"""Called last, in order: the pages of people."""
