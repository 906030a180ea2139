"""The box as a client, judged by the log of a PLC on libmodbus: what reached it, whole, in order, and nothing old."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from okng.bus.clock import MS, SECOND, now_ns
from okng.plc_io.client_cycle import ClientCycle
from okng.plc_io.client_options import TcpClientOptions
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.modbus_client import modbus_client
from okng.plc_io.regmap import WordOrder
from okng.plc_io.signals import NO_STATUS, Command, Status, WireCode

from .conftest import free_port, lacking
from .plc_slave import (
    ACK,
    ANSWER_AT,
    ENCODER,
    RESULT_AT,
    STATE,
    Entry,
    PlcSlave,
    built,
    by_connection,
    logged,
)

VALID = {
    WireCode.OK: Status.RESULT_VALID | Status.OK,
    WireCode.NG: Status.RESULT_VALID | Status.NG,
    WireCode.UNJUDGED: Status.RESULT_VALID | Status.UNJUDGED,
    WireCode.LATE: Status.RESULT_VALID | Status.UNJUDGED,
}
OK_7 = OutImage(VALID[WireCode.OK], 1, seq=7, part=70000, disposition=WireCode.OK)


@pytest.fixture
def slave(tmp_path: Path) -> Iterator[PlcSlave]:
    made = PlcSlave(tmp_path)
    yield made
    made.close()


class Side:
    """The box's side of the link: what it heard, and a clock that shows whether the loop ever stood still."""

    def __init__(self, port: int, order: WordOrder = WordOrder.HIGH_FIRST, **more: object) -> None:
        values: dict[str, object] = {"host": "127.0.0.1", "port": port, "result_at": RESULT_AT, "answer_at": ANSWER_AT}
        options = TcpClientOptions.model_validate({**values, **more})
        self.heard: list[InImage] = []
        self.lost: list[tuple[int, str]] = []
        self.longest_ns = 0
        self.then: Callable[[InImage], None] = lambda _: None
        self.link: ClientCycle = modbus_client(options, order, on_image=self._image, on_lost=self._gone)

    def _image(self, image: InImage) -> None:
        self.heard.append(image)
        self.then(image)

    def _gone(self, reason: str) -> None:
        self.lost.append((now_ns(), reason))

    async def until(self, what: str, true: Callable[[], object], timeout_s: float = 8.0) -> None:
        """Wait until the callable says so."""
        end = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < end, f"{what}: not within {timeout_s} s"
            await asyncio.sleep(0.002)

    async def tick(self) -> None:
        """Measure how late a sleep of 5 ms ends."""
        while True:
            at = now_ns()
            await asyncio.sleep(0.005)
            self.longest_ns = max(self.longest_ns, now_ns() - at)


def run(side: Callable[[], Side], play: Callable[[Side], Awaitable[None]]) -> Side:
    """Open the link of a side, play, close it."""

    async def main() -> Side:
        made = side()
        ticker = asyncio.create_task(made.tick())
        await made.link.open()
        try:
            await made.until("the PLC answers", lambda: made.link.connected)
            await play(made)
        finally:
            ticker.cancel()
            await made.link.close()
        return made

    return asyncio.run(main())


def results(entries: list[Entry]) -> list[tuple[int, ...]]:
    """The result blocks in a log, each checked for being whole."""
    blocks = [entry.words for entry in entries if entry.kind == "write"]
    for words in blocks:
        assert len(words) == 8
        assert words[0] == words[7], f"torn: {words}"
    return blocks


def told(blocks: list[tuple[int, ...]]) -> list[tuple[int, int, int, int]]:
    """(seq, part, disposition, defect) of the results, each once for each run of the same."""
    found: list[tuple[int, int, int, int]] = []
    for words in blocks:
        result = (words[0], words[1] << 16 | words[2], words[3], words[4])
        if words[0] and (not found or found[-1] != result):
            found.append(result)
    return found


