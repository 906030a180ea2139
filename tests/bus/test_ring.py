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


def test_pixels_are_used_where_they_lie(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path, "top", 2, 100)
    slot, sequence = put(writer, 7, 9)
    reader = RingReader(tmp_path, writer.name)
    assert reader.read(slot, sequence, 100, sum) == 900
    assert reader.read(slot, sequence, 40, len) == 40
    assert reader.read(slot, sequence, 101, sum) is None
    assert reader.read(slot, sequence, 100, lambda view: view.readonly)
    with pytest.raises(ZeroDivisionError):
        reader.read(slot, sequence, 100, lambda view: view[0] // 0)
    assert reader.read(slot, sequence, 100, bytes) == b"\x09" * 100


def test_what_was_made_while_the_picture_was_overwritten_does_not_count(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path, "top", 2, 100)
    slot, sequence = put(writer, 1, 1)
    reader = RingReader(tmp_path, writer.name)

    def slowly(view: memoryview) -> int:
        first = sum(view[:50])
        put(writer, 2, 2)
        put(writer, 3, 3)
        return first + sum(view[50:])

    assert reader.read(slot, sequence, 100, slowly) is None
    assert reader.read(slot, sequence, 100, sum) is None


WRITER = """
import pathlib, sys, time, zlib
from okng.bus.ring import RingWriter
frames, size = 2000, 200_000
ring = RingWriter(pathlib.Path(sys.argv[1]), "top", 3, size)
print(ring.name, flush=True)
sys.stdin.readline()
for n in range(frames):
    slot, pixels = ring.begin()
    body = (n * 2654435761 % 2**32).to_bytes(4, "little") * (size // 4 - 2)
    pixels[:4], pixels[4:8] = n.to_bytes(4, "little"), zlib.crc32(body).to_bytes(4, "little")
    pixels[8:] = body
    print(slot, ring.commit(slot, part=n + 1, number=n, epoch=1, size=size), n, flush=True)
    if n % 4:
        time.sleep(0.001)  # readers keep up with some, and are lapped by others
print(flush=True)
sys.stdin.readline()
"""
READER = """
import pathlib, sys, time, zlib
from okng.bus.ring import RingReader
size, ring = 200_000, RingReader(pathlib.Path(sys.argv[1]), sys.argv[2])
def check(view):
    # No copy: the checksum is taken over the ring's own memory.
    head = int.from_bytes(view[:4], "little"), int.from_bytes(view[4:8], "little")
    if head[0] % 50 == 0:
        time.sleep(0.02)  # caught up with in the middle of a picture
    return *head, zlib.crc32(view[8:])
right = mixed = refused = 0
print(flush=True)
for line in sys.stdin:
    slot, sequence, number = map(int, line.split())
    found = ring.read(slot, sequence, size, check)
    if found is None:
        refused += 1
    elif found[0] == number and found[1] == found[2]:
        right += 1
    else:
        mixed += 1
print(right, mixed, refused)
"""


def test_three_processes_read_the_same_frames_without_a_copy_while_the_writer_laps_them(tmp_path: Path) -> None:
    """Each of 2,000 frames is right or refused at each reader, never a mixture of two."""
    pipe = subprocess.PIPE
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdin=pipe, stdout=pipe, text=True)
    readers: list[subprocess.Popen[str]] = []
    try:
        assert writer.stdout is not None
        assert writer.stdin is not None
        name = writer.stdout.readline().strip()
        for _ in range(3):
            command = [sys.executable, "-c", READER, str(tmp_path), name]
            readers.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        for reader in readers:
            assert reader.stdout is not None
            reader.stdout.readline()
        writer.stdin.write("\n")
        writer.stdin.flush()
        while line := writer.stdout.readline().strip():
            for reader in readers:
                assert reader.stdin is not None
                reader.stdin.write(line + "\n")
                reader.stdin.flush()
        counts = [tuple(map(int, reader.communicate()[0].split())) for reader in readers]
        writer.communicate("\n")
    finally:
        for child in (writer, *readers):
            child.kill()
            child.wait()
    assert [sum(each) for each in counts] == [2000] * 3
    assert [mixed for _, mixed, _ in counts] == [0] * 3
    assert min(right for right, _, _ in counts) > 100, counts
    assert min(refused for _, _, refused in counts) > 0, counts  # they really were lapped
