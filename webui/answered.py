"""What came of an ask of an engineer's screen, as its script takes it: done or not, and why in the viewer's words."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, abort, jsonify, request
from flask_babel import gettext

from ..bus.asks import Answer
from .asking import is_silent
from .words import N_, saying, translated

MOST_BYTES = 1 << 20
"""Of what a script sends."""
ASKING = (
    saying(r"^no answer from (?P<owner>\S+?):", N_("No answer from %(owner)s: it may or may not have been done.")),
    saying(r"^not done, because the audit trail cannot be written", N_("Not done: the audit trail cannot be written.")),
)
"""What `asking.py` itself says."""
SAYINGS = (
    *ASKING,
    saying(r"^the line is inspecting", N_("The line is inspecting. Stop the inspection first, then do it again.")),
    saying(r"^(?P<name>\S+): the camera does not let it be written now", N_("The camera locks %(name)s now.")),
    saying(
        r"^this (?:draft|recipe) was changed meanwhile",
        N_("It was changed by somebody else meanwhile: load it again."),
    ),
    saying(
        r"^the model of region (?P<name>.+) is not changed here", N_("A model is changed on the Models screen only.")
    ),
    saying(r"^\S+ has no command ", N_("This box cannot do that yet.")),
)


def answer_words(detail: str) -> str:
    """A refusal for people; a sentence that is not known is shown as it came."""
    return translated(detail, SAYINGS, gettext)


def answered(answer: Answer, in_words: Callable[[str], str] = answer_words, /, **more: Any) -> Response:
    """The answer for a script: done, detail, its body, and what is added. silent: nobody knows whether it was done."""
    detail = "" if answer.done else in_words(answer.detail)
    return jsonify({**answer.body, **more, "done": answer.done, "silent": is_silent(answer), "detail": detail})


def sent() -> dict[str, Any]:
    """What the script sent; empty where it is no JSON object."""
    if (request.content_length or 0) > MOST_BYTES:
        return {}
    found = request.get_json(silent=True)
    return found if isinstance(found, dict) else {}


def sent_object() -> dict[str, Any]:
    """What the script sent; aborts with 400 where it is no JSON object."""
    found = request.get_json(silent=True)
    if not isinstance(found, dict):
        abort(400)
    return found


def script_words(words: Mapping[str, str]) -> dict[str, str]:
    """What a page's script puts up, in the viewer's language, and what all of them say of an answer that is none."""
    none = {
        "silent": N_("No answer: it may or may not be done"),
        "refused": N_("You are not signed in for this any more."),
    }
    return {code: gettext(text).replace("%%", "%") for code, text in {**none, **words}.items()}
