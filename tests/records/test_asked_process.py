"""The real records process is asked while the line runs: killed, stuck, hurried, and nothing is done twice or lost."""

import contextlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import ask_once
from okng.bus.heartbeat import Pulse
from okng.bus.messages import Health
from okng.bus.part import Why
from okng.bus.rights import COMMANDS
from okng.records.check import check
from okng.records.ledger import Ledger, Ripe
from okng.records.options import RecordsOptions
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader

SCRIPT = Path(__file__).with_name("run_records.py")


class Process:
    """The records process, and who asks it."""

    def __init__(self, run_dir: Path, store: Path) -> None:
        self.run_dir, self.store, self.people = run_dir, store, PeopleReader(store)
        self.options = RecordsOptions(store=store, min_free_mb=0).model_dump_json()
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.run_dir / "records.log").open("ab") as log:
            self.child = subprocess.Popen([sys.executable, SCRIPT, self.run_dir, self.options], stderr=log)
        self.wait_for(Health.READY)

    def wait_for(self, health: Health) -> None:
        assert self.child is not None
        end, pulse = time.monotonic() + 30, Pulse(self.run_dir)
        while time.monotonic() < end and self.child.poll() is None:
            beat = pulse.beats().get("records")
            if beat is not None and beat.health is health and beat.pid == self.child.pid:
                return
            time.sleep(0.01)
        pytest.fail(f"records did not say {health}: {(self.run_dir / 'records.log').read_text()}")

    def kill(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def ask(self, command: str, by: str = "", again: str = "", ms: int = 5000, /, **body: Any) -> Answer | None:
        asked = Ask(again or new_id(), command, by, COMMANDS[command].right, "", body)
        return ask_once(self.run_dir, "records", asked, ms)

    def done(self, command: str, by: str = "", /, **body: Any) -> dict[str, Any]:
        answer = self.ask(command, by, **body)
        assert answer is not None
        assert answer.done, answer.detail
        return answer.body


@pytest.fixture
def process(run_dir: Path, tmp_path: Path) -> Iterator[Process]:
    made = Process(run_dir, tmp_path / "store")
    yield made
    made.kill()


def part_of(process: Process, maker: ModuleType) -> None:
    """One rejected part, and Ann, before the process starts."""
    ledger = Ledger(process.store)
    ledger.store([Ripe(maker.trigger_entry(1, 1)), Ripe(maker.record_entry(2, 1, Why.NG))])
    ledger.close()


def test_killed_between_the_doing_and_the_answer_a_repeat_gives_one_row(process: Process, maker: ModuleType) -> None:
    part_of(process, maker)
    process.start()
    process.done("account.first", name="ann", password="long enough")
    process.done("role.change", "ann", name="administrator", rights=["user.edit", "part.label"])
    chance = random.Random(7)
    told = []
    for _ in range(6):
        same = new_id()
        hurry = threading.Thread(
            target=process.ask,
            args=("label.set", "ann", same, 1000),
            kwargs={"seq": 1, "truth": "good"},
        )
        hurry.start()
        time.sleep(chance.uniform(0.0, 0.02))
        process.kill()
        process.start()
        hurry.join()
        answer = process.ask("label.set", "ann", same, seq=1, truth="good")
        assert answer is not None
        assert answer.done, answer.detail
        told.append(answer.body["n"])
    assert [one.n for one in process.people.labels((1,))] == told
    assert sum(row.what == "label set" for row in process.people.audit_page(limit=1000)) == len(told)
    assert process.people.audit_check() == []


@pytest.mark.needs_root
def test_on_a_full_disk_people_are_told_and_machines_are_kept_waiting(
    full_disk: Path, run_dir: Path, maker: ModuleType
) -> None:
    process = Process(run_dir, full_disk / "store")
    try:
        part_of(process, maker)
        process.start()
        process.done("account.first", name="ann", password="long enough")
        ballast = full_disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as out:
            while True:
                out.write(b"0" * 4096)
        same = new_id()
        event: dict[str, Any] = {"stream": "alarm", "key": "disk", "event": "active", "body": {"text": "x" * 100_000}}
        big: dict[str, Any] = {"name": "x", "body": "y" * 100_000}
        answer = process.ask("setting.set", "ann", same, **big)
        assert answer is not None
        assert not answer.done
        assert "history cannot be written" in answer.detail
        process.wait_for(Health.FAULT)
        refused = process.ask("account.sign_in", who="ann", secret="long enough", kind="password")
        assert refused is not None
        assert "history cannot be written" in refused.detail
        late = new_id()
        assert process.ask("journal.add", "", late, 600, **event) is None
        ballast.unlink()
        process.wait_for(Health.READY)
        for told in (process.ask("journal.add", "", late, **event), process.ask("setting.set", "ann", same, **big)):
            assert told is not None
            assert told.done
        assert [row.event for row in process.people.journal()] == ["active"]
        assert process.people.audit_check() == []
    finally:
        process.kill()


def test_rows_of_the_line_go_on_while_many_sign_in(process: Process, maker: ModuleType, run_dir: Path) -> None:
    process.start()
    process.done("account.first", name="ann", password="long enough")
    stop, answers = threading.Event(), []

    def sign_in(place: int) -> None:
        while not stop.is_set():
            body: dict[str, Any] = {
                "who": "ann",
                "secret": "long enough",
                "kind": "password",
                "address": f"10.0.0.{place}",
            }
            answers.append(process.ask("account.sign_in", **body))

    crowd = [threading.Thread(target=sign_in, args=(place,)) for place in range(8)]
    for one in crowd:
        one.start()
    sender = maker.Sender(run_dir)
    try:
        for part in range(1, 41):
            sender.send(maker.trigger_entry(2 * part - 1, part))
            sender.send(maker.record_entry(2 * part, part, Why.LOST, said=None))
        assert sender.settle(30.0)
    finally:
        stop.set()
        for one in crowd:
            one.join()
        sender.close()
    assert answers
    assert all(answer is not None and answer.done for answer in answers)
    assert LedgerReader(process.store).summary()["unjudged"] == 40


def test_a_copy_made_while_the_line_writes_is_a_whole_ledger(room: Any, maker: ModuleType) -> None:
    room.staff()
    part, told = 0, dict[str, Any]()
    for part in range(1, 400):
        room.ledger.store(
            [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part, Why.NG))]
        )
        if part == 50:
            told = room.done("backup.make", "ann", why="before the update")
            assert "being made already" in room.refused("backup.make", "ann")
        room.backups.settle()
    while "backup made" not in room.trail():
        room.backups.settle()
        time.sleep(0.01)
    copy = room.store / told["file"]
    with_name = copy.parent / "restored"
    with_name.mkdir()
    copy.rename(with_name / "ledger.db")
    found = check(with_name)
    assert found.problems == []
    assert 50 <= found.ng <= part
    made = room.people.audit_page(limit=1, text="backup made")[0]
    assert (made.who, made.object["file"]) == ("ann", told["file"])
    assert list(copy.parent.glob("*.part*")) == []


def test_a_copy_that_cannot_be_made_is_told_in_the_trail(room: Any) -> None:
    room.staff()
    (room.store / "backups").write_text("in the way")
    room.done("backup.make", "ann")
    room.backups.close()
    room.backups.settle()
    (row,) = room.people.audit_page(limit=1)
    assert row.what == "backup failed"
    assert row.object["error"]
