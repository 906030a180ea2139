"""The real process signs at its beginning of the day and at a clean stop, and is verified while it writes."""

import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from okng.bus.asks import Ask, new_id
from okng.bus.channel import ask_once
from okng.bus.part import Why
from okng.records.options import RecordsOptions
from okng.records.seal_audit import audit_store, ledger_of
from okng.records.seal_heads import FILE, KEY_FILE, PUBLIC_FILE, read_heads

SCRIPT = Path(__file__).with_name("run_records.py")


@pytest.fixture
def records(run_dir: Path) -> subprocess.Popen[bytes]:
    """The process over `run_dir`/store; the test ends it."""
    options = RecordsOptions(store=run_dir / "store", min_free_mb=0).model_dump_json()
    with (run_dir / "records.log").open("ab") as log:
        return subprocess.Popen([sys.executable, SCRIPT, run_dir, options], stderr=log)


def test_heads_come_with_the_day_on_demand_and_at_a_clean_stop(
    run_dir: Path, maker: ModuleType, records: subprocess.Popen[bytes]
) -> None:
    store = run_dir / "store"
    try:
        sender = maker.Sender(run_dir)
        for part in range(1, 21):
            sender.send(maker.trigger_entry(2 * part - 1, part))
            sender.send(maker.record_entry(2 * part, part, Why.NG))
        assert sender.settle(30), (run_dir / "records.log").read_text()
        end = time.monotonic() + 20
        while not (store / FILE).exists() and time.monotonic() < end:
            time.sleep(0.05)
        answer = ask_once(run_dir, "records", Ask(new_id(), "audit.head", "", ""), 5000)
        assert answer is not None
        assert answer.done, answer.detail
        running = audit_store(ledger_of(store))
        assert (running.problems, running.parts) == ([], 20)
        sender.close()
        records.send_signal(signal.SIGTERM)
        assert records.wait(20) == 0
    finally:
        records.kill()
        records.wait()
    heads = read_heads(store / FILE)
    assert [head.why for head in heads] == ["daily", "asked", "stop"]
    assert stat.S_IMODE((store / KEY_FILE).stat().st_mode) == 0o600
    pem = (store / PUBLIC_FILE).read_text()
    assert all(head.holds(pem) for head in heads)
    after = audit_store(ledger_of(store))
    assert (after.problems, after.heads, after.parts) == ([], 3, 20)
