"""The disk of the store is unmounted, swapped and mounted again while parts flow: nothing is written beneath it."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from okng.bus.heartbeat import Pulse
from okng.bus.messages import Health
from okng.bus.part import Outcome, Why
from okng.records import ground
from okng.records.check import check
from okng.records.ground import Ground, beneath, mount_at, mounts_of, note, same_store
from okng.records.ledger import Ledger, LedgerStuck
from okng.records.lineage import Lineage, write_lineage
from okng.records.options import RecordsOptions
from okng.records.process import LOST
from okng.records.read import LedgerReader
from okng.records.retention_options import RetentionOptions

SCRIPT = Path(__file__).with_name("run_records.py")


# -- without a disk ------------------------------------------------------------------------------------------------


def test_a_ledger_whose_folder_was_moved_takes_nothing_until_it_is_back(tmp_path: Path) -> None:
    store, away = tmp_path / "store", tmp_path / "away"
    ledger = Ledger(store)
    ledger.store([])
    store.rename(away)
    store.mkdir()
    tries: list[Callable[[], None]] = [lambda: ledger.store([]), ledger.mark, ledger.look, ledger.reopen, ledger.reopen]
    for write in tries:
        with pytest.raises(LedgerStuck, match="not mounted there"):
            write()
    assert list(store.iterdir()) == []
    store.rmdir()
    away.rename(store)
    ledger.reopen()
    ledger.store([])
    ledger.close()


def test_the_ledger_of_another_box_is_not_written(tmp_path: Path) -> None:
    store, away, other = (tmp_path / name for name in ("store", "away", "other"))
    Ledger(other).close()
    before = (other / "ledger.db").read_bytes()
    ledger = Ledger(store)
    store.rename(away)
    other.rename(store)
    with pytest.raises(LedgerStuck, match="another disk is mounted"):
        ledger.store([])
    with pytest.raises(LedgerStuck, match="of another box"):
        ledger.reopen()
    assert (store / "ledger.db").read_bytes() == before
    ledger.close()


def test_a_copy_of_the_store_is_gone_on_with(tmp_path: Path) -> None:
    """The disk was copied to a bigger one: it is the ledger of this box."""
    store, away = tmp_path / "store", tmp_path / "away"
    ledger = Ledger(store)
    shutil.copytree(store, tmp_path / "copy")
    store.rename(away)
    (tmp_path / "copy").rename(store)
    with pytest.raises(LedgerStuck):
        ledger.store([])
    ledger.reopen()
    ledger.store([])
    ledger.close()


def test_what_is_known_of_a_store_tells_it_from_others(tmp_path: Path) -> None:
    known = Lineage("abc", 3, 50)
    assert "no ledger now" in same_store(tmp_path, known)
    write_lineage(tmp_path, known)
    assert "no ledger now" in same_store(tmp_path, known)
    (tmp_path / "ledger.db").touch()
    assert same_store(tmp_path, known) == ""
    write_lineage(tmp_path, Lineage("abc", 2, 900))
    assert "older" in same_store(tmp_path, known)
    write_lineage(tmp_path, Lineage("abd", 3, 50))
    assert "another box" in same_store(tmp_path, known)


def test_a_disk_that_fails_is_not_taken_for_one_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)

    def broken(_path: Path) -> os.stat_result:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "stat", broken)
    assert ledger.ground.gone() == ""
    monkeypatch.undo()
    ledger.close()


def test_mounts_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is mounted at the folder or above it counts, whatever stands in its name."""
    table = tmp_path / "mountinfo"
    table.write_text(
        "20 1 8:1 / / rw - ext4 /dev/a rw\n"
        "21 20 8:2 / /my\\040disk rw - ext4 /dev/b rw\n"
        "22 20 8:3 / /mydisk rw - ext4 /dev/c rw\n"
        "23 21 8:2 / /my\\040disk/store rw - ext4 /dev/b rw\n"
    )
    monkeypatch.setattr(ground, "_MOUNTS", table)
    assert mounts_of(Path("/my disk/store")) == {20, 21, 23}
    assert mounts_of(Path("/mydisk/store")) == {20, 22}
    table.unlink()
    assert mounts_of(Path("/mydisk")) == frozenset()
    assert mount_at(tmp_path / "nowhere") == -1


