"""The registers of the box as a Modbus slave answers for them: request PDU in, answer PDU out, no socket.

Written against MODBUS Application Protocol Specification V1.1b3, chapter 6. A request is checked whole before anything
changes, and a write changes all its registers before anybody is told: nothing can be torn.
"""

import struct
from collections.abc import Callable

from .images import OutImage
from .regmap import COMMAND_MASK, MIRROR, Table, WordOrder, pack_out, size, used

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
_PAIR = struct.Struct(">HH")
_WRITE_HEAD = struct.Struct(">HHB")
_ON = 0xFF00
_SEQ_AT = 3
_HB_AT = 1
_PLC_HB_BIT = 1 << 8
_LAST_RESULT = 15


class _Refused(Exception):
    """Answered by an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _inside(table: Table, address: int, count: int, most: int, offset: int = 0) -> None:
    """Raise unless the range lies in the table and holds at least one address in use."""
    if not 1 <= count <= most:
        raise _Refused(ILLEGAL_VALUE)
    first = address - offset
    if first < 0 or first + count > size(table) or used(table).isdisjoint(range(first, first + count)):
        raise _Refused(ILLEGAL_ADDRESS)


class Registers:
    """Coils, discrete inputs, input and holding registers of map 1.0. One event loop."""

    def __init__(self, order: WordOrder, on_write: Callable[["Registers"], None]) -> None:
        """on_write: called after each accepted write, when all of its registers stand."""
        self._order, self._on_write = order, on_write
        self.holding = [0] * size(Table.HOLDING)
        """What the PLC wrote."""
        self._input = pack_out(OutImage(), order)
        self._bytes = struct.pack(f">{len(self._input)}H", *self._input)
        self.seen_seq = 0
        """`seq` that stood in the result block when the PLC last read it."""
        self._by_plc = True
        self.beaten = False
        """The last write changed the PLC's heartbeat."""
        self._last: tuple[int, list[int]] = (0, [])

    def publish(self, image: OutImage) -> None:
        """Replace all input registers at once."""
        self._input = pack_out(image, self._order)
        self._bytes = struct.pack(f">{len(self._input)}H", *self._input)

    def forget(self) -> None:
        """Set back to 0 what the PLC wrote: its connection is gone."""
        self.holding = [0] * size(Table.HOLDING)

    def keep_last(self) -> None:
        """Put back the words of the last write alone: they are of the connection that is the PLC from now on."""
        address, words = self._last
        self.holding[address : address + len(words)] = words
        self.holding[0] &= COMMAND_MASK

    def answer(self, request: bytes, *, may_write: bool = True, by_plc: bool = True) -> bytes:
        """Return the answer to one request PDU (function code first); an exception PDU where it is refused.

        may_write: False answers every write by exception 01. by_plc: False for a reader beside the PLC (a monitor):
        that it has seen a result does not mean that the PLC has.
        """
        self._by_plc = by_plc
        code = request[0] if request else 0
        try:
            if code in (READ_COILS, READ_DISCRETE):
                return self._read_bits(code, *self._pair(request))
            if code in (READ_HOLDING, READ_INPUT):
                return self._read_words(code, *self._pair(request))
            if not may_write:
                raise _Refused(ILLEGAL_FUNCTION)
            if code in (WRITE_COIL, WRITE_REGISTER):
                return self._write_one(code, request, *self._pair(request))
            if code in (WRITE_COILS, WRITE_REGISTERS):
                return self._write_many(code, request)
            raise _Refused(ILLEGAL_FUNCTION)
        except _Refused as refused:
            return bytes((code | 0x80, refused.code))

    @staticmethod
    def _pair(request: bytes) -> tuple[int, int]:
        if len(request) != 5:
            raise _Refused(ILLEGAL_VALUE)
        first, second = _PAIR.unpack_from(request, 1)
        return first, second

    def _read_bits(self, code: int, address: int, count: int) -> bytes:
        coils = code == READ_COILS
        _inside(Table.COIL if coils else Table.DISCRETE, address, count, 2000)
        if not coils and self._by_plc:
            self.seen_seq = self._input[_SEQ_AT]
        word = self.holding[0] if coils else self._input[0]
        length = (count + 7) // 8
        bits = word >> address & ((1 << count) - 1)
        return bytes((code, length)) + bits.to_bytes(length, "little")

    def _read_words(self, code: int, address: int, count: int) -> bytes:
        if code == READ_HOLDING and address < MIRROR:
            _inside(Table.HOLDING, address, count, 125)
            return struct.pack(f">BB{count}H", code, 2 * count, *self.holding[address : address + count])
        offset = MIRROR if code == READ_HOLDING else 0
        _inside(Table.INPUT, address, count, 125, offset)
        first = address - offset
        if first <= _LAST_RESULT and self._by_plc:
            self.seen_seq = self._input[_SEQ_AT]
        return bytes((code, 2 * count)) + self._bytes[2 * first : 2 * (first + count)]

    def _write_one(self, code: int, request: bytes, address: int, value: int) -> bytes:
        if code == WRITE_REGISTER:
            _inside(Table.HOLDING, address, 1, 1)
            self._commit(address, [value])
            return request
        if value not in (0, _ON):
            raise _Refused(ILLEGAL_VALUE)
        _inside(Table.COIL, address, 1, 1)
        self._commit(0, [self.holding[0] & ~(1 << address) | (value == _ON) << address])
        return request

    def _write_many(self, code: int, request: bytes) -> bytes:
        if len(request) < 6:
            raise _Refused(ILLEGAL_VALUE)
        address, count, length = _WRITE_HEAD.unpack_from(request, 1)
        coils = code == WRITE_COILS
        if len(request) != 6 + length or length != ((count + 7) // 8 if coils else 2 * count):
            raise _Refused(ILLEGAL_VALUE)
        if coils:
            _inside(Table.COIL, address, count, 1968)
            mask = (1 << count) - 1
            bits = int.from_bytes(request[6:], "little") & mask
            self._commit(0, [self.holding[0] & ~(mask << address) | bits << address])
        else:
            _inside(Table.HOLDING, address, count, 123)
            self._commit(address, list(struct.unpack_from(f">{count}H", request, 6)))
        return request[:5]

    def _commit(self, address: int, words: list[int]) -> None:
        before = self.holding
        after = list(before)
        after[address : address + len(words)] = words
        after[0] &= COMMAND_MASK
        self.beaten = after[_HB_AT] != before[_HB_AT] or bool((after[0] ^ before[0]) & _PLC_HB_BIT)
        self.holding, self._last = after, (address, words)
        self._on_write(self)
