"""ASCII lines of a PLC or a controller that speaks in words."""

from okng.plc_io.ascii_dialects import Dialect, dialect_of
from okng.plc_io.ascii_dialogue import Dialogue
from okng.plc_io.ascii_lines import LONGEST, LineCounts, LineReader, seal, unseal

DIALECTS: tuple[Dialect, ...] = tuple(dialect_of(name) for name in ("okng", "bare"))


def seeds() -> list[bytes]:
    """Lines of every kind, sealed or not, of all ends, and one without."""
    words = [
        "TRG 7",
        "T 7",
        "JOB 3",
        "ACK 7",
        "HB 1",
        "STATUS",
        "RESET",
        "TRG 4294967295",
        "TRG -1",
        "JOB 99999999999",
        "T",
    ]
    lines = [word.encode() + b"\r\n" for word in words] + [seal(word).encode() + b"\n" for word in words]
    return [*lines, b"".join(lines), b"A" * 5000, b"\0\xff\r\r\n\n", "TRG ７\n".encode()]


def one(data: bytes) -> None:
    """Lines come out no longer than the bound; what is not understood is a mistake, never an exception."""
    for dialect in DIALECTS:
        reader, talk = LineReader(LineCounts()), Dialogue(dialect)
        for step in talk.begin(0):
            assert step is not None
        for start in range(0, len(data), 13):
            for line in reader.feed(data[start : start + 13]):
                assert len(line) <= LONGEST
                unseal(line)
                dialect.understand(line)
                assert list(talk.hear(line, start)) is not None
                talk.lines(start)
        assert list(talk.settle(len(data))) is not None
