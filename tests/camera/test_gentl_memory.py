"""A camera that is fired for years keeps nothing of it: genicam's own write of a register did."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from okng.bus.errors import BadSettings
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
from okng.camera.register_write import RegisterWriter

from .conftest import Rig

CALLS = 1_000
LEAK = 32
"""Bytes that genicam 1.6.0 keeps of each write."""
NAMES = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
    *("uordblks", "fordblks", "keepcost"),
)
PROFILE = Profile("Mono8", 160, 120, exposure_us=50.0)


class Mallinfo2(ctypes.Structure):
    """As in malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in NAMES]


def allocated() -> int:
    """Bytes that malloc has given out and not got back."""
    libc = ctypes.CDLL("libc.so.6")
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("needs glibc 2.33 (mallinfo2)")
    libc.mallinfo2.restype = Mallinfo2
    gc.collect()
    told = libc.mallinfo2()
    return int(told.uordblks + told.hblkhd)


def kept_per_call(call: Callable[[], object]) -> float:
    for _ in range(100):
        call()
    before = allocated()
    for _ in range(CALLS):
        call()
    return (allocated() - before) / CALLS


def test_firing_and_asking_keep_nothing(open_rig: Callable[..., Rig]) -> None:
    rig = open_rig(PROFILE)

    def shoot() -> None:
        assert rig.shoot() is not None

    assert kept_per_call(shoot) < LEAK / 4
    assert kept_per_call(rig.source.probe) < LEAK / 4  # asks for the camera's time, by a command


def test_genicams_own_write_is_told_by_this_test(open_rig: Callable[..., Rig]) -> None:
    source = open_rig(PROFILE).source
    assert isinstance(source, GentlSource)
    port = source._acquirer.remote_device.port
    seen: list[tuple[int, bytes]] = []
    assert source._port is not None
    inner = source._port._writer

    class Spy:
        def write(self, address: int, value: bytes) -> tuple[int, str]:
            seen.append((address, bytes(value)))
            return inner.write(address, value)

    source._port._writer = Spy()  # type: ignore[assignment]
    source.set("ExposureTime", 60.0)
    assert source.get("ExposureTime") == 60.0
    source._port._writer = inner
    address, value = seen[-1]
    assert kept_per_call(lambda: inner.write(address, value)) < LEAK / 4
    if kept_per_call(lambda: port.write(address, value)) < LEAK / 4:
        pytest.fail("genicam has mended its write: camera/register_write.py can go")


def test_a_refused_write_says_why(open_rig: Callable[..., Rig], producer: Path) -> None:
    source = open_rig(PROFILE).source
    assert isinstance(source, GentlSource)
    writer = RegisterWriter(producer, int(source._acquirer.remote_device.port.handle))
    code, said = writer.write(0xDEADBEEF, b"\0\0\0\0")
    assert code == -1015
    assert "cannot be written" in said
    assert source._port is not None

    class Refuses:
        def write(self, address: int, value: bytes) -> tuple[int, str]:
            return -1005, "the sensor is locked"

    source._port._writer = Refuses()  # type: ignore[assignment]
    with pytest.raises(BadSettings, match=r"ExposureTime = 61.0: the sensor is locked \(GenTL -1005\)"):
        source.set("ExposureTime", 61.0)


def test_a_file_without_the_function_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "none.cti"
    empty.write_bytes(b"")
    with pytest.raises(OSError, match=r"none\.cti"):
        RegisterWriter(empty, 1)
    with pytest.raises(AttributeError, match="GCWritePort"):
        RegisterWriter(Path("libc.so.6"), 1)
