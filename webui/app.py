"""The web application: made by `create_app` from what it is given, nothing global, so a test passes its own line."""

import functools
import hashlib
import json
from pathlib import Path

from flask import Flask, Response, abort, jsonify, redirect, render_template, request, send_from_directory, url_for
from flask_babel import Babel, get_locale, gettext
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ..records.people_read import PeopleReader
from . import catalogue
from .access import may, open_to_all, person
from .blueprints import BLUEPRINTS
from .guard import guard
from .history import History
from .image import image_views
from .kinds import kind_word
from .labels import page_words
from .live import live_views
from .menu import KEYS, menu_views
from .options import WebOptions
from .products import Products, no_products
from .rejects import reject_views
from .roles import right_word, role_word
from .run import run_views
from .screens import BY_ID
from .session import Sessions, key_place, own_folder, read_key, set_up_cookies
from .sign_in import LANGUAGE_COOKIE, keep_choice, own_path, sign_in_views
from .spans import in_own_zone
from .theme import add_theme, theme_of
from .watch import Watch
from .web import Web

HERE = Path(__file__).parent
STATIC = HERE / "static"
API_ERRORS = {400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method", 429: "busy"}
NAMES = {"en": "English", "zh": "中文"}
"""Each language by its own name."""
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def create_app(
    options: WebOptions,
    station: str,
    watch: Watch,
    history: History,
    store: Path,
    cache: Path,
    products: Products = no_products,
) -> Flask:
    """Make the application. It starts no thread: whoever serves it starts the watcher.

    store: folder of the ledger and its pictures. cache: the run folder: the doors of the other processes are there, and
    the translations are compiled into it. products: what can be made here.
    """
    app = Flask("okng.webui", root_path=str(HERE), static_folder=None)
    compiled = catalogue.build(cache / "translations")
    app.config.update(BABEL_TRANSLATION_DIRECTORIES=str(compiled), BABEL_DEFAULT_LOCALE="en")
    Babel(app, locale_selector=lambda: catalogue.LOCALES[_language(options)])
    print_of_static = _digest(STATIC)
    app.register_blueprint(live_views(watch, options.max_streams))
    app.register_blueprint(run_views(options, history))
    app.register_blueprint(reject_views(history, store))
    app.register_blueprint(image_views(watch, history))
    web = Web(options, station, watch.cameras, watch, history, PeopleReader(store), store, cache, products)
    app.register_blueprint(menu_views())
    set_up_cookies(app, read_key(key_place(options, store)))
    sessions = Sessions(options, web.people, own_folder(options, store) / "ended")
    app.extensions["okng-who"] = sessions.load
    app.register_blueprint(sign_in_views(web, sessions))
    for make in BLUEPRINTS:
        app.register_blueprint(make(web))
    app.extensions["okng-web"] = web
    _add_files(app, print_of_static)
    _add_language(app)
    add_theme(app, web)

    @app.get("/healthz")
    @open_to_all
    def healthz() -> Response:
        return Response("ok\n" if watch.alive() else "the watcher stopped\n", 200 if watch.alive() else 503)

    @functools.cache
    def page_words_in(_locale: str) -> tuple[dict[str, str], str]:
        """Of the language that is on, which is this one, and the same as JSON."""
        made = page_words(gettext)
        return made, json.dumps(made, ensure_ascii=False)

    @app.context_processor
    def words() -> dict[str, object]:
        locale = str(get_locale())
        by_code, as_json = page_words_in(locale)
        return {
            "station": station,
            "lang": "zh-CN" if locale != "en" else "en",
            "other_languages": [(code, name) for code, name in NAMES.items() if code != _language(options)],
            "languages": list(NAMES.items()),
            "language": _language(options),
            "theme": theme_of(options),
            "badge_prefix": options.badge_prefix,
            "left_s": sessions.left_s() if person() else 0,
            "role_word": role_word,
            "right_word": right_word,
            "words": as_json,
            "static_url": lambda name: url_for("static_file", mark=print_of_static, name=name),
            "ok_style": options.ok_style,
            "words_of": by_code.get,
            "kind_word": lambda kind: kind_word(kind, gettext),
            "may": may,
            "person": person(),
            "key_screens": KEYS,
            "screen_of": BY_ID.get,
        }

    app.add_template_filter(lambda utc: in_own_zone(utc, "%H:%M:%S"), "clock")
    app.add_template_filter(lambda utc: in_own_zone(utc, "%Y-%m-%d %H:%M:%S"), "date_clock")

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        tls = app.extensions.get("okng-tls")
        if request.is_secure and tls is not None and tls.by_plant:
            # Never for the box's own certificate: a browser that was told so could not pass its warning any more.
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> AnyResponse | tuple[str | Response, int]:
        if request.path.startswith("/api/") and error.code is not None and error.code >= 400:
            return jsonify(error=API_ERRORS.get(error.code, "refused"), detail=str(error.description)), error.code
        if error.code is None or error.code < 400 or request.path.endswith((".jpg", ".png", ".json")):
            return error.get_response()
        if error.code == 405 and request.method == "GET":  # a form's answer that the browser asks for again
            return redirect(url_for("menu.page"), 303)
        return render_template("error.html", code=error.code), error.code

    guard(app, options, sessions)
    return app


def _language(options: WebOptions) -> str:
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in NAMES else options.language


def _add_files(app: Flask, mark: str) -> None:
    @app.get("/static/<mark>/<path:name>", endpoint="static_file")
    @open_to_all
    def static_file(mark: str, name: str) -> Response:
        answer = send_from_directory(STATIC, name)
        current = mark == print_of_static
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-store"
        return answer

    print_of_static = mark

    @app.get("/favicon.ico")
    @open_to_all
    def favicon() -> Response:
        return send_from_directory(STATIC / "img", "favicon.svg", mimetype="image/svg+xml")


def _add_language(app: Flask) -> None:
    @app.post("/language")
    @open_to_all
    def language() -> AnyResponse:
        chosen = request.form.get("language", "")
        if chosen not in NAMES:
            abort(400)
        answer = redirect(own_path(request.form.get("next", "/")), 303)
        keep_choice(answer, LANGUAGE_COOKIE, chosen)
        return answer


def _digest(folder: Path) -> str:
    """Twelve hex digits over names and contents of all files: a changed file is another address."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:12]
