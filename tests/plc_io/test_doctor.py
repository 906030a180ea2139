"""What the doctor says of the way to the PLC: of ports held, missing cards, and a PLC that is silent or there."""

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.channel import Publisher, io_address
from okng.bus.clock import now_ns
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Counters, Health, Job, StationState
from okng.plc_io import doctor
from okng.plc_io.options import PlcOptions

from .conftest import free_port


@pytest.fixture
def run_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # socket names are short
        yield Path(folder)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def options_at(server: socket.socket) -> PlcOptions:
    return PlcOptions(port=server.getsockname()[1])


def state(*, plc_alive: bool, ready: bool) -> StationState:
    counters = Counters(**dict.fromkeys(Counters.__dataclass_fields__, 0))
    job = Job("cap", "0" * 12, "0" * 64, 10**9)
    reasons = () if ready else ("camera top is gone",)
    return StationState("line1", "e", "READY", ready, reasons, 0, plc_alive, ("io",), job, counters, now_ns())


def test_a_free_port_is_well(listener: socket.socket) -> None:
    options = options_at(listener)
    listener.close()
    assert doctor.port_finding(options, None).ok is True


def test_a_port_held_by_somebody_names_the_process(listener: socket.socket) -> None:
    found = doctor.port_finding(options_at(listener), None)
    assert found.ok is False
    assert f"process {os.getpid()}" in found.found


def test_a_port_held_by_our_own_io_is_well(listener: socket.socket) -> None:
    assert doctor.port_finding(options_at(listener), os.getpid()).ok is True
    assert doctor.port_finding(options_at(listener), os.getpid() + 1).ok is False


def test_an_address_of_no_card_says_so() -> None:
    found = doctor.port_finding(PlcOptions(host="203.0.113.7", port=5020), None)
    assert found.ok is False
    assert "No network card has this address" in found.advice


def test_without_io_nobody_looks(run_dir: Path) -> None:
    port, plc = doctor.plc_findings(PlcOptions(port=50_213), run_dir / "none")
    assert port.ok is True
    assert plc.ok is None
    assert "not running" in plc.found


@pytest.mark.parametrize(
    ("alive", "ready", "ok", "words"),
    [
        (True, True, True, "the station is ready"),
        (True, False, True, "not ready: camera top is gone"),
        (False, False, False, "no heartbeat"),
    ],
)
def test_what_io_says_of_the_plc_is_passed_on(
    run_dir: Path, listener: socket.socket, *, alive: bool, ready: bool, ok: bool, words: str
) -> None:
    beat = Heartbeat(run_dir, "io")
    beat.health = Health.READY
    beat.turn()
    done = threading.Event()

    def speak() -> None:
        with Publisher(io_address(run_dir)) as mouth:
            while not done.wait(0.05):
                mouth.send(state(plc_alive=alive, ready=ready))

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        with socket.create_connection(listener.getsockname()):
            _, plc = doctor.plc_findings(options_at(listener), run_dir)
    finally:
        done.set()
        speaker.join()
        beat.close()
    assert plc.ok is ok
    assert words in plc.found
    assert "connected: 127.0.0.1" in plc.found


def test_the_kernels_addresses_are_read() -> None:
    assert doctor._address("0100007F") == "127.0.0.1"
    assert doctor._address("0000000000000000FFFF00000A0AA8C0") == "192.168.10.10"
    assert doctor._address("00000000000000000000000001000000") == "::1"


def test_each_role_is_looked_at_where_it_is(tmp_path: Path) -> None:
    def names(**more: object) -> list[tuple[str, bool | None]]:
        found = doctor.plc_findings(PlcOptions.model_validate(more), tmp_path)
        return [(one.name, one.ok) for one in found]

    port = free_port()
    assert names(port=port)[0] == ("PLC port", True)
    assert names(role="ascii", ascii={"port": port})[0] == ("PLC port", True)
    assert names(role="rtu_server", serial={"device": "/dev/okng-nothing"})[0] == ("PLC device", False)
    assert names(role="rtu_client", serial={"device": "/dev/null"})[0] == ("PLC device", True)
    assert names(role="ascii", ascii={"over": "serial", "device": "/dev/okng-nothing"})[0] == ("PLC device", False)
    assert names(role="gates", pins={"chip": "/dev/gpiochip99"})[0] == ("PLC device", False)
    assert [name for name, _ in names(role="modbus_client")] == ["PLC"]
