"""Rejects of a damaged ledger that the store has not got yet leave the box after their rescue, each once."""

import time
from collections.abc import Callable
from pathlib import Path

from okng.fleet.folder_store import FolderStore
from okng.fleet.push import push
from okng.records import schema
from okng.records.ledger import Ledger
from okng.records.owed import owed
from okng.records.read import LedgerReader
from okng.records.salvage import Salvage, unfinished
from okng.tests.fleet.test_sync import rejected, sent


def test_what_was_rescued_is_sent_under_its_old_lineage(
    make_ledger: Callable[[int, int], Ledger], tmp_path: Path
) -> None:
    store, blobs, state = tmp_path / "store", FolderStore(tmp_path / "cloud"), tmp_path / "state"
    (tmp_path / "cloud").mkdir()
    make_ledger(1, 6)
    reader = LedgerReader(store)
    push(reader, blobs, state, batch_events=2)
    ledger = make_ledger(7, 15)
    ledger.mark()
    ledger.rest()
    ledger.close()
    data = bytearray((store / schema.FILE).read_bytes())
    data[:4096] = bytes(4096)
    (store / schema.FILE).write_bytes(data)
    ledger = Ledger(store)
    push(reader, blobs, state)  # nothing of it is there yet
    assert sent(blobs) == rejected(6)
    salvage, end = Salvage(ledger, store), time.monotonic() + 40
    while unfinished(store) and time.monotonic() < end:
        salvage.turn(idle=True)
        time.sleep(0.001)
    with reader.asking() as ask:
        assert owed(ask, state).unsent == 10  # where the cloud stands only the store can say
    pushed = push(reader, blobs, state, batch_events=2)
    assert pushed.events == 6
    assert sent(blobs) == rejected(15)
    with reader.asking() as ask:
        assert owed(ask, state).unsent == 0
    assert push(reader, blobs, state).events == 0
    ledger.close()
