"""The real records process with any one operation failing: all that io hands over is Stored, and it balances."""

import errno
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from okng.bus.part import Outcome, Why
from okng.records.check import check
from okng.records.process import LOST
from okng.records.read import LedgerReader
from okng.tests.nth import WHOLE

SERVER = Path(__file__).with_name("nth_server.py")
FEW = 14
PARTS = 4
RESTARTS = 6


class Server:
    """Forks records on demand."""

    def __init__(self, log: Path) -> None:
        with log.open("wb") as errors:
            self._child = subprocess.Popen(
                [sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self.log = log

    def begin(self, at: int, how: int, run: Path, options: dict[str, Any]) -> None:
        self._say(json.dumps({"at": at, "how": how, "run": str(run), "options": options}))

    def stop(self) -> None:
        self._say("stop")

    def ended(self, seconds: float) -> dict[str, int] | None:
        """What came of it; None: it still runs."""
        assert self._child.stdout is not None
        if not select.select([self._child.stdout], [], [], seconds)[0]:
            return None
        found: dict[str, int] = json.loads(self._child.stdout.readline())
        return found

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    def _say(self, line: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(line.encode() + b"\n")
        self._child.stdin.flush()


@pytest.fixture
def server(run_dir: Path) -> Iterator[Server]:
    made = Server(run_dir / "server.log")
    yield made
    made.close()


class Shift:
    """io, camera and inspect of one run, and whoever starts records again when it ended."""

    def __init__(self, server: Server, maker: ModuleType, root: Path, point: int) -> None:
        self._server, self._maker = server, maker
        self.run, self.store = root / str(point), root / f"s{point}"
        self.run.mkdir()
        medium = root / f"m{point}"
        medium.mkdir()
        self._options = {
            **{"store": str(self.store), "min_free_mb": 0, "ok_sample_percent": 100},
            **{"backup_to": str(medium), "backup_on_same_disk": True},
        }
        self.codes: list[int] = []
        self.count = 0

    def work(self, at: int, how: int) -> bool:
        """All parts, and the end of it. True: everything was stored."""
        self._server.begin(at, how, self.run, self._options)
        line, sender = self._maker.Line(self.run), self._maker.Sender(self.run)
        try:
            return self._parts(line, sender)
        finally:
            sender.close()
            line.close()

    def _parts(self, line: Any, sender: Any) -> bool:
        time.sleep(0.15)  # until it listens; what is published before is missed, as on a box
        for part in range(1, PARTS + 1):
            seen = line.picture(part)
            bad = part % 2 == 0
            said = self._maker.verdict(part, Outcome.NG if bad else Outcome.OK, seen=seen)
            line.camera.send(seen)
            line.inspect.send(said)
            sender.send(self._maker.trigger_entry(2 * part - 1, part))
            sender.send(self._maker.record_entry(2 * part, part, Why.NG if bad else Why.OK, said=said))
        sender.send(self._maker.counters_entry(2 * PARTS + 1, ok=PARTS // 2, ng=PARTS // 2))
        end = time.monotonic() + 20
        while sender.kept and time.monotonic() < end:
            sender.turn()
            if (ended := self._server.ended(0.005)) is not None:
                self._note(ended)
                if len(self.codes) > RESTARTS:
                    return False
                self._server.begin(0, 0, self.run, self._options)
        self._server.stop()
        ended = self._server.ended(20)
        if ended is None:
            return False
        self._note(ended)
        return not sender.kept

    def _note(self, ended: dict[str, int]) -> None:
        self.codes.append(ended["code"])
        self.count = self.count or ended["count"]


def test_whatever_fails_all_is_stored_and_balances(server: Server, maker: ModuleType, run_dir: Path) -> None:
    points = 0

    def one(at: int, how: int) -> int:
        nonlocal points
        points += 1
        shift = Shift(server, maker, run_dir, points)
        stored = shift.work(at, how)
        told = f"operation {at}, {os.strerror(how) if how else 'none'}: {shift.codes}\n{server.log.read_text()[-3000:]}"
        assert stored, told
        assert set(shift.codes) <= {0, LOST}, told
        balance = check(shift.store, full=True)
        assert balance.problems == [], told
        assert sorted(row.part for row in LedgerReader(shift.store).rows(10)) == list(range(1, PARTS + 1))
        shutil.rmtree(shift.store)
        return shift.count

    total = one(0, 0)
    assert total > 100
    step = 1 if WHOLE else max(1, total // FEW)
    for at in range(1, total + 1, step):
        one(at, errno.ENOSPC if at % 2 else errno.EIO)
