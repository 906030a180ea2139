"""What a process tells the service manager, heard at a socket of our own."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.clock import SECOND, now_ns
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import Health
from okng.bus.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(place))
        ear.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield ear


def heard(ear: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(ear.recv(4096).decode())
        except BlockingIOError:
            return words


def test_ready_goes_out_once_and_not_before_the_load_is_done(manager: socket.socket, tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path, "inspect")
    beat.turn()
    assert "READY=1" not in heard(manager)
    beat.health = Health.READY
    beat.turn()
    beat.turn()
    assert heard(manager).count("READY=1") == 1
    beat.close()
    assert heard(manager)[-1] == "STOPPING=1"


def test_a_process_that_waits_is_given_time_as_long_as_it_moves(manager: socket.socket, tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path, "camera-top")
    for _ in range(50):
        beat.turn()
    assert heard(manager).count("EXTEND_TIMEOUT_USEC=20000000") == 1
    beat.health = Health.READY
    beat.turn()
    assert heard(manager)[0] == "READY=1"
    time.sleep(1.1)
    beat.turn()
    assert not any(word.startswith("EXTEND") for word in heard(manager))
    beat.close()


def test_the_watchdog_is_fed_by_turns_and_not_more_often_than_needed(manager: socket.socket, tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path, "io")
    for _ in range(100):
        beat.turn()
    assert heard(manager).count("WATCHDOG=1") == 1
    beat.close()


def test_work_that_waits_too_long_is_not_life(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "4000")
    beat = Heartbeat(tmp_path, "inspect")
    heard(manager)
    time.sleep(0.01)
    beat.turn(oldest_ns=now_ns() - SECOND)
    assert "WATCHDOG=1" not in heard(manager)
    beat.turn(oldest_ns=0)
    assert "WATCHDOG=1" in heard(manager)
    beat.close()


def test_a_process_that_dies_while_starting_was_never_up(manager: socket.socket, tmp_path: Path) -> None:
    Heartbeat(tmp_path, "inspect").close()
    assert "READY=1" not in heard(manager)


def test_silent_without_a_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    assert notifier.watchdog_ns == 0
    notifier.ready()
    notifier.watchdog()
    notifier.stopping()
    notifier.close()
    notifier.close()


def test_a_manager_that_is_gone_or_full_stops_nobody(manager: socket.socket, tmp_path: Path) -> None:
    notifier = Notifier()
    for _ in range(5000):
        notifier.ready()
    manager.close()
    notifier.ready()
    notifier.close()


def test_the_watchdog_of_another_process_is_not_ours(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_PID", "1")
    notifier = Notifier()
    assert notifier.watchdog_ns == 0
    notifier.close()
