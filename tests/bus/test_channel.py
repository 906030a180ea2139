"""The channel: what is sent arrives as it was, and nothing else is taken for a message."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.channel import EntryReceiver, EntrySender, Publisher, Subscriber, decode, encode, io_address
from okng.bus.entries import TriggerEntry
from okng.bus.messages import FrameReady, Hold, Stored
from okng.bus.part import Defect, HeatMap, Outcome, Trigger, Verdict


@pytest.fixture
def run_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="okng-", dir="/tmp") as folder:
        yield Path(folder)


TRIGGER = Trigger(part=7, station="s", at_ns=1, encoder=None, deadline_ns=2, recipe="r")
FRAME = FrameReady(7, "top", "ring", 1, 2, 3, 4, 5, 6, "Mono8", 30, 1, 8, None, 9, 10, "2026-01-01T00:00:00Z")
VERDICT = Verdict(
    part=7,
    outcome=Outcome.NG,
    reasons=("score",),
    defects=(Defect("anomaly", "whole", 1, 2, 3, 4, 5.0),),
    score=5.0,
    threshold=4.0,
    recipe="r",
    revision="v",
    model="m",
    camera="top",
    triggered_at_ns=1,
    frame=FRAME,
    heat=(HeatMap(0, 0, 4, 4, 2, 1, b"\x01\x02"),),
    started_ns=11,
    done_ns=12,
)


@pytest.mark.parametrize("message", [TRIGGER, FRAME, VERDICT, Stored("e", (1, 2)), TriggerEntry("e", 1, TRIGGER, "b")])
def test_a_message_comes_back_as_it_was(message: object) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "frames",
    [
        *([b"Trigger"], [b"Unknown", b"\x80"], [b"Trigger", b"\x80"], [b"Trigger", b"\xc1"], []),
        *([b"Hold", b"\x83\xa3ld\x00" * 3000], [b"Hold", b"\x81\xa1x" + b"\x91" * 9000]),
    ],
)
def test_what_is_no_message_is_a_value_error(frames: list[bytes]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's own text
        decode(frames)


def test_only_messages_are_sent() -> None:
    with pytest.raises(KeyError, match="str is not a message"):
        encode("hello")


def test_a_part_number_of_zero_is_refused_on_arrival() -> None:
    name, body = encode(TRIGGER)
    with pytest.raises(ValueError, match="part 0"):
        decode([name, body.replace(b"\xa4part\x07", b"\xa4part\x00")])


def test_a_subscriber_hears_only_the_kinds_it_asked_for(run_dir: Path) -> None:
    address = f"ipc://{run_dir}/x.ipc"
    with Publisher(address) as publisher, Subscriber([address], (Trigger,)) as ears:
        for _ in range(100):
            publisher.send(TriggerEntry("e", 1, TRIGGER, "b"))  # its name begins with Trigger
            publisher.send(TRIGGER)
            if (heard := ears.receive(50)) is not None:
                break
        assert heard == TRIGGER


def test_a_listener_that_is_too_slow_never_stops_the_speaker(run_dir: Path) -> None:
    address = f"ipc://{run_dir}/x.ipc"
    with Publisher(address) as publisher, Subscriber([address], (Trigger,)) as ears:
        while ears.receive(20) is None:
            publisher.send(TRIGGER)
        for _ in range(20_000):
            publisher.send(TRIGGER)
        heard = 0
        while ears.receive(50) is not None:
            heard += 1
        assert 0 < heard < 20_000


def test_entries_wait_for_records_and_are_answered(run_dir: Path) -> None:
    address = f"ipc://{run_dir}/records.ipc"
    entry = TriggerEntry("e", 1, TRIGGER, "b")
    with EntrySender(address) as sender:
        assert sender.send(entry)  # records is not there yet: the socket holds it
        with EntryReceiver(address) as receiver:
            got = receiver.receive(5000)
            assert got is not None
            who, received = got
            assert received == entry
            receiver.answer(who, Stored("e", (1,)))
            assert sender.wait(5000)
            assert sender.receive() == Stored("e", (1,))
            assert sender.receive() is None


def test_verdicts_check_themselves() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Verdict(**{**{f: getattr(VERDICT, f) for f in VERDICT.__slots__}, "reasons": ()})
    with pytest.raises(ValueError, match="OK carries no"):
        Verdict(**{**{f: getattr(VERDICT, f) for f in VERDICT.__slots__}, "outcome": Outcome.OK})


def test_draining_passes_over_what_is_no_message_counts_it_and_ends(run_dir: Path) -> None:
    address = io_address(run_dir)
    with Publisher(address) as speaker, Subscriber([address], (Hold,)) as ear:
        kept = Hold("opcua", True, "stopped")
        end = time.monotonic() + 5
        while ear.receive(20) is None:
            assert time.monotonic() < end
            speaker.send(kept)
        for _ in ear.drain():
            continue
        assert ear.bad == 0
        speaker.socket.send_multipart([b"Hold", b"\xc1 no msgpack"])
        speaker.send(kept)
        assert ear.wait(2000)
        time.sleep(0.1)
        assert list(ear.drain()) == [kept]
        assert ear.bad == 1
        assert list(ear.drain()) == []
