"""Whatever operation of the disk fails: nothing that was said to be stored is lost, and errors are the named ones."""

import contextlib
import errno
import itertools
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
import pytest

from okng.bus.errors import BadLedger, Lost, Refused
from okng.bus.part import Why
from okng.records import schema
from okng.records.check import check
from okng.records.copy_names import copies
from okng.records.hourly import Hourly
from okng.records.ledger import Ledger, LedgerDamaged, LedgerStuck, Ripe
from okng.records.options import RecordsOptions
from okng.records.pictures import PictureShelf, adopt, picture_path
from okng.records.read import LedgerReader
from okng.records.restore import looked_at, restore
from okng.records.rows import sha256
from okng.records.salvage import Salvage, unfinished
from okng.records.salvage_read import read
from okng.tests.nth import NTH, each_failure, failing

OLD = Path(__file__).with_name("ledger_v1.sql")
TRIES = 5


@pytest.fixture(autouse=True)
def _failing() -> Iterator[None]:
    with failing():
        yield


@pytest.fixture
def template(tmp_path: Path, maker: ModuleType) -> Path:
    """A store with ten parts."""
    store = tmp_path / "template"
    ledger = Ledger(store)
    for part in range(1, 11):
        ledger.store(entries(maker, part))
    ledger.rest()
    ledger.close()
    return store


def entries(maker: ModuleType, part: int) -> list[Ripe]:
    return [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part, Why.NG))]


def patient(do: Callable[[], Any]) -> Any:
    """As records does: what may be tried again is, a few times; anything unnamed goes through and fails the test."""
    for left in reversed(range(TRIES)):
        try:
            return do()
        except Lost:
            if not left:
                raise
    return None


def put(ledger: Ledger, batch: list[Ripe]) -> None:
    try:
        ledger.store(batch)
    except (LedgerStuck, LedgerDamaged):
        ledger.reopen()
        raise


def sound(store: Path, acked: list[int]) -> None:
    found = {row.part for row in LedgerReader(store).rows(1000)}
    assert set(acked) <= found
    with LedgerReader(store).asking() as ask:
        assert [next(iter(row.values())) for row in ask("pragma integrity_check")] == ["ok"]
    assert not list(store.glob("*.corrupt-*"))
    problems = [text for text in check(store).problems if "without a record" not in text]
    assert problems == []


def test_the_ledger_while_the_line_runs(tmp_path: Path, template: Path, maker: ModuleType) -> None:
    def work(point: int) -> tuple[Path, list[int]]:
        NTH.armed = False
        store = shutil.copytree(template, tmp_path / str(point))
        NTH.armed = True
        acked: list[int] = []
        ledger = patient(lambda: Ledger(store))
        for part in range(11, 15):
            patient(partial(put, ledger, entries(maker, part)))
            acked.append(part)
            if part == 13:
                ledger.rest()
        patient(ledger.mark)
        ledger.close()
        return store, acked

    def judge(point: int, made: tuple[Path, list[int]], failed: bool) -> None:
        store, acked = made
        assert acked == [11, 12, 13, 14]
        sound(store, [*range(1, 11), *acked])
        shutil.rmtree(store)

    assert each_failure(work, judge) > 20


def test_a_ledger_that_is_made(tmp_path: Path, maker: ModuleType) -> None:
    def work(point: int) -> Path:
        store = tmp_path / str(point)
        ledger = patient(lambda: Ledger(store))
        patient(lambda: (ledger.reopen(), ledger.store(entries(maker, 1))))
        ledger.close()
        return store

    def judge(point: int, store: Path, failed: bool) -> None:
        sound(store, [1])
        shutil.rmtree(store)

    assert each_failure(work, judge, (errno.ENOSPC,)) > 20


def test_pictures(tmp_path: Path, maker: ModuleType) -> None:
    data = b"picture" * 1000

    def work(point: int) -> tuple[Path, list[str]]:
        store, kept = tmp_path / str(point), []
        shelf = PictureShelf(store)
        for part in range(1, 4):
            try:
                made = shelf.put(picture_path(maker.frame(part), "png"), data)
                shelf.settle()
            except OSError:
                continue  # the desk tells, and the row is written without
            kept.append(made.path)
        adopt(store, maker.frame(2))
        return store, kept

    def judge(point: int, made: tuple[Path, list[str]], failed: bool) -> None:
        store, kept = made
        assert len(kept) >= (2 if failed else 3)
        assert all(sha256((store / name).read_bytes()) == sha256(data) for name in kept)
        assert {one.stat().st_size for one in store.rglob("*.png")} <= {len(data)}
        shutil.rmtree(store)

    assert each_failure(work, judge) > 20


