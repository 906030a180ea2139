"""What lines mean, as data: the dialects, and how a line becomes words and words a line.

    okng    T,<part>  A,<part>  J,<job>,<token>  H,<n>  F,<fault>    ->  R,<part>,<OK|NG|UN>  S,<status>,<fault>
                                                                         J,<job>,<token>,<DONE|FAIL>  H,<n>
    omron   M                                                        ->  OK  or  ER
    festo   TRG                                                      ->  TRGP  or  TRGF
    bare    T                                                        ->  OK  or  NG

Every line of okng ends with `,<crc>`. The other three carry no part number, so the answer belongs to the only part in
flight, and there is one answer for each trigger: the pass word for a part that may pass, the other word for everything
else. The sensors that omron and festo are modelled on say by these words that a command was carried out, and give the
verdict in a line of its own; here the word is the verdict, so a PLC that takes it for either lets nothing bad pass.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from .ascii_lines import LONGEST, seal, unseal
from .signals import WireCode

_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_FIELDS = {"part": _U32, "job": _U16, "token": _U16, "n": _U16, "fault": _U16}


class Kind(StrEnum):
    """What the PLC may say."""

    TRIGGER = "trigger"
    ACK = "ack"
    JOB = "job"
    BEAT = "beat"
    RESET = "reset"


class Mistake(StrEnum):
    """Why a line means nothing."""

    BAD_CRC = "bad crc"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of the PLC."""

    kind: Kind
    part: int = 0
    """0: the box numbers."""
    job: int = 0
    token: int = 0
    n: int = 0
    """Heartbeat."""
    fault: int = 0
    """The fault to be reset."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Templates of both directions. An empty one: this dialect has no such line."""

    name: str
    trigger: str
    result: str
    """Holds `{word}`, and `{part}` where answers carry the part number."""
    passed: str
    rejected: str
    unjudged: str
    crc: bool = False
    ending: str = "\r\n"
    missed: str = ""
    """Answer to a trigger that was not taken, and for a part that the box gave up without a result."""
    ack: str = ""
    job: str = ""
    beat: str = ""
    """Heartbeat, the same both ways; empty: the PLC counts as alive while the connection stands."""
    reset: str = ""
    status: str = ""
    job_answer: str = ""

    @property
    def ids(self) -> bool:
        """Answers carry the part number."""
        return "{part}" in self.result

    @property
    def compatibility(self) -> str:
        """What the screen has to say of this dialect; empty: nothing."""
        return "" if self.ids else "no id: only one part in flight"

    def understand(self, line: str) -> Heard | Mistake:
        """Read one line of the PLC."""
        body = unseal(line) if self.crc else line
        if body is None:
            return Mistake.BAD_CRC
        for kind, pattern in _patterns(self):
            match = pattern.fullmatch(body)
            if match is None:
                continue
            values = {name: int(digits) for name, digits in match.groupdict().items()}
            if any(value > _FIELDS[name] for name, value in values.items()):
                break
            return Heard(kind, **values)
        return Mistake.UNKNOWN

    def say(self, template: str, **values: object) -> str:
        """Fill a template; the end of the line is not in it."""
        body = template.format(**values)
        return seal(body) if self.crc else body

    def word(self, code: WireCode) -> str:
        """The word for a disposition. Everything but OK is a reject."""
        if code is WireCode.OK:
            return self.passed
        return self.rejected if code is WireCode.NG else self.unjudged

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the templates, in words; nothing: they can be used."""
        for name, allowed, needed in _SLOTS:
            template = str(getattr(self, name))
            fields = _fields(template)
            if fields is None or not fields <= allowed:
                yield f"{name} = {template!r}: expected {_braced(allowed)} at most"
            elif template and not needed <= fields:
                yield f"{name} = {template!r}: expected {_braced(needed)} in it"
            elif not template.isascii() or not (template or "x").isprintable() or len(template) > LONGEST // 2:
                yield f"{name} = {template!r}: expected at most {LONGEST // 2} printable ASCII characters"
        if not self.trigger or not self.passed or not self.rejected or not self.unjudged:
            yield "trigger, passed, rejected and unjudged: expected none of them empty"
        if self.passed in (self.rejected, self.unjudged):
            yield f"passed = {self.passed!r}: expected a word that rejected and unjudged do not use"
        if self.missed == self.result.replace("{word}", self.passed):
            yield f"missed = {self.missed!r}: expected another line than that of a part that may pass"
        if "{part}" in self.trigger and not self.ids:
            yield f"trigger = {self.trigger!r}: expected no {{part}}, the result carries none"
        answers = [
            self.missed,
            *(self.result.replace("{word}", w) for w in (self.passed, self.rejected, self.unjudged)),
        ]
        if self.trigger in answers:
            yield f"trigger = {self.trigger!r}: expected a line that is no answer"


_NONE: frozenset[str] = frozenset()
_SLOTS: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("trigger", frozenset({"part"}), _NONE),
    ("result", frozenset({"part", "word"}), frozenset({"word"})),
    ("passed", _NONE, _NONE),
    ("rejected", _NONE, _NONE),
    ("unjudged", _NONE, _NONE),
    ("missed", _NONE, _NONE),
    ("ack", frozenset({"part"}), frozenset({"part"})),
    ("job", frozenset({"job", "token"}), frozenset({"job", "token"})),
    ("beat", frozenset({"n"}), frozenset({"n"})),
    ("reset", frozenset({"fault"}), frozenset({"fault"})),
    ("status", frozenset({"status", "fault"}), _NONE),
    ("job_answer", frozenset({"job", "token", "word"}), frozenset({"word"})),
)
"""Name of each template, the fields it may hold, those it must hold."""


def _braced(fields: frozenset[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(fields)) or "no field"


def _fields(template: str) -> set[str] | None:
    """The names in braces; None: it is no template."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        return None
    if any(spec or conversion for _, name, spec, conversion in parts if name is not None):
        return None
    return {name for _, name, _, _ in parts if name is not None}


