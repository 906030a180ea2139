"""The ring: no reader ever takes an overwritten picture for its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from okng.bus.ring import RingReader, RingShelf, RingWriter


def put(writer: RingWriter, part: int, byte: int) -> tuple[int, int]:
    slot, pixels = writer.begin()
    pixels[:] = bytes([byte]) * len(pixels)
    return slot, writer.commit(slot, part=part, number=part, epoch=1, size=len(pixels))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path, "top", 4, 100)
    slot, sequence = put(writer, 7, 9)
    reader = RingReader(tmp_path, writer.name)
    view = reader.view(slot, sequence, 100)
    assert view is not None
    assert bytes(view) == b"\x09" * 100
    assert reader.still(slot, sequence)


def test_an_overwritten_picture_is_gone(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path, "top", 3, 10)
    slot, sequence = put(writer, 1, 1)
    reader = RingReader(tmp_path, writer.name)
    view = reader.view(slot, sequence, 10)
    for part in (2, 3):
        put(writer, part, part)
    assert reader.still(slot, sequence)
    writer.begin()  # the writer comes round and only begins
    assert not reader.still(slot, sequence)
    assert reader.view(slot, sequence, 10) is None
    assert view is not None


@pytest.mark.parametrize(("slot", "size"), [(-1, 10), (3, 10), (0, 11), (0, -1)])
def test_a_message_that_points_outside_the_ring_is_no_picture(tmp_path: Path, slot: int, size: int) -> None:
    writer = RingWriter(tmp_path, "top", 3, 10)
    _, sequence = put(writer, 1, 1)
    assert RingReader(tmp_path, writer.name).view(slot, sequence, size) is None


def test_commit_needs_a_begin(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path, "top", 3, 10)
    with pytest.raises(ValueError, match="not begun"):
        writer.commit(0, part=1, number=1, epoch=1, size=1)


def test_a_new_ring_replaces_the_old_one_and_the_shelf_follows(tmp_path: Path) -> None:
    (tmp_path / "ring-top-1").write_bytes(b"an older run's ring")
    writer = RingWriter(tmp_path, "top", 2, 10)
    assert [file.name for file in tmp_path.glob("ring-*")] == [writer.name]
    shelf = RingShelf(tmp_path)
    assert shelf.reader("top", writer.name) is not None
    assert shelf.reader("top", "ring-top-1") is None
    writer.close()
    writer.close()
    assert list(tmp_path.glob("ring-*")) == []


def test_a_foreign_file_is_not_a_ring(tmp_path: Path) -> None:
    (tmp_path / "ring-top-9").write_bytes(b"x" * 8192)
    with pytest.raises(ValueError, match="not a ring"):
        RingReader(tmp_path, "ring-top-9")


def test_no_torn_picture_between_processes(tmp_path: Path) -> None:
    """A writer races through a small ring; whatever a reader accepts is one picture, whole."""
    code = (
        "import sys, pathlib\n"
        "from okng.bus.ring import RingWriter\n"
        "w = RingWriter(pathlib.Path(sys.argv[1]), 'top', 2, 20000)\n"
        "print(w.name, flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    slot, px = w.begin()\n"
        "    px[:] = bytes([n % 251]) * len(px)\n"
        "    print(slot, w.commit(slot, part=n, number=n, epoch=1, size=len(px)), n % 251, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    accepted = refused = 0
    try:
        reader = RingReader(tmp_path, child.stdout.readline().strip())
        for _ in range(3000):
            slot, sequence, value = (int(word) for word in child.stdout.readline().split())
            view = reader.view(slot, sequence, 20000)
            copy = bytes(view) if view is not None else b""
            if view is not None and reader.still(slot, sequence):
                assert copy == bytes([value]) * 20000
                accepted += 1
            else:
                refused += 1
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert accepted + refused == 3000
    assert refused > 0  # the race really took place
