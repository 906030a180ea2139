"""Takes the outputs back when the process that drives them dies or hangs.

Linux leaves it to the chip's driver what becomes of an output whose process is gone; many keep the last level, and a
gate that let pass would go on letting pass. A small process of its own holds the same request and hears a sign of life
through a pipe. When the signs stop, or the pipe ends (it does with the death of io, however it dies), it makes all
outputs inactive and ends; an io that wakes up later finds it gone and loses the pins. It uses nothing of okng and is
started as a file, so it is small and up in a moment.
"""

import errno
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time

SET_VALUES = 0xC010B40F
"""GPIO_V2_LINE_SET_VALUES_IOCTL of linux/gpio.h."""
_HEARD_NOT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_UNDER_WAY_S = 0.02
"""A word of io that was under way when the silence ended is taken back after this."""
_END_S = 2.0


class Guard:
    """The process, seen from io."""

    def __init__(self, request_fd: int, mask: int, silence_ms: int) -> None:
        """Start it. request_fd: of the kernel's line request. mask: bit n set: line n of the request is an output.

        silence_ms: from the first sign of life on, how long it waits for the next. OSError: it cannot be started.
        """
        self._every_s = silence_ms / 8000
        self._affirmed = -self._every_s
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        # Whoever ends a service may send the signal to all of it: the guard lives until io has died. It inherits this.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD_NOT)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(request_fd), str(reading), str(mask), str(silence_ms)],
                stdin=subprocess.DEVNULL,
                pass_fds=(request_fd, reading),
                start_new_session=True,
            )
        except OSError:
            os.close(self._writing)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(reading)

    def affirm(self) -> None:
        """Give a sign of life; to be called before outputs are set. OSError: the guard does not watch any more."""
        if self._process.poll() is not None:
            raise OSError(errno.ECHILD, "the guard of the outputs has taken them back")
        now = time.monotonic()
        if now - self._affirmed >= self._every_s:
            self._affirmed = now
            os.write(self._writing, b".")

    def close(self) -> None:
        """Let it make all outputs inactive once more, and end. A second call does nothing."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def watch(request_fd: int, pipe_fd: int, mask: int, silence_ms: int) -> None:
    """Wait for silence or the end of the pipe, then make the outputs inactive. OSError: the lines are gone."""
    ear = select.poll()
    ear.register(pipe_fd, select.POLLIN)
    wait_ms: int | None = None
    while ear.poll(wait_ms) and os.read(pipe_fd, 4096):
        wait_ms = silence_ms
    os.close(pipe_fd)  # from here on `affirm` fails, so nothing is set active after the next line but once
    for wait_s in (_UNDER_WAY_S, 0):
        fcntl.ioctl(request_fd, SET_VALUES, struct.pack("=QQ", 0, mask))
        time.sleep(wait_s)


if __name__ == "__main__":
    try:
        watch(*(int(text) for text in sys.argv[1:5]))
    except OSError as gone:
        raise SystemExit(f"outputs could not be made inactive: {gone}") from gone
