"""The real io process spoken to in lines: over TCP and over a serial line, by terminals that nobody here wrote."""

import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import minimalmodbus
import pytest
import serial

from okng.bus.messages import StationState
from okng.bus.part import Action, Delivery, Outcome, Record, Trigger
from okng.plc_io.signals import Status

from .conftest import JOB, Box, free_port, lacking, start_io, verdict_of, wait_for


def sealed(body: str) -> bytes:
    """A line as the PLC's own program makes it: the check sum is a library's, high byte first."""
    low, high = minimalmodbus._calculate_crc(body.encode())
    return f"{body},{high:02X}{low:02X}\r\n".encode()


class Terminal:
    """Bytes to and from a program or a device."""

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
        self._send, self._receive = send, receive
        self.text = b""
        self.beats = 0

    def say(self, *bodies: str) -> None:
        """Send lines."""
        for body in bodies:
            self._send(sealed(body))

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        self._send(data)

    def beat(self) -> None:
        """A sign of life."""
        self.beats += 1
        self.say(f"H,{self.beats}")

    def lines(self) -> list[str]:
        """The bodies of all lines so far; their check sums are tested."""
        self.text += self._receive()
        bodies = []
        for line in self.text.split(b"\r\n")[:-1]:
            body = line.decode().rpartition(",")[0]
            assert sealed(body) == line + b"\r\n", line
            bodies.append(body)
        return bodies

    def results(self) -> list[str]:
        """Only the results."""
        return [line for line in self.lines() if line.startswith("R,")]

    def ready(self) -> bool:
        """The last status line says READY."""
        told = [line for line in self.lines() if line.startswith("S,")]
        return bool(told) and Status.READY in Status(int(told[-1].split(",")[1], 16))


def socat_terminal(program: subprocess.Popen[bytes]) -> Terminal:
    """A terminal on the pipes of a program."""
    assert program.stdin is not None
    assert program.stdout is not None
    sink, source = program.stdin, program.stdout

    def send(data: bytes) -> None:
        sink.write(data)
        sink.flush()

    def receive() -> bytes:
        return source.read1(65536) if select.select([source], [], [], 0)[0] else b""  # type: ignore[attr-defined]

    return Terminal(send, receive)


class Cell:
    """io, the rest of the box, and a PLC that speaks lines."""

    def __init__(self, run_dir: Path, **ascii_options: object) -> None:
        self.run_dir = run_dir
        self.options = ascii_options
        self.process = self._start()
        self.box = Box(run_dir)

    def _start(self) -> subprocess.Popen[bytes]:
        port = int(str(self.options.get("port", 502)))
        return start_io(self.run_dir, port, wait="port" in self.options, role="ascii", ascii=self.options)

    def restart(self) -> None:
        """io is killed and started again."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(5)
        self.process = self._start()

    def until(self, what: str, true: Callable[[], bool], plc: Terminal, timeout_s: float = 10) -> None:
        """Everybody moves until the callable says so."""

        def moved() -> bool:
            self.box.turn()
            if self._due():
                plc.beat()
            return true()

        wait_for(what, moved, timeout_s)

    _beaten = 0.0

    def _due(self) -> bool:
        if time.monotonic() - self._beaten < 0.05:
            return False
        self._beaten = time.monotonic()
        return True

    def ready(self, plc: Terminal) -> None:
        """Until READY is told in a line, and io is heard on the bus."""
        heard = len(self.box.of(StationState))
        self.until("READY", lambda: plc.ready() and len(self.box.of(StationState)) > heard, plc, 20)

    def part(self, number: int, plc: Terminal, outcome: Outcome = Outcome.OK) -> str:
        """One part, from its trigger to its result."""
        before = len(plc.results())
        plc.say(f"T,{number}")
        found: list[Trigger] = []

        def came() -> bool:
            found[:] = [t for t in self.box.of(Trigger) if isinstance(t, Trigger) and t.part == number]
            return bool(found)

        self.until(f"trigger {number}", came, plc)
        assert not found[-1].missed
        self.box.inspect.send(verdict_of(found[-1], outcome, JOB))
        self.until(f"result {number}", lambda: len(plc.results()) > before, plc)
        return plc.results()[-1]

    def records(self) -> dict[int, Record]:
        """By part number."""
        return {r.trigger.part: r for r in self.box.of(Record) if isinstance(r, Record)}

    def close(self) -> None:
        """End all."""
        self.box.close()
        self.process.kill()
        self.process.wait(5)


@pytest.fixture
def port() -> int:
    """For the lines."""
    return free_port()


@pytest.fixture
def tcp(run_dir: Path, port: int) -> Iterator[Cell]:
    """io that listens for lines."""
    cell = Cell(run_dir, port=port)
    yield cell
    cell.close()


@pytest.fixture
def socats() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Programs that are ended with the test."""
    lacking("socat")
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for one in started:
        one.kill()
        one.wait(5)
        for pipe in (one.stdin, one.stdout):
            if pipe is not None:
                pipe.close()


