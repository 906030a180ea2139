"""RTU frames, whatever the line makes of them."""

import minimalmodbus
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.plc_io.rtu_frame import LONGEST, Requests, find_answer, is_whole, request_length, seal

REQUESTS = [
    bytes.fromhex("0300000007"),
    bytes.fromhex("04000000 10"),
    bytes.fromhex("050001ff00"),
    bytes.fromhex("0600010002"),
    bytes.fromhex("0f0000001002ffff"),
    bytes.fromhex("100000000204 00010002"),
]
units = st.sampled_from([1, 7, 247])


@given(st.binary(min_size=2, max_size=60))
def test_the_check_sum_is_that_of_others(body: bytes) -> None:
    theirs = minimalmodbus._calculate_crc(body)
    assert seal(body[0], body[1:])[-2:] == (theirs if isinstance(theirs, bytes) else theirs.encode("latin1"))


@given(st.lists(st.tuples(units, st.sampled_from(REQUESTS)), min_size=1, max_size=6), st.data())
def test_requests_come_out_whole_however_they_are_sliced(sent: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(seal(unit, pdu) for unit, pdu in sent)
    heard, requests = [], Requests(1)
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        heard += requests.feed(stream[:cut])
        stream = stream[cut:]
    assert heard == sent
    assert requests.broken == 0


@given(st.binary(max_size=40), st.tuples(units, st.sampled_from(REQUESTS)), st.booleans())
def test_after_noise_and_silence_the_next_request_is_heard(
    noise: bytes, sent: tuple[int, bytes], together: bool
) -> None:
    requests = Requests(1)
    frame = seal(*sent)
    if together:  # noise glued to the frame: the silence behind both tells where it ends
        heard = requests.feed(noise + frame) + requests.silence()
    else:
        requests.feed(noise)
        requests.silence()
        heard = requests.feed(frame)
    assert sent in heard
    assert not requests.waiting


@pytest.mark.parametrize(
    "answer",
    [
        b"\x10\x00\x10\x00\x02",
        b"\x0f\x00\x00\x00\x10",
        b"\x03\x06\x01\x10\x00\x00\x00\x0f",
        b"\x90\x02",
        b"\x04\x02\x10\x10",
    ],
)
def test_an_answer_of_another_slave_does_not_hold_up_the_next_request(answer: bytes) -> None:
    requests = Requests(1)
    question = seal(1, REQUESTS[1])
    stream = seal(2, answer) + question
    assert requests.feed(stream) == [(1, REQUESTS[1])]
    assert [found for byte in stream for found in requests.feed(bytes((byte,)))] == [(1, REQUESTS[1])]
    assert requests.broken == 0


def test_a_byte_turned_in_a_frame_makes_it_none() -> None:
    frame = bytearray(seal(1, REQUESTS[0]))
    for at in range(len(frame)):
        frame[at] ^= 0x10
        requests = Requests(1)
        assert requests.feed(bytes(frame)) + requests.silence() == []
        assert requests.broken == len(frame)
        frame[at] ^= 0x10


def test_an_unknown_function_ends_with_the_silence_and_the_buffer_is_bounded() -> None:
    requests = Requests(1)
    assert requests.feed(seal(1, b"\x2b\x0e\x01\x00")) == []
    assert requests.silence() == [(1, b"\x2b\x0e\x01\x00")]
    requests.feed(b"\x01\x2b" * 4000)
    assert requests.broken >= 8000 - LONGEST
    assert [request_length(head) for head in (b"", b"\x01", b"\x01\x03", b"\x01\x10", b"\x01\x2b")] == [
        None,
        None,
        8,
        None,
        0,
    ]


@pytest.mark.parametrize("noise", [b"", b"\x01", b"\x01\x03\x0a", b"\xff" * 20])
def test_an_answer_is_found_behind_noise_and_only_whole(noise: bytes) -> None:
    answer = seal(1, b"\x03\x0a" + bytes(range(10)))
    assert find_answer(noise + answer, 1, 3, len(answer)) == answer[1:-2]
    assert find_answer(noise + answer[:-1], 1, 3, len(answer)) is None
    assert find_answer(noise + answer, 2, 3, len(answer)) is None
    refused = seal(1, b"\x83\x02")
    assert find_answer(noise + refused, 1, 3, len(answer)) == b"\x83\x02"
    assert is_whole(refused)
