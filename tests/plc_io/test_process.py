"""The io process over the real bus and a real socket; the rest of the box and the PLC are played by the test."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from okng.bus.entries import CountersEntry, RecordEntry, TriggerEntry
from okng.bus.messages import FrameLost, Health, StationState
from okng.bus.part import Action, Delivery, Disposition, Outcome, Trigger, Why
from okng.plc_io.process import EXIT_REFUSED
from okng.plc_io.signals import Command, FaultCode, Status, WireCode

from .conftest import JOB, Ledger, Line, free_port, start_io, verdict_of, wait_for


def state_of(line: Line) -> StationState:
    """What io last said of the line."""
    states = [s for s in line.box.of(StationState) if isinstance(s, StationState)]
    return states[-1]


def test_ok_passes_and_its_record_follows(line: Line) -> None:
    line.enable()
    trigger = line.trigger(77)
    line.box.inspect.send(verdict_of(trigger))
    block = line.result()
    assert block[4:7] == [0, 77, WireCode.OK]
    assert Status.OK in Status(block[0])
    record = line.record(77)
    assert record.disposition.action is Action.PASS
    assert record.receipt.delivery is Delivery.DELIVERED
    assert record.verdict is not None
    assert record.trigger == trigger
    frozen = [d for d in line.box.of(Disposition) if isinstance(d, Disposition)]
    assert frozen == [record.disposition]


def test_ng_unjudged_lost_late_and_foreign_are_rejected(line: Line) -> None:
    line.enable(Command.BUFFER_EN)
    line.box.inspect.send(verdict_of(line.trigger(1), Outcome.NG))
    assert line.result()[5:7] == [1, WireCode.NG]
    line.box.inspect.send(verdict_of(line.trigger(2), Outcome.UNJUDGED))
    assert line.result()[5:7] == [2, WireCode.UNJUDGED]
    trigger = line.trigger(3)
    line.box.camera.send(FrameLost(3, "top", trigger.at_ns, "timeout"))
    assert line.result()[5:7] == [3, WireCode.UNJUDGED]
    late = line.trigger(4)
    assert line.result()[5:7] == [4, WireCode.LATE]
    line.box.inspect.send(verdict_of(late))
    other = line.trigger(5)
    line.box.inspect.send(verdict_of(other, job=replace(JOB, revision="ba9876543210")))
    assert line.result()[5:7] == [5, WireCode.LATE]
    again = line.trigger(6)
    line.box.inspect.send(replace(verdict_of(again), triggered_at_ns=other.at_ns))
    assert line.result()[5:7] == [6, WireCode.LATE]
    assert [line.record(part).lost for part in (1, 3, 4)] == ["", "no picture: timeout", ""]
    whys = [line.record(part).disposition.why for part in range(1, 7)]
    assert whys == [Why.NG, Why.LOST, Why.LOST, Why.LATE, Why.LATE, Why.LATE]
    line.until("the counters", lambda: state_of(line).counters.confirmed == 6)
    counters = state_of(line).counters
    assert (counters.triggers, counters.ok, counters.ng, counters.unjudged, counters.late) == (6, 0, 1, 5, 3)
    assert (counters.ordered, counters.confirmed, counters.unconfirmed, counters.in_flight) == (6, 6, 0, 0)
    assert counters.stale_verdicts == 3


def test_heartbeat_stops_and_ready_drops_when_the_camera_stops(line: Line) -> None:
    line.enable()
    line.box.frozen.add("camera-top")
    line.until("READY drops", lambda: Status.READY not in line.plc.status())
    line.until("words", lambda: state_of(line).reasons != ())
    assert state_of(line).reasons[0].startswith("camera top does not answer")
    assert "camera-top" not in state_of(line).moving
    first = line.plc.read()[2]
    line.during(0.4)
    assert line.plc.read()[2] == first
    line.box.frozen.clear()
    line.until("READY again", lambda: Status.READY in line.plc.status())
    line.until("the heartbeat again", lambda: line.plc.read()[2] != first)


def test_words_for_what_is_missing(line: Line) -> None:
    line.box.health = Health.FAULT
    line.until("words", lambda: any(isinstance(s, StationState) for s in line.box.heard))
    line.until("PLC words", lambda: "PLC: TRIG_ENABLE is 0" in state_of(line).reasons)
    line.until("camera words", lambda: "camera top has a fault" in state_of(line).reasons)
    line.box.health = Health.READY
    line.box.job = replace(JOB, model="e" * 64)
    line.until("job words", lambda: any("inspect has another job" in r for r in state_of(line).reasons))
    line.plc.command = int(Command.TRIG_ENABLE)
    line.during(0.1)
    assert Status.READY not in line.plc.status()
    line.box.job = JOB
    line.enable()
    line.until("no words", lambda: state_of(line).reasons == ())


def test_a_trigger_without_ready_is_missed_and_recorded(line: Line) -> None:
    line.until("the PLC is alive", lambda: line.box.of(StationState) and state_of(line).plc_alive)
    line.plc.part = 9
    line.plc.command = int(Command.TRIGGER)
    line.plc.write()
    record = line.record(9)
    assert record.trigger.missed
    assert (record.disposition.action, record.disposition.why) == (Action.REJECT, Why.LOST)
    assert record.disposition.published_ns is None
    assert record.receipt.delivery is Delivery.UNCONFIRMED
    assert Status.MISSED_TRIG in line.plc.status()
    assert line.plc.read()[3:7] == [0, 0, 0, 0]


def test_connection_lost_rejects_and_replays_nothing(line: Line) -> None:
    line.enable()
    trigger = line.trigger(5)
    line.plc.client.close()
    record: list[object] = []

    def rejected() -> bool:
        line.box.turn()
        record[:] = [d for d in line.box.of(Disposition) if isinstance(d, Disposition) and d.part == 5]
        return bool(record)

    wait_for("the reject", rejected)
    line.box.inspect.send(verdict_of(trigger))
    assert [d.why for d in line.box.of(Disposition) if isinstance(d, Disposition)] == [Why.FAULT]
    line.plc.command = 0
    line.turn()
    assert line.plc.read()[3:7] == [0, 0, 0, 0]
    line.enable()
    line.box.inspect.send(verdict_of(line.trigger(6)))
    assert line.result()[4:7] == [0, 6, WireCode.OK]


def test_stuck_trigger_is_a_fault_until_reset(line: Line) -> None:
    line.enable()
    line.plc.part = 3
    line.plc.command |= Command.TRIGGER
    line.until("FAULT", lambda: Status.FAULT in line.plc.status())
    assert line.plc.read()[13] == FaultCode.TRIGGER_STUCK
    assert line.record(3).disposition.why is Why.FAULT
    line.plc.command &= ~Command.TRIGGER
    line.until("words", lambda: state_of(line).reasons != ())
    assert state_of(line).reasons[0].startswith("FAULT 1: TRIGGER stayed 1")
    line.during(0.1)
    assert Status.READY not in line.plc.status()
    line.plc.command |= Command.FAULT_RESET
    line.until("READY", lambda: Status.READY in line.plc.status())
    line.plc.command &= ~Command.FAULT_RESET


def test_the_ledger_gets_every_entry_once_and_the_end_is_clean(line: Line) -> None:
    line.enable(Command.BUFFER_EN)
    for part in range(1, 6):  # nobody is there to take the entries
        line.box.inspect.send(verdict_of(line.trigger(part)))
        line.result()
    ledger = Ledger(line.run_dir)
    ledger.deaf = 3
    ledger.start()
    for part in range(6, 11):
        line.box.inspect.send(verdict_of(line.trigger(part)))
        line.result()
    line.trigger(11)
    line.until("entries", lambda: len(ledger.numbers()) >= 21)
    assert line.stop() == 0
    ledger.close()
    first = {e.number: e for e in reversed(ledger.entries)}  # type: ignore[attr-defined]
    assert sorted(first) == list(range(1, len(first) + 1))
    entries = [first[number] for number in sorted(first)]
    triggers = [e.trigger.part for e in entries if isinstance(e, TriggerEntry)]
    records = [e.record.trigger.part for e in entries if isinstance(e, RecordEntry)]
    assert triggers == records == list(range(1, 12))
    end = entries[-1]
    assert isinstance(end, CountersEntry)
    assert end.last
    assert (end.counters.triggers, end.counters.ok, end.counters.unjudged, end.counters.in_flight) == (11, 10, 1, 0)
    assert end.counters.unconfirmed == 1
    assert len({e.epoch for e in entries}) == 1  # type: ignore[attr-defined]


def test_stop_drops_ready_and_rejects_first(line: Line) -> None:
    line.enable()
    line.trigger(8)
    line.process.terminate()
    seen: list[Status] = []

    def off() -> bool:
        words = line.plc.client.read_input_registers(0, 16)
        if words:
            seen.append(Status(words[0]))
        return line.process.poll() is not None

    wait_for("the end", off)  # nobody takes its entries, so it stays for its two seconds
    assert line.process.returncode == 0
    assert seen
    assert seen[-1] & (Status.READY | Status.RESULT_VALID | Status.OK) == Status(0)


def test_port_in_use_is_said_in_words(run_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start_io(run_dir, port, wait=False)
        assert process.wait(20) == EXIT_REFUSED
    assert f"plc.port = {port}: another program listens" in capfd.readouterr().err


def test_realtime_or_one_warning(run_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    process = start_io(run_dir, free_port(), realtime=True)
    process.terminate()
    assert process.wait(10) == 0
    assert capfd.readouterr().err.count("no real time on this machine") <= 1


def test_a_message_that_is_none_does_not_stop_io(line: Line) -> None:
    line.enable()
    line.box.inspect.socket.send_multipart([b"Verdict", b"\xc1 not msgpack"])
    trigger = line.trigger(12)
    line.box.inspect.send(verdict_of(trigger))
    assert line.result()[5:7] == [12, WireCode.OK]


def test_trigger_reaches_the_bus_inside_the_write(line: Line) -> None:
    """Event-driven: by the time the PLC has the answer to its write, the Trigger is on its way."""
    line.enable(Command.BUFFER_EN)
    for part in range(1, 30):
        trigger = line.trigger(part)
        line.box.inspect.send(verdict_of(trigger))
        line.result()
    triggers = [t for t in line.box.of(Trigger) if isinstance(t, Trigger)]
    assert [t.part for t in triggers] == list(range(1, 30))
