"""What the service answers when it does not do what was asked: one shape, and words that name what was expected."""

import logging
from typing import Any

from flask import Flask, Response, jsonify, render_template_string, request
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ..bus.errors import Refused, StoreLost

log = logging.getLogger(__name__)
WORDS = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method",
    409: "conflict",
    413: "too_large",
    415: "media_type",
    422: "refused",
    429: "busy",
    503: "no_answer",
}
AGAIN_S = 5
"""When to try again where the database or the store does not answer."""
PLAIN = "<!doctype html><title>{{ code }}</title><p>{{ code }}: {{ detail }}"


def problem(code: int, detail: str, **more: Any) -> Response:
    """The answer to a program: {"error": word, "detail": text, …}."""
    answer = jsonify(error=WORDS.get(code, "refused"), detail=detail, **more)
    answer.status_code = code
    return answer


def busy(detail: str, after_s: int, code: int = 429) -> Response:
    """Ask again later."""
    answer = problem(code, detail)
    answer.headers["Retry-After"] = str(max(1, after_s))
    return answer


def add_answers(app: Flask) -> None:
    """Put the words on every way a request may fail."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> AnyResponse | tuple[str, int]:
        code = error.code or 500
        if code < 400:
            return error.get_response()
        if request.path.startswith(("/v1/", "/metrics", "/healthz")):
            return problem(code, str(error.description))
        show = app.extensions.get("okng-error-page")
        if show is not None:
            return show(code, str(error.description)), code
        return render_template_string(PLAIN, code=code, detail=error.description), code

    @app.errorhandler(Refused)
    def wrong(error: Refused) -> Response:
        return problem(422, str(error))

    @app.errorhandler(StoreLost)
    def lost(error: StoreLost) -> Response:
        log.warning("store: %s", error)
        return busy("the store does not answer", AGAIN_S, 503)

    @app.errorhandler(DataError)
    def no_value(_error: DataError) -> Response:
        """A NUL in an address, or a number beyond 64 bits: no database holds it."""
        return problem(400, "expected text without NUL, and numbers within 64 bits")

    @app.errorhandler(PoolTimeout)
    @app.errorhandler(OperationalError)
    def no_database(error: Exception) -> Response:
        # Of a driver's own words nothing is told: they hold the address of the database.
        log.warning("database: %s", error.orig if isinstance(error, DBAPIError) else error)
        return busy("the database does not answer", AGAIN_S, 503)
