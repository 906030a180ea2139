"""Row 13: the cloud is gone, comes back, goes again in the middle of the drain, and comes back."""

import json
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from okng.bus.errors import StoreLost
from okng.fleet.folder_store import FolderStore
from okng.fleet.push import Pushed, push
from okng.records.read import LedgerReader

from .disks import answers, compared, slower
from .row import Finding, Stand

BATCH = 8
"""Events of a batch: small, so that the drain can be cut off in its middle."""


class Flaky(FolderStore):
    """A store that goes away for good after so many objects."""

    def __init__(self, root: Path, objects: int) -> None:
        super().__init__(root)
        self._left = objects

    def put_if_absent(self, key: str, source: Path | bytes, sha256: str) -> bool:
        self._left -= 1
        if self._left < 0:
            raise StoreLost("the cloud is gone")
        return super().put_if_absent(key, source, sha256)


class Cloud:
    """What sync does today: rejects with their pictures, in numbered batches."""

    number = 13
    fault = "cloud gone, then back"
    how = "the folder that is the cloud is not there while the line runs; it comes back and goes again amid the drain"
    expected = "the line does not notice; nothing is lost, each event is in the cloud once; nothing is sent twice"

    def run(self, stand: Stand) -> Finding:
        """Run without it, then drain."""
        parts = stand.many(20, 2000)
        cloud, state = stand.folder / "cloud", stand.folder / "cloud-state"
        for folder in (cloud, state):
            shutil.rmtree(folder, ignore_errors=True)
        state.mkdir()
        complaints: list[str] = []
        reader = LedgerReader(stand.box.space.store)
        with stand.line(source={"kind": "rendered", "defect_percent": 40.0}) as line:
            line.flow(parts // 2)
            strike = line.strike("cloud gone", lambda: None)
            line.flow(parts // 2)
            try:
                push(reader, FolderStore(cloud), state, batch_events=BATCH)
                complaints.append("sent to a cloud that is not there")
            except StoreLost:
                pass
        assert line.evidence is not None
        backlog, size = owed(reader.path)
        cloud.mkdir()
        begun = time.monotonic()
        try:
            push(reader, Flaky(cloud, 3), state, batch_events=BATCH)
        except StoreLost:
            half = len(sent(cloud))
        else:
            half = -1
        first = push(reader, FolderStore(cloud), state, batch_events=BATCH)
        drain_s = time.monotonic() - begun
        again = push(reader, FolderStore(cloud), state, batch_events=BATCH)
        there = sent(cloud)
        doubles = sum(n - 1 for n in there.values())
        before, during = answers(line.evidence, 0, strike.at_ns), answers(line.evidence, strike.at_ns)
        if len(there) != backlog:
            complaints.append(f"{len(there)} events in the cloud of {backlog}")
        if doubles or again != Pushed():
            complaints.append(f"{doubles} events twice; a push with nothing to send sent {again}")
        if wrong := slower(before, during):
            complaints.append(wrong)
        figures: dict[str, object] = {
            "backlog events": backlog,
            "backlog bytes": size,
            "in the cloud when it went again": half,
            "drain s": round(drain_s, 2),
            "pictures sent": first.pictures,
            "upstream duplicates": doubles,
            **compared(before, during),
        }
        notes = (
            "days without a cloud are bounded by the quotas and the hard cap: tests/records/test_retention.py; the "
            "fleet's own server, limits on the drain and a week by the clock are not part of this box yet",
        )
        return Finding(figures, tuple(complaints), notes)


def owed(ledger: Path) -> tuple[int, int]:
    """Events of the outbox's rejects, and their bytes."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        asked = "select count(*), coalesce(sum(length(body)), 0) from outbox where stream = 'rejects'"
        events, size = db.execute(asked).fetchone()
    return int(events), int(size)


def sent(cloud: Path) -> Counter[int]:
    """How often each event stands in the cloud, by the part's row."""
    found: Counter[int] = Counter()
    for file in cloud.rglob("*"):
        if file.is_file() and "rejects" in file.as_posix():
            for line in file.read_text(encoding="utf-8").splitlines():
                found[int(json.loads(line)["seq"])] += 1
    return found


ROWS = (Cloud(),)
