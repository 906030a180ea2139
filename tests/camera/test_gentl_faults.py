"""What the harvesters driver makes of each fault of the simulated camera, and of misuse."""

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.bus.clock import MS, now_ns
from okng.bus.errors import BadSettings, CameraLost
from okng.camera.gentl import GentlSource, find_producer
from okng.camera.look import discover
from okng.camera.profiles import Profile
from okng.simline.scene import Scene

OpenRig = Callable[..., Any]
PROFILE = Profile("Mono8", 160, 120, exposure_us=500)


def test_a_dropped_frame_is_a_gap_in_the_next(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(PROFILE)
    first = rig.shoot()
    scene.fault("drop", 2)
    assert rig.shoot(0.1) is None
    assert rig.shoot(0.1) is None
    after = rig.shoot()
    assert after.number == first.number + 3
    assert after.gap == 2
    assert rig.source.health().gaps == 2
    assert scene.pending("drop") == 0


def test_an_incomplete_frame_is_counted_and_the_wait_ends_at_once(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(PROFILE)
    rig.shoot()
    scene.fault("incomplete")
    begun = now_ns()
    assert rig.shoot(5.0) is None
    assert now_ns() - begun < 2_000 * MS
    assert rig.source.health().incomplete == 1
    assert rig.shoot().gap == 1


def test_a_repeated_frame_is_seen(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(PROFILE)
    first = rig.shoot()
    scene.fault("repeat")
    again = rig.shoot()
    assert (again.number, again.device_ns, again.repeated) == (first.number, first.device_ns, True)
    fresh = rig.shoot()
    assert (fresh.repeated, fresh.gap) == (False, 0)
    assert rig.source.health().duplicates == 1


def test_a_frozen_picture_has_new_numbers_and_old_pixels(open_rig: OpenRig, scene: Scene, picture: Any) -> None:
    rig = open_rig(PROFILE)
    old = rig.pixels(rig.shoot())
    scene.show(255 - picture, 2)
    scene.fault("freeze")
    frozen = rig.shoot()
    assert not frozen.repeated
    assert rig.pixels(frozen) == old
    scene.fault("freeze", 0)
    assert rig.pixels(rig.shoot()) == (255 - picture).tobytes()


def test_a_late_frame_is_dated_by_its_exposure(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(PROFILE)
    rig.shoot()
    scene.fault("late", 150_000)
    fired_ns = rig.source.trigger()
    assert rig.grab(0.05) is None
    late = rig.grab(2.0)
    assert abs(late.exposed_at_ns - fired_ns) < 100 * MS
    assert late.received_ns - fired_ns >= 150 * MS


def test_too_few_free_buffers_is_underrun(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(replace(PROFILE, trigger="off", frame_rate_hz=1000))
    until = now_ns() + 5_000 * MS
    while rig.source.health().underrun == 0 and now_ns() < until:
        pass
    assert rig.source.health().underrun > 0


def test_an_unplugged_camera_times_out_and_its_probe_says_lost(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(PROFILE)
    rig.shoot()
    scene.fault("unplug")
    assert rig.grab(0.05) is None
    for ask in (rig.source.probe, rig.source.trigger, lambda: rig.source.get("Width")):
        with pytest.raises(CameraLost):
            ask()
    scene.fault("unplug", 0)
    with pytest.raises(CameraLost):  # it does not come back inside this stack
        rig.source.probe()
    rig.source.close()
    rig.source.close()


def test_a_replugged_camera_works_in_a_fresh_source(open_rig: OpenRig, scene: Scene, producer: Path) -> None:
    rig = open_rig(PROFILE)
    rig.shoot()
    scene.fault("unplug")
    with pytest.raises(CameraLost):
        rig.source.probe()
    rig.source.close()
    assert discover(producer) == []
    scene.fault("unplug", 0)
    assert open_rig(PROFILE).shoot().number == 1


REOPEN = """
import json, sys
from pathlib import Path
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
source = GentlSource(Path(sys.argv[1]))
source.open("SN0000")
source.configure(Profile("Mono8", 160, 120, exposure_us=500))
source.start()
source.trigger()
grab = source.grab(memoryview(bytearray(160 * 120)), 2 * 10**9)
print(json.dumps({"number": grab.number}))
source.close()
"""


def test_a_replugged_camera_works_in_a_fresh_process(open_rig: OpenRig, scene: Scene, producer: Path) -> None:
    rig = open_rig(PROFILE)
    scene.fault("unplug")
    with pytest.raises(CameraLost):
        rig.source.probe()
    scene.fault("unplug", 0)
    rig.source.close()
    done = subprocess.run(
        [sys.executable, "-c", REOPEN, str(producer)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"number": 1}


def test_a_camera_held_by_another_process_is_in_use(open_rig: OpenRig, scene: Scene, producer: Path) -> None:
    rig = open_rig(PROFILE)
    done = subprocess.run(
        [sys.executable, "-c", REOPEN, str(producer)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode != 0
    assert "BadSettings" in done.stderr
    assert "in use" in done.stderr
    assert rig.shoot() is not None


def test_the_callers_ctrl_c_stays_his(open_rig: OpenRig, scene: Scene) -> None:
    before = signal.getsignal(signal.SIGINT)
    open_rig(PROFILE)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (replace(PROFILE, width=5000), r"Width = 5000: expected 16\.\.4096 in steps of 4"),
        (replace(PROFILE, width=161), r"Width = 161: expected 16\.\.4096 in steps of 4"),
        (replace(PROFILE, offset_x=4094), r"OffsetX = 4094: expected 0\.\.3936"),
        (replace(PROFILE, exposure_us=2_000_000), r"ExposureTime = 2000000.0: expected 10"),
        (replace(PROFILE, gain_db=30), r"Gain = 30.0: expected 0"),
    ],
)
def test_what_the_camera_cannot_do_is_refused_with_its_range(
    scene: Scene, producer: Path, wanted: Profile, complaint: str
) -> None:
    with GentlSource(producer) as source:
        source.open("SN0000")
        with pytest.raises(BadSettings, match=complaint):
            source.configure(wanted)


def test_a_peer_without_the_wanted_feature_is_refused(viky: Path) -> None:
    with GentlSource(viky) as source:
        source.open(source.discover()[0].serial)
        with pytest.raises(BadSettings, match=r"Gain = 3.0: the camera has no such feature"):
            source.configure(Profile("Mono8", 400, 400, trigger="off", gain_db=3))


def test_a_producer_that_lists_several_cameras_needs_a_serial(viky: Path) -> None:
    with GentlSource(viky) as source, pytest.raises(BadSettings, match="expected one camera's"):
        source.open("")


def test_exposure_may_be_changed_while_streaming_and_width_may_not(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(PROFILE)
    rig.source.set("ExposureTime", 700.0)
    assert rig.source.get("ExposureTime") == 700.0
    with pytest.raises(BadSettings, match="Width"):
        rig.source.set("Width", 64)


def test_a_locked_camera_left_by_a_crash_is_set_up_all_the_same(scene: Scene, producer: Path) -> None:
    with GentlSource(producer) as source:
        source.open("SN0000")
        source.set("TLParamsLocked", 1)
        assert source.configure(PROFILE) == PROFILE


def test_a_camera_without_stamps_runs_on_the_hosts_clock(scene: Scene, producer: Path) -> None:
    with GentlSource(producer) as source:
        source.open("SN0000")
        source.set("SimTimestamps", "Off")
        source.configure(PROFILE)
        source.start()
        fired_ns = source.trigger()
        grab = source.grab(memoryview(bytearray(160 * 120)), 10**9)
        assert grab is not None
        assert grab.device_ns is None
        assert grab.exposed_at_ns == grab.received_ns - 500_000
        assert grab.exposed_at_ns >= fired_ns


def test_a_clock_that_drifts_is_followed_and_one_that_jumps_is_a_lost_camera(open_rig: OpenRig, scene: Scene) -> None:
    rig = open_rig(PROFILE)
    rig.source.set("SimClockDrift", 100.0)
    rig.source.probe()
    fired_ns = rig.source.trigger()
    grab = rig.grab()
    assert abs(grab.exposed_at_ns - fired_ns) < 50 * MS
    rig.source.set("SimClockOffset", 10**15)
    with pytest.raises(CameraLost, match="clock has jumped"):
        rig.source.probe()


@pytest.mark.parametrize("content", [b"", b"not a library", None])
def test_a_producer_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    cti = tmp_path / "maker.cti"
    if content is not None:
        cti.write_bytes(content)
    with pytest.raises(BadSettings, match=r"maker\.cti"):
        discover(cti)


def test_the_producer_is_found_by_the_standards_variable(
    producer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    with pytest.raises(BadSettings, match="found none"):
        find_producer(None)
    (tmp_path / "one.cti").write_bytes(producer.read_bytes())
    assert find_producer(None) == tmp_path / "one.cti"
    (tmp_path / "two.cti").write_bytes(b"")
    with pytest.raises(BadSettings, match=r"one\.cti, .*two\.cti"):
        find_producer(None)


def test_faults_are_counted_not_logged(open_rig: OpenRig, scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="okng")
    rig = open_rig(PROFILE)
    scene.fault("incomplete")
    rig.shoot(0.1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
