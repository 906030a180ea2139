"""The blocks of the client role as bytes a PLC engineer can check by hand, and what the settings refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from okng.bus.errors import LinkLost
from okng.plc_io import client_pdu
from okng.plc_io.client_block import BLOCKS, Block, entries, pack_result, size, unpack_answer
from okng.plc_io.client_coils import Coils
from okng.plc_io.client_options import TcpClientOptions
from okng.plc_io.images import OutImage
from okng.plc_io.modbus_client import plan_of
from okng.plc_io.regmap import WordOrder
from okng.plc_io.signals import Command, Status, WireCode

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


def test_the_blocks_are_whole_and_nothing_overlaps() -> None:
    assert (size(Block.RESULT), size(Block.ANSWER)) == (8, 5)
    for block in Block:
        taken = [at for entry in entries(block) for at in range(entry.offset, entry.last + 1)]
        assert taken == list(range(size(block)))
    assert {entry.writer for entry in BLOCKS} == {"box", "PLC"}
    names = [entry.name for entry in entries(Block.RESULT)]
    assert names == ["seq_begin", "part", "disposition", "defect", "status", "hb", "seq_end"]
    assert [entry.name for entry in entries(Block.ANSWER)] == ["ack_seq", "plc_hb", "state", "encoder"]


def test_one_result_by_hand() -> None:
    image = OutImage(Status.RESULT_VALID | Status.OK, 77, seq=513, part=0x00010002, disposition=WireCode.OK, defect=9)
    assert pack_result(image) == (513, 1, 2, 1, 9, 0x0018, 77, 513)
    assert pack_result(image, WordOrder.LOW_FIRST) == (513, 2, 1, 1, 9, 0x0018, 77, 513)
    assert pack_result(OutImage(defect=70_000))[4] == 65535
    heard = unpack_answer((513, 5, 0x8009, 1, 2), 99, 512)
    assert (heard.ack_seq, heard.heartbeat, heard.command) == (513, 5, Command.TRIGGER | Command.BUFFER_EN)
    assert (heard.encoder, heard.part, heard.job_request, heard.at_ns, heard.seen_seq) == (0x00010002, 0, 0, 99, 512)
    assert unpack_answer((0, 0, 0, 1, 2), 0, order=WordOrder.LOW_FIRST).encoder == 0x00020001


@given(part=U32, seq=U16, encoder=U32, order=st.sampled_from(WordOrder))
def test_every_number_survives(part: int, seq: int, encoder: int, order: WordOrder) -> None:
    words = pack_result(OutImage(part=part, seq=seq), order)
    assert words[0] == words[7] == seq
    first, second = (words[1], words[2]) if order is WordOrder.HIGH_FIRST else (words[2], words[1])
    assert first << 16 | second == part
    high, low = encoder >> 16, encoder & 0xFFFF
    told = (0, 0, 0, high, low) if order is WordOrder.HIGH_FIRST else (0, 0, 0, low, high)
    assert unpack_answer(told, 0, order=order).encoder == encoder


def test_requests_by_hand() -> None:
    """Examples in the manner of the Modbus Application Protocol, 6.3, 6.5 and 6.12."""
    assert client_pdu.read_registers(0x006B, 3).hex(" ") == "03 00 6b 00 03"
    assert client_pdu.write_coil(0x00AC, True).hex(" ") == "05 00 ac ff 00"
    assert client_pdu.write_registers(1, (0x000A, 0x0102)).hex(" ") == "10 00 01 00 02 04 00 0a 01 02"
    read = client_pdu.read_registers(0x006B, 3)
    assert client_pdu.words_of(read, bytes.fromhex("03 06 022b 0000 0064")) == (555, 0, 100)
    client_pdu.confirm(client_pdu.write_registers(1, (10, 258)), bytes.fromhex("10 0001 0002"))
    assert client_pdu.exception_of(b"\x83\x02") == 2
    assert client_pdu.exception_of(b"\x03\x02") == 0
    assert client_pdu.refusal(read, 2) == "FC03 at address 107 refused: exception 02 illegal data address"


@given(st.binary(max_size=20))
def test_no_answer_but_the_right_one_is_taken(answer: bytes) -> None:
    for request in (client_pdu.write_registers(1, (10, 258)), client_pdu.write_coil(1, True)):
        if answer != request[:5]:
            with pytest.raises(LinkLost, match="expected"):
                client_pdu.confirm(request, answer)
    if not (len(answer) == 8 and answer[:2] == b"\x03\x06"):
        with pytest.raises(LinkLost, match="expected 3 registers"):
            client_pdu.words_of(client_pdu.read_registers(107, 3), answer)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"host": "0.0.0.0"}, "expected the address of one PLC"),
        ({"host": "plc"}, "expected an IP address"),
        ({"coils": {"GOOD": 1}}, "'GOOD': expected one of READY"),
        ({"coils": {"OK": 1, "NG": 1}}, "coils: 1 is given to two bits"),
        ({"coils": {"OK": 65536}}, "less than or equal to 65535"),
        ({"result_at": 100, "answer_at": 107}, "they overlap"),
        ({"result_at": 104, "answer_at": 100}, "they overlap"),
        ({"result_at": 65529}, "less than or equal to 65528"),
        ({"lost_ms": 20, "timeout_ms": 50}, "lost_ms = 20: expected at least timeout_ms = 50"),
        ({"reconnect_ms": 1001}, "less than or equal to 1000"),
        ({"slave": 3}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TcpClientOptions.model_validate(values)
    assert words in str(refused.value)


def test_the_plan_of_the_settings() -> None:
    options = TcpClientOptions.model_validate({"coils": {"OK": 10, "READY": 12}, "result_at": 108, "answer_at": 103})
    plan = plan_of(options, WordOrder.LOW_FIRST)
    assert plan.coils == ((Status.OK, 10), (Status.READY, 12))
    assert (plan.result_at, plan.answer_at, plan.order) == (108, 103, WordOrder.LOW_FIRST)
    assert (plan.cycle_ns, plan.patience_ns, plan.longest_wait_ns) == (10_000_000, 200_000_000, 1_000_000_000)


COILS = ((Status.OK, 10), (Status.NG, 11), (Status.RESULT_VALID, 12), (Status.READY, 13))
RESULTS = (Status(0), Status.OK, Status.NG, Status.OK)
"""Of seq 0, 1, 2 and 3: a result that is shown does not change."""
IMAGES = st.builds(
    lambda seq, ready: OutImage((RESULTS[seq] | Status.RESULT_VALID if seq else Status(0)) | ready, seq=seq),
    st.integers(0, 3),
    st.sampled_from([Status(0), Status.READY]),
)


@given(st.lists(IMAGES, max_size=12))
def test_coils_go_through_reject_between_two_results(images: list[OutImage]) -> None:
    """After each image the coils are its bits; on the way RESULT_VALID is never on beside bits of another result."""
    coils, stand, seq = Coils(COILS), dict.fromkeys((at for _, at in COILS), False), 0

    def switch(address: int, on: bool) -> None:
        stand[address] = on
        coils.confirmed(address, on)

    for image in images:
        for address in coils.falling(image, seq):
            switch(address, False)
            assert not (stand[12] and address in (10, 11) and image.seq != seq), "RESULT_VALID falls first"
        if image.seq != seq:
            assert not any(stand[at] for at in (10, 11, 12))
        seq = image.seq
        for _, address in coils.rising(image):
            assert not stand[12] or address == 13, "RESULT_VALID rises last"
            switch(address, True)
        assert stand == {at: flag in image.status for flag, at in COILS}
        again = coils.again()
        assert again is not None
        assert stand[again[0]] is again[1]
    assert Coils(()).again() is None
