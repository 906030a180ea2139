"""Modbus/TCP Security, both roles, against peers nobody here wrote: openssl, pymodbus' TLS client, socat.

Whoever may not come in costs nothing: the PLC that is connected goes on, and no station hears of it.
"""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymodbus.client import ModbusTlsClient

from okng.bus.errors import BadSettings
from okng.plc_io.client_options import TcpClientOptions
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.modbus_client import modbus_client
from okng.plc_io.modbus_server import ModbusServer
from okng.plc_io.regmap import WordOrder
from okng.plc_io.signals import Status, WireCode
from okng.plc_io.tls import NotAdmitted, admit, client_context, role_of, server_context
from okng.plc_io.tls_options import TlsOptions

from .certificates import Authority, Holder, utf8
from .conftest import free_port, lacking, wait_for
from .plc_slave import ANSWER_AT, RESULT_AT, PlcSlave

READ_BLOCK = bytes.fromhex("000700000006010400000010")


@dataclass
class Trust:
    """Who trusts whom in these tests."""

    ca: Authority
    other: Authority
    box: Holder
    plc: Holder
    folder: Path

    def options(self, holder: Holder, ca: Path | None = None, **more: object) -> TlsOptions:
        """Settings of a holder."""
        values = {"ca": ca or self.ca.file, "certificate": holder.certificate, "key": holder.key, **more}
        return TlsOptions.model_validate(values)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    folder = tmp_path_factory.mktemp("trust")
    ca, other = Authority(folder, "plant"), Authority(folder, "stranger")
    return Trust(ca, other, ca.issue("box"), ca.issue("plc", role=utf8("plc")), folder)


# -- the box as server -------------------------------------------------------------------------------------------------

SERVER = """
import asyncio, json, sys
from okng.plc_io.images import OutImage
from okng.plc_io.modbus_server import ModbusServer
from okng.plc_io.signals import Status
from okng.plc_io.tls_options import TlsOptions

async def main(port, tls):
    server = ModbusServer("127.0.0.1", port, tls=TlsOptions.model_validate_json(tls),
                          on_image=lambda image: print("image", image.heartbeat, flush=True),
                          on_lost=lambda why: print("lost", why, flush=True))
    await server.open()
    server.publish(OutImage(Status.READY, 3, seq=9, part=0x50006))
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.02)
        if await asyncio.to_thread(sys.stdin.readline):
            health = server.health
            print("health", health.broken, health.accepted, health.connections, len(server._server.active_connections),
                  flush=True)

asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


class Server:
    """The server in a process of its own, and what it prints."""

    def __init__(self, options: TlsOptions) -> None:
        self.port = free_port()
        command = [sys.executable, "-c", SERVER, str(self.port), options.model_dump_json()]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.said() == "ready"

    def said(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def health(self) -> tuple[list[int], list[str]]:
        """(broken, accepted, connections, sessions held) and what was printed before."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        lines = []
        while not (line := self.said()).startswith("health"):
            lines.append(line)
        return [int(word) for word in line.split()[1:]], lines

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def server(trust: Trust) -> Iterator[Server]:
    made = Server(trust.options(trust.box, roles=("plc", "hmi"), handshake_ms=400))
    yield made
    made.close()


def master(trust: Trust, port: int) -> ModbusTlsClient:
    """pymodbus' own TLS client, with the PLC's certificate."""
    context = client_context(trust.options(trust.plc))
    context.check_hostname = False  # pymodbus names no host
    client = ModbusTlsClient("127.0.0.1", port=port, sslctx=context, timeout=2, retries=0)
    assert client.connect()  # type: ignore[no-untyped-call]
    return client


def s_client(server: Server, *more: str | Path, send: bytes = READ_BLOCK) -> bytes:
    """What openssl's client gets for its bytes; it stays until the box closes or half a second has passed."""
    lacking("openssl")
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-quiet", "-no_ign_eof", *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(send)
            process.stdin.flush()
            time.sleep(0.5)
            process.stdin.close()
        except BrokenPipeError:
            pass  # refused before it could say anything
        return process.stdout.read()


def files(holder: Holder) -> tuple[str | Path, ...]:
    return ("-cert", holder.certificate, "-key", holder.key)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_reads_the_block(server: Server, trust: Trust, version: str) -> None:
    answer = s_client(server, version, *files(trust.plc), "-CAfile", trust.ca.file, "-verify_return_error")
    assert answer[:9].hex() == "000700000023010420"
    words = [int.from_bytes(answer[at : at + 2], "big") for at in range(9, len(answer), 2)]
    assert (words[0], words[3], words[4], words[5], words[15]) == (Status.READY, 9, 5, 6, 9)


def test_pymodbus_tls_client_writes_and_reads(server: Server, trust: Trust) -> None:
    client = master(trust, server.port)
    try:
        for beat in range(1, 50):
            assert not client.write_registers(0, [0, beat, 0, 0, 0, 0, 0]).isError()
            block = client.read_input_registers(0, count=16)
            assert not block.isError()
            assert (block.registers[3], block.registers[15]) == (9, 9)
    finally:
        client.close()  # type: ignore[no-untyped-call]
    heard = [server.said() for _ in range(50)]
    assert heard[:49] == [f"image {beat}" for beat in range(1, 50)]
    assert heard[49].startswith("lost")


