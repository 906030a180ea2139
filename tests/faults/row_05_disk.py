"""Rows 5, 6 and 7: the disk is full, breaks, is slow. The line does not wait for it, and no row is lost."""

import contextlib
import sqlite3
from pathlib import Path

from okng.bus.messages import Health

from .disks import answers, compared, fill, instead, needs_root, own_disk, slower, small_disk
from .evidence import Evidence
from .line import Line
from .row import Finding, Stand
from .slow_disk import SYNC_S

SMALL_MB = 320
"""A little more than what has to be free for pictures to be kept."""
UNDER_WAY = 5
"""Parts that have come by the eye and whose rows may not be there yet."""
STUCK = "nothing is written to the ledger"
AGAIN = "the ledger is written again after"


def written_again(line: Line, timeout_s: float = 30.0) -> float:
    """Seconds until records is READY again; -1: it is not."""
    begun = line.now_ns()

    def well() -> bool:
        beat = line.beat("records")
        return beat is not None and beat.health is Health.READY

    return round((line.now_ns() - begun) / 1e9, 2) if line.until(well, timeout_s) else -1.0


def said_fault(line: Line, timeout_s: float = 15.0) -> bool:
    """Records says that it writes no rows."""

    def ill() -> bool:
        beat = line.beat("records")
        return beat is not None and beat.health is Health.FAULT

    return bool(line.until(ill, timeout_s))


def rows_in(store: Path, where: str = "1") -> int:
    """Parts of the ledger."""
    with contextlib.closing(sqlite3.connect(f"file:{store}/ledger.db?mode=ro", uri=True)) as db:
        return int(db.execute(f"select count(*) from part where {where}").fetchone()[0])


def told(evidence: Evidence, begin_ns: int, end_ns: int) -> tuple[dict[str, object], str]:
    """Figures of the verdicts before and during, and what is wrong with them."""
    before, during = answers(evidence, 0, begin_ns), answers(evidence, begin_ns, end_ns)
    triggered = [part for part in evidence.parts if part.written_ns is not None]
    lost = sum(not part.ledger for part in triggered)
    figures: dict[str, object] = {**compared(before, during), "rows lost": lost}
    return figures, slower(before, during) or (f"{lost} rows lost" if lost else "")


class Full:
    """No byte is left."""

    number = 5
    fault = "disk full, quota"
    how = f"the store on a file system of {SMALL_MB} MB, filled to the last byte while the line runs, then emptied"
    expected = "inspection goes on; pictures are given up before rows; rows wait with io and are all there afterwards"

    def run(self, stand: Stand) -> Finding:
        return needs_root(self._run)(stand)

    def _run(self, stand: Stand) -> Finding:
        parts = stand.many(12, 300)
        with small_disk(stand.box, SMALL_MB) as store:
            with stand.line(source={"kind": "rendered", "defect_percent": 30.0}) as line:
                line.flow(parts)
                strike = line.strike("disk full", lambda: fill(store))
                ill = said_fault(line)
                line.flow(parts)
                end_ns, came = line.now_ns(), line.came
                behind = came - rows_in(store)
                (store / "ballast").unlink()
                again_s = written_again(line)
                line.flow(2)
            shed = rows_in(store, "why = 'ng' and picture is null")
        assert line.evidence is not None
        figures, wrong = told(line.evidence, strike.at_ns, end_ns)
        figures |= {"rows behind while full": behind, "written again s": again_s, "NG rows without a picture": shed}
        complaints = [wrong] if wrong else []
        # Free pages and a log that is long enough take rows without a byte more: then there is nothing to say.
        if not ill and behind > UNDER_WAY:
            complaints.append(f"{behind} rows were not written, and records did not say so")
        if again_s < 0:
            complaints.append("records did not write again after there was room")
        return Finding(figures, tuple(complaints))


class Broken:
    """Every write and sync fails; the ioctl that cuts a power does that to who has the file open."""

    number = 6
    fault = "read-only, EIO, failed fsync"
    how = (
        "the file system under the store fails every operation (EXT4_IOC_SHUTDOWN) while the line runs; then it is back"
    )
    expected = "inspection goes on without record; no file descriptor is used again; all rows are there afterwards"

    def run(self, stand: Stand) -> Finding:
        return needs_root(self._run)(stand)

    def _run(self, stand: Stand) -> Finding:
        parts = stand.many(12, 300)
        with own_disk(stand) as disk, stand.line() as line:
            line.flow(parts)
            strike = line.strike("disk broken", disk.cut)
            ill = said_fault(line)
            line.flow(parts)
            end_ns = line.now_ns()
            disk.back()
            again_s = written_again(line)
            line.flow(2)
        assert line.evidence is not None
        figures, wrong = told(line.evidence, strike.at_ns, end_ns)
        figures["written again s"] = again_s
        complaints = [wrong] if wrong else []
        if not ill:
            complaints.append("records did not say that it writes no rows")
        if again_s < 0:
            complaints.append("records did not write again after the disk was back")
        notes = (
            "one operation that fails, at its 1st, 2nd, ... Nth time, of every file and database operation of records: "
            "tests/records/test_nth_call.py",
        )
        return Finding(figures, tuple(complaints), notes)


class Slow:
    """Every sync takes two seconds."""

    number = 7
    fault = "slow disk"
    how = f"each fsync of records, SQLite's too, takes {SYNC_S:g} s"
    expected = "the verdict does not wait for it; records is not taken for dead; all rows are there afterwards"

    def run(self, stand: Stand) -> Finding:
        parts = stand.many(24, 2000)
        with stand.line() as line:
            line.flow(parts)
            before = line.box.restarts()["records"]
            strike = line.strike("disk slow", lambda: slow(line))
            slowed = line.until_back("records", line.beat("records"), 60.0)
            began_ns = line.now_ns()
            line.flow(parts)
            end_ns = line.now_ns()
            killed = line.box.restarts()["records"] - before - 1
            line.strike("disk quick", lambda: quick(line))
            line.until_back("records", line.beat("records"), 60.0)
            line.flow(2)
        assert line.evidence is not None
        figures, wrong = told(line.evidence, began_ns, end_ns)
        figures["times records was killed for it"] = killed
        complaints = [wrong] if wrong else []
        if not slowed:
            complaints.append("records does not start on a slow disk")
        if killed:
            complaints.append(f"records was taken for dead {killed} times, though it only waited for the disk")
        assert strike.at_ns < began_ns
        return Finding(figures, tuple(complaints))


def slow(line: Line) -> None:
    """Start records anew, on a slow disk."""
    _records(line, "slow_disk")


def quick(line: Line) -> None:
    """Start records anew, as it was."""
    _records(line, "hurt")


def _records(line: Line, module: str) -> None:
    assert line.box.supervisor is not None
    (child,) = (each for each in line.box.supervisor.children if each.name == "records")
    child.command = instead(module, child.command)
    assert child.process is not None
    child.process.kill()


ROWS = (Full(), Broken(), Slow())
