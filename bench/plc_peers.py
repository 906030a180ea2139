"""The PLC's end of each wire, none of it the product's: what the peer saw, and when."""

import json
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import minimalmodbus
import serial
from pymodbus.client import ModbusSerialClient, ModbusTcpClient, ModbusTlsClient
from pymodbus.exceptions import ModbusException
from pyModbusTCP.client import ModbusClient

from okng.plc_io.tls import client_context
from okng.plc_io.tls_options import TlsOptions
from okng.tests.plc_io.certificates import Authority, Holder
from okng.tests.plc_io.conftest import free_port
from okng.tests.plc_io.paced_pty import laid
from okng.tests.plc_io.plc_slave import ANSWER_AT, RESULT_AT, PlcSlave
from okng.tests.plc_io.rtu_slave import RtuSlave

RATES = (19_200, 115_200)
_PY = sys.executable
_BOX = Path(__file__).with_name("plc_box.py")
_AREA = {"result_at": RESULT_AT, "answer_at": ANSWER_AT}
Row = tuple[str, str, list[float]]
"""Wire, way, milliseconds."""
Play = Callable[[], Iterator[Row]]


class _Box:
    """The box's end, running."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.told: dict[str, Any] = {}

    def begin(self) -> None:
        """Let it publish."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def moments(self, name: str = "published") -> dict[int, int]:
        """When it did what, by seq, once it has ended publishing. SystemExit: it failed, or lost its peer."""
        if not self.told:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            if not line:
                raise SystemExit("the box's end of the wire ended by an error")
            self.told = json.loads(line)
            for text in (*self.told["lost"], *self.told["refused"]):
                sys.stderr.write(f"the box says: {text}\n")
        return {int(seq): at for seq, at in self.told[name].items()}

    def took(self, seen: dict[int, int]) -> list[float]:
        """Milliseconds from publication to the peer. A result that a newer one replaced is no sample."""
        published = self.moments()
        return [(at - published[seq]) / 1e6 for seq, at in seen.items() if seq in published]


def _bare(client: ModbusTcpClient | ModbusTlsClient | ModbusSerialClient, at: int, seconds: float) -> list[list[float]]:
    """Milliseconds of FC05 and of FC16 with 8 words. A call without an answer in time is no sample, and is said."""
    took: list[list[float]] = [[], []]
    failed, end = 0, time.monotonic() + seconds
    if not client.connect():
        raise SystemExit("pymodbus does not connect")
    n = 0
    while time.monotonic() < end:
        n = n % 65535 + 1
        for which in (0, 1):
            begun = time.monotonic_ns()
            try:
                if which:
                    client.write_registers(at, [n, 0, n, 1, 0, 0, n, n][: 7 if at == 0 else 8])
                else:
                    client.write_coil(1, bool(n % 2))
            except ModbusException:
                failed += 1
                client.close()  # type: ignore[no-untyped-call]
                time.sleep(0.1)
                client.connect()
                continue
            took[which].append((time.monotonic_ns() - begun) / 1e6)
            time.sleep(0.002)
    client.close()  # type: ignore[no-untyped-call]
    if failed:
        sys.stderr.write(f"pymodbus: {failed} calls without an answer within 50 ms\n")
    return took


def _bare_rows(wire: str, took: list[list[float]]) -> Iterator[Row]:
    for function, ms in zip(("FC05", "FC16"), took, strict=True):
        yield wire, f"pymodbus {function}", ms


