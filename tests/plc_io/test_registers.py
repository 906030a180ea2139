"""Requests and answers byte by byte, without a socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.plc_io.images import OutImage
from okng.plc_io.registers import Registers
from okng.plc_io.regmap import WordOrder
from okng.plc_io.signals import Status


def made() -> tuple[Registers, list[list[int]]]:
    writes: list[list[int]] = []
    registers = Registers(WordOrder.HIGH_FIRST, lambda r: writes.append(list(r.holding)))
    registers.publish(OutImage(status=Status.READY | Status.DEGRADED, seq=5, part=0x00010002, ok=3))
    return registers, writes


READS = [
    ("01 0000 0010", "01 02 0000"),
    ("02 0000 0010", "02 02 0180"),
    ("02 000F 0001", "02 01 01"),
    ("03 0000 0007", "03 0E 0000 0000 0000 0000 0000 0000 0000"),
    ("04 0003 0003", "04 06 0005 0001 0002"),
    ("04 000F 0001", "04 02 0005"),
    ("04 001A 0005", "04 0A 0000 0000 0000 0000 1234"),
    ("03 03EB 0003", "03 06 0005 0001 0002"),
    ("03 0406 0004", "03 08 1234 5678 42F6 E979"),
]
REFUSED = [
    ("", "80 01"),
    ("07", "87 01"),
    ("08 0004 0000", "88 01"),
    ("16 0000 FFFF 0000", "96 01"),
    ("17 0000 0001 0000 0001 02 0000", "97 01"),
    ("2B 0E 01 00", "AB 01"),
    ("01 0009 0001", "81 02"),
    ("01 0000 0011", "81 02"),
    ("02 0010 0001", "82 02"),
    ("03 0007 0001", "83 02"),
    ("03 0006 0002", "83 02"),
    ("03 03E7 0001", "83 02"),
    ("03 03E7 0002", "83 02"),
    ("03 0404 0002", "83 02"),
    ("03 040A 0001", "83 02"),
    ("04 001C 0002", "84 02"),
    ("04 0022 0001", "84 02"),
    ("04 0000 0023", "84 02"),
    ("04 FFFF 0001", "84 02"),
    ("04 0000 0000", "84 03"),
    ("04 0000 007E", "84 03"),
    ("04 0000", "84 03"),
    ("05 0000 0001", "85 03"),
    ("05 0000 FF01", "85 03"),
    ("05 0009 FF00", "85 02"),
    ("06 0007 0001", "86 02"),
    ("06 03E8 0001", "86 02"),
    ("0F 0009 0007 01 7F", "8F 02"),
    ("0F 0008 0010 02 FFFF", "8F 02"),
    ("0F 0000 0008 02 FFFF", "8F 03"),
    ("0F 0000 0008 01", "8F 03"),
    ("10 0006 0002 04 0001 0002", "90 02"),
    ("10 03E8 0001 02 0001", "90 02"),
    ("10 0000 0002 02 0001", "90 03"),
    ("10 0000 0000 00", "90 03"),
    ("10 0000", "90 03"),
]
WRITES = [
    ("05 0000 FF00", "05 0000 FF00", [1, 0, 0, 0, 0, 0, 0]),
    ("05 0008 FF00", "05 0008 FF00", [0x100, 0, 0, 0, 0, 0, 0]),
    ("06 0000 FFFF", "06 0000 FFFF", [0x1FF, 0, 0, 0, 0, 0, 0]),
    ("06 0006 0009", "06 0006 0009", [0, 0, 0, 0, 0, 0, 9]),
    ("0F 0000 0010 02 0301", "0F 0000 0010", [0x103, 0, 0, 0, 0, 0, 0]),
    ("0F 0001 0003 01 FF", "0F 0001 0003", [0x00E, 0, 0, 0, 0, 0, 0]),
    (
        "10 0000 0007 0E 0003 0001 0002 0003 0004 0005 0006",
        "10 0000 0007",
        [3, 1, 2, 3, 4, 5, 6],
    ),
]


@pytest.mark.parametrize(("request_", "answer"), READS + REFUSED)
def test_reads_and_refusals(request_: str, answer: str) -> None:
    registers, writes = made()
    assert registers.answer(bytes.fromhex(request_)).hex(" ") == bytes.fromhex(answer).hex(" ")
    assert writes == []
    assert registers.holding == [0] * 7


@pytest.mark.parametrize(("request_", "answer", "holding"), WRITES)
def test_writes_change_all_at_once(request_: str, answer: str, holding: list[int]) -> None:
    registers, writes = made()
    assert registers.answer(bytes.fromhex(request_)) == bytes.fromhex(answer)
    assert writes == [holding]


def test_coils_are_the_bits_of_holding_register_0() -> None:
    registers, _ = made()
    registers.answer(bytes.fromhex("06 0000 0103"))
    assert registers.answer(bytes.fromhex("01 0000 0010")) == bytes.fromhex("01 02 0301")
    registers.answer(bytes.fromhex("05 0001 0000"))
    assert registers.answer(bytes.fromhex("03 0000 0001")) == bytes.fromhex("03 02 0101")
    registers.answer(bytes.fromhex("0F 0001 0002 01 03"))
    assert registers.holding[0] == 0x107


@pytest.mark.parametrize(
    ("request_", "beaten"), [("06 0001 0001", True), ("05 0008 FF00", True), ("06 0006 0001", False)]
)
def test_a_heartbeat_is_told_from_other_writes(request_: str, beaten: bool) -> None:
    registers, _ = made()
    registers.answer(bytes.fromhex(request_))
    assert registers.beaten is beaten
    registers.answer(bytes.fromhex(request_))
    assert not registers.beaten


def test_it_knows_which_result_was_read() -> None:
    registers, _ = made()
    assert registers.seen_seq == 0
    registers.answer(bytes.fromhex("04 0010 0002"))
    assert registers.seen_seq == 0
    registers.answer(bytes.fromhex("02 0003 0001"))
    assert registers.seen_seq == 5
    registers.publish(OutImage(seq=6))
    assert registers.seen_seq == 5
    registers.answer(bytes.fromhex("03 03E8 0010"))
    assert registers.seen_seq == 6


def test_a_stranger_may_read_but_not_write() -> None:
    registers, writes = made()
    assert registers.answer(bytes.fromhex("06 0000 0001"), may_write=False) == bytes.fromhex("86 01")
    assert registers.answer(bytes.fromhex("04 0003 0001"), may_write=False) == bytes.fromhex("04 02 0005")
    assert writes == []


@given(st.binary(max_size=260))
def test_no_bytes_break_it(request_: bytes) -> None:
    registers, writes = made()
    answer = registers.answer(request_)
    code = request_[0] if request_ else 0
    assert answer[0] in (code, code | 0x80)
    assert len(answer) <= 253
    if answer[0] & 0x80:
        assert writes == []


@pytest.mark.parametrize("request_hex", ["04 0000 0010", "02 0000 0010", "03 03E8 0010"])
def test_what_a_monitor_reads_the_plc_has_not_seen(request_hex: str) -> None:
    registers, _ = made()
    request = bytes.fromhex(request_hex)
    seen_by_monitor = registers.answer(request, by_plc=False)
    assert registers.seen_seq == 0
    assert registers.answer(request) == seen_by_monitor
    assert registers.seen_seq == 5
