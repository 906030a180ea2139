"""Every signal of the link as it stands, and since when: for people who look for a broken wire. Pure."""

from dataclasses import fields
from typing import Any

from ..bus.clock import MS
from .images import InImage, OutImage
from .signals import Command, Status

_OUT = tuple(field.name for field in fields(OutImage) if field.name != "status")
_IN = ("heartbeat", "job_request", "job_token", "part", "ack_seq", "encoder")


class SignalTable:
    """What goes out and what came in."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], tuple[int | None, int]] = {}  # by direction and name: value, since when

    def sent(self, image: OutImage, now_ns: int) -> None:
        """The box shows this from now on."""
        self._bits("out", Status, int(image.status), now_ns)
        for name in _OUT:
            self._put("out", name, int(getattr(image, name)), now_ns)

    def came(self, image: InImage) -> None:
        """The PLC said this."""
        self._bits("in", Command, int(image.command), image.at_ns)
        for name in _IN:
            self._put("in", name, getattr(image, name), image.at_ns)

    def level(self, direction: str, name: str, on: bool, now_ns: int) -> None:
        """One wire of a machine without a PLC."""
        self._put(direction, name, int(on), now_ns)

    def rows(self, now_ns: int) -> list[dict[str, Any]]:
        """name, value, direction (`in`: told to the box), age_ms since it changed, by direction."""
        return [
            {"name": name, "value": value, "direction": direction, "age_ms": max(0, (now_ns - since) // MS)}
            for (direction, name), (value, since) in sorted(self._values.items(), key=lambda each: each[0][0])
        ]

    def _bits(self, direction: str, kind: type[Status] | type[Command], word: int, now_ns: int) -> None:
        for flag in kind:
            self._put(direction, str(flag.name), int(bool(word & flag.value)), now_ns)

    def _put(self, direction: str, name: str, value: int | None, now_ns: int) -> None:
        known = self._values.get((direction, name))
        if known is None or known[0] != value:
            self._values[direction, name] = value, now_ns