def refused(server: Server, trust: Trust, case: str) -> None:
    """One who may not come in tries; nothing is answered."""
    ca, other = trust.ca, trust.other
    ways: dict[str, tuple[str | Path, ...]] = {
        "wrong authority": files(other.issue("plc", role=utf8("plc"))),
        "no certificate": (),
        "expired": files(ca.issue("old", role=utf8("plc"), days=-1)),
        "wrong role": files(ca.issue("guest", role=utf8("guest"))),
        "no role": files(ca.issue("plain")),
        "role that is none": files(ca.issue("odd", role=b"\x0c\x7fplc")),
        "old version": ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0", *files(trust.plc)),
    }
    if case in ways:
        assert s_client(server, *ways[case]) == b""
        return
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as bare:
        if case == "plain":
            bare.sendall(READ_BLOCK)
        answer = b"x"
        try:
            while answer:
                answer = bare.recv(64)
                assert answer[:2] != READ_BLOCK[:2]
        except ConnectionResetError:
            return


CASES = ["wrong authority", "no certificate", "expired", "wrong role", "no role", "role that is none", "old version"]
CASES += ["plain", "silent"]


def test_who_may_not_come_in_costs_nothing(server: Server, trust: Trust) -> None:
    client = master(trust, server.port)
    beat = 0
    try:
        for case in CASES:
            refused(server, trust, case)
            beat += 1
            assert not client.write_registers(0, [0, beat, 0, 0, 0, 0, 0]).isError(), case
        figures, lines = server.health()
    finally:
        client.close()  # type: ignore[no-untyped-call]
    assert lines == [f"image {n}" for n in range(1, beat + 1)], "only the PLC is heard, and it was never lost"
    assert figures == [len(CASES), 1, 1, 1], "each is counted, and no session of theirs is left behind"


def test_many_handshakes_at_once_are_bounded(server: Server, trust: Trust) -> None:
    """Forty silent connections: the PLC's handshake waits for them at most once, and they are gone after their time."""
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=3) for _ in range(40)]
    try:
        wait_for("their end", lambda: server.health()[0][0] == 40, 5)
        client = master(trust, server.port)
        assert not client.read_input_registers(0, count=16).isError()
        client.close()  # type: ignore[no-untyped-call]
    finally:
        for one in silent:
            one.close()


