"""What came of an ask of an engineer's screen, as its script takes it: done or not, and why in the viewer's words."""

import re
from typing import Any

from flask import Response, jsonify, request
from flask_babel import gettext

from ..bus.asks import Answer
from .words import N_

MOST_BYTES = 1 << 20
"""Of what a script sends."""
_SAYINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"^no answer from (?P<owner>\S+?):", N_("No answer from %(owner)s: it may or may not have been done.")),
        (r"^not done, because the audit trail cannot be written", N_("Not done: the audit trail cannot be written.")),
        (r"^the line is inspecting", N_("The line is inspecting. Stop the inspection first, then do it again.")),
        (r"^(?P<name>\S+): (?P<own>the camera does not let it be written now)", N_("The camera locks %(name)s now.")),
        (
            r"^this (?:draft|recipe) was changed meanwhile",
            N_("It was changed by somebody else meanwhile: load it again."),
        ),
        (r"^the model of region (?P<name>.+) is not changed here", N_("A model is changed on the Models screen only.")),
        (r"^\S+ has no command ", N_("This box cannot do that yet.")),
    )
)


def answer_words(detail: str) -> str:
    """A refusal for people; a sentence that is not known is shown as it came."""
    for pattern, text in _SAYINGS:
        if found := pattern.search(detail):
            return str(gettext(text, **{name: value for name, value in found.groupdict().items() if name != "own"}))
    return detail


def answered(answer: Answer, **more: Any) -> Response:
    """The answer for a script: done, detail, its body, and what is added."""
    silent = not answer.done and answer.detail.startswith("no answer from ")
    detail = "" if answer.done else answer_words(answer.detail)
    return jsonify({**answer.body, **more, "done": answer.done, "silent": silent, "detail": detail})


def sent() -> dict[str, Any]:
    """What the script sent; empty where it is no JSON object."""
    if (request.content_length or 0) > MOST_BYTES:
        return {}
    found = request.get_json(silent=True)
    return found if isinstance(found, dict) else {}
