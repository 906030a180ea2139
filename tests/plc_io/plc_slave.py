"""A PLC that is a Modbus slave on libmodbus (`plc_slave.c`), in a process of its own, and what its log says."""

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .conftest import free_port, lacking

RESULT_AT, ANSWER_AT = 300, 400
ACK, PLC_HB, STATE, ENCODER = ANSWER_AT, ANSWER_AT + 1, ANSWER_AT + 2, ANSWER_AT + 3


@functools.cache
def built() -> Path:
    """Compile it once for the whole run."""
    for tool in ("gcc", "pkg-config"):
        lacking(tool)
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libmodbus"], capture_output=True, text=True, check=False
    )
    if flags.returncode:
        lacking("libmodbus-dev")
    source = Path(__file__).with_suffix(".c")
    program = Path(tempfile.mkdtemp(prefix="okng-slave-")) / "plc_slave"
    warnings = ("-std=c11", "-D_DEFAULT_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror")
    subprocess.run(["gcc", *warnings, "-o", program, source, *flags.stdout.split()], check=True)
    return program


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    at_ns: int
    kind: str
    """open, close, coil, write, read, frozen, awake, restart, coils, other."""
    numbers: tuple[int, ...]

    @property
    def words(self) -> tuple[int, ...]:
        """The registers of a write."""
        return self.numbers[2:]


def logged(log: Path) -> list[Entry]:
    """What a log says so far. A line that is being written is left out."""
    text = log.read_text()
    lines = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
    return [Entry(int(at), kind, tuple(map(int, numbers))) for at, kind, *numbers in lines]


def by_connection(entries: list[Entry]) -> list[list[Entry]]:
    """What each connection brought, oldest first."""
    found: list[list[Entry]] = []
    for entry in entries:
        if entry.kind == "open":
            found.append([])
        elif entry.kind in ("write", "coil", "read", "other"):
            found[-1].append(entry)
    return found


class PlcSlave:
    """The process."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.log = folder / f"plc-{self.port}.log"
        command = [str(built()), "127.0.0.1", str(self.port), str(self.log), str(RESULT_AT), str(ANSWER_AT)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def order(self, *lines: str) -> None:
        """Give orders; they are carried out between two requests."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def entries(self, kind: str = "") -> list[Entry]:
        """The log so far, or its lines of one kind."""
        return [entry for entry in logged(self.log) if kind in ("", entry.kind)]

    def connections(self) -> list[list[Entry]]:
        """What each connection brought, oldest first."""
        return by_connection(self.entries())

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
