"""The three requests of the client role and what must come back, as bytes between function code and check sum. Pure.

Modbus Application Protocol 1.1b3, 6.3 (FC03), 6.5 (FC05) and 6.12 (FC16).
"""

import struct
from collections.abc import Sequence

from ..bus.errors import LinkLost

_READ, _COIL, _WRITE = 0x03, 0x05, 0x10
_ON = 0xFF00
_EXCEPTION = 0x80
BUSY = (0x05, 0x06)
"""Exceptions that mean: later (acknowledge, server device busy)."""
_WORDS = {
    0x01: "illegal function",
    0x02: "illegal data address",
    0x03: "illegal data value",
    0x04: "server device failure",
    0x05: "acknowledge",
    0x06: "server device busy",
    0x0A: "gateway path unavailable",
    0x0B: "gateway target does not respond",
}


def write_registers(address: int, words: Sequence[int]) -> bytes:
    """FC16."""
    return struct.pack(f">BHHB{len(words)}H", _WRITE, address, len(words), 2 * len(words), *words)


def write_coil(address: int, on: bool) -> bytes:
    """FC05."""
    return struct.pack(">BHH", _COIL, address, _ON if on else 0)


def read_registers(address: int, count: int) -> bytes:
    """FC03."""
    return struct.pack(">BHH", _READ, address, count)


def exception_of(answer: bytes) -> int:
    """The code of an exception; 0: the answer is none."""
    return answer[1] if len(answer) == 2 and answer[0] & _EXCEPTION else 0


def refusal(request: bytes, code: int) -> str:
    """What the PLC said no to, for people."""
    function, address = struct.unpack_from(">BH", request)
    return f"FC{function:02} at address {address} refused: exception {code:02} {_WORDS.get(code, 'unknown')}"


def confirm(request: bytes, answer: bytes) -> None:
    """Check the answer to a write: FC05 and FC16 echo the first five bytes. LinkLost: it is not that."""
    if answer != request[:5]:
        raise LinkLost(f"answer {answer.hex(' ')}: expected {request[:5].hex(' ')}")


def words_of(request: bytes, answer: bytes) -> tuple[int, ...]:
    """Return the registers of the answer to FC03. LinkLost: it is not that."""
    (count,) = struct.unpack_from(">H", request, 3)
    if len(answer) != 2 + 2 * count or answer[0] != _READ or answer[1] != 2 * count:
        raise LinkLost(f"answer {answer.hex(' ')}: expected {count} registers")
    return struct.unpack_from(f">{count}H", answer, 2)
