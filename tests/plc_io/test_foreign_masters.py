"""Masters nobody here wrote, against the server in a process of its own: mbpoll, libmodbus, pyModbusTCP, raw bytes."""

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyModbusTCP.client import ModbusClient

from okng.bus.errors import BadSettings
from okng.plc_io.modbus_server import ModbusServer

from .conftest import free_port, lacking, wait_for

SERVER = """
import asyncio, sys
from okng.plc_io.images import OutImage
from okng.plc_io.modbus_server import MOST_CONNECTIONS, ModbusServer
from okng.plc_io.signals import Status

async def main(port, hurry):
    def heard(image):
        print("image", int(image.command), image.heartbeat, image.part, image.ack_seq, image.seen_seq, flush=True)
    server = ModbusServer("127.0.0.1", port, on_image=heard, on_lost=lambda why: print("lost", why, flush=True))
    await server.open()
    print("ready", MOST_CONNECTIONS, flush=True)
    n = 7
    while True:
        # every word of the result says n: a reader sees a torn block even where both seq are the same
        server.publish(OutImage(Status.READY, n, n, n << 16 | n, score_milli=n, inference_ms=n, latency_ms=n, job=n,
                                ok=n << 16 | n))
        if hurry:
            n = n % 65535 + 1
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(0.05)

asyncio.run(main(int(sys.argv[1]), sys.argv[2] == "hurry"))
"""