@pytest.mark.parametrize("delay_us", [0, 4000])
def test_each_part_is_told_whole_and_exactly_as_published(slave: PlcSlave, delay_us: int) -> None:
    """Images change at any moment while requests are under way; 300 parts, or 60 with a PLC that takes its time."""
    dice = random.Random(delay_us)
    published: list[tuple[int, int, int, int]] = []
    count = 60 if delay_us else 300
    slave.order("ack 1", f"delay {delay_us}")

    async def play(side: Side) -> None:
        image = OutImage()

        def next_part(heard: InImage) -> None:
            nonlocal image
            if image.seq and heard.ack_seq != image.seq:
                return
            if len(published) == count:
                image = replace(image, status=NO_STATUS, seq=0, part=0, disposition=WireCode.NONE, defect=0)
            else:
                code = dice.choice(list(VALID))
                part = dice.randrange(1, 2**32)
                image = replace(image, status=VALID[code], seq=image.seq % 65535 + 1, part=part)
                image = replace(image, disposition=code, defect=dice.randrange(2))
                published.append((image.seq, image.part, image.disposition, image.defect))
            side.link.publish(image)

        image = OutImage(seq=65400, status=NO_STATUS)  # runs over 65535 -> 1
        side.then = next_part
        next_part(InImage(0, ack_seq=65400))
        while len(published) < count or image.seq:
            image = replace(image, heartbeat=(image.heartbeat + 1) & 0xFFFF)
            side.link.publish(image)
            await asyncio.sleep(dice.random() * 0.003)

    side = run(lambda: Side(slave.port, cycle_ms=5), play)
    assert side.lost == []
    assert told(results(slave.entries())) == published
    assert {entry.numbers[:2] for entry in slave.entries("write")} == {(RESULT_AT, 8)}
    assert {entry.numbers for entry in slave.entries("read")} == {(ANSWER_AT, 5)}
    assert slave.entries("other") == slave.entries("coil") == []
    assert len(slave.connections()) == 1


def test_what_the_plc_says_is_heard(slave: PlcSlave) -> None:
    async def play(side: Side) -> None:
        state = int(Command.TRIGGER | Command.TRIG_ENABLE | Command.BUFFER_EN)
        slave.order(f"set {STATE} {state | 0x8000}", f"set {ACK} 513", f"set {ENCODER} 1", f"set {ENCODER + 1} 2")
        await side.until("the state", lambda: side.heard[-1].encoder == 1 << 16 | 2)
        heard = side.heard[-1]
        assert (heard.command, heard.ack_seq, heard.part) == (state, 513, 0)
        beats = [image.heartbeat for image in side.heard]
        assert beats == sorted(beats)
        side.link.publish(OK_7)
        await side.until("seen", lambda: side.heard[-1].seen_seq == 7)

    run(lambda: Side(slave.port), play)


def test_the_other_word_order(slave: PlcSlave) -> None:
    async def play(side: Side) -> None:
        slave.order(f"set {ENCODER} 2", f"set {ENCODER + 1} 1")
        await side.until("the encoder", lambda: side.heard[-1].encoder == 1 << 16 | 2)
        side.link.publish(OK_7)
        await side.until("seen", lambda: side.heard[-1].seen_seq == 7)

    run(lambda: Side(slave.port, WordOrder.LOW_FIRST), play)
    assert results(slave.entries())[-1][1:3] == (70000 & 0xFFFF, 1)


def test_an_image_goes_out_at_once(slave: PlcSlave) -> None:
    """The cycle is a second long here: what is published does not wait for it."""
    sent: list[int] = []

    async def play(side: Side) -> None:
        for seq in range(1, 9):
            sent.append(now_ns())
            side.link.publish(replace(OK_7, seq=seq))
            await asyncio.sleep(0.05)

    run(lambda: Side(slave.port, cycle_ms=1000), play)
    first = {seq: next(e.at_ns for e in slave.entries("write") if e.words[0] == seq) for seq in range(1, 9)}
    waited = sorted((first[seq] - sent[seq - 1]) / MS for seq in range(1, 9))
    assert waited[4] < 10, waited
    assert waited[-1] < 50, waited


