"""Every byte of io on the wire, as Wireshark's dissector sees it, with three foreign masters at once."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..peers.node import start_node
from .conftest import Line, free_port, lacking
from .test_sheet_peers import SHEET, Mbpoll, judge


class Capture:
    """tshark on the loopback, of two ports."""

    def __init__(self, folder: Path, *ports: int) -> None:
        lacking("tshark")
        if os.geteuid():
            message = "capturing on lo needs root"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        self.file, self.ports = folder / "session.pcapng", ports
        ports_of = " or ".join(f"tcp port {port}" for port in ports)
        command = ["tshark", "-i", "lo", "-f", ports_of, "-w", str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        for line in self.process.stderr:
            if "Capturing on" in line:
                break
        else:
            pytest.fail("tshark ended before it captured")
        end = time.monotonic() + 10
        while not (self.file.exists() and self.file.stat().st_size > 0) and time.monotonic() < end:
            time.sleep(0.01)  # the file's head is written when the interface is open

    def stop(self) -> None:
        """End the capture; the file is whole then."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.communicate(timeout=20)

    def frames(self, port: int, what: str) -> list[str]:
        """Numbers of the frames of a port that match a display filter."""
        as_modbus = ["-d", f"tcp.port=={port},mbtcp", "-o", f"mbtcp.tcp.port:{port}"]  # the latter tells it who asks
        command = ["tshark", "-r", str(self.file), *as_modbus, "-Y", f"tcp.port=={port} && ({what})"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
        return [line.split()[0] for line in done.stdout.splitlines()]


def answer_wrongly(listener: socket.socket) -> None:
    """One Modbus answer that ends behind its function code."""
    wire, _ = listener.accept()
    with wire:
        head = wire.recv(12)[:2]
        wire.sendall(head + bytes.fromhex("0000 0002 01 04"))
        wire.recv(1)


@pytest.fixture
def wrong() -> Iterator[int]:
    """A port whose answer is malformed: what the check has to be able to find."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_wrongly, args=(listener,), daemon=True).start()
        yield int(listener.getsockname()[1])


def test_no_frame_is_malformed(line: Line, wrong: int, tmp_path: Path) -> None:
    quiet = free_port()
    capture = Capture(tmp_path, line.port, wrong, quiet)
    try:
        with socket.create_connection(("127.0.0.1", wrong)) as wire:
            wire.sendall(bytes.fromhex("0001 0000 0006 01 04 0000 0005"))
            assert wire.recv(64)
        parts = 20
        node = start_node("handshake.mjs", line.port, SHEET, parts, "false")
        judged: set[int] = set()
        try:
            while node.poll() is None:
                judge(line, judged)
        finally:
            node.kill()
            node.communicate(timeout=5)
        assert len(judged) == parts
        master = Mbpoll(line)
        master.turn()
        for table in ("coil", "discrete input"):
            assert master.run(table, "TRIGGER" if table == "coil" else "READY", count=9)
        assert master.run("input register", "status", count=34)
        master.run("coil", "TRIG_ENABLE", 1, 0, 1)
        master.heart.close()
        line.enable()
        line.trigger(5)
        line.during(0.2)
        line.plc.client.close()
        time.sleep(1.0)  # the kernel hands its last block over
    finally:
        capture.stop()
    requests = len(capture.frames(line.port, f"modbus && tcp.dstport == {line.port}"))
    answers = len(capture.frames(line.port, f"modbus && tcp.srcport == {line.port}"))
    assert requests > 20 * parts, "a handshake takes more requests than that"
    assert answers == requests
    refused = len(capture.frames(line.port, "modbus.exception_code == 2"))
    assert refused == 5, "the exceptions the Node script asks for are read as such"
    assert len(capture.frames(line.port, "modbus.request_frame")) == answers - refused, "each was taken for what it is"
    assert not capture.frames(line.port, "_ws.malformed")
    assert not capture.frames(line.port, "mbtcp && _ws.expert.severity >= 6291456"), "no warning either"
    assert capture.frames(wrong, "_ws.malformed"), "the check can fail"
    assert not capture.frames(quiet, "tcp")
