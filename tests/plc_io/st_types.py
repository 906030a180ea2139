"""The data types of the Structured Text the tests run: declared, made, copied, and checked at every assignment."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

RANGES = {
    "BOOL": (0, 1),
    "INT": (-(2**15), 2**15 - 1),
    "UINT": (0, 2**16 - 1),
    "UDINT": (0, 2**32 - 1),
    "WORD": (0, 2**16 - 1),
    "DWORD": (0, 2**32 - 1),
    "TIME": (0, 2**31 - 1),
}
"""Elementary types; TIME in ms. A value outside is an error: what an overflow does differs from vendor to vendor."""
LITERAL, HEX = "integer literal", "hexadecimal literal"
NUMBERS, BITS = ("INT", "UINT", "UDINT"), ("BOOL", "WORD", "DWORD")


class StError(Exception):
    """The program is not what a strict system would take, or does what no system defines."""


@dataclass(frozen=True)
class Array:
    """ARRAY [low..high] OF element."""

    low: int
    high: int
    element: "Type"


@dataclass
class Struct:
    """STRUCT, FUNCTION or FUNCTION_BLOCK: a name and its members, all names in lower case."""

    name: str
    members: dict[str, "Type"] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    """Initial values that are not 0."""
    inputs: list[str] = field(default_factory=list)
    result: "Type | None" = None
    body: Any = field(default=None, repr=False)
    is_block: bool = False


Type = str | Array | Struct


def fits(target: Type, found: Type) -> bool:
    """Whether a value of type found may stand where target is wanted, without any conversion."""
    if target == found:
        return True
    if found == LITERAL:
        return target in NUMBERS
    return found == HEX and (target in NUMBERS or target in BITS[1:])


def both(left: Type, right: Type, where: str) -> Type:
    """The common type of two operands."""
    if fits(left, right):
        return left
    if fits(right, left):
        return right
    raise StError(f"{where}: {shown(left)} meets {shown(right)}")


def shown(kind: Type) -> str:
    """The type in words."""
    if isinstance(kind, Struct):
        return kind.name
    return kind if isinstance(kind, str) else f"ARRAY [{kind.low}..{kind.high}]"


def copied(value: Any) -> Any:
    """Structs and arrays are values: what is assigned is a copy."""
    if isinstance(value, list):
        return [copied(item) for item in value]
    if type(value) is SimpleNamespace:
        return SimpleNamespace(**{name: copied(item) for name, item in vars(value).items()})
    return value


def inside(kind: str, value: int) -> int:
    """The value, if the type holds it."""
    low, high = RANGES[kind]
    if not low <= value <= high:
        raise StError(f"{value} is outside {kind}")
    return value


class Clock:
    """Time of the machine, ms."""

    now_ms = 0


class Ton:
    """TON of IEC 61131-3, 2.5.2.3.4: Q rises when IN has been TRUE for PT."""

    inputs = ("in", "pt")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.v_q = False
        self._since: int | None = None

    def __call__(self, v_in: bool, v_pt: int) -> None:
        """One call."""
        if not v_in:
            self._since = None
        elif self._since is None:
            self._since = self._clock.now_ms
        self.v_q = self._since is not None and self._clock.now_ms - self._since >= v_pt


class Rising:
    """R_TRIG of IEC 61131-3, 2.5.2.3.2, whose memory starts FALSE."""

    inputs = ("clk",)

    def __init__(self, _clock: Clock) -> None:
        self.v_q = False
        self._last = False

    def __call__(self, v_clk: bool) -> None:
        """One call."""
        self.v_q, self._last = v_clk and not self._last, v_clk


STANDARD = {
    "ton": (Ton, Struct("TON", {"in": "BOOL", "pt": "TIME", "q": "BOOL"}, inputs=["in", "pt"], is_block=True)),
    "r_trig": (Rising, Struct("R_TRIG", {"clk": "BOOL", "q": "BOOL"}, inputs=["clk"], is_block=True)),
}
