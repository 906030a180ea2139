"""Results out of the ledger: none is lost however long the broker is away, and whoever is killed meanwhile."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.appliance.mqtt_source import LedgerSource
from okng.bus.entries import RecordEntry, TriggerEntry
from okng.bus.part import CodeRead
from okng.plc_io.mqtt_ledger import FILE, LedgerResults, Stored
from okng.plc_io.part_report import part_report
from okng.records.journal import Entry
from okng.records.ledger import Ledger, Ripe

from .conftest import wait_for
from .mosquitto import Broker, Judge
from .played_line import record_of, start
from .sparkplug_peer import Host
from .test_mqtt_sparkplug import told_parts

_MQTT = """
import json, logging, sys
from pathlib import Path
from okng.appliance.mqtt_source import LedgerSource
from okng.plc_io.mqtt_options import MqttOptions
from okng.plc_io.mqtt_process import run
logging.basicConfig(level=logging.INFO)
options, run_dir, store = MqttOptions.model_validate(json.loads(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
raise SystemExit(run(options, "box1", "line1", run_dir, LedgerSource(store, "box1"), store.parent / "mqtt"))
"""


class Line:
    """A ledger that parts come into."""

    def __init__(self, store: Path) -> None:
        self.ledger, self.number = Ledger(store), 0

    def parts(self, first: int, last: int) -> None:
        batch: list[Ripe] = []
        for part in range(first, last + 1):
            record = record_of(part, ok=part % 3 != 0)
            assert record.verdict is not None
            code = CodeRead("dm", f"SN{part:05}", "DataMatrix", True)
            record = replace(record, verdict=replace(record.verdict, codes=(code,)))
            self.number += 2
            batch.append(Ripe(TriggerEntry("run-1", self.number - 1, record.trigger, "boot")))
            batch.append(Ripe(RecordEntry("run-1", self.number, record)))
        self.ledger.store(batch)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "box" / "store")
    yield made
    made.ledger.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@contextmanager
def telling(run_dir: Path, broker: Broker, line: Line, **more: object) -> Iterator["subprocess.Popen[bytes]"]:
    values: dict[str, object] = {"host": "127.0.0.1", "port": broker.port, "retry_s": 1, "durable": True, **more}
    process = start(_MQTT, json.dumps(values), str(run_dir), str(line.ledger.path.parent))
    try:
        yield process
    finally:
        process.kill()
        process.wait(5)


def parts(judge: Judge) -> list[int]:
    return list({one["id"]: one["part"] for one in judge.heard("result")}.values())


def test_weeks_without_a_broker_and_two_kills_lose_nothing(run_dir: Path, broker: Broker, line: Line) -> None:
    judge, host = Judge(broker, "judge"), Host(broker.port)
    more: dict[str, Any] = {"waiting": 10, "sparkplug": {"group": "plant", "host": "scada"}}
    line.parts(1, 5)  # before it ever ran: they stay
    with telling(run_dir, broker, line, **more) as process:
        wait_for("the birth", lambda: len(host.of("DBIRTH")) == 1)
        note = line.ledger.path.parent.parent / "mqtt" / FILE
        wait_for("where it begins", note.exists)
        line.parts(6, 40)
        wait_for("35 parts", lambda: len(parts(judge)) == 35)
        process.kill()
        process.wait(5)
    line.parts(41, 60)  # the process is away
    broker.kill()
    with telling(run_dir, broker, line, **more) as process:
        for first in range(61, 561, 100):
            line.parts(first, first + 99)
        process.kill()
        process.wait(5)
    with telling(run_dir, broker, line, **more):
        broker.start()
        wait_for("555 parts", lambda: len(parts(judge)) == 555, 30)
        wait_for("as Sparkplug", lambda: len(told_parts(host)) == 555, 30)
        wait_for("nothing waits", lambda: judge.heard("state")[-1]["results_wait"] is False)
    assert sorted(parts(judge)) == list(range(6, 561))
    assert sorted(told_parts(host)) == list(range(6, 561))
    heard = [one["part"] for one in judge.heard("result")]
    assert len(heard) < 555 + 200  # what travelled twice is bounded by the window and the second it is noted behind
    assert judge.heard("state")[-1]["results_dropped"] == 0
    assert {one["serial"] for one in judge.heard("result")} == {f"SN{part:05}" for part in range(6, 561)}
    host.close()
    judge.close()


def test_the_ledger_says_what_io_said(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    records = [record_of(1), record_of(2, ok=False), record_of(3, lost=True)]
    with ledger.transaction() as db:
        entry = Entry(stream="lot", key="L7", event="begun", body={"lot": "L7"})
        db.execute(
            "insert into journal (at, stream, key, event, who, body) values (?, ?, ?, ?, '', ?)",
            ("2026-01-01T00:00:00.000Z", entry.stream, entry.key, entry.event, json.dumps(entry.body)),
        )
    for number, record in enumerate(records):
        ledger.store(
            [
                Ripe(TriggerEntry("run-1", 2 * number + 1, record.trigger, "boot")),
                Ripe(RecordEntry("run-1", 2 * number + 2, record)),
            ]
        )
    found = LedgerSource(tmp_path, "box1").after(0, 10)
    assert [one.report for one in found] == [part_report(record, "run-1", "box1", "L7") for record in records]
    ledger.recover("none")
    ledger.store([Ripe(TriggerEntry("run-0", 1, replace(records[0].trigger, part=9), "boot"))])
    ledger.recover("run-0")  # io left it open: there is nothing to measure
    (left,) = LedgerSource(tmp_path, "box1").after(found[-1].seq, 10)
    assert (left.report["part"], left.report["latency_ms"], left.report["verdict"]) == (9, None, None)
    json.dumps(left.report, allow_nan=False)
    ledger.close()


class Fake:
    """A ledger of so many parts."""

    def __init__(self, parts: int, box: str = "b") -> None:
        self.parts, self.name = parts, box

    def box(self) -> str:
        return self.name

    def newest(self) -> int:
        return self.parts

    def after(self, seq: int, limit: int) -> list[Stored]:
        return [Stored(n, {"part": n}) for n in range(seq + 1, min(self.parts, seq + limit) + 1)]


def handed(results: LedgerResults, token: int) -> list[int]:
    found: list[int] = []
    while (report := results.next()) is not None:
        results.sent(token + len(found))
        found.append(int(str(report["part"])))
    return found


def test_the_cursor_waits_for_the_slowest_acknowledgement(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"box": "b", "reached": 2}')
    results = LedgerResults(Fake(9), tmp_path, 4)
    assert handed(results, 10) == [3, 4, 5, 6]
    for token in (11, 12, 13, 99):
        results.acknowledged(token)
    results.close()
    assert json.loads((tmp_path / FILE).read_text())["reached"] == 2
    results.acknowledged(10)
    results.close()
    assert json.loads((tmp_path / FILE).read_text())["reached"] == 6
    assert handed(results, 20) == [7, 8, 9]
    assert (results.under_way, results.waiting, results.taken) == (3, 0, 4)
    results.again()
    assert handed(results, 30) == [7, 8, 9]
    results.acknowledged(20)  # of before: nobody knows what it stands for now
    assert results.under_way == 3


@pytest.mark.parametrize("said", ["{", '{"box": "other", "reached": 3}', "[1]"])
def test_a_cursor_that_is_not_this_box_s_begins_now(tmp_path: Path, said: str) -> None:
    (tmp_path / FILE).write_text(said)
    results = LedgerResults(Fake(9), tmp_path, 4)
    assert results.next() is None
    assert json.loads((tmp_path / FILE).read_text()) == {"box": "b", "reached": 9}


def test_a_ledger_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    results = LedgerResults(LedgerSource(tmp_path / "store", "box1"), tmp_path, 4)
    assert results.next() is None
    assert not (tmp_path / FILE).exists()
