"""Puts the pages on the application: languages, files, the frame round every page, errors in people's words."""

import hashlib
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, send_from_directory, url_for
from flask_babel import Babel, force_locale, get_locale, get_translations, gettext
from jinja2 import FileSystemLoader
from werkzeug.wrappers import Response as AnyResponse

from ..access import may, open_to_all, person
from ..service import Service
from . import catalogue, words
from .box_api import box_api
from .box_page import box_views
from .deeds import deed_views
from .enrol import enrol_views
from .figures import figure_views
from .fleet import fleet_views
from .fleet_api import fleet_api
from .part_api import part_api
from .review import review_views
from .rollout_api import rollout_api
from .rollouts import rollout_views
from .tracing import trace_views

STATIC = catalogue.HERE / "static"
COOKIE = "okng-fleet-language"
NAMES = {"en": "English", "zh": "中文"}
"""Each language by its own name."""
NAV = (
    ("fleet", "fleet.page", words.N_("Fleet"), "look"),
    ("yield", "figures.yields", words.N_("Yield"), "look"),
    ("drift", "figures.drift", words.N_("Drift"), "look"),
    ("rollouts", "rollouts.page", words.N_("Rollouts"), "look"),
    ("review", "review.page", words.N_("Review"), "review"),
    ("trace", "trace.page", words.N_("Trace"), "look"),
    ("enrol", "enrol.page", words.N_("Enrol"), "enrol"),
    ("deeds", "deeds.page", words.N_("Deeds"), "audit"),
)
"""Screen, endpoint, title, right."""
VIEWS: tuple[Callable[[Service], Blueprint], ...] = (
    *(fleet_views, box_views, enrol_views, figure_views, rollout_views, review_views, trace_views, deed_views),
    *(fleet_api, rollout_api, part_api, box_api),
)


def mount(app: Flask, service: Service) -> None:
    """Add everything. Called once for an application."""
    app.jinja_env.loader = FileSystemLoader(str(catalogue.HERE / "templates"))
    with tempfile.TemporaryDirectory(prefix="okng-fleet-words") as folder:
        catalogue.build(Path(folder))
        app.config.update(BABEL_TRANSLATION_DIRECTORIES=folder, BABEL_DEFAULT_LOCALE="en")
        Babel(app, locale_selector=lambda: catalogue.LOCALES[_language()])
        for (
            locale
        ) in catalogue.LOCALES.values():  # read now and kept in memory: a worker that is killed leaves no folder
            with app.test_request_context(), force_locale(locale):
                get_translations()
    mark = _digest(STATIC)
    _add_files(app, mark)
    for make in VIEWS:
        app.register_blueprint(make(service))

    @app.context_processor
    def frame() -> dict[str, Any]:
        return {
            "lang": "zh-CN" if str(get_locale()) != "en" else "en",
            "other_languages": [(code, name) for code, name in NAMES.items() if code != _language()],
            "service_name": service.options.service.name,
            "person": person(),
            "may": may,
            "nav": [one for one in NAV if may(one[3])],
            "static_url": lambda name: url_for("static_file", mark=mark, name=name),
            "now": datetime.now(UTC),
            **words.for_templates(gettext),
        }

    for name, made in words.FILTERS.items():
        app.add_template_filter(made, name)
    app.extensions["okng-error-page"] = _error


def _error(code: int, detail: str) -> str:
    return render_template("error.html", code=code, detail=detail)


def _language() -> str:
    chosen = request.cookies.get(COOKIE, "") or (request.accept_languages.best_match(NAMES) or "en")
    return chosen if chosen in NAMES else "en"


def _add_files(app: Flask, current: str) -> None:
    @app.get("/static/<mark>/<path:name>", endpoint="static_file")
    @open_to_all
    def static_file(mark: str, name: str) -> Response:
        answer = send_from_directory(STATIC, name)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if mark == current else "no-store"
        return answer

    @app.get("/favicon.ico")
    @open_to_all
    def favicon() -> Response:
        return send_from_directory(STATIC / "img", "favicon.svg", mimetype="image/svg+xml")

    @app.post("/language")
    @open_to_all
    def language() -> AnyResponse:
        chosen = request.form.get("language", "")
        if chosen not in NAMES:
            abort(400, f"language: expected one of {', '.join(NAMES)}")
        where = request.form.get("next", "/")
        own = where.startswith("/") and not where.startswith(("//", "/\\"))
        answer = redirect(where if own else "/", 303)
        answer.set_cookie(COOKIE, chosen, max_age=31536000, samesite="Lax", httponly=True, secure=request.is_secure)
        return answer


def _digest(folder: Path) -> str:
    """Twelve hex digits over names and contents of all files: a changed file is another address."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:12]
