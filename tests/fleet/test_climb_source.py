"""The channel as the climb hears it: over a way that may be cut, with the ledger's floor and what people are told."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from okng.bus.errors import StoreLost
from okng.fleet.climb_source import ChannelSource, LedgerFloor
from okng.fleet.stores import BadObject
from okng.tests.fleet.channel_kit import LINE, RECIPE, Fleet, Watch
from okng.tests.records.test_asked_process import Process


class Way:
    """The wire to the service, over a folder: cut, or looking at another folder, as the test wants it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cut = folder, False

    def known(self) -> Any:
        return SimpleNamespace(passport=SimpleNamespace(box="box1"))

    def fetch(self, path: str, start: int) -> Iterator[bytes]:
        if self.cut:
            raise StoreLost("the service is not reached")
        try:
            yield (self.folder / path).read_bytes()[start:]
        except OSError as error:
            raise BadObject(f"{path}: not there") from error


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A short name: a socket's path holds 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="okr", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def records(run_dir: Path, tmp_path: Path) -> Iterator[Process]:
    """The real process that keeps the floor."""
    made = Process(run_dir, tmp_path / "store")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A channel that is signed today: the source goes by this machine's clock."""
    watch = Watch(datetime.now(UTC))
    return Fleet.begun(tmp_path / "channel", watch)


@contextlib.contextmanager
def source(fleet: Fleet, records: Process, way: Way, tmp_path: Path) -> Iterator[ChannelSource]:
    root = tmp_path / "root.json"
    root.write_bytes(fleet.root)
    box: Any = SimpleNamespace(
        run_dir=records.run_dir, store=records.store, bundles=tmp_path / "bundles", authorities=()
    )
    made = ChannelSource(box, way, root, tmp_path / "remembered", (LINE,), every_s=3600.0)  # type: ignore[arg-type]
    yield made
    made.close()


def test_an_older_channel_is_told_of_and_what_was_trusted_holds(fleet: Fleet, records: Process, tmp_path: Path) -> None:
    fleet.publish("a")
    old = fleet.copied(tmp_path / "old")
    newest = fleet.publish("b")
    way = Way(fleet.folder)
    with source(fleet, records, way, tmp_path) as heard:
        said = heard.standing()
        assert ([one.seq for one in said.offers], said.why) == ([newest], "")
        way.folder = old.folder
        heard.hint()
        for _ in range(3):  # asked, and while it is not asked again
            said = heard.standing()
            assert "BadVersionNumberError" in said.why
            assert [one.seq for one in said.offers] == [newest]
            assert not said.expired
        # The floor is in the ledger: a box whose disk lost what it remembered does not go down either.
        assert LedgerFloor(records.run_dir, records.store).highest(f"{LINE}/{RECIPE}/champion") == newest


def test_the_word_is_taken_back_when_the_channel_is_right_again(fleet: Fleet, records: Process, tmp_path: Path) -> None:
    fleet.publish("a")
    old = fleet.copied(tmp_path / "old")
    fleet.publish("b")
    way = Way(fleet.folder)
    with source(fleet, records, way, tmp_path) as heard:
        heard.standing()
        way.folder = old.folder
        heard.hint()
        assert heard.standing().why
        way.folder = fleet.folder
        newest = fleet.publish("c")
        end = time.monotonic() + 60
        while (said := heard.standing()).why and time.monotonic() < end:  # it waits a little after a failure
            heard.hint()
            time.sleep(0.2)
        assert ([one.seq for one in said.offers], said.why) == ([newest], "")


def test_a_channel_that_has_run_out_is_expired_until_something_fresh_is_shown(
    fleet: Fleet, records: Process, tmp_path: Path
) -> None:
    newest = fleet.publish("a")
    with source(fleet, records, Way(fleet.folder), tmp_path) as heard:
        assert not heard.standing().expired
        fleet.watch.pass_by(days=-9)
        fleet.rings.halt(LINE, "nine days ago")
        heard.hint()
        for _ in range(3):
            said = heard.standing()
            assert said.expired
            assert "expired" in said.why
            assert [(one.seq, one.expired) for one in said.offers] == [(newest, True)]
        fleet.watch.pass_by(days=9)
        fleet.rings.resume(LINE)
        heard.hint()
        said = heard.standing()
        assert (said.expired, said.why) == (False, "")
        assert [(one.seq, one.expired) for one in said.offers] == [(newest, False)]


def test_a_cut_way_is_no_matter_of_the_channel(fleet: Fleet, records: Process, tmp_path: Path) -> None:
    newest = fleet.publish("a")
    way = Way(fleet.folder)
    with source(fleet, records, way, tmp_path) as heard:
        heard.standing()
        way.cut = True
        heard.hint()
        said = heard.standing()
        assert ([one.seq for one in said.offers], said.why) == ([newest], "")


def test_a_floor_that_records_does_not_take_is_a_store_that_is_lost(
    fleet: Fleet, records: Process, tmp_path: Path
) -> None:
    fleet.publish("a")
    with source(fleet, records, Way(fleet.folder), tmp_path) as heard:
        records.kill()
        said = heard.standing()
        assert (said.offers, said.why) == ((), "nothing was trusted yet")
