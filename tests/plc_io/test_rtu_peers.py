"""Modbus RTU on a cable with wire time: foreign masters ask the box, and the box asks a libmodbus slave.

Judged by what the peer says and by the slave's own log. The cable is a pseudo terminal that takes the time of its baud
rate (`paced_pty.py`), and plain socat for correctness.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import minimalmodbus
import pytest

from okng.bus.clock import now_ns
from okng.bus.errors import BadSettings, LinkLost
from okng.bus.part import Trigger
from okng.plc_io.client_cycle import NoAnswer
from okng.plc_io.link import LinkHealth
from okng.plc_io.rtu_client import RtuWire
from okng.plc_io.rtu_frame import seal
from okng.plc_io.serial_line import SerialLine
from okng.plc_io.serial_options import RtuClientOptions, SerialLineOptions
from okng.plc_io.signals import Command, Status, WireCode

from .conftest import Box, lacking, start_io, verdict_of, wait_for
from .paced_pty import laid
from .rtu_slave import ANSWER_AT, RESULT_AT, RtuSlave

SERVER = """
import asyncio, sys
from okng.plc_io.images import OutImage
from okng.plc_io.regmap import WordOrder
from okng.plc_io.rtu_server import RtuServer
from okng.plc_io.serial_options import SerialLineOptions
from okng.plc_io.signals import Status

async def main(device, baud):
    def heard(image):
        print("image", int(image.command), image.heartbeat, image.part, image.ack_seq, image.seen_seq, flush=True)
    line = SerialLineOptions.model_construct(device=device, baud=baud, parity="none", quiet_ms=300)
    def lost(why):
        print("lost", why, flush=True)
    server = RtuServer(line, 1, WordOrder.HIGH_FIRST, on_image=heard, on_lost=lost)
    await server.open()
    print("ready", flush=True)
    n = 7
    while True:
        server.publish(OutImage(Status.READY, n, n, n << 16 | n, score_milli=n, inference_ms=n, latency_ms=n, job=n))
        n = n % 65535 + 1
        await asyncio.sleep(0.001)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@dataclass
class Cable:
    """A cable with two ends."""

    process: subprocess.Popen[str]
    box: Path
    plc: Path
    broken: Path | None
    baud: int

    def options(self, **more: object) -> SerialLineOptions:
        values: dict[str, object] = {"device": str(self.box), "baud": self.baud, "parity": "none", **more}
        return SerialLineOptions().model_copy(update=values)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="okng-rtu-", dir="/dev/shm") as made:
        yield Path(made)


@pytest.fixture(params=[19200, 115200])
def cable(request: pytest.FixtureRequest, folder: Path) -> Iterator[Cable]:
    process, box, plc, broken = laid(folder, request.param)
    yield Cable(process, box, plc, broken, request.param)
    process.kill()
    process.wait(5)


@pytest.fixture
def socat(folder: Path) -> Iterator[Cable]:
    lacking("socat")
    box, plc = folder / "box", folder / "plc"
    command = ["socat", f"pty,raw,echo=0,link={box}", f"pty,raw,echo=0,link={plc}"]
    process = subprocess.Popen(command, text=True)
    wait_for("socat", lambda: box.exists() and plc.exists())
    yield Cable(process, box, plc, None, 115200)
    process.kill()
    process.wait(5)


# -- the box is asked ------------------------------------------------------------------------------------------------


class Served:
    """An RtuServer in a process of its own."""

    def __init__(self, cable: Cable) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(cable.box), str(cable.baud)], stdout=subprocess.PIPE, text=True
        )
        assert self.said() == "ready"

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def served(cable: Cable) -> Iterator[Served]:
    made = Served(cable)
    yield made
    made.close()


@pytest.fixture
def master(cable: Cable) -> Iterator[minimalmodbus.Instrument]:
    made = minimalmodbus.Instrument(str(cable.plc), 1)
    made.serial.baudrate = cable.baud
    made.serial.timeout = 0.5
    yield made
    made.serial.close()


def test_minimalmodbus_reads_whole_blocks_and_writes_the_image(
    served: Served, master: minimalmodbus.Instrument
) -> None:
    for _ in range(25):
        block = master.read_registers(0, 16, functioncode=4)
        n = block[3]
        assert block[15] == n
        assert block[4:6] == [n, n]
        assert (block[8], block[9], block[10], block[11]) == (n, n, n, n)
    master.write_registers(0, [int(Command.TRIG_ENABLE), 5, 0, 0, 1, 2, n])
    assert served.said() == f"image 2 5 {1 << 16 | 2} {n} {n}"
    master.write_bit(0, 1, functioncode=5)
    assert served.said().startswith("image 3 5")
    assert master.read_bit(1, functioncode=1) == 1
    for address in (28, 34):
        with pytest.raises(minimalmodbus.IllegalRequestError, match="data address"):
            master.read_register(address, functioncode=4)
    assert master.read_registers(1030, 2, functioncode=3) == [0x1234, 0x5678]


