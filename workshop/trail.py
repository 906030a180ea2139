"""The audit trail of what the workshop's long work changes: written before, or it is not done, and after.

The screen has written that it was asked for; what was there before and what is there now only the work knows.
"""

from typing import Any

from ..bus.asks import Ask, new_id
from ..bus.channel import ask_once
from ..bus.errors import StoreLost
from .box import Box

_ANSWER_MS = 5000


def note(box: Box, who: str, what: str, about: dict[str, Any], reason: str = "") -> None:
    """Write one line. StoreLost: it is not written, so what was to be done must not be done."""
    ask = Ask(new_id(), "audit.add", who, "", reason, {"what": what, "object": about})
    answer = ask_once(box.run_dir, "records", ask, _ANSWER_MS)
    if answer is None or not answer.done:
        why = "records does not answer" if answer is None else answer.detail
        raise StoreLost(f"not done, because the audit trail cannot be written: {why}")
