"""The mqtt process as an edge node, against a real broker and a host of Sparkplug that is not ours."""

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from okng.bus.channel import Publisher, shift_address
from okng.bus.clock import utc_now
from okng.bus.shift import ChallengeState, ChangeOver, LineMode, Mode, ShiftState

from .conftest import wait_for
from .mosquitto import Broker, Judge
from .played_line import PlayedLine, record_of
from .sparkplug_peer import Host
from .test_mqtt_process import parts, told

SPARK = {"sparkplug": {"group": "plant"}}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def host(broker: Broker) -> Iterator[Host]:
    made = Host(broker.port)
    yield made
    made.close()


def session(host: Host, at: int) -> int:
    """bdSeq of a birth."""
    return int(host.of("NBIRTH")[at].values()["bdSeq"])


def told_parts(host: Host) -> list[int]:
    """Parts in the order they came, each once."""
    found = [one.values().get("Result/Part") for one in host.of("DDATA")]
    return list(dict.fromkeys(part for part in found if part is not None))


def test_births_data_and_death(run_dir: Path, broker: Broker, host: Host) -> None:
    with PlayedLine(run_dir) as line:
        with told(run_dir, broker, **SPARK) as process:
            line.until("the births", lambda: len(host.of("NBIRTH", "DBIRTH")) == 2)
            line.until("the state", lambda: any("State/Ready" in one.values() for one in host.of("DDATA")))
            line.inspect(1)
            line.inspect(2, ok=False)
            line.until("two parts", lambda: told_parts(host) == [1, 2])
            kinds = [one.kind for one in host.heard]
            assert kinds[:2] == ["NBIRTH", "DBIRTH"]
            seqs = [one.payload.seq for one in host.heard]
            assert seqs == list(range(len(seqs)))
            assert not any(one.retained for one in host.heard)
            assert host.of("DBIRTH")[0].topic == "spBv1.0/plant/DBIRTH/box1/line1"
            ng = next(one.values() for one in host.of("DDATA") if one.values().get("Result/Part") == 2)
            assert (ng["Result/Pass"], ng["Result/Score"], ng["Result/Reasons"]) == (
                False,
                7.1,
                "score 7.1 above 4.0 in region cap",
            )
            process.kill()
            process.wait(5)
            wait_for("the last will", lambda: len(host.of("NDEATH")) == 1)
            assert host.of("NDEATH")[0].values()["bdSeq"] == session(host, 0)
        with told(run_dir, broker, **SPARK) as process:
            line.until("another birth", lambda: len(host.of("DBIRTH")) == 2)
            assert session(host, 1) == session(host, 0) + 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            wait_for("the goodbye", lambda: len(host.of("NDEATH")) == 2)
            assert host.of("NDEATH")[1].values()["bdSeq"] == session(host, 1)


def test_a_rebirth_is_asked_for_and_nonsense_is_not_obeyed(run_dir: Path, broker: Broker, host: Host) -> None:
    with PlayedLine(run_dir) as line, told(run_dir, broker, **SPARK) as process:
        line.until("the births", lambda: len(host.of("DBIRTH")) == 1)
        line.speaker.send(replace(record_of(5), taken_at=utc_now()))
        line.until("a part", lambda: told_parts(host) == [5])
        host.raw("box1", b"\x00\xff\xff")
        host.command("box1", "Node Control/Reboot")
        host.command("box1", "Node Control/Rebirth", value=False)
        host.command("box2", "Node Control/Rebirth")
        host.command("box1", "Node Control/Rebirth")
        line.until("the births again", lambda: len(host.of("DBIRTH")) == 2)
        line.during(0.5)
        assert len(host.of("NBIRTH")) == 2
        assert session(host, 1) == session(host, 0)
        born = host.of("DBIRTH")[1]
        assert born.values()["Result/Part"] == 5
        assert (host.of("NBIRTH")[1].payload.seq, born.payload.seq) == (0, 1)
        assert process.poll() is None