def test_mbpoll_reads_the_canary(cable: Cable, served: Served) -> None:
    lacking("mbpoll")
    command = ["mbpoll", "-m", "rtu", "-b", str(cable.baud), "-P", "none", "-a", "1", "-t", "3", "-r", "31", "-c", "2"]
    done = subprocess.run([*command, "-1", str(cable.plc)], capture_output=True, text=True, timeout=20, check=False)
    assert re.findall(r"\[(\d+)\]:\s+(\d+)", done.stdout) == [("31", "4660"), ("32", "22136")], done.stdout


def test_noise_other_units_and_broadcasts_change_nothing_for_the_next_request(
    cable: Cable, served: Served, master: minimalmodbus.Instrument
) -> None:
    port = master.serial
    port.timeout = 0.1
    port.write(b"\xff\x00\x10\x01noise")
    port.write(seal(2, bytes.fromhex("050000ff00")))
    assert port.read(1) == b""  # nobody answers for unit 2, and noise is no question
    port.write(seal(0, bytes.fromhex("0600010009")))
    assert port.read(1) == b""  # a broadcast is obeyed and not answered
    assert served.said() == "image 0 9 0 0 0"
    assert master.read_register(1, functioncode=3) == 9


def test_a_pulled_cable_is_a_lost_link_and_what_was_written_is_void(
    cable: Cable, served: Served, master: minimalmodbus.Instrument
) -> None:
    assert cable.broken is not None
    master.write_registers(0, [2, 5, 0, 0, 0, 0, 0])
    assert served.said() == "image 2 5 0 0 0"
    cable.broken.touch()
    assert served.said() == "lost nothing was asked for 300 ms"
    cable.broken.unlink()
    assert master.read_registers(0, 7, functioncode=3) == [0] * 7


def test_an_adapter_that_hears_itself_is_put_up_with(socat: Cable) -> None:
    async def play() -> list[bytes]:
        came: list[bytes] = []
        near = SerialLine(socat.options(echo=True), came.append, lambda _: None)
        far = SerialLine(socat.options(device=str(socat.plc)), lambda data: far.send(data), lambda _: None)
        frame = seal(1, bytes.fromhex("050000ff00"))
        near.send(frame)
        await asyncio.sleep(0.1)
        assert came == []
        far.send(b"answer")
        await asyncio.sleep(0.1)
        near.close()
        far.close()
        return came

    assert b"".join(asyncio.run(play())) == b"answer"


# -- the box asks ----------------------------------------------------------------------------------------------------


@pytest.fixture
def slave(cable: Cable, folder: Path) -> Iterator[RtuSlave]:
    made = RtuSlave(cable.plc, cable.baud, folder)
    yield made
    made.close()


def test_a_common_master_takes_a_late_answer_for_the_next_one(cable: Cable, slave: RtuSlave) -> None:
    """The control experiment: without recovery of our own this is what happens."""
    master = minimalmodbus.Instrument(str(cable.box), 1)
    master.serial.baudrate = cable.baud
    master.serial.timeout = 0.1
    master.clear_buffers_before_each_transaction = False
    assert master.read_registers(ANSWER_AT, 5)[4] == 1
    slave.order("late 2 150000")
    with pytest.raises(minimalmodbus.NoResponseError):
        master.read_registers(ANSWER_AT, 5)
    wait_for("the late answer", lambda: master.serial.in_waiting >= 15)
    slave.order("late 0 0")
    assert master.read_registers(ANSWER_AT, 5)[4] == 2  # the answer to the question before
    wait_for("the third question", lambda: len(slave.entries("read")) == 3)
    master.serial.close()


@pytest.mark.parametrize("echoed", [True, False])
def test_no_late_answer_is_ever_taken_for_another(cable: Cable, slave: RtuSlave, echoed: bool) -> None:
    options = RtuClientOptions(
        result_at=RESULT_AT, answer_at=ANSWER_AT, timeout_ms=40, longest_answer_ms=160, cycle_echo=echoed
    )
    health = LinkHealth()

    async def play() -> int:
        wire = RtuWire(cable.options(), options, health)
        await wire.connect()
        believed = 0
        for n in range(1, 26):
            if n == 3:
                slave.order("late 5 110000")
            try:
                await wire.write_registers(RESULT_AT, [n, 0, n, 1, 0, 0, n, n])
                words = await wire.read_registers(ANSWER_AT, 5)
            except NoAnswer:
                continue
            # The slave counts its reads in what it answers: the newest question has the newest number.
            assert words[3] << 16 | words[4] == len(slave.entries("read"))
            believed += 1
        await wire.close()
        return believed

    believed = asyncio.run(play())
    assert 8 <= believed < 25
    assert health.stale > 0
    for words in slave.entries("write"):
        if words[1] > 1:
            assert words[2] == words[9]  # never a torn block


