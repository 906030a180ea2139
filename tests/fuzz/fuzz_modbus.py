"""Modbus: requests of a PLC by TCP and RTU, and answers of one that we ask."""

import contextlib
import struct

from okng.bus.errors import LinkLost
from okng.plc_io import client_pdu
from okng.plc_io.registers import Registers
from okng.plc_io.regmap import WordOrder
from okng.plc_io.rtu_frame import Requests, find_answer, seal


def seeds() -> list[bytes]:
    """Requests of every function that we know, and some that lie about their length."""
    pdus = [
        struct.pack(">BHH", function, address, count)
        for function in (1, 2, 3, 4, 5, 6, 43)
        for address, count in ((0, 1), (0, 16), (100, 125), (65535, 65535), (0, 0xFF00))
    ]
    pdus += [
        struct.pack(">BHHB", 16, 0, 4, 8) + bytes(8),
        struct.pack(">BHHB", 15, 0, 8, 1) + b"\xff",
        b"\x10",
        b"\x83\x02",
    ]
    return [seal(1, pdu) for pdu in pdus] + [seal(1, pdus[0]) * 3, b"\1\3\xff", bytes(300), b"\1\x10\0\0\0\1\xff"]


def one(data: bytes) -> None:
    """Whatever comes is answered by a PDU or passed over, and no byte is kept without end."""
    for unit in (1, 0):
        heard = Requests(unit)
        for start in range(0, len(data), 7):
            found = heard.feed(data[start : start + 7])
            assert all(_answered(pdu) for _, pdu in found)
        assert all(_answered(pdu) for _, pdu in heard.silence())
    pdu = data[1:254]
    if pdu:
        assert _answered(pdu)
    find_answer(data, 1, 3, 9)
    request = client_pdu.read_registers(0, 4)
    for ask in (client_pdu.words_of, client_pdu.confirm):
        with contextlib.suppress(LinkLost):
            ask(request, pdu)


def _answered(pdu: bytes) -> bool:
    writes: list[int] = []
    registers = Registers(WordOrder.HIGH_FIRST, lambda it: writes.append(len(it.holding)))
    before = list(registers.holding)
    answer = registers.answer(pdu, may_write=True, by_plc=True)
    assert 2 <= len(answer) <= 253
    assert answer[0] & 0x7F == pdu[0] & 0x7F
    if answer[0] & 0x80:  # refused: nothing has changed
        assert registers.holding == before
        assert not writes
    return True
