"""The library's own calls, through ctypes: what a consumer other than harvesters may do."""

import ctypes as c
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from okng.simline.build import build
from okng.simline.scene import Scene

from .sensor_rig import SERIAL

SUCCESS, NOT_IMPLEMENTED, IN_USE, IO_ERROR, TIMEOUT, ABORT = 0, -1003, -1004, -1010, -1011, -1012
NEW_BUFFER, MODULE_EVENT = 1, 5
PAYLOAD = 32 * 16
FOR_EVER = 2**64 - 1


class Camera:
    """One camera opened by hand: device, port, stream, event."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.system, self.interface = c.c_void_p(), c.c_void_p()
        self.device, self.port, self.stream, self.event = (c.c_void_p() for _ in range(4))
        assert library.GCInitLib() == SUCCESS
        assert library.TLOpen(c.byref(self.system)) == SUCCESS
        assert library.TLOpenInterface(self.system, b"OKNGSIM", c.byref(self.interface)) == SUCCESS
        assert self.open() == SUCCESS

    def open(self) -> int:
        found = int(self.library.IFOpenDevice(self.interface, b"OKNGSIM_" + SERIAL.encode(), 3, c.byref(self.device)))
        if found == SUCCESS:
            assert self.library.DevGetPort(self.device, c.byref(self.port)) == SUCCESS
            assert self.library.DevOpenDataStream(self.device, b"Stream0", c.byref(self.stream)) == SUCCESS
            assert self.library.GCRegisterEvent(self.stream, NEW_BUFFER, c.byref(self.event)) == SUCCESS
        return found

    def wait(self, timeout_ms: int) -> int:
        room, size = (c.c_void_p * 2)(), c.c_size_t(16)
        return int(self.library.EventGetData(self.event, room, c.byref(size), c.c_uint64(timeout_ms)))

    def read(self, address: int) -> int:
        """The result of reading four bytes."""
        room, size = c.c_uint32(), c.c_size_t(4)
        return int(self.library.GCReadPort(self.port, c.c_uint64(address), c.byref(room), c.byref(size)))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    with Scene(tmp_path, SERIAL, PAYLOAD) as made:
        made.show(np.full((16, 32), 100, np.uint8), 1)
        yield made


@pytest.fixture
def camera(scene: Scene) -> Iterator[Camera]:
    made = Camera(c.CDLL(str(build())))
    yield made
    assert made.library.GCCloseLib() == SUCCESS


def test_a_kill_ends_one_wait_that_is_under_way(camera: Camera) -> None:
    results: list[int] = []
    waiting = [threading.Thread(target=lambda: results.append(camera.wait(FOR_EVER))) for _ in range(2)]
    for thread in waiting:
        thread.start()
    time.sleep(0.05)
    assert results == []
    for _ in waiting:
        assert camera.library.EventKill(camera.event) == SUCCESS
    for thread in waiting:
        thread.join(10)
    assert results == [ABORT, ABORT]
    assert camera.wait(1) == TIMEOUT, "none is left over"


def test_a_kill_nobody_waits_for_is_kept_for_the_next_wait(camera: Camera) -> None:
    camera.library.EventKill(camera.event)
    assert camera.wait(FOR_EVER) == ABORT
    assert camera.wait(1) == TIMEOUT


def test_a_kill_of_a_closed_stream_does_not_end_a_wait_of_the_next(camera: Camera) -> None:
    camera.library.EventKill(camera.event)
    assert camera.library.DSClose(camera.stream) == SUCCESS
    assert camera.library.DevClose(camera.device) == SUCCESS
    assert camera.open() == SUCCESS
    assert camera.wait(1) == TIMEOUT


def test_a_lost_camera_can_be_opened_again_in_the_same_process(camera: Camera, scene: Scene) -> None:
    width = 0x1008
    assert camera.read(width) == SUCCESS
    scene.fault("unplug")
    assert camera.read(width) == IO_ERROR
    scene.fault("unplug", 0)
    assert camera.read(width) == IO_ERROR
    assert camera.open() == IN_USE
    assert camera.library.DevClose(camera.device) == SUCCESS
    assert camera.open() == SUCCESS
    assert camera.read(width) == SUCCESS


@pytest.mark.parametrize("of", ["system", "interface", "device", "stream"])
def test_events_of_modules_are_not_implemented_in_so_many_words(camera: Camera, of: str) -> None:
    """Any other answer breaks the consumer (harvesters issue 436)."""
    event = c.c_void_p()
    assert camera.library.GCRegisterEvent(getattr(camera, of), MODULE_EVENT, c.byref(event)) == NOT_IMPLEMENTED


def test_registers_are_read_and_written_from_many_threads_and_keep_whole_values(camera: Camera) -> None:
    rate = 0x1068
    allowed = (12.5, 777.25)
    size = c.c_size_t(8)
    found: set[float] = set()

    def write(value: float) -> None:
        room = c.c_double(value)
        for _ in range(400):
            assert camera.library.GCWritePort(camera.port, c.c_uint64(rate), c.byref(room), c.byref(size)) == SUCCESS

    def read() -> None:
        room = c.c_double()
        for _ in range(400):
            assert camera.library.GCReadPort(camera.port, c.c_uint64(rate), c.byref(room), c.byref(size)) == SUCCESS
            found.add(room.value)

    threads = [threading.Thread(target=write, args=(value,)) for value in allowed] + [
        threading.Thread(target=read) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found <= {*allowed, 30.0}
    assert found & set(allowed)
