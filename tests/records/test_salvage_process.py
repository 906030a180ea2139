"""The real process on a damaged ledger: the line is stored at once, the rescue goes on beside it, kills or not."""

import time
from pathlib import Path
from types import ModuleType

from okng.bus.channel import Subscriber, records_state_address
from okng.bus.messages import RecordsState
from okng.bus.part import Why
from okng.records import schema
from okng.records.check import check
from okng.records.ledger import Ledger, Ripe
from okng.records.read import LedgerReader
from okng.records.salvage import unfinished
from okng.tests.records.test_process import Process

OLD, NEW = 3000, 300


def damaged_store(store: Path, maker: ModuleType) -> None:
    ledger = Ledger(store)
    batch: list[Ripe] = []
    for part in range(1, OLD + 1):
        why = Why.NG if part % 10 == 0 else Why.OK
        batch += [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part, why))]
    ledger.store(batch)
    ledger.store([Ripe(maker.counters_entry(2 * OLD + 1, ok=OLD - OLD // 10, ng=OLD // 10))])
    ledger.mark()
    ledger.rest()
    ledger.close()
    data = bytearray((store / schema.FILE).read_bytes())
    data[:4096] = bytes(4096)
    (store / schema.FILE).write_bytes(data)


def test_the_line_goes_on_and_the_rows_come_back(run_dir: Path, maker: ModuleType) -> None:
    store = run_dir / "store"
    damaged_store(store, maker)
    process = Process(run_dir, store)
    heard = Subscriber([records_state_address(run_dir)], (RecordsState,))
    told: list[str] = []
    sender = maker.Sender(run_dir)

    def reports() -> list[Path]:
        return list(store.glob("*.salvage.json"))

    try:
        process.start()
        sent = 0
        acked: dict[int, float] = {}
        kills, end = 0, time.monotonic() + 45
        while (sent < NEW or unfinished(store)) and time.monotonic() < end:
            if sent < NEW and not sender.kept:
                sent += 1
                begun = time.monotonic()
                sender.send(maker.trigger_entry(sent, sent, "run-2"))
            sender.turn()
            if not sender.kept and sent not in acked:
                acked[sent] = time.monotonic() - begun
            told += [state.salvage for state in heard.drain() if state.salvage]
            if kills < 2 and '"state": "taking"' in "".join(one.read_text() for one in reports()):
                kills += 1
                process.kill()
                process.start()
                told.clear()
            time.sleep(0.001)
        assert unfinished(store) == [], process.log.read_text()[-2000:]
        assert sender.settle()
        assert sent == NEW
        assert kills == 2
        assert told == [] or "0 lost" in told[-1] or "is being" in told[-1]
        slow = sorted(acked.values())
        assert slow[len(slow) // 2] < 0.5  # rescued rows never stand in the way for long
        assert process.stop() == 0
    finally:
        sender.close()
        heard.close()
        if process.child is not None and process.child.poll() is None:
            process.kill()
    with LedgerReader(store).asking() as ask:
        (counted,) = ask("select count(*) as n, count(distinct seq) as seqs, min(seq) as first from part")
        assert counted == {"n": OLD, "seqs": OLD, "first": 1}
        trail = [row["what"] for row in ask("select json_extract(body, '$.what') as what from audit order by n")]
    assert trail.count("ledger salvaged") == 1
    lost = [text for text in check(store).problems if "without a record" not in text and "triggers" not in text]
    assert lost == []