def test_a_copy_onto_a_second_medium(tmp_path: Path, template: Path) -> None:
    ledger = Ledger(template)
    try:

        def work(point: int) -> tuple[Path, Hourly]:
            NTH.armed = False
            medium = tmp_path / f"medium{point}"
            medium.mkdir()
            hourly = Hourly(ledger, RecordsOptions(store=template, backup_to=medium, backup_on_same_disk=True))
            NTH.armed = True
            hourly._copy(medium, "ledger-20260101T000000000000Z.db")
            return medium, hourly

        def judge(point: int, made: tuple[Path, Hourly], failed: bool) -> None:
            medium, hourly = made
            assert hourly._came is not None
            if hourly._came.made.error:
                assert failed
            else:
                (copy,) = copies(medium)
                assert looked_at(copy)[2] == 10
            for one in copies(medium):
                looked_at(one)  # what bears the name is whole, whatever was told
            shutil.rmtree(medium)

        assert each_failure(work, judge) > 20
    finally:
        ledger.close()


def test_restoring(tmp_path: Path, template: Path, maker: ModuleType) -> None:
    copy = shutil.copy(template / schema.FILE, tmp_path / "copy.db")

    def work(point: int) -> Path:
        NTH.armed = False
        store = tmp_path / str(point)
        ledger = Ledger(store)
        ledger.store(entries(maker, 50))
        ledger.close()
        NTH.armed = True
        with contextlib.suppress(OSError, BadLedger):
            restore(store, Path(copy))
        return store

    def judge(point: int, store: Path, failed: bool) -> None:
        Ledger(store).close()
        found = {row.part for row in LedgerReader(store).rows(100)}
        aside = list(store.glob("ledger.db.replaced-*")) + list(store.glob("ledger.db.before-restore*"))
        # The copy, or what stood there; in between what stood there lies aside, whole.
        assert found in ({*range(1, 11)}, {50}) or (not found and failed and aside), point
        assert failed or found == {*range(1, 11)}
        shutil.rmtree(store)

    assert each_failure(work, judge) > 10


def test_bringing_an_older_ledger_up_to_date(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    db = apsw.Connection(str(old))
    db.execute(OLD.read_text(encoding="utf-8"))
    db.close()

    def work(point: int) -> Path:
        NTH.armed = False
        store = tmp_path / str(point)
        store.mkdir()
        shutil.copy(old, store / schema.FILE)
        NTH.armed = True
        try:
            Ledger(store).close()
        except LedgerStuck:
            NTH.armed = False
            reading = apsw.Connection(str(store / schema.FILE))
            try:
                assert reading.pragma("user_version") in (1, schema.VERSION)
            finally:
                reading.close()
        return store

    def judge(point: int, store: Path, failed: bool) -> None:
        Ledger(store).close()
        assert len(LedgerReader(store).rows(100)) == 7
        for one in store.glob("ledger.db.before-v1-*Z"):
            assert looked_at(one)[2] == 7
        assert not list(store.glob("*.corrupt-*"))
        shutil.rmtree(store)

    assert each_failure(work, judge, (errno.ENOSPC,)) > 20


def test_putting_a_damaged_ledger_aside_and_rescuing_its_rows(
    tmp_path: Path, template: Path, maker: ModuleType
) -> None:
    data = bytearray((template / schema.FILE).read_bytes())
    data[:4096] = b"\xff" * 4096

    def work(point: int) -> Path:
        NTH.armed = False
        store = shutil.copytree(template, tmp_path / str(point))
        (store / schema.FILE).write_bytes(data)
        NTH.armed = True
        ledger = patient(lambda: Ledger(store))
        try:
            rescue(store, ledger)
        finally:
            NTH.armed = False
            ledger.close()
        return store

    def rescue(store: Path, ledger: Ledger) -> None:
        """In this process, so that all its operations count."""
        for turn in itertools.count():
            assert turn < 200
            waiting = unfinished(store)
            if not waiting:
                return
            staged = waiting[0].with_name(waiting[0].name + ".rescued.db")
            salvage = Salvage(ledger, store)
            try:
                if not staged.exists():
                    read(waiting[0], None, staged)
                while unfinished(store):
                    salvage.turn(idle=True)
                    if salvage.waits:
                        break  # a minute later, as far as records is concerned
            except (OSError, LedgerStuck, LedgerDamaged, Refused, apsw.Error):
                NTH.armed = False
                ledger.reopen()
                NTH.armed = True
            finally:
                salvage.close()

    def judge(point: int, store: Path, failed: bool) -> None:
        assert sorted(row.part for row in LedgerReader(store).rows(100)) == [*range(1, 11)]
        assert len(list(store.glob("ledger.db.corrupt-*Z"))) == 1
        assert check(store).problems == []
        shutil.rmtree(store)

    assert each_failure(work, judge, (errno.EIO,)) > 20
