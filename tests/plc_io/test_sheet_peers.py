"""Foreign masters that know nothing of the box but the published sheet: modbus-serial (Node) and mbpoll (C)."""

import csv
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyModbusTCP.client import ModbusClient

from okng.bus.part import Action, Outcome, Record, Trigger

from ..peers.node import start_node
from .conftest import Box, Line, Plc, free_port, lacking, start_io, verdict_of

MBPOLL = {"coil": "0", "discrete input": "1", "input register": "3:hex", "holding register": "4:hex"}
"""What mbpoll calls the tables."""
SHEET = Path(__file__).resolve().parents[2] / "docs" / "protocol" / "registers.csv"


@pytest.fixture
def low_line(run_dir: Path) -> Iterator[Line]:
    """A box whose low words come first."""
    port = free_port()
    process = start_io(run_dir, port, word_order="low_first")
    box = Box(run_dir)
    try:
        yield Line(port, run_dir, box, Plc(port), process)
    finally:
        box.close()
        process.kill()
        process.wait(5)


def judge(line: Line, judged: set[int]) -> None:
    """inspect: every second part is NG."""
    line.box.turn()
    for trigger in line.box.of(Trigger):
        assert isinstance(trigger, Trigger)
        if not trigger.missed and trigger.part not in judged:
            judged.add(trigger.part)
            line.box.inspect.send(verdict_of(trigger, Outcome.NG if trigger.part % 2 else Outcome.OK))


def talk(line: Line, process: subprocess.Popen[str]) -> str:
    """Let the box live until the peer has said all; its output."""
    judged: set[int] = set()
    try:
        while process.poll() is None:
            judge(line, judged)
        said, complaint = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait(5)
    assert process.returncode == 0, complaint[-2000:]
    return said


def handshakes(line: Line, *, low_first: bool) -> None:
    parts = 30
    said = json.loads(
        talk(line, start_node("handshake.mjs", line.port, SHEET, parts, str(low_first).lower())).splitlines()[-1]
    )
    numbers = [70000 + part for part in range(1, parts + 1)]
    assert [result["part"] for result in said["seen"]] == numbers
    for result in said["seen"]:
        passes = result["part"] % 2 == 0
        assert (result["code"], result["OK"], result["NG"], result["UNJUDGED"]) == (
            2 - passes,
            passes,
            not passes,
            False,
        )
    half = parts // 2
    assert said["counters"] == {"triggers": parts, "ok": half, "ng": half, "unjudged": 0, "missed": 0}
    assert said["canaries"] == [0x12345678, pytest.approx(123.456)]
    assert said["mirror"] is True
    assert said["refused"] == dict.fromkeys(("behind", "unused", "holding", "mirror", "coil"), 2)
    line.box.turn()
    records = [record for record in line.box.of(Record) if isinstance(record, Record)]
    assert [record.trigger.part for record in records] == numbers
    assert all((r.disposition.action is Action.PASS) == (r.trigger.part % 2 == 0) for r in records)


def test_modbus_serial_runs_the_handshake_from_the_sheet(line: Line) -> None:
    handshakes(line, low_first=False)


def test_modbus_serial_runs_it_with_the_low_word_first(low_line: Line) -> None:
    handshakes(low_line, low_first=True)


# -- mbpoll ------------------------------------------------------------------------------------------------------------


class Sheet:
    """Addresses by name, of the CSV alone."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[int, int]] = {}
        with SHEET.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                self.rows.setdefault((row["table"], row["name"]), (int(row["address"]), int(row["words"] or 1)))


class Mbpoll:
    """Each request is a process and a connection of its own; a second master beats, as one connection must."""

    def __init__(self, line: Line) -> None:
        lacking("mbpoll")
        self.line, self.sheet, self.judged = line, Sheet(), set[int]()
        self.heart = ModbusClient("127.0.0.1", line.port, unit_id=1, timeout=2.0, auto_open=True)
        self.beats = 0

    def turn(self) -> None:
        """The box and the heartbeat move."""
        judge(self.line, self.judged)
        self.beats = (self.beats + 1) % 65536
        assert self.heart.write_single_register(self.sheet.rows["holding register", "plc_hb"][0], self.beats)

    def run(self, table: str, name: str, *values: int, count: int = 0) -> list[int]:
        """One request of mbpoll for a value of the sheet; mbpoll's references count from 1."""
        address, words = self.sheet.rows[table, name]
        command = [
            "mbpoll",
            "-m",
            "tcp",
            "-p",
            str(self.line.port),
            "-a",
            "1",
            "-t",
            MBPOLL[table],
            "-r",
            str(address + 1),
        ]
        more = [f"0x{value:04x}" if "register" in table else str(value) for value in values]
        command += ["127.0.0.1", *more] if more else ["-c", str(count or words), "-1", "127.0.0.1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while process.poll() is None:
            self.turn()
        text, _ = process.communicate(timeout=5)
        assert process.returncode == 0, text
        return [int(value, 0) for value in re.findall(r"^\[\d+\]:\s+(\S+)", text, re.MULTILINE)]

    def until(self, name: str, wanted: int = 1) -> None:
        """Read a status bit until it is so."""
        for _ in range(200):
            if self.run("discrete input", name) == [wanted]:
                return
        raise AssertionError(f"{name} is not {wanted}")


def test_mbpoll_runs_the_handshake_from_the_sheet(line: Line) -> None:
    master = Mbpoll(line)
    master.turn()
    master.run("coil", "TRIG_ENABLE", 1)
    for part in (0x00020001, 0x00020002):
        master.until("READY")
        master.run("holding register", "part", part >> 16, part & 0xFFFF)
        master.run("coil", "TRIGGER", 1)
        master.until("TRIG_ACK")
        master.run("coil", "TRIGGER", 0)
        master.until("RESULT_VALID")
        block = master.run("input register", "status", count=16)
        assert block[3] == block[15] != 0
        passes = part % 2 == 0
        assert [*block[4:6], block[6]] == [part >> 16, part & 0xFFFF, 2 - passes]
        assert master.run("discrete input", "OK", count=2) == [passes, not passes]
        master.run("holding register", "ack_seq", block[3])
        master.until("RESULT_VALID", 0)
    assert master.run("input register", "triggers", count=6) == [0, 2, 0, 1, 0, 1]
    assert master.run("input register", "canary_u32") == [0x1234, 0x5678]
    master.heart.close()
