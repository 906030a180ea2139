"""Triggers of a GenICam camera as the recipe asks for them: counted, delayed, debounced, in bursts; and its clock."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from okng.bus.clock import MS
from okng.bus.errors import BadSettings, CameraLost
from okng.camera.gentl import GentlSource
from okng.camera.profiles import Profile
from okng.simline.scene import Scene

from .conftest import Rig

HARDWARE = {"trigger": "hardware", "exposure_us": 2000.0}


def profile(**more: object) -> Profile:
    fields = {"pixel_format": "Mono8", "width": 160, "height": 120, **HARDWARE, **more}
    return Profile(**fields)  # type: ignore[arg-type]


def test_each_frame_tells_how_many_edges_the_camera_has_seen(open_rig: Callable[..., Rig], scene: Scene) -> None:
    rig = open_rig(profile())
    counts, numbers = [], []
    for _ in range(5):
        assert scene.pulse_line0()
        grab = rig.grab()
        assert grab is not None
        counts.append(grab.trigger_count)
        numbers.append(grab.number)
    assert counts[0] is not None
    assert [each - counts[0] for each in counts if each is not None] == [0, 1, 2, 3, 4]
    assert [each - numbers[0] for each in numbers] == [0, 1, 2, 3, 4]


def test_a_trigger_too_early_is_in_the_count_and_a_lost_frame_in_the_number(
    open_rig: Callable[..., Rig], scene: Scene
) -> None:
    rig = open_rig(profile(exposure_us=60_000.0))
    scene.pulse_line0()
    time.sleep(0.02)
    scene.pulse_line0()  # while the exposure is under way: not taken
    first = rig.grab()
    scene.pulse_line0()
    second = rig.grab()
    assert first is not None
    assert second is not None
    assert first.trigger_count is not None
    assert second.trigger_count is not None
    assert second.trigger_count - first.trigger_count == 2
    assert second.gap == 0
    scene.plan("drop")
    scene.pulse_line0()
    assert rig.grab(0.2) is None
    scene.pulse_line0()
    third = rig.grab()
    assert third is not None
    assert third.trigger_count is not None
    assert (third.gap, third.trigger_count - second.trigger_count) == (1, 2)


def test_a_software_trigger_needs_no_count(open_rig: Callable[..., Rig]) -> None:
    grab = open_rig(profile(trigger="software")).shoot()
    assert grab is not None
    assert grab.trigger_count is None


def test_the_delay_lies_between_trigger_and_exposure(open_rig: Callable[..., Rig], scene: Scene) -> None:
    rig = open_rig(profile(trigger="software", trigger_delay_us=30_000.0))
    fired_ns = rig.source.trigger()
    grab = rig.grab()
    assert grab is not None
    assert 29 * MS <= grab.exposed_at_ns - fired_ns < 250 * MS
    assert rig.profile.trigger_delay_us == 30_000.0


def test_a_pulse_shorter_than_the_debounce_time_is_none(open_rig: Callable[..., Rig], scene: Scene) -> None:
    rig = open_rig(profile(debounce_us=500.0))
    scene.pulse_line0(width_us=100)
    assert rig.grab(0.15) is None
    scene.pulse_line0(width_us=2000)
    assert rig.grab() is not None


def test_the_other_line_and_the_falling_edge(open_rig: Callable[..., Rig], scene: Scene) -> None:
    rig = open_rig(profile(trigger_line="Line1", trigger_edge="falling"))
    scene.pulse_line0()
    assert rig.grab(0.15) is None
    scene.pulse_line(1, width_us=20_000)
    grab = rig.grab()
    assert grab is not None
    assert grab.trigger_count is not None


def test_a_burst_brings_the_frames_of_one_picture(open_rig: Callable[..., Rig], scene: Scene) -> None:
    rig = open_rig(profile(height=480, frames=4, exposure_us=500.0))
    scene.pulse_line0()
    grabs = [rig.grab() for _ in range(4)]
    assert all(grab is not None and grab.height == 120 for grab in grabs)
    numbers = [grab.number for grab in grabs if grab is not None]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert rig.grab(0.1) is None


def test_overlap_lets_a_trigger_in_during_read_out(open_rig: Callable[..., Rig], scene: Scene) -> None:
    read_out = (("SimReadoutTime", 50_000.0),)
    for overlap, taken in (("off", 1), ("readout", 2)):
        rig = open_rig(profile(trigger="software", exposure_us=1000.0, overlap=overlap, features=read_out))
        rig.source.trigger()
        time.sleep(0.02)
        rig.source.trigger()
        frames = [rig.grab(0.2) for _ in range(2)]
        assert sum(grab is not None for grab in frames) == taken, overlap
        rig.source.close()


def test_a_user_set_is_loaded_before_the_recipe(open_rig: Callable[..., Rig], scene: Scene, producer: Path) -> None:
    rig = open_rig(profile(trigger="off", features=(("BlackLevel", 12.0),)))
    rig.source.stop()
    rig.source.set("UserSetSelector", "UserSet1")
    rig.source.execute("UserSetSave")
    rig.source.close()
    plain = open_rig(profile(trigger="off", user_set="Default"))
    assert plain.source.get("BlackLevel") == 0.0
    plain.source.close()
    loaded = open_rig(profile(trigger="off", user_set="UserSet1"))
    assert loaded.source.get("BlackLevel") == 12.0
    loaded.source.close()
    with GentlSource(producer) as source:
        source.open("SN0000")
        with pytest.raises(BadSettings, match="UserSetSelector = Mine: expected one of Default, UserSet1, UserSet2"):
            source.configure(profile(user_set="Mine"))


def test_further_features_are_written_in_their_order_and_read_back(open_rig: Callable[..., Rig]) -> None:
    rig = open_rig(profile(trigger="software", features=(("SimStrobeDelay", 10), ("SimStrobeDuration", 150.0))))
    assert (rig.source.get("SimStrobeDelay"), rig.source.get("SimStrobeDuration")) == (10.0, 150.0)
    rig.source.close()
    with pytest.raises(BadSettings, match=r"BlackLevel = 65.0: expected 0..64"):
        open_rig(profile(trigger="software", features=(("BlackLevel", 65.0),)))


def test_a_clock_that_jumps_is_a_lost_camera(open_rig: Callable[..., Rig], scene: Scene) -> None:
    rig = open_rig(profile(trigger="software"))
    assert rig.shoot() is not None
    scene.plan("clock_jump", value=3_000_000_000)

    def three_shots() -> None:
        for _ in range(3):
            rig.shoot()
            rig.source.probe()

    with pytest.raises(CameraLost, match="clock has jumped"):
        three_shots()


def test_a_camera_without_clock_and_stamps_says_so(open_rig: Callable[..., Rig], scene: Scene) -> None:
    scene.set_clock(False)
    rig = open_rig(profile(trigger="software"))
    grab = rig.shoot()
    assert grab is not None
    assert grab.device_ns is None
    health = rig.source.health()
    assert (health.clock, health.clock_error_ns, health.drift_ppm) == ("host", 0, 0.0)
