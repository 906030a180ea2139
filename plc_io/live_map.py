"""The map of a box as a master reads it, pure: what the words mean, whether they move, how they look on a terminal."""

import math
from dataclasses import dataclass, field
from itertools import zip_longest

from ..bus.clock import MS, SECOND
from .regmap import (
    CANARY_F32,
    CANARY_U32,
    MAP_VERSION,
    Kind,
    Table,
    WordOrder,
    bits,
    points,
    size,
    values,
)
from .signals import FaultCode, WireCode

STALE_NS = 300 * MS
"""Three beats of the box without a change."""
FRESH_NS = SECOND
"""A value that changed stays marked this long."""
_BOLD, _DIM, _MARK, _BAD, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[7m", "\x1b[1;31m", "\x1b[0m"


class NotThisMap(ValueError):
    """What was read is not register map 1.x, or its words come in the other order."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All registers, read at one moment."""

    at_ns: int
    box: tuple[int, ...]
    """Input registers 0..33."""
    plc: tuple[int, ...]
    """Holding registers 0..6."""

    @property
    def torn(self) -> bool:
        """The result block changed while it was read."""
        return self.box[3] != self.box[15]


def check(reading: Reading, order: WordOrder) -> None:
    """Raise NotThisMap unless the version's major byte and both canaries are what they have to be."""
    found = values(Table.INPUT, reading.box, order)
    version = int(found["map_version"])
    if version >> 8 != MAP_VERSION >> 8:
        raise NotThisMap(
            f"register 1 says map {version >> 8}.{version & 0xFF}: this program knows {MAP_VERSION >> 8}.x; "
            "is this an okng box, and of this release?"
        )
    if int(found["canary_u32"]) == CANARY_U32 and math.isclose(found["canary_f32"], CANARY_F32, rel_tol=1e-6):
        return
    other = WordOrder.LOW_FIRST if order is WordOrder.HIGH_FIRST else WordOrder.HIGH_FIRST
    swapped = int(values(Table.INPUT, reading.box, other)["canary_u32"]) == CANARY_U32
    hint = f"its words come {other}: set word_order = {other.value!r}" if swapped else "this is no map of okng"
    raise NotThisMap(f"the canary reads {int(found['canary_u32']):#010x} instead of {CANARY_U32:#010x}: {hint}")


def meaning(name: str, value: float) -> str:
    """A value in words where a number alone says little."""
    if name == "map_version":
        return f"{int(value) >> 8}.{int(value) & 0xFF}"
    if name == "disposition" and value in set(WireCode):
        return WireCode(int(value)).name
    if name == "fault" and value in set(FaultCode):
        return FaultCode(int(value)).name
    if name == "canary_u32":
        return f"{int(value):#010x}"
    return ""


def document(reading: Reading, order: WordOrder, *, alive: bool) -> dict[str, object]:
    """The reading for a program: names to values. alive: the heartbeat moves."""
    box, plc = values(Table.INPUT, reading.box, order), values(Table.HOLDING, reading.plc, order)
    return {
        "alive": alive,
        "torn": reading.torn,
        "map": meaning("map_version", box["map_version"]),
        "status": bits(Table.DISCRETE, reading.box[0]),
        "command": bits(Table.COIL, reading.plc[0]),
        "box": {p.name: _number(p.kind, box[p.name]) for p in points(Table.INPUT)},
        "plc": {p.name: _number(p.kind, plc[p.name]) for p in points(Table.HOLDING)},
    }


def _number(kind: Kind, value: float) -> float:
    return round(value, 4) if kind is Kind.F32 else int(value)


@dataclass(slots=True)
class LiveMap:
    """Reading after reading: what changed when, and whether the box moves."""

    order: WordOrder
    last: Reading | None = None
    beat_ns: int | None = None
    """When the heartbeat was last seen to change; None: never."""
    reads: int = 0
    torn: int = 0
    missed: int = 0
    """Reads that brought nothing."""
    why: str = ""
    """Why nothing comes at present; empty: it does."""
    _changed: dict[tuple[Table, str], int] = field(default_factory=dict)

    def take(self, reading: Reading) -> None:
        """Take a reading. NotThisMap: it is of another map."""
        check(reading, self.order)
        self.reads += 1
        self.torn += reading.torn
        self.why = ""
        last, self.last = self.last, reading
        if last is None:
            return
        for table, word in ((Table.DISCRETE, 0), (Table.COIL, 0)):
            before, after = _words(last, table)[word], _words(reading, table)[word]
            was, now = bits(table, before), bits(table, after)
            self._changed |= {(table, name): reading.at_ns for name in now if now[name] != was[name]}
        for table in (Table.INPUT, Table.HOLDING):
            was_, now_ = (values(table, _words(r, table), self.order) for r in (last, reading))
            self._changed |= {(table, name): reading.at_ns for name in now_ if now_[name] != was_[name]}
        if reading.box[2] != last.box[2]:
            self.beat_ns = reading.at_ns

    def miss(self, why: str) -> None:
        """Nothing came."""
        self.missed += 1
        self.why = why

    def alive(self, now_ns: int) -> bool:
        """The box answers and its heartbeat moves."""
        return not self.why and self.beat_ns is not None and now_ns - self.beat_ns < STALE_NS

    def lines(self, place: str, now_ns: int, *, colour: bool = True) -> list[str]:
        """The whole as lines of a terminal. What is stale is said to be, and dimmed."""
        state = self._state(now_ns)
        stale = state != "alive"
        paint = _Paint(colour, stale)
        head = f"{place}   reads {self.reads}   torn {self.torn}   without answer {self.missed}   "
        lines = [head + (paint.bad(state) if stale else state)]
        if self.last is None:
            return lines
        fault = int(values(Table.INPUT, self.last.box, self.order)["fault"])
        if fault in set(FaultCode) and fault:
            lines.append(paint.bad(f"FAULT {fault}: {FaultCode(fault).words}"))
        for table, title in _TITLES.items():
            lines.append(paint.bold(title))
            lines += self._rows(table, now_ns, paint)
        return lines

    def _state(self, now_ns: int) -> str:
        if self.why:
            return f"STALE: {self.why}"
        if self.last is None:
            return "nothing read yet"
        if self.beat_ns is None:
            return "STALE: the heartbeat has not moved yet"
        if not self.alive(now_ns):
            return f"STALE: the heartbeat stands still for {(now_ns - self.beat_ns) / SECOND:.1f} s"
        return "alive"

    def _rows(self, table: Table, now_ns: int, paint: "_Paint") -> list[str]:
        assert self.last is not None
        words = _words(self.last, table)
        fresh = {name for (where, name), at in self._changed.items() if where is table and now_ns - at < FRESH_NS}
        if table in (Table.COIL, Table.DISCRETE):
            cells = [paint.value(f"{name}={value:d}", name in fresh) for name, value in bits(table, words[0]).items()]
            return [f"  {'  '.join(cells[at : at + 6])}" for at in range(0, len(cells), 6)]
        found, cells = values(table, words, self.order), []
        for p in points(table):
            value = found[p.name]
            text = f"{words[p.address]:#06x}" if p.kind is Kind.BITS else f"{_number(p.kind, value)}"
            shown = paint.value(f"{text:>10}", p.name in fresh)
            cells.append(f"  {p.address:>2} {p.name:<12} {shown}  {meaning(p.name, value):<10}")
        half = (len(cells) + 1) // 2  # two columns: all of it has to fit a terminal of 80 x 25
        pairs = zip_longest(cells[:half], cells[half:], fillvalue="")
        return [f"{left}{right}".rstrip() for left, right in pairs]


_TITLES = {
    Table.DISCRETE: "status, the box says (discrete inputs)",
    Table.COIL: "command, the PLC says (coils)",
    Table.INPUT: f"input registers 0..{size(Table.INPUT) - 1}, the box says",
    Table.HOLDING: f"holding registers 0..{size(Table.HOLDING) - 1}, the PLC says",
}


def _words(reading: Reading, table: Table) -> tuple[int, ...]:
    return reading.box if table in (Table.INPUT, Table.DISCRETE) else reading.plc


@dataclass(frozen=True, slots=True)
class _Paint:
    colour: bool
    stale: bool

    def _in(self, code: str, text: str) -> str:
        return f"{code}{text}{_PLAIN}" if self.colour else text

    def bold(self, text: str) -> str:
        return self._in(_BOLD, text)

    def bad(self, text: str) -> str:
        return self._in(_BAD, text)

    def value(self, text: str, fresh: bool) -> str:
        """A stale value is dim, one that has just changed is marked."""
        if self.stale:
            return self._in(_DIM, text)
        if not fresh:
            return text
        return self._in(_MARK, text) if self.colour else f"*{text.strip()}".rjust(len(text))
