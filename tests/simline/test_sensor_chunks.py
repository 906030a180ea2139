"""Counter0 and the chunks of the simulated camera, read by harvesters' own chunk adapter."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from okng.simline.scene import Scene

from .sensor_rig import QUICK, REFUSED, SERIAL, Rig, opened, until

PIXELS = 16 * 32
CHUNKS = ("FrameID", "Timestamp", "ExposureTime", "CounterValue")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    with Scene(tmp_path, SERIAL, 64 * 64) as made:
        made.show(np.full((16, 32), 100, np.uint8), 1)
        yield made


@pytest.fixture
def rig(scene: Scene) -> Iterator[Rig]:
    with opened() as made:
        made.set(**QUICK)
        yield made


def enable(rig: Rig, *chosen: str) -> None:
    rig.set(ChunkModeActive=True)
    for name in CHUNKS:
        rig.set(ChunkSelector=name, ChunkEnable=name in chosen)


def test_chunks_are_off_until_asked_for(rig: Rig) -> None:
    assert rig.get("ChunkModeActive") is False
    rig.start()
    shot = rig.shoot()
    assert shot.data.size == PIXELS == rig.get("PayloadSize")
    assert shot.chunks == {}


def test_all_chunks_say_what_the_frame_says(rig: Rig) -> None:
    enable(rig, *CHUNKS)
    rig.start(CounterEventSource="FrameTrigger", CounterReset=True, ExposureTime=123.5)
    assert rig.get("PayloadSize") == PIXELS + 4 * 8
    for number in range(1, 6):
        shot = rig.shoot()
        assert shot.data.size == PIXELS + 4 * 8
        assert set(shot.data[:PIXELS].tolist()) == {100}
        assert shot.chunks == {
            "ChunkFrameID": number,
            "ChunkTimestamp": shot.device_ns,
            "ChunkExposureTime": 123.5,
            "ChunkCounterValue": number,
        }
        assert shot.number == number


@pytest.mark.parametrize("chosen", [("CounterValue",), ("FrameID", "CounterValue"), ("ExposureTime",)])
def test_only_the_chosen_chunks_are_sent(rig: Rig, chosen: tuple[str, ...]) -> None:
    enable(rig, *chosen)
    rig.start()
    shot = rig.shoot()
    assert shot.data.size == PIXELS + 8 * len(chosen) == rig.get("PayloadSize")
    assert set(shot.chunks) == {f"Chunk{name}" for name in chosen}


def test_a_chunk_in_a_packed_frame_is_read_all_the_same(rig: Rig) -> None:
    enable(rig, "CounterValue")
    rig.start(PixelFormat="Mono12p", CounterEventSource="FrameTrigger", CounterReset=True)
    shot = rig.shoot()
    assert shot.data.size == PIXELS * 3 // 2 + 8
    assert shot.chunks == {"ChunkCounterValue": 1}


def test_the_counter_sees_every_edge_of_the_line_the_missed_ones_too(scene: Scene, rig: Rig) -> None:
    enable(rig, "CounterValue")
    rig.start(TriggerSource="Line0", CounterEventSource="Line0", CounterReset=True, ExposureTime=200_000.0)
    for _ in range(3):
        scene.pulse_line0()
    assert until(scene, "line0_missed", 2) == 2
    assert rig.must_fetch().chunks["ChunkCounterValue"] == 1, "latched when the frame began"
    scene.pulse_line0()
    shot = rig.must_fetch()
    assert (shot.number, shot.chunks["ChunkCounterValue"]) == (2, 4)
    assert rig.get("CounterValue") == 4
    rig.set(CounterReset=True)
    assert rig.get("CounterValue") == 0


def test_the_counter_counts_edges_before_the_stream_and_of_any_line(scene: Scene, rig: Rig) -> None:
    rig.set(CounterEventSource="Line1", CounterReset=True)
    for _ in range(5):
        assert scene.pulse_line(1)
    rig.start(TriggerSource="Line1")
    assert scene.pulse_line(0)
    assert scene.pulse_line(1)
    assert rig.must_fetch().number == 1
    assert rig.get("CounterValue") == 6


@pytest.mark.parametrize(
    ("source", "counted"), [("FrameTrigger", 3), ("FrameTriggerMissed", 2), ("FrameStart", 1), ("Off", 0)]
)
def test_the_counter_counts_what_its_source_says(rig: Rig, source: str, counted: int) -> None:
    rig.start(CounterEventSource=source, CounterReset=True, ExposureTime=200_000.0)
    for _ in range(3):
        rig.fire()
    assert rig.get("CounterValue") == counted
    assert rig.must_fetch().number == 1


def test_chunk_mode_is_locked_while_the_stream_runs(rig: Rig) -> None:
    rig.start()
    for name in ("ChunkModeActive", "ChunkEnable"):
        with pytest.raises(REFUSED):
            rig.set(**{name: True})
    assert rig.shoot().chunks == {}


def test_an_incomplete_frame_has_no_chunks_and_the_next_one_its_own(scene: Scene, rig: Rig) -> None:
    enable(rig, *CHUNKS)
    rig.start()
    scene.fault("incomplete")
    rig.fire()
    assert rig.fetch(1.0) is None
    assert rig.incomplete.seen == 1
    assert rig.shoot().chunks["ChunkFrameID"] == 2
