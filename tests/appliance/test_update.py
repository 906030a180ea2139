"""An update is proved by what the line does, failed only by what is not the plant's doing, and can be taken back."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.appliance.proof import Asked, Proof, Word
from okng.bus.clock import SECOND
from okng.bus.errors import BadLedger
from okng.bus.messages import Counters, Job, StationState
from okng.records import schema
from okng.records.ledger import Ledger
from okng.records.version_of import copy_for, version_of

ASKED = Asked(unbroken_s=60, parts=20, minutes=10, within_min=30)
STATE = StationState(
    station="line1",
    epoch="e1",
    state="READY",
    ready=True,
    reasons=(),
    fault=0,
    plc_alive=True,
    moving=("inspect",),
    job=Job("clip", "r", "m", 1),
    counters=Counters(*([0] * 13)),
    at_ns=0,
)
OFF = replace(STATE, ready=False, state="OFFLINE", reasons=("inspect: no model",))


def judged(parts: int, state: StationState = STATE) -> StationState:
    return replace(state, counters=replace(state.counters, triggers=parts, ok=parts - 1, ng=1))


class Trial:
    """A proof and its clock, a second a step."""

    def __init__(self, asked: Asked = ASKED) -> None:
        self.now_s = 1000
        self.proof = Proof(asked, self.now_s * SECOND)

    def run(self, seconds: int, state: StationState | None) -> Word:
        word = Word.WAITING
        for _ in range(seconds):
            self.now_s += 1
            word = self.proof.take(state, self.now_s * SECOND)
            if word is not Word.WAITING:
                break
        return word


def test_parts_and_an_unbroken_minute_prove_it() -> None:
    trial = Trial()
    assert trial.run(10, judged(100)) is Word.WAITING  # what was judged before counts for nothing
    assert trial.run(30, judged(120)) is Word.WAITING
    assert trial.run(40, judged(120)) is Word.PROVED
    assert trial.proof.parts == 20


def test_without_parts_ten_minutes_do() -> None:
    trial = Trial()
    assert trial.run(598, STATE) is Word.WAITING
    assert trial.run(5, STATE) is Word.PROVED


def test_a_break_begins_the_minute_anew() -> None:
    trial = Trial()
    assert trial.run(55, judged(30)) is Word.WAITING
    assert trial.run(1, judged(60, OFF)) is Word.WAITING
    assert trial.run(55, judged(90)) is Word.WAITING
    assert trial.run(10, judged(90)) is Word.PROVED


def test_parts_that_were_late_or_unjudged_prove_nothing() -> None:
    trial = Trial(replace(ASKED, minutes=1000))
    late = replace(STATE, counters=replace(STATE.counters, triggers=500, late=300, unjudged=200))
    assert trial.run(300, STATE) is Word.WAITING
    assert trial.run(300, late) is Word.WAITING


def test_parts_count_on_when_io_is_started_again() -> None:
    trial = Trial()
    trial.run(5, judged(10))
    trial.run(5, judged(22))
    trial.run(5, replace(judged(8), epoch="e2"))
    assert trial.proof.parts == 20


def test_not_ready_with_the_plc_there_fails_and_says_why() -> None:
    trial = Trial()
    assert trial.run(30 * 60 - 1, OFF) is Word.WAITING
    assert trial.run(1, OFF) is Word.FAILED
    assert trial.proof.why == "inspect: no model"


def test_silence_of_io_fails() -> None:
    trial = Trial()
    assert trial.run(31 * 60, None) is Word.FAILED
    assert trial.proof.why == "nothing is heard of io"


def test_a_plc_that_is_off_fails_nothing() -> None:
    trial = Trial()
    assert trial.run(8 * 3600, replace(OFF, plc_alive=False, reasons=("the PLC is silent",))) is Word.WAITING


def settings_of(folder: Path) -> Path:
    file = folder / "okng.toml"
    file.write_text(f'recipe = "r.yaml"\n[box]\nrun_dir = "{folder}"\n[camera.top]\n[records]\nstore = "store"\n')
    return file


def test_the_door_ends_when_nothing_is_heard(tmp_path: Path) -> None:
    ask = ["update", "prove", "--settings", str(settings_of(tmp_path)), "--within", "0.02"]
    done = CliRunner().invoke(cli, ask)
    assert done.exit_code == 1
    assert "failed: 0 parts; nothing is heard of io" in done.output


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A ledger of today."""
    folder = tmp_path / "store"
    Ledger(folder).close()
    return folder


def numbered(file: Path, version: int) -> None:
    with sqlite3.connect(file) as db:
        db.execute(f"pragma user_version = {version}")
    db.close()


def fall_back(tmp_path: Path) -> str:
    done = CliRunner().invoke(cli, ["update", "fall-back", "--settings", str(settings_of(tmp_path))])
    if isinstance(done.exception, BadLedger):
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return done.output


def test_nothing_is_done_where_the_ledger_is_of_this_okng(tmp_path: Path, store: Path) -> None:
    assert "nothing to do" in fall_back(tmp_path)
    assert version_of(store / schema.FILE) == schema.VERSION


def test_the_ledger_from_before_comes_back_and_the_newer_one_is_kept(tmp_path: Path, store: Path) -> None:
    file = store / schema.FILE
    for stamp, version in (("20260101T000000Z", 1), ("20260201T000000Z", schema.VERSION), ("20260301T000000Z", 99)):
        copy = store / f"{schema.FILE}.before-v{version}-{stamp}"
        copy.write_bytes(file.read_bytes())
    numbered(file, schema.VERSION + 1)
    assert copy_for(file, schema.VERSION) == store / f"{schema.FILE}.before-v{schema.VERSION}-20260201T000000Z"
    said = fall_back(tmp_path)
    assert "20260201T000000Z is the ledger again" in said
    assert version_of(file) == schema.VERSION
    (kept,) = store.glob(f"{schema.FILE}.replaced-*")
    assert version_of(kept) == schema.VERSION + 1


def test_without_a_copy_it_refuses_and_says_what_to_do(tmp_path: Path, store: Path) -> None:
    numbered(store / schema.FILE, schema.VERSION + 1)
    said = fall_back(tmp_path)
    assert "there is no copy of it from before: install the newer okng again" in said
    assert version_of(store / schema.FILE) == schema.VERSION + 1
