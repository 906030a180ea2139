"""Retention as records runs it: a kill -9 at any moment costs nothing, rows of the line go first, the state is said."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
import pytest

from okng.bus.channel import Subscriber, records_state_address
from okng.bus.errors import StoreLost
from okng.bus.messages import Health, RecordsState
from okng.records.check import check
from okng.records.desk import PictureDesk
from okng.records.keeper import Errands, Keeper
from okng.records.ledger import LedgerStuck
from okng.records.options import RecordsOptions
from okng.records.retention import Retention, Told
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk
from okng.records.state import StateTeller, Voices

from .shelf import Store

SCRIPT = Path(__file__).with_name("run_keeper.py")
OLD = datetime.now(UTC) - timedelta(days=400)
MOST_KILLS = 40


@pytest.fixture
def store(tmp_path: Path, maker: ModuleType) -> Iterator[Store]:
    made = Store(tmp_path / "store", maker)
    yield made
    made.ledger.close()


def test_it_is_killed_again_and_again_and_no_row_ever_promises_a_file_that_is_gone(store: Store) -> None:
    for n in range(160):
        store.add("reject", OLD + timedelta(minutes=n))
    store.ledger.close()
    dice, kills, options = random.Random(7), 0, RetentionOptions().model_dump_json()
    while store.rows("select 1 from part where picture_kept limit 1"):
        child = subprocess.Popen([sys.executable, SCRIPT, store.folder, options], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(dice.uniform(0.0, 0.12))
        child.kill()
        child.wait()
        child.stdout.close()
        kills += 1
        assert kills < MOST_KILLS
        assert check(store.folder, full=True).problems == []
    assert kills > 1  # else nothing was tried
    thumbs = store.rows("select count(*) as n from picture where class = 'thumb'")
    assert thumbs[0]["n"] == 160
    (gone,) = store.rows("select sum(pictures) as n from given_up where class = 'reject'")
    assert gone["n"] == 160


def test_a_ledger_that_is_stuck_is_told_and_nothing_is_deleted(store: Store, caplog: Any) -> None:
    store.add("reject", OLD)

    errands = Errands()
    retention = Retention(store.folder, RetentionOptions(), errands.write, disk=lambda: Disk(100, 90))
    keeper = Keeper(retention, errands, begin_s=0)
    try:
        _wait(lambda: errands.waiting)
        with pytest.raises(LedgerStuck):
            errands.serve(_Broken())  # type: ignore[arg-type]
        _wait(lambda: "not looked after" in caplog.text)
        assert store.rows("select 1 from part where picture_kept") != []
    finally:
        keeper.close()


def test_one_bad_file_does_not_end_the_care_of_the_store(store: Store) -> None:
    folder = store.folder / "pictures" / "2026"
    folder.mkdir(parents=True)
    for name in ("99999999999999999999-1-a.png", "1-99999999999999999999-a.png"):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (OLD.timestamp(),) * 2)
    retention = Retention(store.folder, RetentionOptions(), store.write)
    for _ in range(50):
        if not retention.step():
            break
    assert store.rows("select count(*) as n from ledger_since") == [{"n": 1}]


def test_whatever_a_step_ends_with_the_next_one_comes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def step(_: Retention) -> bool:
        steps.append(1)
        raise RuntimeError("never thought of")

    monkeypatch.setattr("okng.records.keeper._TROUBLE_S", 0.01)
    monkeypatch.setattr(Retention, "step", step)
    keeper = Keeper(Retention(store.folder, RetentionOptions(), store.write), Errands(), begin_s=0.0)
    try:
        _wait(lambda: len(steps) > 2)
    finally:
        keeper.close()


class _Broken:
    """A ledger whose disk takes nothing."""

    def transaction(self) -> Any:
        raise LedgerStuck("full")


def _wait(done: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_write_that_nobody_serves_any_more_is_given_up(store: Store) -> None:
    errands, told = Errands(), []

    def write() -> None:
        try:
            errands.write(lambda db: None)
        except StoreLost as error:
            told.append(str(error))

    thread = threading.Thread(target=write)
    thread.start()
    _wait(lambda: errands.waiting)
    errands.close()
    thread.join(5)
    assert told == ["records is being stopped"]


def test_a_write_that_goes_wrong_is_its_owners_matter_and_not_the_ledgers(store: Store) -> None:
    errands, told = Errands(), []

    def write() -> None:
        try:
            errands.write(lambda db: db.execute("insert into part values (1)"))
        except apsw.Error as error:
            told.append(type(error).__name__)

    thread = threading.Thread(target=write)
    thread.start()
    _wait(lambda: errands.waiting)
    errands.serve(store.ledger)  # does not raise
    thread.join(5)
    assert told == ["SQLError"]


def test_the_state_of_the_store_is_said_at_each_change_and_every_second(run_dir: Path, store: Store) -> None:
    options = RecordsOptions(store=store.folder)
    desk = PictureDesk(store.folder, options)
    teller = StateTeller(run_dir, store.folder, 0, Voices(clock=lambda: "it is 1970"))
    with Subscriber([records_state_address(run_dir)], (RecordsState,)) as ears:
        try:
            heard: list[RecordsState] = []
            _wait(lambda: _hears(teller, desk, Told(), ears, heard))
            state = heard[-1]
            assert (state.health, state.pictures, state.unsent, state.clock) == (Health.READY, "kept", 0, "it is 1970")
            assert 0 < state.free_percent < 100
            full = Told(90.0, True, 7, 2, {"ok": 3})
            teller.tell(Health.READY, "", desk, full)
            state = _next(ears, lambda one: one.unsent == 7)
            assert (state.pictures, state.given_up, state.soon) == ("shedding", 2, {"ok": 3})
            desk.shed_ok += 1
            teller.tell(Health.FAULT, "full", desk, Told())
            state = _next(ears, lambda one: one.health is Health.FAULT)
            assert (state.pictures, state.stuck) == ("shedding", "full")
        finally:
            teller.close()
            desk.close(0)


def test_a_disk_below_its_reserve_keeps_no_pictures(run_dir: Path, store: Store) -> None:
    desk = PictureDesk(store.folder, RecordsOptions(store=store.folder))
    teller = StateTeller(run_dir, store.folder, 1 << 60)
    assert teller.tell(Health.READY, "", desk, Told()).pictures == "none"
    teller.close()
    desk.close(0)


def _hears(teller: StateTeller, desk: PictureDesk, told: Told, ears: Subscriber, heard: list[RecordsState]) -> bool:
    teller.tell(Health.READY, str(len(heard) % 2), desk, told)
    message = ears.receive(20)
    if isinstance(message, RecordsState):
        heard.append(message)
    return len(heard) > 1


def _next(ears: Subscriber, wanted: Any) -> RecordsState:
    for _ in range(50):
        message = ears.receive(100)
        if isinstance(message, RecordsState) and wanted(message):
            return message
    raise AssertionError("it was not said")