def test_the_last_image_reaches_the_plc_before_the_link_ends(slave: PlcSlave) -> None:
    async def play(side: Side) -> None:
        side.link.publish(OK_7)
        await side.until("seen", lambda: side.heard[-1].seen_seq == 7)
        side.link.publish(OutImage(heartbeat=99))

    side = run(lambda: Side(slave.port, cycle_ms=1000), play)
    assert results(slave.entries())[-1] == (0, 0, 0, 0, 0, 0, 99, 0)
    assert side.lost == []
    assert not side.link.connected


# -- coils -------------------------------------------------------------------------------------------------------------

COILS = {"OK": 10, "NG": 11, "READY": 12, "RESULT_VALID": 20}


def test_single_coils_and_no_neighbour(slave: PlcSlave) -> None:
    """Neighbours hold a pattern; bits fall before the block that takes them back, RESULT_VALID rises last of all."""
    pattern = [address % 3 == 0 for address in range(64)]
    slave.order(*(f"coil {address} {int(on)}" for address, on in enumerate(pattern)))

    async def play(side: Side) -> None:
        ng = replace(OK_7, status=VALID[WireCode.NG], disposition=WireCode.NG)
        images = [OutImage(Status.READY), OK_7, OutImage(), replace(ng, seq=8), replace(OK_7, seq=9)]
        for image in [*images, replace(OK_7, seq=10), replace(ng, seq=11), OutImage(Status.READY)]:
            side.link.publish(image)
            await side.until("shown", lambda seq=image.seq: side.heard[-1].seen_seq == seq)  # type: ignore[misc]
            await asyncio.sleep(0.03)
        for seq in range(12, 90):  # faster than they can be shown
            side.link.publish(replace(OK_7 if seq % 3 else ng, seq=seq))
            await asyncio.sleep(0.001)
        side.link.publish(OutImage(Status.READY))
        await asyncio.sleep(0.1)

    run(lambda: Side(slave.port, coils=COILS), play)
    slave.order("coils")
    end = time.monotonic() + 5
    while not (coils := slave.entries("coils")):
        assert time.monotonic() < end
    expected = [(on and address not in COILS.values()) or address == 12 for address, on in enumerate(pattern)]
    assert [bool(value) for value in coils[-1].numbers] == expected
    assert slave.entries("other") == []
    assert {entry.numbers[0] for entry in slave.entries("coil")} == set(COILS.values())
    state: dict[int, int] = dict.fromkeys(COILS.values(), 0)
    block: tuple[int, ...] = (0,) * 8
    rising: list[int] = []
    for entry in slave.entries():
        if entry.kind == "write":
            block = entry.words
        elif entry.kind == "coil":
            rises = entry.numbers[1] > state[entry.numbers[0]]
            state[entry.numbers[0]] = entry.numbers[1]
            if rises:  # the block that says so is there already
                name = next(name for name, at in COILS.items() if at == entry.numbers[0])
                assert Status[name] in Status(block[5])
            assert state[10] + state[11] <= 1
            if state[10]:
                assert Status.OK in Status(block[5]), "no coil says OK without its block"
            if rises and entry.numbers[0] == 20:
                rising.append(block[0])
                assert state[10] + state[11] == 1
    assert set(rising[:5]) == {7, 8, 9, 10, 11}, "RESULT_VALID falls between two results"
    first = slave.connections()[0][: len(COILS) + 1]
    assert [entry.kind for entry in first] == ["coil"] * len(COILS) + ["write"]
    assert all(entry.numbers[1] == 0 for entry in first[:-1])


# -- losses ------------------------------------------------------------------------------------------------------------