def test_a_mount_beneath_ours_that_changes_asks_for_a_fresh_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Ground(tmp_path)
    assert watch.hidden() == watch.gone() == ""
    lock = tmp_path / ground.LOCK
    handle = os.open(lock, os.O_RDWR | os.O_CREAT)
    watch.stand(handle)
    assert watch.hidden() == ""
    seen = mounts_of(tmp_path)
    monkeypatch.setattr(ground, "mounts_of", lambda _: seen | {9999})
    assert "out of our sight" in watch.hidden()
    monkeypatch.setattr(ground, "mount_at", lambda _: 9999)  # mounted over it, and the file is the same: no matter
    assert watch.hidden() == ""
    assert watch.hidden() == ""
    os.close(handle)


def test_the_next_start_in_a_boot_knows_that_there_was_a_disk(
    tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "disk" / "store"
    points = {"now": tmp_path / "disk"}
    monkeypatch.setattr(ground, "mount_point", lambda _: points["now"])
    assert beneath(run_dir, store) == ""
    note(run_dir, store)
    assert beneath(run_dir, store) == ""
    points["now"] = Path("/")
    assert "nothing is written beneath it" in beneath(run_dir, store)
    assert "nothing is written beneath it" in beneath(run_dir, store)
    assert beneath(run_dir, tmp_path / "elsewhere") == ""  # another folder was set: people know what they do
    Ledger(store).close()
    assert "nothing is written beneath it" in beneath(run_dir, store)  # one of another time
    points["now"] = tmp_path / "disk"
    note(run_dir, store)
    points["now"] = Path("/")
    assert beneath(run_dir, store) == ""  # the ledger was moved here
    (run_dir / ground.NOTE).write_text("[torn")
    assert beneath(run_dir, store) == ""


# -- with one ------------------------------------------------------------------------------------------------------


def missing(reason: str) -> None:
    """Skip at a desk, fail where all must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Disks:
    """Loop disks in a mount namespace of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mount = folder, folder / "mnt"
        self.mount.mkdir()
        self.holder = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", "mount --make-rshared / && exec sleep 300"],
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        own = Path("/proc/self/ns/mnt").readlink()
        while Path(f"/proc/{self.holder.pid}/ns/mnt").readlink() == own:
            if self.holder.poll() is not None or time.monotonic() > end:
                missing("needs root for a mount namespace")
            time.sleep(0.01)
        self.within = ["nsenter", "-t", str(self.holder.pid), "-m", "--"]

    def make(self, name: str) -> Path:
        image = self.folder / f"{name}.img"
        with image.open("wb") as file:
            file.truncate(64 << 20)
        self.run("mkfs.ext4", "-q", "-F", str(image))
        return image

    def run(self, *command: str) -> None:
        done = subprocess.run([*self.within, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"needs root and loop devices: {' '.join(command)}: {done.stderr}")

    def put(self, image: Path) -> None:
        self.run("mount", "-o", "loop", str(image), str(self.mount))

    def take_away(self) -> None:
        self.run("umount", "-l", str(self.mount))

    @property
    def seen(self) -> Path:
        """The folder as whoever is within sees it."""
        return Path(f"/proc/{self.holder.pid}/root{self.mount}")

    def store_of(self, image: Path, to: Path) -> Path:
        """A copy of what a disk holds that is mounted nowhere."""
        self.run("sh", "-c", f"mount -o loop {image} {self.mount} && cp -a {self.mount}/store {to}")
        self.take_away()
        return to

    def close(self) -> None:
        for _ in range(3):
            subprocess.run([*self.within, "umount", "-l", self.mount], capture_output=True, check=False)
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Disks]:
    made = Disks(tmp_path)
    yield made
    made.close()


class Records:
    """The records process within the namespace of the disks."""

    def __init__(self, disks: Disks, run_dir: Path, *, bound: bool = False) -> None:
        """bound: as in its unit, which has a namespace of its own with the store bound over itself."""
        roomy = RetentionOptions(low_percent=97, high_percent=98, hard_cap_percent=99)
        store = disks.mount / "store"
        self.options = RecordsOptions(store=store, min_free_mb=0, retention=roomy)
        self.run_dir, self.log = run_dir, run_dir / "records.log"
        command = [sys.executable, str(SCRIPT), str(run_dir), self.options.model_dump_json(), "cam0"]
        if bound:
            folder = str(disks.mount)
            bind = f'mount --bind {folder} {folder} && exec "$@"'
            command = ["unshare", "-m", "--propagation", "slave", "sh", "-c", bind, "sh", *command]
        self.command = [*disks.within, *command]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.command, stderr=log)
        self.wait_for(Health.READY)

    def wait_for(self, health: Health, seconds: float = 30.0) -> None:
        self.until(lambda: self._beat() is health, f"say {health}", seconds)

    def _beat(self) -> Health | None:
        beat = Pulse(self.run_dir).beats().get("records")
        return beat.health if beat is not None and beat.pid == self.child.pid else None

    def until(self, done: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end or self.child.poll() is not None:
                pytest.fail(f"records did not {what}:\n{self.log.read_text()}")
            time.sleep(0.01)

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            self.child.kill()
            self.child.wait()


@pytest.fixture
def flow(maker: ModuleType, run_dir: Path) -> Iterator[Callable[[range], None]]:
    """Sends parts with NG pictures, as io, inspect and the camera do."""
    line, sender = maker.Line(run_dir), maker.Sender(run_dir)

    def send(parts: range) -> None:
        for part in parts:
            seen = line.picture(part)
            said = maker.verdict(part, Outcome.NG, None, seen, (maker.HEAT,))
            line.inspect.send(said)
            sender.send(maker.trigger_entry(2 * part - 1, part, "run-1"))
            sender.send(maker.record_entry(2 * part, part, Why.NG, "run-1", said=said))
            sender.turn()
            time.sleep(0.01)

    send.settle = sender.settle  # type: ignore[attr-defined]
    yield send
    sender.close()
    line.close()


def holds_all(store: Path, parts: int) -> None:
    """Every part is in the ledger, once, and the ledger is whole."""
    assert sorted(row.part for row in LedgerReader(store).rows(1000)) == list(range(1, parts + 1))
    assert check(store, full=True).problems == []


@pytest.mark.needs_root
def test_parts_wait_while_the_disk_is_away_and_none_lies_beneath_it(
    disks: Disks, run_dir: Path, flow: Any, tmp_path: Path
) -> None:
    image, other = disks.make("disk"), disks.make("other")
    disks.put(image)
    records = Records(disks, run_dir)
    try:
        records.start()
        time.sleep(0.3)
        flow(range(1, 31))
        assert flow.settle()
        disks.take_away()
        flow(range(31, 131))
        records.wait_for(Health.FAULT)
        assert not flow.settle(1.5)
        assert "its disk is not mounted there" in records.log.read_text()
        assert list(disks.seen.iterdir()) == []  # nothing beneath
        disks.put(other)
        flow(range(131, 161))
        assert not flow.settle(2.5)
        assert [each.name for each in disks.seen.iterdir()] == ["lost+found"]  # nor on another disk
        disks.take_away()
        disks.put(image)
        records.wait_for(Health.READY)
        flow(range(161, 171))
        assert flow.settle(), records.log.read_text()
        records.child.terminate()
        assert records.child.wait(15) == 0, records.log.read_text()
    finally:
        records.close()
    disks.take_away()
    holds_all(disks.store_of(image, tmp_path / "seen"), 170)
    text = records.log.read_text()
    assert text.count("nothing is written to the ledger") == 1
    assert text.count("the ledger is written again after") == 1


@pytest.mark.needs_root
def test_a_unit_that_does_not_see_the_disk_go_begins_afresh_and_not_beneath_it(
    disks: Disks, run_dir: Path, flow: Any, tmp_path: Path
) -> None:
    """Bound over itself the disk stays in sight: what is mounted outside again would never be seen."""
    image = disks.make("disk")
    disks.put(image)
    records = Records(disks, run_dir, bound=True)
    try:
        records.start()
        time.sleep(0.3)
        flow(range(1, 21))
        assert flow.settle()
        disks.take_away()
        assert records.child.wait(15) == LOST, records.log.read_text()
        assert "out of our sight" in records.log.read_text()
        flow(range(21, 41))
        again = subprocess.run(records.command, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        assert again.returncode == LOST
        assert "nothing is written beneath it" in again.stderr
        assert list(disks.seen.iterdir()) == []
        disks.put(image)
        records.start()
        assert flow.settle(20), records.log.read_text()
        records.child.terminate()
        assert records.child.wait(15) == 0, records.log.read_text()
    finally:
        records.close()
    disks.take_away()
    holds_all(disks.store_of(image, tmp_path / "seen"), 40)
