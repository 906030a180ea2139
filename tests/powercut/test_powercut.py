"""The power goes while records writes: nothing acknowledged is lost, and the judge would find it if it were."""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from okng.records.bookkeeping import Ripe
from okng.records.leaving import Leaving
from okng.records.ledger import Ledger
from okng.tests.powercut.acts import ACTS, Act
from okng.tests.powercut.disk import CutDisk, NoDisk
from okng.tests.powercut.judge import Judge
from okng.tests.powercut.line import Said
from okng.tests.powercut.points import stopped_everywhere
from okng.tests.powercut.trial import LAZY, power_cuts
from okng.tests.records import maker

BY_NAME = {act.name: act for act in ACTS}


@pytest.fixture
def place() -> Iterator[Path]:
    """On a real disk: a loop file on a tmpfs cuts as well, but the file system that comes with pytest may be small."""
    folder = Path(tempfile.mkdtemp(prefix="okng-powercut-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def missing(reason: object) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(str(reason))
    pytest.skip(f"no power can be cut here: {reason}")


@pytest.mark.needs_root
def test_what_was_acknowledged_survives_power_cuts_under_load(place: Path) -> None:
    try:
        result = power_cuts(place, 5, seed=3, longest_s=0.8)
    except NoDisk as error:
        missing(error)
    assert result.holds, (result.lost[:5], result.corrupt[:5], result.unbalanced[:5])
    assert result.cuts == 5
    assert result.acknowledged > 200
    assert result.pictures > 50


@pytest.mark.needs_root
def test_the_judge_finds_what_a_disk_that_syncs_nothing_loses(place: Path) -> None:
    try:
        result = power_cuts(place, 2, seed=5, longest_s=0.8, script=LAZY)
    except NoDisk as error:
        missing(error)
    assert not result.holds
    assert result.lost or result.pictures_missing or result.pictures_wrong


@pytest.mark.needs_root
@pytest.mark.parametrize("name", ["settings edit", "identity key", "bundle activation"])
def test_a_power_cut_at_a_file_operation_leaves_the_old_or_the_new(place: Path, name: str) -> None:
    try:
        disk = CutDisk(place, 64)
    except NoDisk as error:
        missing(error)
    try:
        outcome = stopped_everywhere(BY_NAME[name], place, disk, most=5)
    finally:
        disk.close()
    assert outcome.holds, outcome.neither


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_a_kill_at_each_file_operation_leaves_the_old_or_the_new(place: Path, act: Act) -> None:
    outcome = stopped_everywhere(act, place, most=12)
    assert outcome.holds, outcome.neither
    assert outcome.old > 0
    assert outcome.new > 0


def test_the_judge_names_a_lost_entry_a_wrong_picture_a_broken_chain_and_a_number_used_twice(place: Path) -> None:
    act = BY_NAME["backup"]
    act.prepare(place)
    judge = Judge(place, place / "copy")
    said = Said(entries={("run-1", 1), ("run-1", 2), ("run-9", 1)}, deeds={"ledger made", "never said"})
    found = judge.judge(said)
    assert found.lost == ["entry ('run-9', 1)", "audit: never said"]
    assert not found.corrupt
    body = b'{"part": 0}'
    with closing(sqlite3.connect(place / "ledger.db")) as db:
        for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            db.execute(f"drop trigger {name}")
        db.execute("update part set picture = 'pictures/no.png', picture_sha256 = '00', picture_kept = 1 where seq = 1")
        db.execute("update audit set body = replace(body, 'made', 'mode') where n = 1")
        db.execute("update outbox set body = ?, sha256 = ? where seq = 3", (body, hashlib.sha256(body).hexdigest()))
        db.execute("delete from outbox where seq = 4")
        db.commit()
    assert Judge(place, place / "copy").judge(Said()).pictures_missing == 1
    again = judge.judge(Said())
    assert any("audit: broken at 1" in text for text in again.corrupt)
    assert any("used for two things" in text for text in again.corrupt)
    assert any("was seen before the cut and is gone" in text for text in again.corrupt)


def test_the_judge_names_a_missing_and_a_doubled_number_of_a_stream(place: Path) -> None:
    ledger = Ledger(place / "store", leaving=Leaving())
    for part in range(1, 5):
        ledger.store([Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part))])
    ledger.close()
    judge = Judge(place / "store", place / "copy")
    assert not judge.judge(Said()).corrupt
    with closing(sqlite3.connect(place / "store" / "ledger.db")) as db:
        db.execute("delete from outgoing where stream = 'records' and seq = 2")
        db.execute("update outgoing set ref = 1 where stream = 'records' and seq = 3")
        db.commit()
    assert sorted(judge.judge(Said()).corrupt) == [
        "part 2 has no event",
        "part 3 has no event",
        "stream records 3: used for two things in epoch 1",
        "stream records: 3 events, the next number is 5",
    ]
