"""A GigE Vision camera nobody here wrote, on a wire of its own: Aravis' fake camera and a pair of network namespaces.

The thread that asks is moved into the host's end of the wire for as long as it does; threads it starts are born there.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.errors import BadSettings
from okng.camera.aravis_nodes import load

SERIAL = "GV01"
_PACKAGES = "aravis-tools gir1.2-aravis-0.8 python3-gi iproute2"
_BINDING = Path("/usr/lib/python3/dist-packages/gi")
_TOOL = "arv-fake-gv-camera-0.8"
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET"""


class FakeGige:
    """The camera, its wire, and the way there."""

    def __init__(self, binding: Path) -> None:
        """binding: folder with `gi`. CalledProcessError: this machine makes no network namespaces."""
        self._camera, self._host = (f"okng{os.getpid()}{end}" for end in "ch")
        self.command = ["ip", "netns", "exec", self._host, "env", f"PYTHONPATH={binding}"]
        """Runs a program at the host's end of the wire, with the binding."""
        self._process: subprocess.Popen[bytes] | None = None
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            for name in (self._camera, self._host):
                _ip("netns", "add", name)
            _ip("-n", self._camera, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self._host)
            for name, address in ((self._camera, "10.99.0.2/24"), (self._host, "10.99.0.1/24")):
                _ip("-n", name, "address", "add", address, "dev", "wire")
                _ip("-n", name, "link", "set", "wire", "up", "mtu", "9000")
                _ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError:
            self.close()
            raise

    def start(self, lost_per_mille: int = 0) -> None:
        """Switch it on, if it is off. lost_per_mille: packets that its wire loses."""
        if self._process is not None and self._process.poll() is None:
            return
        command = ["ip", "netns", "exec", self._camera, _TOOL, "-i", "wire", "-s", SERIAL]
        command += ["-r", str(lost_per_mille)] if lost_per_mille else []
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 5
        while not self._listens():
            assert self._process.poll() is None, "the fake camera has ended"
            assert time.monotonic() < until, "the fake camera does not listen"
            time.sleep(0.01)

    def kill(self) -> None:
        """Switch it off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be at the host's end of the wire."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self._host}", os.O_RDONLY)
        try:
            self._enter(there)
            yield
        finally:
            self._enter(here)
            os.close(here)
            os.close(there)

    def close(self) -> None:
        """Switch it off and take the wire away."""
        self.kill()
        for name in (self._camera, self._host):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def _listens(self) -> bool:
        """True once it has its port: 3956 is GVCP."""
        if self._process is None:
            return False
        with contextlib.suppress(OSError):
            sockets = Path(f"/proc/{self._process.pid}/net/udp").read_text(encoding="ascii")
            return f":{3956:04X} " in sockets
        return False

    def _enter(self, descriptor: int) -> None:
        if self._libc.setns(descriptor, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _lacking(what: str) -> None:
    """Skip at a desk, fail in CI."""
    message = f"{what} (apt-get install {_PACKAGES})"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def gige_wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGige]:
    """The camera and its wire; skips where it cannot be."""
    if shutil.which(_TOOL) is None or shutil.which("ip") is None:
        _lacking(f"{_TOOL} or ip is not installed")
    if not _BINDING.is_dir():
        _lacking("Debian's Python binding of GObject is not installed")
    folder = tmp_path_factory.mktemp("binding")
    (folder / "gi").symlink_to(_BINDING)
    sys.path.append(str(folder))
    try:
        load()
    except BadSettings as error:
        _lacking(str(error))
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    try:
        wire = FakeGige(folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no network namespaces: {error.stderr.decode().strip()}")
    yield wire
    wire.close()


@pytest.fixture
def gige(gige_wire: FakeGige) -> Iterator[FakeGige]:
    """The camera, switched on, and this thread at its host's end."""
    gige_wire.start()
    with gige_wire.inside():
        yield gige_wire
