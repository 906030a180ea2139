"""Modbus RTU when the line misbehaves: cables that vanish and return, floods, late slaves, adapters with an echo.

Judged by a libmodbus slave's log, by foreign masters, and by bytes on a plain pseudo terminal.
"""

import asyncio
import os
import pty
import random
import subprocess
import tempfile
import threading
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import minimalmodbus
import pytest
import serial

from okng.bus.errors import LinkLost
from okng.plc_io.client_cycle import ClientCycle, NoAnswer
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.link import LinkHealth
from okng.plc_io.modbus_client import plan_of
from okng.plc_io.regmap import WordOrder
from okng.plc_io.rtu_client import RtuWire, rtu_client
from okng.plc_io.rtu_frame import seal
from okng.plc_io.rtu_server import RtuServer
from okng.plc_io.serial_options import RtuClientOptions, SerialLineOptions
from okng.plc_io.signals import Status, WireCode

from .paced_pty import laid
from .rtu_slave import ANSWER_AT, RESULT_AT, RtuSlave

BAUD = 115_200
LATE_SECONDS = float(os.environ.get("OKNG_RTU_SECONDS", "6"))
"""A minute and more: OKNG_RTU_SECONDS=60."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="okng-rtu-", dir="/dev/shm") as made:
        yield Path(made)


@dataclass
class Heard:
    """What a link said."""

    images: list[InImage] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def line_of(device: Path | str, **more: object) -> SerialLineOptions:
    values: dict[str, object] = {"device": str(device), "baud": BAUD, "parity": "none", **more}
    return SerialLineOptions().model_copy(update=values)


def rtu(**more: object) -> RtuClientOptions:
    values = {"result_at": RESULT_AT, "answer_at": ANSWER_AT, "timeout_ms": 40, "longest_answer_ms": 120, **more}
    return RtuClientOptions.model_validate(values)


async def until(what: str, true: object, seconds: float = 8) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


def ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(5)


class Terminal:
    """The far end of a line without wire time, in the hand of the test."""

    def __init__(self) -> None:
        self.fd, self._held = pty.openpty()
        tty.setraw(self._held)
        self.device = os.ttyname(self._held)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
        os.close(self._held)


# -- the device vanishes and returns ----------------------------------------------------------------------------------


def test_a_device_that_was_gone_is_opened_again_and_what_the_master_wrote_is_void(folder: Path) -> None:
    def asked(device: Path, write: bool) -> list[int]:
        master = minimalmodbus.Instrument(str(device), 1)
        master.serial.baudrate, master.serial.timeout = BAUD, 1
        if write:
            master.write_registers(0, [2, 5, 0, 0, 0, 1, 0])
        words = [int(word) for word in master.read_registers(0, 7, functioncode=3)]
        master.serial.close()
        return words

    async def play() -> None:
        heard = Heard()
        cable, box, plc, _ = laid(folder, BAUD)
        server = RtuServer(
            line_of(box), 1, WordOrder.HIGH_FIRST, on_image=heard.images.append, on_lost=heard.lost.append
        )
        await server.open()
        assert await asyncio.to_thread(asked, plc, True) == [2, 5, 0, 0, 0, 1, 0]
        assert server.connected
        ended(cable)
        await until("the loss", lambda: heard.lost and not server.connected)
        box.unlink(missing_ok=True)
        await asyncio.sleep(0.3)
        cable, _, _, _ = laid(folder, BAUD)
        await until("the device", lambda: server.health.connections)
        assert await asyncio.to_thread(asked, plc, False) == [0] * 7
        assert len(heard.lost) == 1
        ended(cable)
        await server.close()

    asyncio.run(play())


def test_a_slave_whose_cable_was_gone_gets_an_empty_block_before_anything_new(folder: Path) -> None:
    async def play() -> None:
        heard = Heard()
        cable, box, plc, _ = laid(folder, BAUD)
        slave = RtuSlave(plc, BAUD, folder)
        link = rtu_client(
            line_of(box), rtu(), WordOrder.HIGH_FIRST, on_image=heard.images.append, on_lost=heard.lost.append
        )
        await link.open()
        await until("the slave", lambda: link.connected)
        link.publish(OutImage(Status.RESULT_VALID | Status.OK, 1, 77, 5, WireCode.OK))
        await until("the result", lambda: any(words[2] == 77 for words in slave.entries("write") if words[1] > 1))
        ended(cable)
        slave.close()
        await until("the loss", lambda: heard.lost)
        box.unlink(missing_ok=True)
        cable, _, _, _ = laid(folder, BAUD)
        slave = RtuSlave(plc, BAUD, folder)
        await until("the slave again", lambda: link.connected)
        await asyncio.sleep(0.2)
        assert {words[2] for words in slave.entries("write") if words[1] > 1} == {0}  # 77 is old now
        link.publish(OutImage(Status.RESULT_VALID | Status.OK, 2, 78, 6, WireCode.OK))
        await until("the next", lambda: any(words[2] == 78 for words in slave.entries("write") if words[1] > 1))
        await link.close()
        ended(cable)
        slave.close()

    asyncio.run(play())


# -- late, mute, flooding ---------------------------------------------------------------------------------------------


def test_a_cycle_with_late_and_mute_answers_never_takes_an_old_one(folder: Path) -> None:
    cable, box, plc, _ = laid(folder, BAUD)
    slave = RtuSlave(plc, BAUD, folder)
    wrong: list[tuple[int, int]] = []
    taken = [0]

    def heard(image: InImage) -> None:
        taken[0] += 1
        asked = len(slave.entries("read"))
        if image.encoder != asked:
            wrong.append((image.encoder or 0, asked))

    async def play() -> LinkHealth:
        link = rtu_client(line_of(box), rtu(), WordOrder.HIGH_FIRST, on_image=heard, on_lost=lambda _: None)
        await link.open()
        draw, seq = random.Random(5), 0
        end = time.monotonic() + LATE_SECONDS
        while time.monotonic() < end:
            seq += 1
            link.publish(OutImage(Status.OK, seq, seq, seq, WireCode.OK))
            # The last one is later than the settings say of this PLC.
            slave.order(
                draw.choice(["late 3 60000", "late 0 0", "mute 1", "late 4 110000", "late 0 0", "late 3 200000"])
            )
            await asyncio.sleep(draw.uniform(0.05, 0.4))
        await link.close()
        return link.health

    health = asyncio.run(play())
    ended(cable)
    slave.close()
    assert wrong == []
    assert taken[0] > LATE_SECONDS
    assert health.timeouts > 0
    for words in slave.entries("write"):
        if words[1] > 1:
            assert words[2] == words[9]


def test_an_answer_to_what_was_asked_before_a_restart_is_not_believed(folder: Path) -> None:
    cable, box, plc, _ = laid(folder, BAUD)
    slave = RtuSlave(plc, BAUD, folder)
    slave.order("late 1 30000")

    async def play() -> tuple[int, ...]:
        await asyncio.sleep(0.05)
        with serial.Serial(str(box), BAUD) as before:
            before.write(seal(1, bytes((3, ANSWER_AT >> 8, ANSWER_AT & 0xFF, 0, 5))))
            before.flush()
        slave.order("late 0 0")
        wire = RtuWire(line_of(box), rtu(cycle_echo=False), LinkHealth())
        await wire.connect()
        words = await wire.read_registers(ANSWER_AT, 5)
        await wire.close()
        return words

    words = asyncio.run(play())
    assert words[4] == len(slave.entries("read")) == 2
    ended(cable)
    slave.close()


def test_a_line_that_is_never_silent_is_a_lost_one_and_closing_it_does_not_wait() -> None:
    async def play(far: Terminal) -> None:
        wire = RtuWire(line_of(far.device), rtu(longest_answer_ms=60), LinkHealth())
        await wire.connect()
        stop = threading.Event()

        def flood() -> None:
            while not stop.is_set():
                os.write(far.fd, b"\x55" * 32)
                stop.wait(0.005)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            with pytest.raises(LinkLost, match="never silent"):
                await wire.write_coil(1, True)
        finally:
            stop.set()
            thread.join(5)
            await wire.close()

    with Terminal() as far:
        asyncio.run(asyncio.wait_for(play(far), 10))


def test_close_during_recovery_lets_go() -> None:
    async def play(far: Terminal) -> list[str]:
        lost: list[str] = []
        wire = RtuWire(line_of(far.device), rtu(longest_answer_ms=2000), LinkHealth())
        link = ClientCycle(wire, plan_of(rtu(), WordOrder.HIGH_FIRST), on_image=lambda _: None, on_lost=lost.append)
        await link.open()
        await asyncio.sleep(0.1)
        await asyncio.wait_for(link.close(), 3)
        await link.close()
        return lost

    with Terminal() as far:
        assert asyncio.run(play(far)) == []
        # Nobody holds the line any more: it can be opened by another.
        serial.Serial(far.device, exclusive=True).close()


# -- adapters that hear themselves ------------------------------------------------------------------------------------


def _hears_itself(far: Terminal, stop: threading.Event) -> threading.Thread:
    os.set_blocking(far.fd, False)

    def play() -> None:
        while not stop.wait(0.001):
            try:
                os.write(far.fd, os.read(far.fd, 256))
            except BlockingIOError:
                continue

    thread = threading.Thread(target=play)
    thread.start()
    return thread


def test_an_echo_that_was_not_told_is_found_where_it_can_be() -> None:
    async def play(far: Terminal) -> None:
        wire = RtuWire(line_of(far.device), rtu(longest_answer_ms=20), LinkHealth())
        await wire.connect()
        with pytest.raises(LinkLost, match=r"plc\.serial\.echo = true"):
            await wire.write_registers(RESULT_AT, [0] * 8)
        await wire.close()
        told = RtuWire(line_of(far.device, echo=True), rtu(longest_answer_ms=20), LinkHealth())
        await told.connect()
        with pytest.raises(NoAnswer):  # FC05 is answered by what was asked: the echo must not be its answer
            await told.write_coil(1, True)
        await told.close()

    with Terminal() as far:
        stop = threading.Event()
        thread = _hears_itself(far, stop)
        try:
            asyncio.run(play(far))
        finally:
            stop.set()
            thread.join(5)


def test_an_echo_that_did_not_come_swallows_no_request() -> None:
    """FC05 to the box: its answer equals the request, so a lost echo would swallow the same request later."""

    async def play(far: Terminal) -> list[bytes]:
        server = RtuServer(
            line_of(far.device, echo=True), 1, WordOrder.HIGH_FIRST, on_image=lambda _: None, on_lost=lambda _: None
        )
        await server.open()
        question, answers = seal(1, bytes.fromhex("050001ff00")), []
        for _ in range(3):
            os.write(far.fd, question)
            await asyncio.sleep(0.15)
            try:
                answers.append(os.read(far.fd, 64))
            except BlockingIOError:
                answers.append(b"")
        await server.close()
        assert answers == [question] * 3
        return answers

    with Terminal() as far:
        os.set_blocking(far.fd, False)
        asyncio.run(play(far))


# -- numbers that come round ------------------------------------------------------------------------------------------


def test_the_window_of_believed_numbers_stays_open_when_they_come_round(folder: Path) -> None:
    cable, box, plc, _ = laid(folder, BAUD)
    slave = RtuSlave(plc, BAUD, folder)

    async def play() -> None:
        wire = RtuWire(line_of(box), rtu(), LinkHealth())
        await wire.connect()
        await wire.write_registers(RESULT_AT, [0] * 8)
        wire._cycle, wire._trusted = 65_530, 65_530 - 256
        for _ in range(10):
            await wire.write_registers(RESULT_AT, [0] * 8)
        assert wire._cycle == 5
        assert wire._behind(wire._trusted) == 256
        await wire.read_registers(ANSWER_AT, 5)
        await wire.close()

    asyncio.run(play())
    ended(cable)
    slave.close()
