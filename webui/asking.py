"""How a screen has something done: the right is looked at, it is written into the audit trail, its owner is asked.

    answer = ask(web, "alarm.ack", {"key": key}, reason="...")      # of the person who is signed in

What records owns it audits itself. For all others the trail is written first, what was asked and by whom, and the
outcome after: no trail, no change. Acknowledging an alarm goes on without it.
"""

from typing import Any

from ..bus.asks import Answer, Ask, new_id
from ..bus.channel import ask_once
from ..bus.rights import COMMANDS
from .access import person, require
from .web import Web

SILENT = "no answer from "
ANSWER_MS = 2000
"""No answer in this time is shown as no answer, never as done."""
WITHOUT_TRAIL = frozenset(("alarm.ack", "pulse.hold"))
"""Must go on while the history cannot be written. Held keys repeat ten times a second: their start is audited by io."""
LOOKING = frozenset(
    (
        *("io.look", "feature.read", "work.status", "timing.check", "settings.read", "recipe.read", "recipe.judge"),
        *("stick.look", "fleet.look", "ladder.show"),
        *("draft.list", "draft.read", "draft.limit", "draft.try", "model.list", "model.preview", "model.compare"),
    )
)
"""Change nothing: not in the trail."""


def ask(
    web: Web,
    name: str,
    body: dict[str, Any] | None = None,
    *,
    reason: str = "",
    owner: str = "",
    id: str = "",  # noqa: A002 - the field's name on the wire
    about: dict[str, Any] | None = None,
    timeout_ms: int = 0,
) -> Answer:
    """Ask the owner of a command in the name of the person who is signed in; always returns an answer.

    owner: where there are several, for example `camera-top`. id: of an earlier try, so that it is not done twice.
    about: old and new values for the audit trail. Aborts with 401 or 403 without the right.
    """
    command = COMMANDS[name]
    if command.right:
        require(command.right)
    who = person()
    made = Ask(id or new_id(), name, who.name if who else "", command.right, reason, body or {})
    place = owner or command.owner
    if place == "records" or name in LOOKING:
        return send(web, place, made, timeout_ms or ANSWER_MS)
    trail = {"command": name, "owner": place, "id": made.id, **(about or {"body": body or {}})}
    written = note(web, f"{name} asked", trail, reason)
    if not written.done and name not in WITHOUT_TRAIL:
        return Answer(made.id, False, f"not done, because the audit trail cannot be written: {written.detail}")
    answer = send(web, place, made, timeout_ms or ANSWER_MS)
    outcome = "done" if answer.done else "unanswered" if is_silent(answer) else "refused"
    note(web, f"{name} {outcome}", {"id": made.id, "detail": answer.detail}, reason)
    return answer


def note(web: Web, what: str, about: dict[str, Any], reason: str = "") -> Answer:
    """Write one line into the audit trail."""
    who = person()
    return send(
        web,
        "records",
        Ask(new_id(), "audit.add", who.name if who else "", "", reason, {"what": what, "object": about}),
        ANSWER_MS,
    )


def is_silent(answer: Answer) -> bool:
    """True where its owner did not answer: nobody knows whether it was done."""
    return not answer.done and answer.detail.startswith(SILENT)


def send(web: Web, owner: str, made: Ask, timeout_ms: int) -> Answer:
    """Ask; a silence is an answer that says so."""
    try:
        answer = ask_once(web.run_dir, owner, made, timeout_ms)
    except (OverflowError, ValueError, TypeError, RecursionError) as error:
        # A number of a hundred digits, half a character, a list in a list in a list ...: not what travels.
        return Answer(made.id, False, f"it cannot be said to {owner}: {error}"[:500])
    return answer or Answer(made.id, False, f"{SILENT}{owner}: it may or may not have been done")
