"""Every signal of the link as it stands, and since when: for people who look for a broken wire. Pure."""

from dataclasses import fields
from operator import attrgetter
from typing import Any

from ..bus.clock import MS
from .images import InImage, OutImage
from .signals import Command, Status

_OUT = tuple(field.name for field in fields(OutImage) if field.name != "status")
_IN = ("heartbeat", "job_request", "job_token", "part", "ack_seq", "encoder")
_OUT_OF, _IN_OF = attrgetter(*_OUT), attrgetter(*_IN)
Values = tuple[int | None, ...]
_STATUS = tuple((str(flag.name), int(flag)) for flag in Status)
_COMMAND = tuple((str(flag.name), int(flag)) for flag in Command)


class SignalTable:
    """What goes out and what came in."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], tuple[int | None, int]] = {}  # by direction and name: value, since when
        self._words: dict[str, int] = {}
        self._fields: dict[str, Values] = {}

    def sent(self, image: OutImage, now_ns: int) -> None:
        """The box shows this from now on."""
        self._bits("out", _STATUS, int(image.status), now_ns)
        self._named("out", _OUT, _OUT_OF(image), now_ns)

    def came(self, image: InImage) -> None:
        """The PLC said this."""
        self._bits("in", _COMMAND, int(image.command), image.at_ns)
        self._named("in", _IN, _IN_OF(image), image.at_ns)

    def level(self, direction: str, name: str, on: bool, now_ns: int) -> None:
        """One wire of a machine without a PLC."""
        self._put(direction, name, int(on), now_ns)

    def rows(self, now_ns: int) -> list[dict[str, Any]]:
        """name, value, direction (`in`: told to the box), age_ms since it changed, by direction."""
        return [
            {"name": name, "value": value, "direction": direction, "age_ms": max(0, (now_ns - since) // MS)}
            for (direction, name), (value, since) in sorted(self._values.items(), key=lambda each: each[0][0])
        ]

    def _bits(self, direction: str, flags: tuple[tuple[str, int], ...], word: int, now_ns: int) -> None:
        """A PLC says nearly the same hundreds of times a second: only what has changed is looked at."""
        known = self._words.get(direction)
        if known == word:
            return
        changed = ~0 if known is None else known ^ word
        self._words[direction] = word
        for name, bit in flags:
            if changed & bit:
                self._put(direction, name, int(bool(word & bit)), now_ns)

    def _named(self, direction: str, names: tuple[str, ...], values: Values, now_ns: int) -> None:
        known = self._fields.get(direction)
        if known == values:
            return
        self._fields[direction] = values
        for at, (name, value) in enumerate(zip(names, values, strict=True)):
            if known is None or known[at] != value:
                self._put(direction, name, None if value is None else int(value), now_ns)

    def _put(self, direction: str, name: str, value: int | None, now_ns: int) -> None:
        known = self._values.get((direction, name))
        if known is None or known[0] != value:
            self._values[direction, name] = value, now_ns