def test_a_read_is_believed_only_with_a_number_written_after_the_recovery(cable: Cable, slave: RtuSlave) -> None:
    options = RtuClientOptions(result_at=RESULT_AT, answer_at=ANSWER_AT, timeout_ms=40, longest_answer_ms=60)
    health = LinkHealth()

    async def play() -> None:
        wire = RtuWire(cable.options(), options, health)
        await wire.connect()
        await wire.write_registers(RESULT_AT, [0] * 8)
        await wire.read_registers(ANSWER_AT, 5)
        slave.order("mute 1")
        with pytest.raises(NoAnswer, match="no answer within"):
            await wire.read_registers(ANSWER_AT, 5)
        # Nothing was written since: the wire writes a number of its own before it believes a read again.
        marks = len(slave.entries("write"))
        words = await wire.read_registers(ANSWER_AT, 5)
        assert len(slave.entries("write")) == marks + 1
        assert slave.entries("write")[-1][:2] == [RESULT_AT + 8, 1]
        assert words[4] == len(slave.entries("read"))
        await wire.close()

    asyncio.run(play())


def test_a_slave_that_says_nothing_costs_its_time_out_and_no_more(cable: Cable, slave: RtuSlave) -> None:
    options = RtuClientOptions(result_at=RESULT_AT, answer_at=ANSWER_AT, timeout_ms=50, longest_answer_ms=50)

    async def play() -> int:
        wire = RtuWire(cable.options(), options, LinkHealth())
        await wire.connect()
        slave.order("mute 1")
        await asyncio.sleep(0.05)
        began = now_ns()
        with pytest.raises(NoAnswer):
            await wire.write_coil(10, True)
        took = now_ns() - began
        await wire.write_coil(10, True)
        await wire.close()
        return took

    assert asyncio.run(play()) < 1_000_000_000
    assert slave.entries("coil") == [[10, 1], [10, 1]]


def test_a_device_that_is_gone_is_a_lost_line_and_a_file_is_none(folder: Path) -> None:
    (folder / "file").write_text("")
    options = RtuClientOptions()

    async def play(device: str) -> None:
        line = SerialLineOptions.model_construct(device=device, parity="none")
        await RtuWire(line, options, LinkHealth()).connect()

    with pytest.raises(LinkLost, match="No such file"):
        asyncio.run(play(str(folder / "nothing")))
    with pytest.raises(LinkLost, match="expected a serial line"):
        asyncio.run(play(str(folder / "file")))
    with pytest.raises(BadSettings, match=r"plc\.serial\.device"):
        asyncio.run(_opened(str(folder / "file")))


async def _opened(device: str) -> None:
    SerialLine(SerialLineOptions.model_construct(device=device), lambda _: None, lambda _: None)


# -- the whole io process ---------------------------------------------------------------------------------------------


def test_a_part_passes_over_the_serial_line_when_the_box_asks(cable: Cable, slave: RtuSlave, run_dir: Path) -> None:
    device = Path("/dev") / f"okng-test-{cable.box.parent.name[-8:]}"
    device.symlink_to(cable.box.resolve())
    process = start_io(
        run_dir,
        1,
        wait=False,
        role="rtu_client",
        serial={"device": str(device), "baud": cable.baud, "parity": "none"},
        rtu={"result_at": RESULT_AT, "answer_at": ANSWER_AT},
    )
    box = Box(run_dir)

    def until(what: str, true: object) -> None:
        def moved() -> bool:
            box.turn()
            return bool(true())  # type: ignore[operator]

        wait_for(what, moved, 20)

    def shown() -> list[int]:
        blocks = [words for words in slave.entries("write") if words[1] >= 8]
        return blocks[-1][2:] if blocks else [0] * 8

    try:
        slave.order(f"set {ANSWER_AT + 2} {int(Command.TRIG_ENABLE)}")
        until("READY", lambda: Status.READY in Status(shown()[5]))
        slave.order(f"set {ANSWER_AT + 2} {int(Command.TRIG_ENABLE | Command.TRIGGER)}")
        until("TRIG_ACK", lambda: Status.TRIG_ACK in Status(shown()[5]))
        slave.order(f"set {ANSWER_AT + 2} {int(Command.TRIG_ENABLE)}")
        until("the trigger on the bus", lambda: box.of(Trigger))
        trigger = box.of(Trigger)[0]
        assert isinstance(trigger, Trigger)
        assert trigger.encoder is not None
        box.inspect.send(verdict_of(trigger))
        until("a result", lambda: shown()[0])
        block = shown()
        assert block[0] == block[7]
        assert block[1] << 16 | block[2] == trigger.part
        assert block[3] in (WireCode.OK, WireCode.LATE)  # a busy machine may be late, and says so
    finally:
        process.kill()
        process.wait(5)
        box.close()
        device.unlink()