def nothing_old(connection: list[Entry], *fresh: int) -> None:
    """The first thing on a connection is an empty block, and only fresh results follow."""
    blocks = results(connection)
    assert blocks[0][:6] == (0, 0, 0, 0, 0, 0), blocks[0]
    assert {words[0] for words in blocks} <= {0, *fresh}
    for words in blocks:
        if words[0] == 0:
            assert words[1:5] == (0, 0, 0, 0)
            assert not Status(words[5]) & (Status.RESULT_VALID | Status.OK)


def test_nothing_old_after_a_dropped_connection(slave: PlcSlave) -> None:
    """Even a station that went on to show its old result (as none does) could not bring it onto the new connection."""

    async def play(side: Side) -> None:
        for seq in range(7, 12):
            side.link.publish(replace(OK_7, seq=seq))
            await side.until("seen", lambda seq=seq: side.heard[-1].seen_seq == seq)  # type: ignore[misc]
            slave.order("drop")
            await side.until("lost", lambda seq=seq: len(side.lost) == seq - 6)  # type: ignore[misc]
            assert not side.link.connected
            await side.until("back", lambda: side.link.connected)
            for beat in range(10):
                side.link.publish(replace(OK_7, seq=seq, heartbeat=beat))
                await asyncio.sleep(0.005)

    side = run(lambda: Side(slave.port), play)
    connections = slave.connections()
    assert len(connections) == 6
    for number, connection in enumerate(connections):
        nothing_old(connection, *([7 + number] if number < 5 else []))
    assert len(side.lost) == 5
    assert side.link.health.accepted == 6


def test_a_frozen_plc_costs_its_time_out_and_is_lost_once(slave: PlcSlave) -> None:
    async def play(side: Side) -> None:
        side.link.publish(OK_7)
        await side.until("seen", lambda: side.heard[-1].seen_seq == 7)
        at = now_ns()
        slave.order("freeze 900")
        await side.until("lost", lambda: side.lost)
        assert (side.lost[0][0] - at) / MS < 600
        assert "no answer within 50 ms" in side.lost[0][1]
        side.link.publish(OutImage(heartbeat=5))
        await side.until("back", lambda: side.link.connected)
        side.link.publish(replace(OK_7, seq=8, part=2))
        await side.until("the next result", lambda: side.heard[-1].seen_seq == 8)

    side = run(lambda: Side(slave.port), play)
    assert len(side.lost) == 1
    assert side.longest_ns < 100 * MS, "the loop never waits for the PLC"
    assert side.link.health.timeouts >= 4
    awake = next(entry.at_ns for entry in slave.entries("awake"))
    connections = slave.connections()
    # what came in the frozen time was said on the old connection, and was the result that stood then
    assert {words[0] for words in results(connections[0])} <= {0, 7}
    nothing_old(connections[-1], 8)
    back = next(entry.at_ns for entry in connections[-1] if entry.kind == "read")
    assert back - awake < 1500 * MS


def test_a_short_stall_loses_nothing(slave: PlcSlave) -> None:
    async def play(side: Side) -> None:
        side.link.publish(OK_7)
        for _ in range(4):
            await side.until("seen", lambda: side.heard[-1].seen_seq == 7)
            heard = len(side.heard)
            slave.order("freeze 80")
            await side.until("answers again", lambda heard=heard: len(side.heard) > heard + 5)  # type: ignore[misc]

    side = run(lambda: Side(slave.port, lost_ms=1000), play)
    assert side.lost == []
    assert side.link.health.timeouts >= 2
    assert len(slave.connections()) == 1
    assert told(results(slave.entries())) == [(7, 70000, 1, 0)]


def test_a_late_answer_is_not_taken_for_the_next_one(slave: PlcSlave) -> None:
    """plc_hb counts requests, so an answer to an earlier question would let it step back."""

    async def play(side: Side) -> None:
        for _ in range(12):
            heard = len(side.heard)
            slave.order("late 70000")
            await side.until("answers again", lambda heard=heard: len(side.heard) > heard + 8)  # type: ignore[misc]

    side = run(lambda: Side(slave.port, lost_ms=1000), play)
    assert side.lost == []
    assert side.link.health.stale >= 6
    beats = [image.heartbeat for image in side.heard]
    assert beats == sorted(set(beats))