def dial(port: int, socats: list[subprocess.Popen[bytes]]) -> Terminal:
    """socat as the PLC's side of a TCP connection."""
    command = ["socat", "STDIO", f"TCP:127.0.0.1:{port},nodelay"]
    socats.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    return socat_terminal(socats[-1])


def test_parts_over_tcp_by_a_foreign_terminal(tcp: Cell, port: int, socats: list[subprocess.Popen[bytes]]) -> None:
    plc = dial(port, socats)
    tcp.ready(plc)
    outcomes = [Outcome.OK, Outcome.NG, Outcome.UNJUDGED, Outcome.OK]
    for number, outcome in enumerate(outcomes, 1):
        word = {Outcome.OK: "OK", Outcome.NG: "NG"}.get(outcome, "UN")
        assert tcp.part(number, plc, outcome) == f"R,{number},{word}"
        plc.raw(b"\x00\xffA,9,0000\r")
        plc.say(f"A,{number}")
        tcp.ready(plc)
    tcp.until("records", lambda: len(tcp.records()) == 4, plc)
    assert [r.receipt.delivery for r in tcp.records().values()] == [Delivery.DELIVERED] * 4
    assert [r.disposition.action for r in tcp.records().values()].count(Action.PASS) == 2
    beats = [int(line[2:]) for line in plc.lines() if line.startswith("H,")]
    assert len(set(beats)) == len(beats) >= 2


def test_a_late_part_and_a_part_of_a_lost_connection(
    tcp: Cell, port: int, socats: list[subprocess.Popen[bytes]]
) -> None:
    plc = dial(port, socats)
    tcp.ready(plc)
    plc.say("T,1")
    tcp.until("late", lambda: plc.results() == ["R,1,UN"], plc)
    plc.say("A,1")
    tcp.ready(plc)
    plc.say("T,2")
    tcp.until("trigger", lambda: len(tcp.box.of(Trigger)) == 2, plc)
    socats[0].kill()
    again = dial(port, socats)
    tcp.ready(again)
    assert tcp.part(3, again) == "R,3,OK"
    assert again.results() == ["R,3,OK"], "nothing of before"
    tcp.until("records", lambda: 2 in tcp.records(), again)
    assert tcp.records()[2].disposition.action is Action.REJECT


def test_io_killed_and_started_again_says_nothing_old(
    tcp: Cell, port: int, socats: list[subprocess.Popen[bytes]]
) -> None:
    plc = dial(port, socats)
    tcp.ready(plc)
    assert tcp.part(1, plc) == "R,1,OK"
    tcp.restart()
    again = dial(port, socats)
    tcp.ready(again)
    assert tcp.part(2, again) == "R,2,OK"
    assert again.results() == ["R,2,OK"]


def test_a_box_that_stops_moving_stops_its_heartbeat_line(tcp: Cell, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setblocking(False)

        def receive() -> bytes:
            return wire.recv(65536) if select.select([wire], [], [], 0)[0] else b""

        plc = Terminal(wire.sendall, receive)
        tcp.ready(plc)
        tcp.box.frozen.add("inspect")
        tcp.until("READY falls", lambda: not plc.ready(), plc)

        def beats() -> int:
            return sum(line.startswith("H,") for line in plc.lines())

        end = time.monotonic() + 1.0
        tcp.until("a second", lambda: time.monotonic() > end, plc)
        before, end = beats(), time.monotonic() + 0.5
        tcp.until("half a second", lambda: time.monotonic() > end, plc)
        assert beats() == before


def test_parts_over_a_serial_line(run_dir: Path, socats: list[subprocess.Popen[bytes]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="okng-", dir="/dev/shm"))
    ours, theirs = folder / "box", folder / "plc"
    command = ["socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={theirs}"]
    socats.append(subprocess.Popen(command))
    wait_for("pty", lambda: ours.exists() and theirs.exists())
    cell = Cell(run_dir, over="serial", device=str(ours), baud=115_200)
    try:
        with serial.Serial(str(theirs), 115_200, timeout=0) as device:
            plc = Terminal(device.write, lambda: bytes(device.read(65536)))
            cell.ready(plc)
            for number in range(1, 11):
                assert cell.part(number, plc) == f"R,{number},OK"
                plc.say(f"A,{number}")
                cell.ready(plc)
            cell.until("records", lambda: len(cell.records()) == 10, plc)
            assert {r.disposition.action for r in cell.records().values()} == {Action.PASS}
            assert plc.results() == [f"R,{n},OK" for n in range(1, 11)]
    finally:
        cell.close()
        shutil.rmtree(folder)
