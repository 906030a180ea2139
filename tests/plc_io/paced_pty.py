"""A serial cable with the wire time a pseudo terminal does not have: each character takes 10 bits of the baud rate.

    python -m okng.tests.plc_io.paced_pty BAUD END END [BREAK]      prints `ready`, runs until killed

BREAK: a file; while it exists nothing goes through, as if the cable were pulled.
"""

import os
import pty
import select
import subprocess
import sys
import time
import tty
from collections import deque
from pathlib import Path


class PacedCable:
    """Both ends and the time on the wire between them."""

    def __init__(self, baud: int, ends: tuple[Path, Path], broken: Path | None) -> None:
        self._character_s, self._broken = 10 / baud, broken
        self._sides: list[int] = []
        self._held: list[int] = []  # the far sides stay open here, or a port that closes would end the cable
        self._under_way: tuple[deque[tuple[float, int]], ...] = (deque(), deque())
        self._free_s = [0.0, 0.0]
        for end in ends:
            side, far = pty.openpty()
            tty.setraw(far)
            os.set_blocking(side, False)
            end.unlink(missing_ok=True)
            end.symlink_to(os.ttyname(far))
            self._sides.append(side)
            self._held.append(far)

    def turn(self) -> None:
        """Carry what has arrived, and wait for more."""
        now = time.perf_counter()
        next_s: float | None = None
        for side, waiting in enumerate(self._under_way):
            while waiting and waiting[0][0] <= now:
                _, byte = waiting.popleft()
                if self._broken is None or not self._broken.exists():
                    os.write(self._sides[1 - side], bytes((byte,)))
            if waiting:
                left = waiting[0][0] - now
                next_s = left if next_s is None else min(next_s, left)
        # The last half millisecond is waited out awake: a character at 115200 baud is shorter than a sleep.
        ready, _, _ = select.select(self._sides, [], [], None if next_s is None else max(0.0, next_s - 0.0005))
        for fd in ready:
            side = self._sides.index(fd)
            data = os.read(fd, 512)
            self._free_s[side] = max(self._free_s[side], time.perf_counter())
            for byte in data:
                self._free_s[side] += self._character_s
                self._under_way[side].append((self._free_s[side], byte))


def laid(folder: Path, baud: int) -> tuple[subprocess.Popen[str], Path, Path, Path]:
    """Lay a cable in a process of its own; return it, its two ends, and the file that breaks it."""
    ends, broken = (folder / "box", folder / "plc"), folder / "broken"
    command = [sys.executable, __file__, str(baud), *map(str, ends), str(broken)]
    cable = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert cable.stdout is not None
    assert cable.stdout.readline() == "ready\n"
    cable.stdout.close()
    return cable, *ends, broken


if __name__ == "__main__":
    made = PacedCable(
        int(sys.argv[1]), (Path(sys.argv[2]), Path(sys.argv[3])), Path(sys.argv[4]) if len(sys.argv) > 4 else None
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        made.turn()
