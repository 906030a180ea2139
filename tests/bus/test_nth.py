"""Whatever operation of shared memory or a socket fails: it is told by its name, nobody hangs, and nothing is left."""

import errno
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from okng.bus.active_job import active_job_file, keep_job, kept_job
from okng.bus.asks import Answer, Ask, Desk
from okng.bus.channel import (
    AskDoor,
    Asker,
    EntryReceiver,
    EntrySender,
    Publisher,
    Subscriber,
    ask_address,
    io_address,
    records_address,
)
from okng.bus.entries import CountersEntry
from okng.bus.errors import Lost
from okng.bus.heartbeat import Heartbeat, Pulse
from okng.bus.messages import Counters, Hold, Stored
from okng.bus.ring import RingReader, RingShelf, RingWriter
from okng.tests.nth import NTH, each_failure, failing


@pytest.fixture(autouse=True)
def _failing() -> Iterator[None]:
    with failing():
        yield


def tried(do: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return do(), None
    except (OSError, Lost) as error:
        return None, error


def test_the_ring(tmp_path: Path) -> None:
    def work(point: int) -> tuple[bytes | None, BaseException | None]:
        NTH.armed = False
        folder = tmp_path / str(point)
        folder.mkdir()
        NTH.armed = True
        writer, error = tried(lambda: RingWriter(folder, "top", 4, 64))
        if writer is None:
            NTH.armed = False
            writer = RingWriter(folder, "top", 4, 64)  # what is left of the first is no bar to the second
            NTH.armed = True
        slot, view = writer.begin()
        view[:4] = b"abcd"
        sequence = writer.commit(slot, part=1, number=1, epoch=1, size=4)
        shelf = RingShelf(folder)
        reader, failed = tried(lambda: shelf.reader("top", writer.name))
        seen = reader.read(slot, sequence, 4, bytes) if reader is not None else None
        shelf.close()
        NTH.armed = False
        again = RingReader(folder, writer.name)
        assert again.read(slot, sequence, 4, bytes) == b"abcd"
        again.close()
        writer.close()
        assert not [one for one in folder.iterdir() if one.name == writer.name]
        NTH.armed = True
        return seen, error or failed

    def judge(point: int, made: tuple[bytes | None, BaseException | None], failed: bool) -> None:
        seen, error = made
        assert seen == b"abcd" or (failed and seen is None)
        assert failed or error is None
        left = [one.name for one in (tmp_path / str(point)).iterdir()]
        assert not left, left

    assert each_failure(work, judge) > 4


def test_heartbeats(tmp_path: Path) -> None:
    def work(point: int) -> bool:
        NTH.armed = False
        run = tmp_path / str(point)
        run.mkdir()
        NTH.armed = True
        beat, error = tried(lambda: Heartbeat(run, "io"))
        if beat is None:
            NTH.armed = False
            beat = Heartbeat(run, "io")
            NTH.armed = True
        beat.turn(done=3)
        pulse = Pulse(run)
        beats, unread = tried(pulse.beats)
        if beats is None:
            NTH.armed = False
            beats = pulse.beats()
            NTH.armed = True
        beat.close()
        pulse.close()
        assert beats["io"].done == 3
        return error is None and unread is None

    def judge(point: int, quiet: bool, failed: bool) -> None:
        assert failed or quiet
        shutil.rmtree(tmp_path / str(point))

    assert each_failure(work, judge) > 6


def test_the_active_job(tmp_path: Path) -> None:
    def work(point: int) -> tuple[bool, int | None]:
        NTH.armed = False
        run = tmp_path / str(point)
        run.mkdir()
        keep_job(run, 3)
        NTH.armed = True
        _, error = tried(lambda: keep_job(run, 4))
        return error is None, kept_job(run)

    def judge(point: int, made: tuple[bool, int | None], failed: bool) -> None:
        kept, read = made
        number = kept_job(tmp_path / str(point))
        assert number == (4 if kept else 3)
        assert read in (number, None) if failed else read == 4
        assert active_job_file(tmp_path / str(point)).is_file()

    assert each_failure(work, judge) > 4


COUNTERS = Counters(**dict.fromkeys(Counters.__dataclass_fields__, 0))
AGAIN = (errno.EIO, errno.ENOSPC, zmq.EAGAIN)


def until(done: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.002)
    return False


@pytest.fixture
def short() -> Iterator[Callable[[int], Path]]:
    """Run folders with short names: a socket's path holds 107 bytes."""
    root = Path(tempfile.mkdtemp(prefix="okn", dir="/tmp"))

    def make(point: int) -> Path:
        folder = root / str(point)
        folder.mkdir()
        return folder

    yield make
    shutil.rmtree(root)


class Side:
    """One end of a conversation, made afresh after it was lost, as its process is."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self.end: Any = None

    def do(self, act: Callable[[Any], Any]) -> Any:
        """What it came to; None: it was lost, and is made afresh at the next call."""
        try:
            if self.end is None:
                self.end = self._make()
            return act(self.end)
        except Lost:
            self.close()
            return None

    def close(self) -> None:
        end, self.end = self.end, None
        if end is not None:
            end.close()


def test_the_ledgers_door(short: Callable[[int], Path]) -> None:
    """io keeps an entry until it is Stored; every failure on the way ends in Stored all the same."""

    def work(point: int) -> bool:
        NTH.armed = False
        address = records_address(short(point))
        NTH.armed = True
        door, sender = Side(lambda: EntryReceiver(address)), Side(lambda: EntrySender(address))
        entry = CountersEntry("e", 1, COUNTERS, last=True)

        def turn() -> bool:
            sender.do(lambda end: end.send(entry))
            got = door.do(lambda end: end.receive(5))
            if got is not None:
                door.do(lambda end: end.answer(got[0], Stored("e", (got[1].number,))))
            stored = sender.do(lambda end: end.receive())
            return stored is not None and stored.numbers == (1,)

        try:
            return until(turn)
        finally:
            door.close()
            sender.close()

    def judge(point: int, stored: bool, failed: bool) -> None:
        assert stored

    assert each_failure(work, judge, AGAIN) > 12


def test_asking(short: Callable[[int], Path]) -> None:
    def work(point: int) -> bool:
        NTH.armed = False
        address = ask_address(short(point), "records")
        NTH.armed = True
        did: list[str] = []

        def handle(ask: Ask) -> dict[str, Any]:
            did.append(ask.id)
            return {"n": 1}

        desk = Desk("records", {"account.first": handle})
        door, asker = Side(lambda: AskDoor(address)), Side(lambda: Asker(address))
        ask = Ask("a" * 32, "account.first", "", "", "", {})
        answers: list[Answer] = []

        def turn() -> bool:
            asker.do(lambda end: end.send(ask))
            door.do(lambda end: end.serve(desk, 5))
            answer = asker.do(lambda end: end.receive())
            if answer is not None:
                answers.append(answer)
            return bool(answers)

        try:
            return until(turn) and answers[0].id == ask.id
        finally:
            door.close()
            asker.close()

    def judge(point: int, answered: bool, failed: bool) -> None:
        assert answered

    assert each_failure(work, judge, AGAIN) > 12


def test_what_is_published(short: Callable[[int], Path]) -> None:
    """A message may be missed, as by a slow reader; the next one comes through."""

    def work(point: int) -> bool:
        NTH.armed = False
        address = io_address(short(point))
        NTH.armed = True
        speaker, listener = Side(lambda: Publisher(address)), Side(lambda: Subscriber([address], (Hold,)))

        def turn() -> bool:
            speaker.do(lambda end: end.send(Hold("opcua", held=True, reason="")))
            return bool(listener.do(lambda end: list(end.drain())))

        try:
            return until(turn)
        finally:
            speaker.close()
            listener.close()

    def judge(point: int, heard: bool, failed: bool) -> None:
        assert heard

    assert each_failure(work, judge, AGAIN) > 10
