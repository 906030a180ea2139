"""The web process as it is served: caps, stop, a port in use."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from okng.appliance.supervisor import Supervisor, box_children, wait_until
from okng.bus.clock import SECOND
from okng.bus.errors import BadSettings
from okng.bus.heartbeat import Pulse
from okng.bus.messages import Health
from okng.bus.part import Outcome
from okng.webui.arbiter import PARENT
from okng.webui.options import WebOptions
from okng.webui.process import RECEIVE_S, run, threads_of


def open_stream(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/events")
    return connection


def test_port_in_use_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BadSettings, match=f"127.0.0.1:{port}: expected a free port"):
            run(WebOptions(port=port), "line 1", ("top",), tmp_path, tmp_path)
    with pytest.raises(BadSettings, match="expected an address of this machine"):
        run(WebOptions(host="192.0.2.1"), "line 1", ("top",), tmp_path, tmp_path)


def test_streams_and_waits_are_capped_and_clicks_go_on(line: Any, serve: Any) -> None:
    server = serve(line.run_dir)
    line.judge(Outcome.OK)
    asked = [open_stream(server.port) for _ in range(32)]
    answers = [connection.getresponse() for connection in asked]
    statuses = [answer.status for answer in answers]
    assert (statuses.count(200), statuses.count(503)) == (12, 20)
    assert all(answer.getheader("Retry-After") == "3" for answer in answers if answer.status == 503)
    frame = server.get("/frame.jpg?after=0")[1]["x-frame"]
    waits: list[tuple[int, dict[str, str], bytes]] = []
    waiters = [
        threading.Thread(target=lambda: waits.append(server.get(f"/frame.jpg?after={frame}"))) for _ in range(16)
    ]
    for waiter in waiters:
        waiter.start()
    begun = time.monotonic()
    for path in ("/", "/rejects/", "/help", "/healthz"):
        assert server.get(path)[0] == 200
    assert time.monotonic() - begun < 5
    for waiter in waiters:
        waiter.join()
    assert [status for status, _, _ in waits] == [204] * 16
    assert sum("retry-after" in headers for _, headers, _ in waits) >= 1
    for connection, answer in zip(asked, answers, strict=True):
        answer.close()
        connection.close()
    until = time.monotonic() + 15  # an idle stream notices at its next write
    while True:
        again = open_stream(server.port)
        status = again.getresponse().status
        again.close()
        if status == 200:
            break
        assert time.monotonic() < until, "the slots do not come back"
        time.sleep(0.2)


def test_requests_that_never_end_do_not_take_the_pages_away(line: Any, serve: Any) -> None:
    server = serve(line.run_dir)
    held = []
    for begun in (b"GET / HT", b"POST /language HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx"):
        for _ in range(30):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            one.sendall(begun)
            held.append(one)
    time.sleep(0.5)
    click = http.client.HTTPConnection("127.0.0.1", server.port, timeout=4 * RECEIVE_S)
    try:
        click.request("GET", "/healthz")
        assert click.getresponse().status == 200
    finally:
        click.close()
        for one in held:
            one.close()


def test_there_is_a_thread_for_all_that_may_be_held_and_some_for_clicks() -> None:
    for most in (1, 12, 24):
        assert threads_of(WebOptions(max_streams=most)) >= 2 * most + 9 + 10


def test_stops_in_time_with_a_stream_open(line: Any, serve: Any) -> None:
    server = serve(line.run_dir)
    beats = Pulse(line.run_dir)
    assert "web" in beats.beats()
    stream = open_stream(server.port)
    answer = stream.getresponse()
    assert answer.status == 200
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 8  # gunicorn's own grace would be 30 s
    assert beats.beats()["web"].health == "lost"
    beats.close()
    answer.close()
    stream.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_killed_worker_comes_back_and_shows_the_line(line: Any, serve: Any) -> None:
    server = serve(line.run_dir)
    pulse = Pulse(line.run_dir)
    first = pulse.beats()["web"].pid
    assert first != server.process.pid
    subprocess.run(["kill", "-9", str(first)], check=True)
    until = time.monotonic() + 20
    while pulse.beats()["web"].pid == first:
        assert time.monotonic() < until, "the worker does not come back"
        time.sleep(0.05)
    pulse.close()
    line.judge(Outcome.OK)
    while server.get("/frame.jpg?after=0")[0] != 200:
        assert time.monotonic() < until
    assert server.process.poll() is None


def test_a_parent_that_hangs_is_ended_with_its_worker_and_both_come_back(run_dir: Path) -> None:
    """The worker answers on and beats on: only the parent's own heartbeat tells."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    script = str(Path(__file__).with_name("serve.py"))
    (child,) = (each for each in box_children(Path("okng.toml"), ()) if each.name == "web")
    child.command = [sys.executable, script, str(run_dir), str(run_dir / "store"), str(port), "top"]
    child.silent_ns = 3 * SECOND
    supervisor, beats = Supervisor([child], run_dir), Pulse(run_dir)

    def up(but: int = 0) -> bool:
        found = beats.beats()
        worker, parent = found.get("web"), found.get(PARENT)
        if worker is None or parent is None or parent.health is not Health.READY or parent.pid == but:
            return False
        return worker.health is Health.READY and parent.pid == supervisor.pids().get("web") and worker.pid != but

    supervisor.start()
    try:
        assert wait_until(up, 30, supervisor)
        assert wait_until(lambda: child.was_ready, 5, supervisor)
        worker, parent = beats.beats()["web"].pid, supervisor.pids()["web"]
        assert worker != parent
        os.kill(parent, signal.SIGSTOP)
        assert wait_until(lambda: up(parent) and beats.beats()["web"].pid != worker, 40, supervisor)
        assert child.restarts == 1, "the port was free at once"
        assert not Path(f"/proc/{worker}").exists()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        supervisor.stop()
        beats.close()
    assert beats_of(run_dir)[PARENT] == Health.LOST


def test_the_service_manager_is_told_that_the_parent_turns(
    run_dir: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(run_dir / "notify"))
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(run_dir / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "4000000")
        server = serve(run_dir)
        said, who = b"", 0
        while said != b"WATCHDOG=1":
            said, about, _, _ = manager.recvmsg(1024, 64)
            who = int.from_bytes(about[0][2][:4], sys.byteorder)
        assert who == server.process.pid


def beats_of(run_dir: Path) -> dict[str, Health]:
    pulse = Pulse(run_dir)
    try:
        return {name: beat.health for name, beat in pulse.beats().items()}
    finally:
        pulse.close()


def test_the_supervisor_knows_the_heartbeat_of_the_parent() -> None:
    (child,) = (each for each in box_children(Path("okng.toml"), ()) if each.name == "web")
    assert child.beat == PARENT


def test_without_a_line_the_pages_are_there(run_dir: Path, serve: Any) -> None:
    server = serve(run_dir)
    assert server.get("/")[0] == 200
    assert server.get("/rejects/")[0] == 200
    assert server.stop() == 0


def test_importing_the_room_starts_nothing(tmp_path: Path) -> None:
    code = "import okng.webui.process, threading; assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=60)
