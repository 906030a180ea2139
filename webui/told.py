"""What came of something that was asked for by a form: kept for the page that is shown next. One worker, so in memory.

return told.back(answer, "alarms.page")     # 303; the page reads it by its number and shows it once or again
"""

import secrets
import threading
from collections import OrderedDict
from typing import Any

from flask import jsonify, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.asks import Answer
from .shift_words import detail_words

KEPT = 256


class Told:
    """The newest answers by a number nobody can guess. Full: the oldest goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Answer] = OrderedDict()

    def keep(self, answer: Answer) -> str:
        """Keep an answer; return its number."""
        number = secrets.token_hex(8)
        with self._lock:
            self._held[number] = answer
            while len(self._held) > KEPT:
                self._held.popitem(last=False)
        return number

    def back(self, answer: Answer, endpoint: str, **values: Any) -> Response:
        """Lead back to a page; what was not done is said there. A script gets the answer as JSON."""
        if request.accept_mimetypes.best == "application/json":
            return jsonify(done=answer.done, detail=detail_words(answer.detail, gettext))
        if not answer.done:
            values["told"] = self.keep(answer)
        return redirect(url_for(endpoint, **values), 303)

    def here(self) -> str:
        """Why what was asked for last was not done, in the viewer's language; empty: it was, or nothing was asked."""
        with self._lock:
            answer = self._held.get(request.args.get("told", ""))
        return "" if answer is None else detail_words(answer.detail, gettext)


def reason_given() -> str:
    """What the form gives as the reason: a tile, a note, or both."""
    given = (request.form.get("reason", ""), request.form.get("note", "").strip())
    return ": ".join(text for text in given if text)[:500]
