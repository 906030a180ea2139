"""The mqtt process against a real broker: each part arrives, whatever happens to the broker."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from okng.plc_io.part_report import result_id

from .certificates import Authority
from .conftest import lacking, wait_for
from .mosquitto import Broker, Judge, retained
from .played_line import PlayedLine, start

ROOT = "okng/box1/line1"
_MQTT = """
import json, logging, sys
from pathlib import Path
from okng.plc_io.mqtt_options import MqttOptions
from okng.plc_io.mqtt_process import run
logging.basicConfig(level=logging.INFO)
raise SystemExit(run(MqttOptions.model_validate(json.loads(sys.argv[1])), "box1", "line1", Path(sys.argv[2])))
"""


@contextmanager
def told(run_dir: Path, broker: Broker, **more: object) -> Iterator["subprocess.Popen[bytes]"]:
    """An mqtt process that tells this broker."""
    values: dict[str, object] = {"host": "127.0.0.1", "port": broker.port, "retry_s": 1, "counters_s": 1}
    process = start(_MQTT, json.dumps({**values, **more}), str(run_dir))
    try:
        yield process
    finally:
        process.kill()
        process.wait(5)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that takes everybody."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


def parts(judge: Judge) -> list[int]:
    """Part numbers that arrived, each id once."""
    return list({document["id"]: document["part"] for document in judge.heard("result")}.values())


def test_each_part_arrives_once_though_the_broker_is_killed_in_between(run_dir: Path, broker: Broker) -> None:
    judge = Judge(broker, "judge")
    with PlayedLine(run_dir) as line, told(run_dir, broker) as process:
        line.until("the birth", lambda: any(one["online"] for one in judge.heard("online")))
        records = [line.inspect(part, ok=part % 3 != 0) for part in range(1, 41)]
        line.until("40 parts", lambda: len(parts(judge)) == 40)
        line.during(1.2)  # the broker writes its sessions once a second
        broker.kill()
        for part in range(41, 141):
            records.append(line.inspect(part, ok=part % 3 != 0))
            line.during(0.01)
        broker.start()
        line.until("140 parts", lambda: len(parts(judge)) == 140, 20)
        line.until("back", lambda: judge.heard("state")[-1]["ready"] is True)
        assert sorted(parts(judge)) == list(range(1, 141))
        wanted = {result_id(record, line.epoch): record for record in records}
        for document in judge.heard("result"):
            record = wanted[document["id"]]
            assert document["schema"] == "okng.result/1"
            assert document["_topic"] == f"{ROOT}/result"
            assert not document["_retained"]
            assert document["pass"] is (record.disposition.action.value == "PASS")
            assert document["taken_at"] == record.taken_at
        ng = next(document for document in judge.heard("result") if not document["pass"])
        assert ng["verdict"]["reasons"] == ["score 7.1 above 4.0 in region cap"]
        assert ng["verdict"]["defects"][0]["kind"] == "scratch"
        assert "heat" not in ng["verdict"]
        line.until("counters", lambda: judge.heard("counters")[-1]["triggers"] == 140)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        line.until("goodbye", lambda: not judge.heard("online")[-1]["online"])
    judge.close()


def test_the_last_will_tells_of_a_process_that_was_killed(run_dir: Path, broker: Broker) -> None:
    judge = Judge(broker, "judge")
    with PlayedLine(run_dir) as line, told(run_dir, broker) as process:
        line.until("the birth", lambda: any(one["online"] for one in judge.heard("online")))
        line.until("the state", lambda: bool(judge.heard("state")) and judge.heard("state")[-1]["ready"])
        assert retained(broker, f"{ROOT}/online")["online"] is True
        process.kill()
        process.wait(5)
        wait_for("the last will", lambda: judge.heard("online")[-1]["online"] is False)
        assert retained(broker, f"{ROOT}/online")["online"] is False
        assert retained(broker, f"{ROOT}/state")["state"] == "READY"
    judge.close()


def test_what_the_outbox_cannot_hold_is_counted_and_the_newest_arrive(run_dir: Path, broker: Broker) -> None:
    judge = Judge(broker, "judge")
    with PlayedLine(run_dir) as line, told(run_dir, broker, waiting=10, window=1):
        line.until("the birth", lambda: any(one["online"] for one in judge.heard("online")))
        line.during(1.2)
        broker.kill()
        line.during(0.5)
        for part in range(1, 31):
            line.inspect(part)
            line.during(0.01)
        broker.start()
        line.until("the last one", lambda: 30 in parts(judge), 20)
        line.until("the count", lambda: judge.heard("state")[-1]["results_dropped"] >= 19)
        dropped = judge.heard("state")[-1]["results_dropped"]
        assert sorted(parts(judge))[-10:] == list(range(21, 31))
        line.until("nothing waits", lambda: judge.heard("state")[-1]["results_wait"] is False)
        assert len(parts(judge)) + dropped == 30
    judge.close()


def test_io_that_falls_silent_is_no_ready_line(run_dir: Path, broker: Broker) -> None:
    judge = Judge(broker, "judge")
    with PlayedLine(run_dir) as line, told(run_dir, broker):
        line.until("the state", lambda: bool(judge.heard("state")) and judge.heard("state")[-1]["ready"])
        line.blockers = ("camera-top: lost",)
        line.until("the reason", lambda: judge.heard("state")[-1]["reasons"] == ["camera-top: lost"])
        wait_for("silence", lambda: judge.heard("state")[-1]["state"] == "UNKNOWN")
        assert judge.heard("state")[-1]["ready"] is False
    judge.close()


def test_a_broker_with_tls_and_a_password(run_dir: Path, tmp_path: Path) -> None:
    authority, other = Authority(tmp_path, "plant"), Authority(tmp_path, "other")
    server = authority.issue("broker")
    users = tmp_path / "users"
    login = tmp_path / "password"
    login.write_text("long live the line\n", encoding="utf-8")
    login.chmod(0o600)
    lacking("mosquitto_passwd")
    users.touch()
    subprocess.run(["mosquitto_passwd", "-b", str(users), "box1", "long live the line"], check=True)
    broker = Broker(
        tmp_path,
        f"password_file {users}",
        f"cafile {authority.file}",
        f"certfile {server.certificate}",
        f"keyfile {server.key}",
        login=True,
    )
    broker.start()
    person = ["--cafile", str(authority.file), "-u", "box1", "-P", "long live the line"]
    judge = Judge(broker, "judge", "okng/#", *person)
    secure: dict[str, object] = {"username": "box1", "password_file": str(login)}
    try:
        with PlayedLine(run_dir) as line:
            with told(run_dir, broker, tls={"ca": str(authority.file)}, **secure):
                line.until("the birth", lambda: any(one["online"] for one in judge.heard("online")), 15)
                line.inspect(7, ok=False)
                line.until("the part", lambda: parts(judge) == [7])
            births = len(judge.heard("online"))
            login.write_text("wrong\n", encoding="utf-8")
            with told(run_dir, broker, tls={"ca": str(authority.file)}, **secure) as wrong:
                line.during(2.0)
                assert wrong.poll() is None
            login.write_text("long live the line\n", encoding="utf-8")
            with told(run_dir, broker, tls={"ca": str(other.file)}, **secure) as foreign:
                line.during(2.0)
                assert foreign.poll() is None
            assert [one["online"] for one in judge.heard("online")[births:]] in ([], [False])
            login.chmod(0o644)
            with told(run_dir, broker, tls={"ca": str(authority.file)}, **secure) as careless:
                assert careless.wait(10) == 78
    finally:
        judge.close()
        broker.kill()
