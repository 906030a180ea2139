"""The Aravis driver against Aravis' own GigE camera, over a wire of two network namespaces that may lose packets."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from harvesters.util import pfnc

from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.errors import BadSettings, CameraLost
from okng.camera.aravis import AravisSource
from okng.camera.aravis_formats import format_names
from okng.camera.aravis_nodes import load
from okng.camera.frame_ids import FrameIds
from okng.camera.profiles import Profile
from okng.imaging.develop import Developer
from okng.imaging.formats import FORMATS
from okng.imaging.plan import DevelopPlan

from .conftest import Rig
from .fake_gige import SERIAL, FakeGige

FREE = Profile("Mono8", 160, 120, trigger="off", exposure_us=200, frame_rate_hz=200)
FIRED = replace(FREE, trigger="software")
LARGE = replace(FIRED, width=1024, height=1024)
"""750 packets of 1400 bytes a frame."""


@pytest.fixture
def lossy(gige_wire: FakeGige) -> Iterator[FakeGige]:
    """The same camera with a bad cable."""
    gige_wire.kill()
    gige_wire.start(lost_per_mille=1)
    with gige_wire.inside():
        yield gige_wire
    gige_wire.kill()


def opened(profile: Profile, serial: str = SERIAL) -> Rig:
    source = AravisSource()
    source.open(serial)
    got = source.configure(profile)
    source.start()
    return Rig(source, got, bytearray(profile.size_bytes))


@pytest.mark.usefixtures("gige")
def test_what_answers_on_the_network_is_listed() -> None:
    with AravisSource() as source:
        (camera,) = source.discover()
        assert (camera.vendor, camera.model, camera.serial, camera.layer) == ("Aravis", "Fake", SERIAL, "GEV")
        assert camera.id == f"Aravis-Fake-{SERIAL}"
        source.open("")
        assert [each.free for each in source.discover()] == [False]


@pytest.mark.usefixtures("gige")
def test_a_camera_that_another_program_holds_is_refused_until_it_is_free() -> None:
    with opened(FREE).source as holder, AravisSource() as second:
        with pytest.raises(BadSettings, match=f"{SERIAL} is in use by another program"):
            second.open(SERIAL)
        holder.close()
        second.open(SERIAL)


@pytest.mark.usefixtures("gige")
@pytest.mark.parametrize("pixel_format", ["Mono8", "Mono16", "BayerRG8", "RGB8"])
def test_its_formats_come_as_they_are_named(pixel_format: str) -> None:
    profile = replace(FREE, pixel_format=pixel_format, exposure_us=10_000)  # type: ignore[arg-type]
    with (rig := opened(profile)).source:
        grab = rig.grab()
        assert grab is not None
        assert (grab.pixel_format, grab.size_bytes) == (pixel_format, profile.size_bytes)
        picture = Developer(DevelopPlan()).develop(memoryview(rig.slot), 160, 120, pixel_format)
    assert picture.shape == ((120, 160) if pixel_format.startswith("Mono") else (120, 160, 3))
    assert np.unique(picture).size > 20, "a picture, not a grey sheet"


@pytest.mark.usefixtures("gige")
def test_a_format_it_does_not_have_is_refused_with_those_it_has() -> None:
    with AravisSource() as source:
        source.open(SERIAL)
        with pytest.raises(BadSettings, match=r"PixelFormat = Mono12: expected one of .*BayerRG8.*Mono16"):
            source.configure(replace(FREE, pixel_format="Mono12"))


@pytest.mark.usefixtures("gige")
def test_features_are_described_with_their_ranges() -> None:
    with AravisSource() as source:
        source.open(SERIAL)
        features = {feature.name: feature for feature in source.features()}
        width, exposure = features["Width"], features["ExposureTimeAbs"]
        assert (width.kind, width.allowed, width.category) == ("integer", "1..2048", "ImageFormatControl")
        assert (exposure.kind, exposure.low, exposure.step) == ("float", 10.0, None)
        assert sorted(features["TriggerMode"].choices) == ["Off", "On"]
        assert (features["AcquisitionStart"].kind, features["AcquisitionStart"].readable) == ("command", False)
        assert (features["DeviceModelName"].kind, features["DeviceModelName"].writable) == ("text", False)
        assert (features["PayloadSize"].writable, features["PayloadSize"].value) == (False, source.get("PayloadSize"))
        assert source.get("DeviceVendorName") == "Aravis"
        source.set("ExposureTimeAbs", 5000.0)
        assert source.get("ExposureTimeAbs") == 5000.0


@pytest.mark.usefixtures("gige")
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Width", 100_000, r"Width = 100000: expected 1\.\.2048"),
        ("Width", 1.5, "expected a whole number"),
        ("TriggerSource", "Line9", "expected one of .*Software"),
        ("AcquisitionStart", True, "a command"),
        ("DeviceModelName", "mine", "does not let it be written"),
    ],
)
def test_a_value_beyond_what_it_can_is_refused_with_the_range(name: str, value: Any, words: str) -> None:
    with AravisSource() as source:
        source.open(SERIAL)
        before = source.get("Width")
        with pytest.raises(BadSettings, match=words):
            source.set(name, value)
        assert source.get("Width") == before


@pytest.mark.usefixtures("gige")
def test_what_is_no_command_or_cannot_be_read_is_said() -> None:
    with AravisSource() as source:
        source.open(SERIAL)
        with pytest.raises(BadSettings, match="Width: not a command"):
            source.execute("Width")
        with pytest.raises(BadSettings, match="AcquisitionStart: cannot be read"):
            source.get("AcquisitionStart")


@pytest.mark.usefixtures("gige")
def test_a_trigger_has_the_frame_that_was_exposed_after_it() -> None:
    with (rig := opened(FIRED)).source:
        for number in range(20):
            fired_ns = rig.source.trigger()
            grab = rig.grab()
            assert grab is not None
            assert grab.gap == 0
            if number >= 17:  # by then its clock is known, and maps the stamps to the least delay
                assert rig.source.health().clock == "least delay"
                assert grab.exposed_at_ns > fired_ns - 5 * MS
        assert rig.grab(0.1) is None


def test_numbers_of_16_bits_are_counted_on(gige_wire: FakeGige) -> None:
    gige_wire.kill()
    gige_wire.start()  # it begins a little before 65536
    with gige_wire.inside(), (rig := opened(FREE)).source:
        numbers, until_ns = [0], now_ns() + 20 * SECOND
        while numbers[-1] < 65_600 and now_ns() < until_ns:
            grab = rig.grab()
            if grab is not None:
                assert not grab.repeated
                numbers.append(grab.number)
        assert numbers[-1] >= 65_600
        assert numbers == sorted(set(numbers))
        health = rig.source.health()
        assert health.delivered + health.gaps == numbers[-1] - numbers[1] + 1
        assert health.gaps <= 5


def test_a_frame_that_lost_a_packet_costs_its_own_part_only(lossy: FakeGige) -> None:
    with (rig := opened(LARGE)).source:
        got = incomplete = missing = 0
        for _ in range(25):
            before = rig.source.health().incomplete
            rig.source.trigger()
            grab = rig.grab(2.0)
            lost = rig.source.health().incomplete - before
            assert lost in (0, 1)
            if grab is not None:
                assert lost == 0
                assert grab.size_bytes == LARGE.size_bytes
                assert not grab.repeated
            got, incomplete = got + (grab is not None), incomplete + lost
            missing += grab is None and not lost
        health = rig.source.health()
    assert got + incomplete + missing == 25
    assert (health.delivered, health.incomplete) == (got, incomplete)
    assert incomplete >= 3, "with one packet of a thousand lost, half of the frames are not whole"
    assert got >= 1
    assert missing <= 2, "a frame of which no packet came"


def test_a_camera_that_was_switched_off_is_lost_for_every_question(gige_wire: FakeGige) -> None:
    gige_wire.start()
    with gige_wire.inside(), (rig := opened(FREE)).source:
        assert rig.grab() is not None
        gige_wire.kill()
        begun_ns = now_ns()
        with pytest.raises(CameraLost):
            rig.source.get("Width")
        assert now_ns() - begun_ns < 4 * SECOND
        begun_ns = now_ns()
        for use in (rig.source.trigger, rig.source.probe, rig.source.features):
            with pytest.raises(CameraLost):
                use()
        rig.source.close()
        assert now_ns() - begun_ns < 2 * SECOND, "one that did not answer once is not asked again"


def test_a_camera_that_is_not_there_is_said_with_those_that_are(gige: FakeGige) -> None:
    with AravisSource() as source:
        with pytest.raises(CameraLost, match=f"SN4711: not found by Aravis, which sees {SERIAL}"):
            source.open("SN4711")
        gige.kill()
        with pytest.raises(CameraLost, match="which sees none"):
            source.open("")


def test_without_the_library_its_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(BadSettings, match=r"gir1\.2-aravis-0\.8"):
        AravisSource()


@pytest.mark.usefixtures("gige_wire")
def test_its_names_of_the_formats_are_those_of_the_convention() -> None:
    found = format_names(load())
    assert {FORMATS[name].name for name in found.values()} == set(FORMATS)
    assert {code: str(pfnc.dict_by_ints[code]) for code in found} == found


# ---- frame numbers ----


def test_frame_numbers_of_a_stream() -> None:
    ids = FrameIds()
    assert [ids.number(each) for each in (65_533, 65_535, 1, 2, 2)] == [65_533, 65_535, 65_536, 65_537, 65_537]
    assert [ids.number(each) for each in (65_535, 3)] == [65_535, 65_538], "one that came late is still the one it was"


def test_frame_numbers_of_more_bits_are_left_alone() -> None:
    ids = FrameIds()
    given = [65_534, 65_535, 65_536, 65_537, 2**40]
    assert [ids.number(each) for each in given] == given


def test_a_number_that_falls_otherwise_is_a_repetition() -> None:
    ids = FrameIds()
    assert [ids.number(each) for each in (9, 7, 30_000, 5)] == [9, 7, 30_000, 5]