class Wires:
    """Each method is one wire: a generator of its rows."""

    def __init__(self, folder: Path, seconds: float, realtime: bool) -> None:
        self._folder, self._seconds, self._realtime = folder, seconds, realtime

    @contextmanager
    def _box(self, kind: str, options: dict[str, Any], gap_ms: tuple[float, float]) -> Iterator[_Box]:
        spec = {
            "kind": kind,
            "options": options,
            "seconds": self._seconds,
            "gap_ms": gap_ms,
            "realtime": self._realtime,
        }
        pipe = subprocess.PIPE
        with subprocess.Popen([_PY, str(_BOX), json.dumps(spec)], stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit(f"no link of the kind {kind}")
            yield _Box(process)

    @contextmanager
    def _cable(self, baud: int) -> Iterator[tuple[Path, Path]]:
        cable, box, plc, _ = laid(self._folder, baud)
        try:
            yield box, plc
        finally:
            cable.kill()
            cable.wait(5)

    def _polled(self, box: _Box, read: Callable[[], int]) -> list[float]:
        """Ask without pause; the first answer that shows a number is the moment it was seen."""
        seen: dict[int, int] = {}
        read()
        box.begin()
        end = time.monotonic() + self._seconds + 0.7
        while time.monotonic() < end:
            seq = read()
            seen.setdefault(seq, time.monotonic_ns())
        return box.took(seen)

    def tcp_client(self) -> Iterator[Row]:
        """The box writes into a libmodbus slave, and so does pymodbus."""
        slave = PlcSlave(self._folder)
        try:
            options = {"host": "127.0.0.1", "port": slave.port, **_AREA}
            with self._box("client", options, (3, 9)) as box:
                box.begin()
                published = box.moments()
                seen: dict[int, int] = {}
                for entry in slave.entries("write"):
                    seen.setdefault(entry.words[0], entry.at_ns)
                yield "TCP", "box writes: seen", box.took({s: at for s, at in seen.items() if s in published})
                yield "TCP", "box writes: confirmed", box.took(box.moments("confirmed"))
            client = ModbusTcpClient("127.0.0.1", port=slave.port, timeout=0.05, retries=0)
            yield from _bare_rows("TCP", _bare(client, RESULT_AT, self._seconds))
        finally:
            slave.close()

    def tcp_server(self) -> Iterator[Row]:
        """pyModbusTCP polls the box."""
        port = free_port()
        with self._box("server", {"port": port}, (3, 9)) as box:
            master = ModbusClient("127.0.0.1", port, unit_id=1, timeout=2.0, auto_open=True)

            def read() -> int:
                words = master.read_input_registers(0, 16)
                assert words is not None, master.last_error_as_txt
                time.sleep(0.0002)  # a master has something else to do, too
                return int(words[15])

            yield "TCP", "box is polled: seen", self._polled(box, read)
            master.close()

    def tls_server(self) -> Iterator[Row]:
        """A plain TLS socket polls the box; pymodbus by TLS writes into it."""
        port, ca = free_port(), Authority(self._folder, f"ca-{self._realtime:d}")

        def options(holder: Holder) -> dict[str, str]:
            return {"ca": str(ca.file), "certificate": str(holder.certificate), "key": str(holder.key)}

        with self._box("server", {"port": port, "tls": options(ca.issue("box"))}, (3, 9)) as box:
            context = client_context(TlsOptions.model_validate(options(ca.issue("plc"))))
            wire = _secured(context, port)

            def read() -> int:
                wire.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 4, 0, 16))
                answer = b""
                while len(answer) < 41:
                    answer += wire.recv(256)
                time.sleep(0.0002)
                return int.from_bytes(answer[-2:], "big")

            yield "TLS", "box is polled: seen", self._polled(box, read)
            wire.close()
            context.check_hostname = False  # pymodbus names no host
            client = ModbusTlsClient("127.0.0.1", port=port, sslctx=context, timeout=0.05, retries=0)
            yield from _bare_rows("TLS", _bare(client, 0, self._seconds))

    def ascii_tcp(self) -> Iterator[Row]:
        """A reader of lines is connected to the box."""
        port = free_port()
        options = {"over": "tcp_server", "port": port}
        with self._box("ascii", options, (3, 9)) as box, socket.create_connection(("127.0.0.1", port)) as wire:
            wire.settimeout(0.2)
            yield "TCP", "ASCII line: seen", self._lines(box, lambda: _received(wire))

    def _lines(self, box: _Box, read: Callable[[], bytes]) -> list[float]:
        seen: dict[int, int] = {}
        rest = b""
        box.begin()
        end = time.monotonic() + self._seconds + 0.7
        while time.monotonic() < end:
            rest += read()
            at = time.monotonic_ns()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line.startswith(b"R,"):
                    seen.setdefault(int(line.split(b",")[1]), at)
        return box.took(seen)

    def ascii_serial(self, baud: int) -> Play:
        """A reader of lines at the other end of the cable."""

        def play() -> Iterator[Row]:
            with self._cable(baud) as (near, far):
                options = {"over": "serial", "device": str(near), "baud": baud}
                gap = (60, 90) if baud < 50_000 else (15, 30)
                with self._box("ascii", options, gap) as box, serial.Serial(str(far), baud, timeout=0.2) as port:
                    yield (
                        f"serial {baud}",
                        "ASCII line: seen",
                        self._lines(box, lambda: port.read(max(1, port.in_waiting))),
                    )

        return play

    def rtu_client(self, baud: int) -> Play:
        """The box writes into a libmodbus slave, and so does pymodbus."""

        def play() -> Iterator[Row]:
            with self._cable(baud) as (near, far):
                slave = RtuSlave(far, baud, self._folder)
                options = {"serial": {"device": str(near), "baud": baud, "parity": "none"}, "rtu": _AREA}
                gap = (90, 150) if baud < 50_000 else (25, 45)
                try:
                    with self._box("rtu_client", options, gap) as box:
                        box.begin()
                        published = box.moments()
                        seen: dict[int, int] = {}
                        for at, words in slave.timed("write"):
                            seen.setdefault(words[2], at)
                        took = box.took({s: at for s, at in seen.items() if s in published})
                        yield f"serial {baud}", "box writes: seen", took
                        yield f"serial {baud}", "box writes: confirmed", box.took(box.moments("confirmed"))
                    client = ModbusSerialClient(str(near), baudrate=baud, timeout=0.05, retries=0)
                    yield from _bare_rows(f"serial {baud}", _bare(client, RESULT_AT, self._seconds))
                finally:
                    slave.close()

        return play

    def rtu_server(self, baud: int) -> Play:
        """minimalmodbus polls the box."""

        def play() -> Iterator[Row]:
            with self._cable(baud) as (near, far):
                options = {"serial": {"device": str(near), "baud": baud, "parity": "none"}}
                gap = (90, 150) if baud < 50_000 else (25, 45)
                with self._box("rtu_server", options, gap) as box:
                    master = minimalmodbus.Instrument(str(far), 1)
                    assert isinstance(master.serial, serial.Serial)
                    master.serial.baudrate, master.serial.timeout = baud, 0.5

                    def read() -> int:
                        return int(master.read_registers(0, 16, functioncode=4)[15])

                    yield f"serial {baud}", "box is polled: seen", self._polled(box, read)
                    master.serial.close()

        return play


def _secured(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    wire = socket.create_connection(("127.0.0.1", port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(wire, server_hostname="127.0.0.1")


def _received(wire: socket.socket) -> bytes:
    try:
        return wire.recv(4096)
    except TimeoutError:
        return b""