def test_a_refusal_is_said_in_words_and_busy_is_asked_again(slave: PlcSlave) -> None:
    async def play(side: Side) -> None:
        heard = len(side.heard)
        slave.order("refuse 6")
        await asyncio.sleep(0.06)
        slave.order("refuse 0")
        await side.until("answers again", lambda: len(side.heard) > heard + 5)
        assert side.lost == []
        slave.order("refuse 2")
        await side.until("lost", lambda: side.lost)
        slave.order("refuse 0")
        await side.until("back", lambda: side.link.connected)

    side = run(lambda: Side(slave.port, lost_ms=1000), play)
    assert "exception 02 illegal data address" in side.lost[0][1]
    assert len(side.lost) == 1
    assert side.link.health.refused >= 3


def test_a_plc_that_comes_late_or_again_is_found_within_its_second(tmp_path: Path) -> None:
    port = free_port()
    slaves: list[PlcSlave] = []

    async def main() -> Side:
        side = Side(port)
        await side.link.open()
        side.link.publish(OK_7)
        await asyncio.sleep(0.4)
        assert not side.link.connected
        assert side.lost == []
        for number in range(2):
            slaves.append(PlcSlave(tmp_path, port))
            at = now_ns()
            await side.until("connected", lambda: side.link.connected)
            assert now_ns() - at < 2 * SECOND
            assert len(side.lost) == number
            nothing_old(slaves[-1].connections()[-1])
            slaves[-1].close()
            await side.until("lost", lambda number=number: len(side.lost) == number + 1)  # type: ignore[misc]
            await asyncio.sleep(0.8)
        await side.link.close()
        await side.link.close()
        return side

    try:
        side = asyncio.run(main())
    finally:
        for slave in slaves:
            slave.close()
    assert len(side.lost) == 2


@pytest.mark.needs_root
@pytest.mark.parametrize("rest_s", ["0.05", "1.5"])
def test_a_cable_that_swallows_everything_is_found_within_a_second(tmp_path: Path, rest_s: str) -> None:
    """Half-open: no reset and no error comes. After the cable is mended nothing of before reaches the PLC.

    The short one ends while the kernel would still repeat what it could not deliver.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root: a network of its own")
    for tool in ("unshare", "nsenter", "ip"):
        lacking(tool)
    script = Path(__file__).with_name("half_open.py")
    command = ["unshare", "-n", sys.executable, str(script), str(tmp_path), str(built()), rest_s]
    done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["seen"] == 7
    assert figures["lost_ms"] < 1000, figures
    assert figures["losses"] == 1
    assert figures["back_ms"] < 3000, figures
    connections = by_connection(logged(tmp_path / "half-open.log"))
    nothing_old(connections[-1])
    after = [entry for connection in connections for entry in connection if entry.at_ns > figures["mended_ns"]]
    assert {words[0] for words in results(after)} == {0}, "bytes of the old connection came after the new one"


def test_an_error_of_ours_ends_the_process_and_not_only_the_cycle(slave: PlcSlave) -> None:
    """`connected` is asked in every turn of io's loop: there the error comes up."""

    async def play(side: Side) -> None:
        def broken(_: InImage) -> None:
            raise RuntimeError("a fault in the station")

        side.then = broken
        await asyncio.sleep(0.1)
        with pytest.raises(RuntimeError, match="a fault in the station"):
            assert side.link.connected
        reads = len(slave.entries("read"))
        await asyncio.sleep(0.1)
        assert len(slave.entries("read")) == reads, "nothing is written any more: the PLC sees the heartbeat stop"

    run(lambda: Side(slave.port), play)