def test_each_part_is_told_though_the_broker_is_killed_in_between(run_dir: Path, broker: Broker, host: Host) -> None:
    judge = Judge(broker, "judge")
    with PlayedLine(run_dir) as line, told(run_dir, broker, sparkplug={"group": "plant", "host": "scada"}):
        line.until("the births", lambda: len(host.of("DBIRTH")) == 1)
        for part in range(1, 21):
            line.inspect(part)
        line.until("20 parts", lambda: len(told_parts(host)) == 20)
        broker.kill()
        for part in range(21, 61):
            line.inspect(part)
            line.during(0.01)
        broker.start()
        line.until("births again", lambda: len(host.of("DBIRTH")) >= 2, 20)
        line.until("60 parts", lambda: sorted(told_parts(host)) == list(range(1, 61)), 20)
        line.until("60 as JSON", lambda: sorted(parts(judge)) == list(range(1, 61)), 20)
        assert session(host, len(host.of("NBIRTH")) - 1) > session(host, 0)
        at = max(n for n, one in enumerate(host.heard) if one.kind == "NBIRTH")
        late = [one for one in host.heard[at:] if one.values().get("Result/Part") in range(30, 50)]
        assert late
        assert all(metric.is_historical for one in late for metric in one.payload.metrics)
        line.inspect(61)
        line.until("a part of now", lambda: 61 in told_parts(host))
        online = [one["online"] for one in judge.heard("online")]
        assert online[-1] is True
    judge.close()


def test_lot_and_serial_come_with_each_part(run_dir: Path, broker: Broker, host: Host) -> None:
    judge = Judge(broker, "judge")
    speaker = Publisher(shift_address(run_dir))
    with PlayedLine(run_dir) as line, told(run_dir, broker, **SPARK):
        line.until("the births", lambda: len(host.of("DBIRTH")) == 1)
        lot = ShiftState(
            0,
            (),
            ChallengeState("off", "", ""),
            ChangeOver(),
            LineMode(Mode.PRODUCTION, "", "", 0),
            "LOT-7",
            "2026-01-02T00",
        )

        def here() -> bool:
            speaker.send(lot)
            line.inspect(int(time.monotonic() * 1000) % 1_000_000_000 + 1)
            return any(one["lot"] == "LOT-7" for one in judge.heard("result"))

        line.until("a part of the lot", here)
        line.until("in Sparkplug", lambda: any(one.values().get("Result/Lot") == "LOT-7" for one in host.of("DDATA")))
        assert {"serial", "codes", "lot"} <= set(judge.heard("result")[0])
    speaker.close()
    judge.close()


def test_what_happens_while_the_primary_host_is_away_waits_for_it(run_dir: Path, broker: Broker, host: Host) -> None:
    host.away()
    judge = Judge(broker, "judge")
    with PlayedLine(run_dir) as line, told(run_dir, broker, sparkplug={"group": "plant", "host": "scada"}):
        line.until("the birth", lambda: any(one["online"] for one in judge.heard("online")))
        line.inspect(1)
        line.during(1.0)
        assert host.of("NBIRTH", "DDATA") == []
        assert parts(judge) == []
        host.back()
        line.until("the part", lambda: told_parts(host) == [1])
        assert [one.kind for one in host.heard[:2]] == ["NBIRTH", "DBIRTH"]
        line.until("as JSON", lambda: parts(judge) == [1])
        host.away()
        wait_for("its death", lambda: len(host.of("NDEATH")) == 1)
        line.inspect(2)
        line.during(0.5)
        assert told_parts(host) == [1]
        host.back()
        line.until("the other part", lambda: told_parts(host) == [1, 2])
        assert len(host.of("NBIRTH")) == 2
        assert {session(host, 0), session(host, 1)} == {host.of("NDEATH")[0].values()["bdSeq"]}
    judge.close()
