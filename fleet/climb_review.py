"""What the fleet is told of the parts on which a challenger differs, and what its reviewers say of them.

    ChallengerWatch.differing ──► records (ladder.differs) ──► stream `ladder` ──► the service's queue
    ChallengerWatch.judge     ◄── reviewed.json            ◄── GET /v1/confirmed

A part is told once: the ledger itself remembers (`records/ladder.py`), so what is asked of it twice has one effect. How
far the reviewers' words were heard, and the words themselves, lie in one file beside the ladder, replaced whole.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from ..bus.asks import Ask, new_id
from ..bus.channel import ask_once
from ..bus.errors import ChannelLost, Lost, OkngError, Refused, StoreLost
from ..bus.ladder import DIFFERS_AT_ONCE
from ..bus.outside import parsed_json, read_bounded
from ..records.durable import make_folder, replace_synced
from .climb_box import ClimbBox
from .climb_watch import MOST_DIFFERING
from .link import Link, NotEnrolled
from .pace import BackOff
from .wire import Busy

log = logging.getLogger(__name__)
FILE = "reviewed.json"
MOST_BYTES = 4 << 20
TELL_S = 5.0
"""Between two asks of records: ten parts a second at the most."""
ASK_S = 60.0
"""Between two questions to the service."""
MOST_PAGES = 20
"""Of words at once; the next turn goes on."""
MOST_NUMBER = 2**62
_WORDS = ("good", "defect", "unsure")
_ANSWER_MS = 3000


@dataclass(frozen=True, slots=True)
class Differed:
    """What one challenger differs on, as of now."""

    recipe: str
    bundle: str
    champion: str
    parts: tuple[Mapping[str, Any], ...]
    """As `ladder.differs` takes them; only those that were found in the ledger, the oldest first."""


class Watching(Protocol):
    """Who knows the challengers on the line. Its methods may be called from any thread."""

    def differed(self) -> Sequence[Differed] | None:
        """Of each challenger on the line; None: that is not known yet."""
        ...

    def reviewed(self, words: Mapping[str, Mapping[int, str]]) -> None:
        """All that reviewers say now: `good` or `defect`, by bundle and number of the part in the ledger."""
        ...


@dataclass(slots=True)
class Heard:
    """What the file says. One thread."""

    file: Path
    box: str = ""
    """Id by which the service knows this box; of another one nothing counts."""
    after: int = 0
    """Number of the newest word that was heard."""
    words: dict[str, dict[int, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Heard":
        """What was heard before; nothing where the file is missing or damaged: then all is asked for again."""
        file = folder / FILE
        try:
            said = parsed_json(read_bounded(file, MOST_BYTES))
            words = {str(b): {int(seq): str(word) for seq, word in of.items()} for b, of in said["words"].items()}
            return cls(file, str(said["box"]), int(said["after"]), words)
        except FileNotFoundError:
            return cls(file)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s: cannot be read, the reviewers' words are asked for again: %s", file, error)
            return cls(file)

    def write(self) -> None:
        """Durable when this returns. StoreLost: the file is as it was."""
        words = {bundle: {str(seq): word for seq, word in of.items()} for bundle, of in self.words.items()}
        try:
            make_folder(self.file.parent)
            replace_synced(self.file, json.dumps({"box": self.box, "after": self.after, "words": words}).encode())
        except OSError as error:
            raise StoreLost(f"{self.file}: {error}") from error

    def take(self, bundle: str, seq: int, word: str) -> None:
        """One word, the newest of its part. `unsure` takes the earlier one back."""
        of = self.words.setdefault(bundle, {})
        of.pop(seq, None)
        if word != "unsure":
            of[seq] = word
        while len(of) > MOST_DIFFERING:
            del of[next(iter(of))]


class Reviews:
    """Tells and asks. One thread."""

    def __init__(self, box: ClimbBox, link: Link | None) -> None:
        """link: None: there is no service to ask."""
        self._box, self._link = box, link
        self._heard = Heard.load(box.bundles)
        self._told: dict[str, set[int]] = {}
        self._full: set[str] = set()
        self._trouble = ""
        self._pause = BackOff()
        self._asked_s = float("-inf")

    def step(self, climb: Watching) -> float:
        """Do what is due; seconds to wait."""
        seen = climb.differed()
        if seen is None:
            return 1.0
        for gone in self._told.keys() - {one.bundle for one in seen}:
            del self._told[gone]
        try:
            for one in seen:
                self._tell(one)
            if seen:
                self._ask({one.bundle for one in seen})
        except (OkngError, OSError) as error:
            self._complain(str(error))
        else:
            self._trouble = ""
        climb.reviewed({bundle: dict(of) for bundle, of in self._heard.words.items()})
        return TELL_S

    def _complain(self, text: str) -> None:
        if text != self._trouble:
            log.warning("differing parts: %s", text)
        self._trouble = text

    def _tell(self, one: Differed) -> None:
        """Have records number some more of them."""
        told = self._told[one.bundle] = self._told.get(one.bundle, set()) & {part["seq"] for part in one.parts}
        parts = [part for part in one.parts if part["seq"] not in told][:DIFFERS_AT_ONCE]
        if not parts or one.bundle in self._full:
            return
        body = {"bundle": one.bundle, "champion": one.champion, "recipe": one.recipe, "parts": parts}
        ask = Ask(new_id(), "ladder.differs", "sync", "", "", body)
        try:
            answer = ask_once(self._box.run_dir, "records", ask, _ANSWER_MS)
        except ChannelLost as error:
            raise StoreLost(str(error)) from error
        if answer is None:
            raise StoreLost("records does not answer")
        told.update(part["seq"] for part in parts)  # refused or not: the same again would get the same answer
        if not answer.done:
            raise Refused(f"records does not take them: {answer.detail}")
        if answer.body["told"] >= answer.body["most"]:
            self._full.add(one.bundle)
            log.warning(
                "bundle %.12s: the fleet was told of %d differing parts: of no more", one.bundle, answer.body["told"]
            )

    def _ask(self, bundles: set[str]) -> None:
        """Hear what reviewers said since, of challengers that are on the line; of others it is of no use any more."""
        now_s = time.monotonic()
        if self._link is None or now_s - self._asked_s < ASK_S or self._pause.wait_s(now_s) > 0:
            return
        try:
            known = self._link.known()
        except NotEnrolled:
            return
        heard = Heard(self._heard.file, known.passport.box)
        if self._heard.box == heard.box:
            heard.after = self._heard.after
            heard.words = {bundle: dict(of) for bundle, of in self._heard.words.items() if bundle in bundles}
        try:
            for _ in range(MOST_PAGES):
                answer = known.wire.ask("GET", f"/v1/confirmed?after={heard.after}")
                if answer.status != HTTPStatus.OK:
                    raise StoreLost(f"/v1/confirmed: the service answered {answer.status}")
                if not _taken(heard, answer.json(), bundles):
                    break
            if heard != self._heard:
                heard.write()
        except (Lost, Refused) as error:
            self._pause.failed(now_s, error.after_s if isinstance(error, Busy) else 0.0)
            raise
        self._heard = heard  # on disk first, then acted upon
        self._pause.worked()
        self._asked_s = now_s


def _taken(heard: Heard, said: Mapping[str, Any], bundles: set[str]) -> bool:
    """Take up one page; False: it was the last one. StoreLost: it is not as agreed; nothing of it is taken."""
    try:
        rows = [(one["n"], one["bundle"], one["part_seq"], one["truth"]) for one in said["confirmed"]]
    except (KeyError, TypeError) as error:
        raise StoreLost(f"/v1/confirmed: not as agreed: {error!r}") from error
    after = heard.after
    for n, bundle, seq, word in rows:
        numbers = all(type(one) is int and 0 < one < MOST_NUMBER for one in (n, seq))
        if not numbers or n <= after or word not in _WORDS or not isinstance(bundle, str):
            raise StoreLost(f"/v1/confirmed: number {n!r:.40}, word {word!r:.40}: expected a word above {after}")
        after = n
    for _, bundle, seq, word in rows:
        if bundle in bundles:
            heard.take(bundle, seq, word)
    heard.after = after
    return bool(rows)
