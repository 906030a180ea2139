"""A network camera for the tests: `rtsp_server.py` in a process of the system's Python."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.imaging.picture import Picture

SYSTEM_PYTHON = "/usr/bin/python3"
WIDTH, HEIGHT, RATE_HZ = 160, 120, 100
TRANSFER_NS = 250_000_000
"""Upper bound of the time from the scene to here: coder and decoder hold some frames back."""
_PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base -good -bad -ugly"


class RtspCamera:
    """The camera; a dead one is started afresh, at the same address, when it is next asked for."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"

    @property
    def url(self) -> str:
        """Where it answers."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        return f"rtsp://127.0.0.1:{self._port}/cam"

    def send(self, signum: signal.Signals) -> None:
        """SIGKILL: switched off. SIGSTOP: its cable is pulled. SIGCONT: it is back."""
        if self._process is not None:
            self._process.send_signal(signum)
            if signum == signal.SIGKILL:
                self._process.wait()

    def close(self) -> None:
        """Switch it off."""
        self.send(signal.SIGKILL)
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def _start(self) -> None:
        self.close()
        script = Path(__file__).with_name("rtsp_server.py")
        command = [SYSTEM_PYTHON, str(script), str(WIDTH), str(HEIGHT), str(RATE_HZ), self._port]
        # The environment of the tests' own Python is not the system's.
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={"PATH": os.defpath}
        )
        said = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not said.startswith("port "):
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the RTSP server did not start: {said!r}")
        self._port = said.split()[1]


def lacking_rtsp() -> None:
    """Skip at a desk, fail in CI, where Debian's GStreamer RTSP server is not installed."""
    look = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; "
    look += "Gst.init(None); raise SystemExit(0 if Gst.ElementFactory.find('x264enc') else 1)"
    with contextlib.suppress(OSError):
        if not subprocess.run([SYSTEM_PYTHON, "-c", look], capture_output=True, check=False).returncode:
            return
    message = f"no RTSP server (apt-get install {_PACKAGES})"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def rtsp() -> Iterator[RtspCamera]:
    lacking_rtsp()
    camera = RtspCamera()
    yield camera
    camera.close()


def made_ms(picture: Picture) -> int:
    """When the frame was made, ms of the monotonic clock modulo 2**32. picture: HEIGHT x WIDTH, grey."""
    blocks = picture[HEIGHT // 8 :: HEIGHT // 4, WIDTH // 16 :: WIDTH // 8] > 128
    return int(sum(int(bit) << (31 - at) for at, bit in enumerate(blocks.reshape(-1))))
