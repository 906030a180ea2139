"""What goes onto a USB stick is whole, read back and never in place of something else, or it is not there."""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from okng.bus.errors import Refused, StoreLost
from okng.bus.part import Outcome
from okng.records.people_read import PeopleReader
from okng.workshop.stick import Saved, Stick, choose, room_for, save, sticks

from ..records.conftest import missing

MB = 1 << 20
Mount = Callable[..., Path]


def run(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode


@contextlib.contextmanager
def mounts_in(folder: Path) -> Iterator[Mount]:
    """Mounts real filesystems below a folder: an image through a loop where the kernel has them, else memory."""
    images, held = Path(tempfile.mkdtemp(prefix="okui", dir="/tmp")), []

    def mount(name: str, size_mb: int = 8, options: str = "", image: bool = True) -> Path:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        more = [options] if options else []
        file = images / f"{name}.img"
        with file.open("wb") as made:
            made.truncate(size_mb * MB)
        looped = (
            image
            and run("mkfs.ext4", "-q", "-m0", "-O", "^has_journal", str(file)) == 0
            and run("mount", "-o", ",".join(["loop", *more]), str(file), str(place)) == 0
        )
        in_memory = ("mount", "-t", "tmpfs", "-o", ",".join([f"size={size_mb}m", *more]), "none", str(place))
        if not looped and run(*in_memory) != 0:
            missing("this machine lets nobody mount")
        held.append(place)
        return place

    try:
        yield mount
    finally:
        for place in held:
            run("umount", "-l", str(place))
        shutil.rmtree(images, ignore_errors=True)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    if os.geteuid() != 0:
        missing("mounting needs root")
    with mounts_in(tmp_path / "media") as made:
        yield made


def put(stick: Stick, name: str, data: bytes, most: int = 1 << 30, **more: Any) -> Saved:
    def write(out: BinaryIO) -> None:
        out.write(data)

    more = {"before_named": lambda saved: None, "tell": lambda done, again: None, **more}
    return save(stick, name, more.pop("write", write), most, **more)


def names(place: Path) -> set[str]:
    return {one.name for one in place.iterdir()} - {"lost+found"}


@pytest.mark.needs_root
def test_only_what_is_mounted_is_a_stick(mount: Mount, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    assert sticks(folder) == []
    (folder / "sdz1").mkdir(parents=True)
    with pytest.raises(Refused, match="no USB stick is plugged in"):
        choose(folder)
    place = mount("sda1")
    (found,) = sticks(folder)
    assert (found.name, found.path, found.read_only) == ("sda1", place, False)
    assert found.free_mb is not None
    assert 4 <= found.free_mb <= 8
    assert choose(folder) == choose(folder, "sda1")
    mount("my stick", 2)
    assert [one.name for one in sticks(folder)] == ["my stick", "sda1"]
    with pytest.raises(Refused, match="several"):
        choose(folder)
    with pytest.raises(Refused, match="no USB stick"):
        choose(folder, "sdz1")
    mount("locked", 2, "ro")
    with pytest.raises(Refused, match="write-protected"):
        choose(folder, "locked")


@pytest.mark.needs_root
def test_a_file_is_whole_checked_and_in_nobodys_place(mount: Mount, tmp_path: Path) -> None:
    place = mount("sda1")
    stick = choose(tmp_path / "media")
    told: list[tuple[int, bool]] = []
    data = os.urandom(2 * MB + 17)
    saved = put(stick, "Bericht Nr 1.pdf", data, tell=lambda done, again: told.append((done, again)))
    assert saved == Saved("Bericht-Nr-1.pdf", len(data), hashlib.sha256(data).hexdigest())
    assert (place / saved.file).read_bytes() == data
    assert told[-1] == (len(data), True)
    assert (len(data), False) in told
    assert put(stick, "Bericht Nr 1.pdf", b"another").file == "Bericht-Nr-1-2.pdf"
    assert (place / saved.file).read_bytes() == data
    assert names(place) == {"Bericht-Nr-1.pdf", "Bericht-Nr-1-2.pdf"}


@pytest.mark.needs_root
@pytest.mark.parametrize("image", [True, False])
def test_a_full_stick_is_told_and_keeps_no_half(mount: Mount, tmp_path: Path, image: bool) -> None:
    place = mount("sda1", 4, image=image)
    stick = choose(tmp_path / "media")
    with pytest.raises(Refused, match=r"full: 9 MB are needed, \d MB are free"):
        room_for(stick, 9 * MB - 5, 1 << 40)
    with pytest.raises(Refused, match="the USB stick is full"):
        put(stick, "a.zip", bytes(9 * MB))
    assert names(place) == set()
    assert put(stick, "a.zip", b"it fits").file == "a.zip"
    with pytest.raises(Refused, match="more than the 2 MB"):
        room_for(stick, 3 * MB, 2 * MB)
    with pytest.raises(Refused, match="more than the 1 MB"):
        put(stick, "b.zip", bytes(2 * MB), 1 * MB)
    assert names(place) == {"a.zip"}


def test_fat32_takes_no_file_above_4_gb(tmp_path: Path) -> None:
    stick = Stick("sda1", tmp_path, (0, 0), "vfat", False, 100_000)
    with pytest.raises(Refused, match="exFAT"):
        room_for(stick, 5 << 30, 1 << 40)


@pytest.mark.needs_root
def test_a_stick_pulled_out_in_the_middle_has_no_half_under_the_name(mount: Mount, tmp_path: Path) -> None:
    """Taken off as udev does it: lazily, while the file is open. The folder below it is the box's own disk."""
    place = mount("sda1")
    stick = choose(tmp_path / "media")

    def write(out: BinaryIO) -> None:
        out.write(b"first half")
        assert names(place) == {"a.zip.part"}
        assert run("umount", "-l", str(place)) == 0
        out.write(b"second half")

    with pytest.raises(StoreLost, match="pulled out"):
        put(stick, "a.zip", b"", write=write)
    assert names(place) == set()
    with pytest.raises(StoreLost, match="pulled out"):
        put(stick, "a.zip", b"whole")
    assert names(place) == set()


@pytest.mark.needs_root
@pytest.mark.parametrize(("code", "words"), [(errno.EIO, "pulled out"), (errno.EROFS, "write-protected")])
def test_a_stick_that_breaks_is_told(
    mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    mount("sda1")

    def broken(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("okng.workshop.stick.os.fsync", broken)
    with pytest.raises(StoreLost, match=words):
        put(choose(tmp_path / "media"), "a.zip", b"data")


@pytest.mark.needs_root
def test_a_stick_that_lies_is_found_out(mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = mount("sda1")
    monkeypatch.setattr("okng.workshop.stick.os.pread", lambda handle, size, at: b"" if at else b"something else")
    with pytest.raises(StoreLost, match="gives back something else"):
        put(choose(tmp_path / "media"), "a.zip", b"data")
    assert names(place) == set()


@pytest.mark.needs_root
def test_what_the_trail_does_not_take_is_not_taken_out(mount: Mount, tmp_path: Path) -> None:
    place = mount("sda1")

    def no_trail(saved: Saved) -> None:
        raise StoreLost("the audit trail cannot be written")

    with pytest.raises(StoreLost, match="audit trail"):
        put(choose(tmp_path / "media"), "a.zip", b"data", before_named=no_trail)
    assert names(place) == set()


@pytest.mark.needs_root
def test_the_workshop_takes_out_all_five(shop: Any) -> None:
    """The process, its job and the trail of the ledger, on a real filesystem."""
    if os.geteuid() != 0:
        missing("mounting needs root")
    media = shop.folder / "media"
    text = shop.settings.read_text(encoding="utf-8")
    shop.settings.write_text(text + f'sticks = "{media}"\n', encoding="utf-8")
    assert shop.done("stick.look") == {"sticks": []}
    assert "no USB stick" in shop.refused("stick.backup").detail
    for _ in range(2):
        shop.line.judge(Outcome.NG)
    (shop.folder / "papers").mkdir()
    (shop.folder / "papers" / "shift-1-ab.pdf").write_bytes(b"%PDF-1.7 a paper")
    with mounts_in(media) as mount:
        place = mount("sda1", 32)
        assert [one["name"] for one in shop.done("stick.look")["sticks"]] == ["sda1"]
        assert "expected 1..200" in shop.refused("stick.rejects", {"seqs": []}).detail
        found = shop.result("stick.paper", {"name": "shift-1-ab"})
        assert (found["stick"], found["file"]) == ("sda1", "shift-1-ab.pdf")
        assert (place / found["file"]).read_bytes() == b"%PDF-1.7 a paper"
        found = shop.result("stick.rejects", {"seqs": [1, 2]})
        with zipfile.ZipFile(io.BytesIO((place / found["file"]).read_bytes())) as packed:
            assert "parts.csv" in packed.namelist()
        found = shop.result("stick.support", {"stick": "sda1"})
        assert zipfile.is_zipfile(place / found["file"])
        (shop.folder / "store" / "backups").mkdir()
        (shop.folder / "store" / "backups" / "ledger-20260101T000000Z.db").write_bytes(b"a copy")
        found = shop.result("stick.backup")
        assert (place / found["file"]).read_bytes() == b"a copy"
        assert found["sha256"] == hashlib.sha256(b"a copy").hexdigest()
        found = shop.result("stick.export", {"format": "csv"})
        assert len((place / found["file"]).read_text(encoding="utf-8-sig").splitlines()) == 3
        lines = PeopleReader(shop.folder / "store").audit_page(None, 50, "")
        trail = [row for row in lines if row.what == "written to a USB stick"]
        assert [row.object["kind"] for row in trail] == ["export", "backup", "support", "rejects", "paper"]
        for name in ("../okng", "nothing"):
            told = shop.work(shop.done("stick.paper", {"name": name})["work"])
            assert (told["work"]["state"], "not there any more" in told["work"]["detail"]) == ("failed", True)
        assert not [name for name in names(place) if name.endswith(".part")]