class Server:
    """The server in a process of its own, and what it prints."""

    def __init__(self, hurry: bool) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self.port), "hurry" if hurry else "calm"],
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.most = int(self.said().split()[1])

    def said(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(hurry=False)
    yield made
    made.close()


@pytest.fixture
def hurried() -> Iterator[Server]:
    """Publishes a new result in every turn of its loop."""
    made = Server(hurry=True)
    yield made
    made.close()


# -- mbpoll --------------------------------------------------------------------------------------------


def mbpoll(server: Server, table: str, first: int, count: int, *values: str) -> tuple[int, dict[int, str], str]:
    """Run mbpoll. first is a PDU address; mbpoll counts from 1. Returns status, values by PDU address, text."""
    lacking("mbpoll")
    command = ["mbpoll", "-m", "tcp", "-p", str(server.port), "-a", "1", "-t", table, "-r", str(first + 1)]
    command += ["127.0.0.1", *values] if values else ["-c", str(count), "-1", "127.0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    found = re.findall(r"^\[(\d+)\]:\s+(\S+)", done.stdout, re.MULTILINE)
    return done.returncode, {int(at) - 1: value for at, value in found}, done.stdout + done.stderr


def test_mbpoll_reads_the_block_and_its_mirror(server: Server) -> None:
    _, block, text = mbpoll(server, "3:hex", 0, 34)
    assert [block[at] for at in (0, 1, 3, 4, 5, 15)] == ["0x0001", "0x0100", *["0x0007"] * 4], text
    assert [block[at] for at in range(30, 34)] == ["0x1234", "0x5678", "0x42F6", "0xE979"]
    _, mirror, text = mbpoll(server, "4:hex", 1000, 34)
    assert {at - 1000: value for at, value in mirror.items()} == block, text


def test_mbpoll_sees_coils_as_bits_of_holding_register_0(server: Server) -> None:
    status, _, text = mbpoll(server, "0", 8, 1, "1")
    assert status == 0, text
    status, _, text = mbpoll(server, "4:hex", 2, 1, "0x0203")
    assert status == 0, text
    client = ModbusClient("127.0.0.1", server.port, unit_id=1)
    assert client.write_multiple_coils(0, [True, False, True])
    _, words, _ = mbpoll(server, "4:hex", 0, 7)
    assert words[0] == "0x0005"  # the connection that set the heartbeat is gone: PLC_HB is 0 again
    client.close()


@pytest.mark.parametrize(
    ("table", "first", "values"),
    [("3", 34, ()), ("3", 28, ()), ("4", 7, ()), ("4", 1034, ()), ("0", 16, ()), ("1", 16, ()), ("4", 1003, ("5",))],
)
def test_mbpoll_is_told_the_address_is_wrong(server: Server, table: str, first: int, values: tuple[str, ...]) -> None:
    _, found, text = mbpoll(server, table, first, 1, *values)
    assert found == {}
    assert "Illegal data address" in text


# -- libmodbus -----------------------------------------------------------------------------------------


def test_libmodbus_reads_no_torn_block(hurried: Server, tmp_path: Path) -> None:
    for tool in ("gcc", "pkg-config"):
        lacking(tool)
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libmodbus"], capture_output=True, text=True, check=False
    )
    if flags.returncode:
        lacking("libmodbus-dev")
    source = Path(__file__).with_name("tear_master.c")
    program = tmp_path / "tear_master"
    subprocess.run(["gcc", "-O1", "-Wall", "-o", program, source, *flags.stdout.split()], check=True)
    done = subprocess.run([program, str(hurried.port), "4000"], capture_output=True, text=True, timeout=50, check=True)
    figures = dict(pair.split("=") for pair in done.stdout.split())
    assert (figures["reads"], figures["torn"], figures["errors"]) == ("8000", "0", "0"), done.stdout
    assert int(figures["changes"]) > 1000, "the block has to change under the reader, else nothing is shown"


# -- raw bytes -----------------------------------------------------------------------------------------


def frame(transaction: int, pdu: bytes, unit: int = 1) -> bytes:
    return transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes((unit,)) + pdu


def take(wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = wire.recv(count - len(data))
        if not more:
            return data
        data += more
    return data


def is_hung_up(wire: socket.socket) -> bool:
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


READ_SEQ = bytes.fromhex("04 0003 0001")
SEQ_7 = bytes.fromhex("04 02 0007")


def test_many_requests_in_one_segment_are_all_answered_in_order(server: Server) -> None:
    with server.connect() as wire:
        wire.sendall(b"".join(frame(n, READ_SEQ) for n in range(1, 101)))
        assert take(wire, 100 * 11) == b"".join(frame(n, SEQ_7) for n in range(1, 101))


def test_a_request_in_any_slices(server: Server) -> None:
    with server.connect() as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = frame(1, READ_SEQ) + frame(2, READ_SEQ)
        for at in range(len(request)):
            wire.sendall(request[at : at + 1])
            time.sleep(0.002)
        assert take(wire, 22) == frame(1, SEQ_7) + frame(2, SEQ_7)


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", bytes.fromhex("0001 0000 0001 01 04"), b"\xff" * 300])
def test_what_is_not_modbus_is_hung_up_on(server: Server, junk: bytes) -> None:
    with server.connect() as wire:
        wire.sendall(junk)
        assert is_hung_up(wire)
    with server.connect() as wire:
        wire.sendall(frame(1, READ_SEQ))
        assert take(wire, 11) == frame(1, SEQ_7)


@pytest.mark.parametrize(("unit", "answer"), [(0, SEQ_7), (1, SEQ_7), (255, SEQ_7), (2, b"\x84\x0b")])
def test_units(server: Server, unit: int, answer: bytes) -> None:
    with server.connect() as wire:
        wire.sendall(frame(9, READ_SEQ, unit))
        expected = frame(9, answer, unit)
        assert take(wire, len(expected)) == expected


def test_trigger_and_part_number_of_one_write_come_as_one_image(server: Server) -> None:
    with server.connect() as wire:
        wire.sendall(frame(1, bytes.fromhex("10 0000 0007 0E 0003 0001 0000 0000 0001 0002 0004")))
        take(wire, 12)
        assert server.said() == "image 3 1 65538 4 0"
        wire.sendall(frame(2, READ_SEQ) + frame(3, bytes.fromhex("05 0002 FF00")))
        take(wire, 23)
        assert server.said() == "image 7 1 65538 4 7"


def test_the_plc_is_the_connection_that_beats(server: Server) -> None:
    beat = [bytes.fromhex(f"06 0001 000{n}") for n in range(1, 4)]
    first, second, tool = server.connect(), server.connect(), server.connect()
    first.sendall(frame(1, bytes.fromhex("10 0000 0002 04 0002 0001")))
    assert server.said() == "image 2 1 0 0 0"
    tool.sendall(frame(1, bytes.fromhex("06 0006 0005")))
    assert server.said() == "image 2 1 0 5 0"
    tool.close()
    first.sendall(frame(2, beat[1]))
    assert server.said() == "image 2 2 0 5 0", "a tool that leaves is no loss"
    second.sendall(frame(1, beat[2]))
    assert server.said().startswith("lost 127.0.0.1 took the place")
    assert server.said() == "image 0 3 0 0 0", "nothing of the one before is left"
    take(first, 24)
    assert is_hung_up(first)
    second.close()
    assert server.said().startswith("lost connection of 127.0.0.1 closed")
    first.close()


def test_connections_are_bounded(server: Server) -> None:
    wires = [server.connect() for _ in range(server.most)]
    for wire in wires:
        wire.sendall(frame(1, READ_SEQ))
        assert take(wire, 11)
    one_more = server.connect()
    assert is_hung_up(one_more)
    one_more.close()
    for wire in wires:
        wire.close()
    wait_for("room again", lambda: _answers(server))


def _answers(server: Server) -> bool:
    try:
        with server.connect() as wire:
            wire.sendall(frame(1, READ_SEQ))
            return take(wire, 11) != b""
    except ConnectionResetError:
        return False


def _pour(wire: socket.socket, data: bytes) -> None:
    for _ in range(5000):
        wire.sendall(data)


def test_a_peer_that_never_reads_is_hung_up_on(server: Server) -> None:
    """Its answers would fill our memory."""
    with server.connect() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = frame(1, bytes.fromhex("04 0000 0022")) * 50
        with pytest.raises(OSError, match=r"reset|Broken pipe|timed out"):
            _pour(wire, request)
    assert _answers(server)


async def _open(host: str, port: int) -> None:
    server = ModbusServer(host, port, on_image=lambda _: None, on_lost=lambda _: None)
    try:
        await server.open()
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("host", "words"), [("192.0.2.1", "this box has no such address"), ("plc", "expected the IP address")]
)
def test_an_address_that_cannot_be_had_is_said_in_words(host: str, words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        asyncio.run(_open(host, free_port()))


def test_a_half_open_connection_is_given_up_by_the_kernel() -> None:
    async def timeouts() -> list[int]:
        server = ModbusServer("127.0.0.1", free_port(), on_image=lambda _: None, on_lost=lambda _: None)
        await server.open()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.sleep(0.05)
        found = [
            session.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            for session in server._sessions
        ]
        writer.close()
        await server.close()
        return found

    assert asyncio.run(timeouts()) == [500]
