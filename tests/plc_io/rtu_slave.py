"""A PLC that is a Modbus RTU slave on libmodbus (`rtu_slave.c`), in a process of its own, and what its log says."""

import functools
import subprocess
import tempfile
from pathlib import Path

from .conftest import lacking

RESULT_AT, ANSWER_AT = 300, 400


@functools.cache
def built() -> Path:
    """Compile it once for the whole run."""
    for tool in ("gcc", "pkg-config"):
        lacking(tool)
    asked = ["pkg-config", "--cflags", "--libs", "libmodbus"]
    flags = subprocess.run(asked, capture_output=True, text=True, check=True)
    program = Path(tempfile.mkdtemp(prefix="okng-slave-")) / "rtu_slave"
    source = Path(__file__).with_suffix(".c")
    warnings = ("-std=c11", "-D_DEFAULT_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror")
    subprocess.run(["gcc", *warnings, "-o", program, source, *flags.stdout.split()], check=True)
    return program


class RtuSlave:
    """The process."""

    def __init__(self, device: Path, baud: int, folder: Path) -> None:
        self.log = folder / "slave.log"
        command = [str(built()), str(device), str(baud), "1", str(self.log), str(RESULT_AT), str(ANSWER_AT)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def order(self, *lines: str) -> None:
        """Give orders; they are carried out between two requests."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))

    def timed(self, kind: str) -> list[tuple[int, list[int]]]:
        """The moment and the numbers of each log line of a kind. A line that is being written is left out."""
        text = self.log.read_text()
        lines = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
        return [(int(at), [int(word) for word in words]) for at, name, *words in lines if name == kind]

    def entries(self, kind: str) -> list[list[int]]:
        """The numbers of each log line of a kind."""
        return [words for _, words in self.timed(kind)]

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
