"""What a person asks of a process, and how it is answered: one request, one answer, the same answer to a repeat.

The web process owns nothing: whatever changes something is an `Ask` to the process that owns it. That one looks again
whether the right was the one it takes, does it or says why not, and answers. No answer in time is "no answer", never
"done"; asking again under the same id does nothing twice.
"""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import Lost, OkngError
from .rights import COMMANDS

_LOG = logging.getLogger(__name__)
KEPT = 512
"""Answers a process remembers for repeats."""
MOST_WORDS = 2000
"""Characters of a refusal that travel."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants something done."""

    id: str
    """32 hex digits, chosen by who asks."""
    name: str
    """One of `rights.COMMANDS`."""
    who: str
    """Name of the user; empty: nobody is signed in (signing in itself)."""
    right: str
    """The right it was let through by."""
    reason: str = ""
    """For the audit trail, as the person gave it."""
    body: dict[str, Any] = field(default_factory=dict)
    """What the command takes: plain data."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    id: str
    done: bool
    detail: str = ""
    """Why it was not done, for people (English; the screens translate); empty when done."""
    body: dict[str, Any] = field(default_factory=dict)


class Objection(ValueError):
    """It is refused, and the screen can say more of it than a sentence: which field, what was expected."""

    def __init__(self, text: str, told: dict[str, Any]) -> None:
        """told: becomes the answer's body."""
        super().__init__(text)
        self.told = told


Handler = Callable[[Ask], dict[str, Any]]
"""Does one command and returns the answer's body. OkngError or ValueError: it is refused, the text says why."""


def new_id() -> str:
    """A fresh id of an Ask."""
    return secrets.token_hex(16)


class Desk:
    """Answers asks by the handlers of one process. One thread."""

    def __init__(self, owner: str, handlers: Mapping[str, Handler]) -> None:
        """owner: as in `rights.COMMANDS`. KeyError: a handler for what is not this owner's."""
        for name in handlers:
            if COMMANDS[name].owner != owner:
                raise KeyError(f"{name} is not a command of {owner}")
        self._owner, self._handlers = owner, dict(handlers)
        self._given: OrderedDict[tuple[str, str, str], Answer] = OrderedDict()

    def knows(self, ask: Ask) -> bool:
        """It was answered already: `answer` will only say the same again."""
        return (ask.id, ask.name, ask.who) in self._given

    def answer(self, ask: Ask) -> Answer:
        """Do it, once. Never raises."""
        key = (ask.id, ask.name, ask.who)  # an id somebody else chose as well is no repeat
        if key in self._given:
            return self._given[key]
        answer, final = self._answer(ask)
        if final:
            self._given[key] = answer
        while len(self._given) > KEPT:
            self._given.popitem(last=False)
        return answer

    def _answer(self, ask: Ask) -> tuple[Answer, bool]:
        """The answer, and whether a repeat gets the same: what was lost only for now may be asked again."""
        known = COMMANDS.get(ask.name)
        handler = self._handlers.get(ask.name)
        if known is None or handler is None:
            return Answer(ask.id, False, f"{self._owner} has no command {ask.name}"), True
        if known.right and ask.right != known.right:
            detail = f"{ask.name} needs the right {known.right}, not {ask.right or 'none'}"
            return Answer(ask.id, False, detail), True
        try:
            return Answer(ask.id, True, "", handler(ask)), True
        except Objection as error:
            return Answer(ask.id, False, str(error)[:MOST_WORDS], error.told), True
        except (OkngError, ValueError) as error:
            final = not isinstance(error, Lost)
            return Answer(ask.id, False, str(error)[:MOST_WORDS] or type(error).__name__), final
        except Exception as error:  # noqa: BLE001 - a desk outlives a broken handler: the line goes on without it
            _LOG.exception("%s, asked by %s", ask.name, ask.who or "nobody")
            detail = f"{ask.name} failed inside: {type(error).__name__}: {error}"
            return Answer(ask.id, False, detail[:MOST_WORDS]), True