@cache
def _patterns(dialect: Dialect) -> tuple[tuple[Kind, re.Pattern[str]], ...]:
    found = []
    for kind in Kind:
        template = str(getattr(dialect, kind.value))
        if template:
            pattern = "".join(
                re.escape(text) + (f"(?P<{name}>[0-9]{{1,10}})" if name else "")
                for text, name, _, _ in string.Formatter().parse(template)
            )
            found.append((kind, re.compile(pattern)))
    return tuple(found)


OKNG = Dialect(
    "okng",
    trigger="T,{part}",
    ack="A,{part}",
    job="J,{job},{token}",
    beat="H,{n}",
    reset="F,{fault}",
    result="R,{part},{word}",
    passed="OK",
    rejected="NG",
    unjudged="UN",
    status="S,{status},{fault}",
    job_answer="J,{job},{token},{word}",
    crc=True,
)
OMRON = Dialect("omron", "M", "{word}", "OK", "ER", "ER", missed="ER", ending="\r")
FESTO = Dialect("festo", "TRG", "TRG{word}", "P", "F", "F", missed="TRGF", ending="\r")
BARE = Dialect("bare", "T", "{word}", "OK", "NG", "NG", missed="NG")
DIALECTS = {dialect.name: dialect for dialect in (OKNG, OMRON, FESTO, BARE)}
ENDINGS = {"cr": "\r", "lf": "\n", "crlf": "\r\n"}


def dialect_of(name: str, **changed: str) -> Dialect:
    """Return a dialect, some of its templates changed. ValueError: the name is unknown or the templates cannot be used.

    changed: by the names of `Dialect`; `ending` as cr, lf or crlf.
    """
    if name not in DIALECTS:
        raise ValueError(f"dialect = {name!r}: expected one of {', '.join(DIALECTS)}")
    if "ending" in changed:
        changed["ending"] = ENDINGS[changed["ending"]]
    dialect = replace(DIALECTS[name], **changed)  # type: ignore[arg-type]
    mistakes = tuple(dialect.mistakes())
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return dialect