def test_a_request_in_the_segment_that_ends_the_handshake_is_answered(server: Server, trust: Trust) -> None:
    context = client_context(trust.options(trust.plc))
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(came, goes, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as bare:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                bare.sendall(goes.read())
                came.write(bare.recv(16384))
        tls.write(READ_BLOCK)
        bare.sendall(goes.read())  # the client's certificate, its Finished and the request at once
        while True:
            try:
                answer = tls.read(256)
                break
            except ssl.SSLWantReadError:
                came.write(bare.recv(16384))
    assert answer[:2] == READ_BLOCK[:2]
    assert len(answer) == 9 + 32


# -- the box as client -------------------------------------------------------------------------------------------------


class Terminator:
    """socat as the PLC's end of TLS, in front of a slave on libmodbus."""

    def __init__(self, slave: PlcSlave, holder: Holder, ca: Path) -> None:
        lacking("socat")
        self.port = free_port()
        pem = holder.certificate.with_suffix(".both")
        pem.write_bytes(holder.key.read_bytes() + holder.certificate.read_bytes())
        listen = f"OPENSSL-LISTEN:{self.port},bind=127.0.0.1,reuseaddr,fork,cert={pem},cafile={ca},verify=1,nodelay"
        command = ["socat", listen, f"TCP:127.0.0.1:{slave.port},nodelay"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("socat listens", listens)

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(5)


@pytest.fixture
def slave(tmp_path: Path) -> Iterator[PlcSlave]:
    made = PlcSlave(tmp_path)
    yield made
    made.close()


async def try_out(port: int, tls: TlsOptions | None, patience_s: float) -> tuple[bool, list[InImage], list[str]]:
    """Open a client, show a result, and say whether it was connected within the time."""
    heard: list[InImage] = []
    lost: list[str] = []
    options = TcpClientOptions(
        host="127.0.0.1", port=port, result_at=RESULT_AT, answer_at=ANSWER_AT, tls=tls, lost_ms=1000, connect_ms=1000
    )
    link = modbus_client(options, WordOrder.HIGH_FIRST, on_image=heard.append, on_lost=lost.append)
    await link.open()
    end = time.monotonic() + patience_s
    while not link.connected and time.monotonic() < end:  # noqa: ASYNC110 - what a station does
        await asyncio.sleep(0.005)
    connected = link.connected
    if connected:
        link.publish(OutImage(Status.RESULT_VALID | Status.OK, 1, seq=7, part=70000, disposition=WireCode.OK))
        await asyncio.sleep(0.3)
        assert heard[-1].seen_seq == 7
    await link.close()
    return connected, heard, lost


def test_the_box_asks_a_plc_by_tls(slave: PlcSlave, trust: Trust) -> None:
    end = Terminator(slave, trust.plc, trust.ca.file)
    try:
        connected, heard, lost = asyncio.run(try_out(end.port, trust.options(trust.box), 8))
    finally:
        end.close()
    assert connected
    assert lost == []
    assert len(heard) > 1
    written = [entry.words for entry in slave.entries("write")]
    assert written[0] == (0,) * 8
    assert written[-1] == (7, 1, 70000 & 0xFFFF, 1, 0, Status.RESULT_VALID | Status.OK, 1, 7)


@pytest.mark.parametrize("case", ["authority", "name", "expired", "ours unknown", "plain"])
def test_the_box_writes_nothing_to_a_plc_it_cannot_trust(
    slave: PlcSlave, trust: Trust, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    holder = {
        "authority": trust.other.issue("plc"),
        "name": trust.ca.issue("elsewhere", host="192.0.2.7"),
        "expired": trust.ca.issue("late", days=-1),
    }.get(case, trust.plc)
    own = trust.other.issue("box") if case == "ours unknown" else trust.box
    end = None if case == "plain" else Terminator(slave, holder, trust.ca.file)
    before = len(slave.entries())
    try:
        port = slave.port if end is None else end.port
        connected, heard, lost = asyncio.run(try_out(port, trust.options(own), 0.7))
    finally:
        if end is not None:
            end.close()
    assert not connected
    assert heard == []
    assert lost == []
    # libmodbus takes the first bytes of a handshake for a request to read; nothing is ever written
    assert [entry for entry in slave.entries()[before:] if entry.kind in ("write", "coil")] == []
    said = [record.getMessage() for record in caplog.records if "no PLC on" in record.getMessage()]
    assert len(said) == 1, "said once, not at each attempt"


# -- the parts ---------------------------------------------------------------------------------------------------------


def test_the_role_of_a_certificate(trust: Trust) -> None:
    def der(holder: Holder) -> bytes:
        return ssl.PEM_cert_to_DER_cert(holder.certificate.read_text())

    assert role_of(der(trust.plc)) == "plc"
    assert role_of(der(trust.box)) is None
    assert admit(der(trust.box), ()) == ""
    assert admit(der(trust.ca.issue("wide", role=utf8("Bediener \u00fc"))), ("Bediener \u00fc",)) == "Bediener \u00fc"
    for raw in (b"", b"\x0c", b"\x0c\x00", b"\x13\x03plc", b"\x0c\x04plc", b"\x0c\x02plc", b"\x0c\x02\xff\xfe"):
        with pytest.raises(NotAdmitted, match="role in its certificate"):
            role_of(der(trust.ca.issue("odd", role=raw)))
    with pytest.raises(NotAdmitted, match="expected one of hmi, scada"):
        admit(der(trust.plc), ("hmi", "scada"))
    with pytest.raises(NotAdmitted, match="no certificate"):
        admit(None, ())
    with pytest.raises(NotAdmitted, match="cannot be read"):
        role_of(b"\x30\x03\x02\x01\x01")


def test_settings_that_cannot_be_used_are_said_in_words(trust: Trust, tmp_path: Path) -> None:
    def broken(match: str, **more: object) -> None:
        values = {**trust.options(trust.box).model_dump(), **more}
        with pytest.raises(BadSettings, match=match):
            server_context(TlsOptions.model_validate(values))

    broken(r"tls\.ca = .*found none", ca=tmp_path / "nothing.pem")
    broken(r"tls\.ca = .*expected certificates in PEM", ca=trust.box.key)
    broken(r"tls\.certificate = .*its unencrypted key", key=trust.plc.key)
    bare = shutil.copy(trust.box.key, tmp_path / "bare.key")
    Path(bare).chmod(0o644)
    broken(r"tls\.key = .*mode 0644, expected 0600", key=bare)
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", trust.box.key, "-aes128", "-passout", "pass:x", "-out", locked],
        check=True,
        capture_output=True,
    )
    locked.chmod(0o600)
    broken("the key is encrypted", key=locked)
    assert json.loads(trust.options(trust.box).model_dump_json())["minimum"] == "1.2"


def test_without_the_library_only_who_asks_for_tls_is_hurt(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "okng.plc_io.tls", None)
    options = TcpClientOptions(host="127.0.0.1", tls=trust.options(trust.box))
    with pytest.raises(BadSettings, match=r"okng\[tls\]"):
        modbus_client(options, WordOrder.HIGH_FIRST, on_image=print, on_lost=print)

    async def serve(tls: TlsOptions | None) -> None:
        server = ModbusServer("127.0.0.1", free_port(), on_image=print, on_lost=print, tls=tls)
        await server.open()
        await server.close()

    asyncio.run(serve(None))
    with pytest.raises(BadSettings, match=r"okng\[tls\]"):
        asyncio.run(serve(trust.options(trust.box)))
