"""What the simulated camera keeps in user sets, and what its light and automatics do to the picture."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from okng.simline.scene import Scene

from .sensor_rig import QUICK, REFUSED, SERIAL, Rig, opened

REFERENCE_US = 1000.0


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("OKNG_SIM", str(tmp_path))
    with Scene(tmp_path, SERIAL, 64 * 64) as made:
        show(made, 100)
        yield made


@pytest.fixture
def rig(scene: Scene) -> Iterator[Rig]:
    with opened() as made:
        made.set(**{**QUICK, "ExposureTime": REFERENCE_US})
        yield made


def show(scene: Scene, level: int) -> None:
    scene.show(np.full((16, 32), level, np.uint8), 1, reference_exposure_us=REFERENCE_US)


def level(rig: Rig) -> float:
    return float(rig.shoot().data.mean())


# -- user sets ---------------------------------------------------------------------------------------------


def test_what_is_saved_comes_back_and_survives_closing_and_opening(scene: Scene) -> None:
    with opened() as rig:
        rig.set(Gain=7.0, ExposureTime=222.0, PixelFormat="Mono12p", Width=24, TriggerSelector="FrameBurstStart")
        rig.set(TriggerSource="Line1", LineSelector="Line1", LineDebouncerTime=33.0)
        rig.set(UserSetSelector="UserSet2", UserSetSave=True)
        rig.set(UserSetSelector="Default", UserSetLoad=True)
        assert [rig.get(name) for name in ("Gain", "PixelFormat", "Width")] == [0.0, "Mono8", 32]
    with opened() as rig:
        assert rig.get("UserSetDefault") == "Default"
        assert rig.get("Gain") == 0.0, "it powers up with its default set"
        rig.set(UserSetSelector="UserSet2", UserSetLoad=True)
        found = [rig.get(name) for name in ("Gain", "ExposureTime", "PixelFormat", "Width")]
        assert found == [7.0, 222.0, "Mono12p", 24]
        rig.set(TriggerSelector="FrameBurstStart", LineSelector="Line1")
        assert (rig.get("TriggerSource"), rig.get("LineDebouncerTime")) == ("Line1", 33.0)
        rig.start(**QUICK)
        assert rig.shoot().data.size == 24 * 16 * 3 // 2


def test_the_set_for_power_up_is_used_at_power_up(scene: Scene) -> None:
    with opened() as rig:
        with pytest.raises(REFUSED):
            rig.set(UserSetDefault="UserSet1")  # nothing is saved there
        rig.set(Gain=3.0, UserSetSelector="UserSet1", UserSetSave=True, UserSetDefault="UserSet1")
        rig.set(Gain=5.0)
    with opened() as rig:
        assert (rig.get("Gain"), rig.get("UserSetDefault")) == (3.0, "UserSet1")
        rig.set(UserSetDefault="Default")
    with opened() as rig:
        assert rig.get("Gain") == 0.0


def test_the_factorys_set_cannot_be_saved_over_and_none_be_loaded_while_streaming(rig: Rig) -> None:
    rig.set(UserSetSelector="Default", Gain=3.0)
    with pytest.raises(REFUSED):
        rig.set(UserSetSave=True)
    rig.start()
    with pytest.raises(REFUSED):
        rig.set(UserSetLoad=True)
    assert rig.get("Gain") == 3.0


@pytest.mark.parametrize("content", [b"", b"OKNGSET1", b"\xff" * 5000])
def test_a_file_of_user_sets_that_is_none_is_not_used(scene: Scene, content: bytes) -> None:
    scene.path.with_suffix(".usersets").write_bytes(content)
    with opened() as rig:
        rig.set(Gain=4.0, UserSetSelector="UserSet1", UserSetLoad=True)
        assert rig.get("Gain") == 0.0
        rig.set(Gain=4.0, UserSetSave=True)
    with opened() as rig:
        rig.set(UserSetSelector="UserSet1", UserSetLoad=True)
        assert rig.get("Gain") == 4.0


def test_a_set_with_an_impossible_size_is_not_used(scene: Scene) -> None:
    with opened() as rig:
        rig.set(Width=24, Gain=9.0, UserSetSelector="UserSet1", UserSetSave=True)
    file = scene.path.with_suffix(".usersets")
    content = file.read_bytes()
    sized = content.replace((24).to_bytes(4, "little"), (2_000_000).to_bytes(4, "little"))
    assert sized != content
    file.write_bytes(sized)
    with opened() as rig:
        rig.set(UserSetSelector="UserSet1", UserSetLoad=True)
        assert (rig.get("Width"), rig.get("Gain")) == (32, 0.0)


# -- light -------------------------------------------------------------------------------------------------


def test_the_black_level_lifts_every_level(scene: Scene, rig: Rig) -> None:
    rig.start(BlackLevel=12.0)
    assert level(rig) == 112
    show(scene, 0)
    assert level(rig) == 12
    rig.start(PixelFormat="Mono16")
    assert set(rig.shoot().data.view("<u2").tolist()) == {12 * 257}


@pytest.mark.parametrize(
    ("delay_us", "strobe_delay_us", "strobe_us", "share"),
    [
        (0.0, 0.0, 0.0, 1.0),
        (0.0, 0.0, 1000.0, 1.0),
        (0.0, 0.0, 500.0, 0.5),
        (0.0, 750.0, 500.0, 0.25),
        (0.0, 1000.0, 500.0, 0.0),
        (600.0, 0.0, 1000.0, 0.4),
        (2000.0, 0.0, 1000.0, 0.0),
        (2000.0, 2100.0, 400.0, 0.4),
    ],
)
def test_only_light_during_the_exposure_counts(
    scene: Scene, rig: Rig, delay_us: float, strobe_delay_us: float, strobe_us: float, share: float
) -> None:
    rig.start(TriggerDelay=delay_us, SimStrobeDelay=strobe_delay_us, SimStrobeDuration=strobe_us)
    assert level(rig) == round(100 * share)


@pytest.mark.parametrize("shown", [10, 60, 200])
def test_exposure_auto_once_finds_a_middling_level_and_is_off_again(scene: Scene, rig: Rig, shown: int) -> None:
    show(scene, shown)
    rig.start(ExposureAuto="Once")
    with pytest.raises(REFUSED):
        rig.set(ExposureTime=50.0)
    frames = 0
    while rig.get("ExposureAuto") == "Once" and frames < 20:
        rig.shoot()
        frames += 1
    assert rig.get("ExposureAuto") == "Off"
    assert 95 <= level(rig) <= 125
    assert abs(rig.get("ExposureTime") / REFERENCE_US * shown - 110) < 15
    rig.set(ExposureTime=50.0)


def test_exposure_auto_gives_up_at_once_where_exposure_changes_nothing(scene: Scene, rig: Rig) -> None:
    scene.show(np.full((16, 32), 20, np.uint8), 1)
    rig.start(ExposureAuto="Once")
    rig.shoot()
    assert (rig.get("ExposureAuto"), rig.get("ExposureTime")) == ("Off", REFERENCE_US)


def test_gain_auto_once_finds_a_middling_level_and_ends_at_its_limit(scene: Scene, rig: Rig) -> None:
    show(scene, 40)
    rig.start(GainAuto="Once")
    with pytest.raises(REFUSED):
        rig.set(Gain=1.0)
    for _ in range(12):
        rig.shoot()
    assert rig.get("GainAuto") == "Off"
    assert 95 <= level(rig) <= 125
    show(scene, 1)
    rig.set(GainAuto="Once")
    for _ in range(12):
        rig.shoot()
    assert (rig.get("GainAuto"), rig.get("Gain")) == ("Off", 24.0)
