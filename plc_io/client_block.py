"""The two blocks of the client role, one declarative table: what the box writes into the PLC, and what it reads there.

Offsets count from the base address that the settings give for each block. The documents can be generated from `BLOCKS`
as those of the server role are from `regmap.POINTS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .images import InImage, OutImage
from .regmap import COMMAND_MASK, Kind, WordOrder
from .signals import Command


class Block(StrEnum):
    """One run of holding registers of the PLC, moved by one request."""

    RESULT = "result"
    """FC16, box to PLC."""
    ANSWER = "answer"
    """FC03, PLC to box."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a block. It has exactly one writer."""

    block: Block
    offset: int
    """Registers from the block's base."""
    name: str
    """Name in the documents; a tag of the PLC's program."""
    kind: Kind
    text: str
    field: str
    """Field of the image."""

    @property
    def writer(self) -> str:
        """`box` or `PLC`."""
        return "box" if self.block is Block.RESULT else "PLC"

    @property
    def last(self) -> int:
        """Last offset it takes."""
        return self.offset + self.kind.words - 1


def _result(offset: int, name: str, kind: Kind, text: str, field: str = "") -> Entry:
    return Entry(Block.RESULT, offset, name, kind, text, field or name)


def _answer(offset: int, name: str, kind: Kind, text: str, field: str = "") -> Entry:
    return Entry(Block.ANSWER, offset, name, kind, text, field or name)


BLOCKS: tuple[Entry, ...] = (
    _result(0, "seq_begin", Kind.U16, "number of the result, 1..65535; 0: none", "seq"),
    _result(1, "part", Kind.U32, "part number of the result"),
    _result(3, "disposition", Kind.U16, "0 none, 1 OK, 2 NG, 3 UNJUDGED, 4 LATE; all but 1 reject"),
    _result(4, "defect", Kind.U16, "defect class: 0 none, 1 without a class"),
    _result(5, "status", Kind.BITS, "status bits, numbered as discrete inputs 0-15 of the server's map"),
    _result(6, "hb", Kind.U16, "heartbeat counter; its lowest bit is HB", "heartbeat"),
    _result(7, "seq_end", Kind.U16, "the block is whole only if it equals seq_begin", "seq"),
    _answer(0, "ack_seq", Kind.U16, "seq of the result taken; 0 acknowledges nothing"),
    _answer(1, "plc_hb", Kind.U16, "any change is a sign of life", "heartbeat"),
    _answer(2, "state", Kind.BITS, "command bits, numbered as coils 0-15 of the server's map", "command"),
    _answer(3, "encoder", Kind.U32, "belt position in counts, latched at the trigger where the PLC can"),
)
"""The table."""


def entries(block: Block) -> tuple[Entry, ...]:
    """The rows of one block, by offset."""
    return tuple(sorted((entry for entry in BLOCKS if entry.block is block), key=lambda entry: entry.offset))


def size(block: Block) -> int:
    """Registers of a block."""
    return max(entry.last for entry in entries(block)) + 1


_RESULT, _ANSWER = entries(Block.RESULT), entries(Block.ANSWER)
RESULT_WORDS, ANSWER_WORDS = size(Block.RESULT), size(Block.ANSWER)


def pack_result(image: OutImage, order: WordOrder = WordOrder.HIGH_FIRST) -> tuple[int, ...]:
    """Return the words of the result block. u16 values saturate at 65535."""
    words = [0] * RESULT_WORDS
    for entry in _RESULT:
        words[entry.offset : entry.last + 1] = _put(entry.kind, int(getattr(image, entry.field)), order)
    return tuple(words)


def unpack_answer(
    words: Sequence[int], at_ns: int, seen_seq: int | None = None, order: WordOrder = WordOrder.HIGH_FIRST
) -> InImage:
    """Return the image of an answer block. seen_seq: of the result that the PLC had confirmed to hold before."""
    found = {entry.field: _take(entry, words, order) for entry in _ANSWER}
    command = Command(found.pop("command") & COMMAND_MASK)
    return InImage(at_ns=at_ns, command=command, seen_seq=seen_seq, **found)


def _put(kind: Kind, value: int, order: WordOrder) -> tuple[int, ...]:
    if kind.words == 1:
        return (min(max(value, 0), 0xFFFF),)
    high, low = (value & 0xFFFFFFFF) >> 16, value & 0xFFFF
    return (high, low) if order is WordOrder.HIGH_FIRST else (low, high)


def _take(entry: Entry, words: Sequence[int], order: WordOrder) -> int:
    if entry.kind.words == 1:
        return words[entry.offset]
    high, low = words[entry.offset], words[entry.offset + 1]
    return high << 16 | low if order is WordOrder.HIGH_FIRST else low << 16 | high
