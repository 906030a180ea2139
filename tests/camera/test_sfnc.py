"""In which order a profile is written, what older cameras call things, and what a camera that lacks something says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.errors import BadSettings
from okng.camera.features import Feature, Value, read_value
from okng.camera.profiles import Profile
from okng.camera.sfnc import Writer, agrees

PROFILE = Profile("Mono8", 640, 480, exposure_us=2000.0)


def number(name: str, low: float, high: float, step: float | None = 1, kind: str = "integer") -> Feature:
    return Feature(name, kind, low, high, step, (), writable=True)  # type: ignore[arg-type]


def choice(name: str, *choices: str) -> Feature:
    return Feature(name, "choice", None, None, None, choices, writable=True)


def command(name: str) -> Feature:
    return Feature(name, "command", None, None, None, (), writable=True, readable=False)


MODERN = {
    each.name: each
    for each in (
        command("AcquisitionStop"),
        choice("PixelFormat", "Mono8", "Mono12p"),
        number("Width", 16, 4096, 4),
        number("Height", 16, 4096, 2),
        number("OffsetX", 0, 4096, 2),
        number("OffsetY", 0, 4096, 2),
        choice("TriggerSelector", "FrameBurstStart", "FrameStart"),
        choice("TriggerMode", "Off", "On"),
        choice("TriggerSource", "Software", "Line0", "Line3"),
        choice("TriggerActivation", "RisingEdge", "FallingEdge"),
        number("TriggerDelay", 0, 1e6, None, "float"),
        choice("LineSelector", "Line0", "Line3"),
        number("LineDebouncerTime", 0, 1e4, None, "float"),
        choice("TriggerOverlap", "Off", "ReadOut"),
        number("AcquisitionBurstFrameCount", 1, 255),
        number("ExposureTime", 10, 1e6, None, "float"),
        number("Gain", 0, 24, None, "float"),
        number("AcquisitionFrameRate", 0.1, 200, None, "float"),
        choice("UserSetSelector", "Default", "UserSet1"),
        command("UserSetLoad"),
        number("SharpnessLevel", 0, 10),
    )
}


class Camera:
    """A camera's features as a table."""

    def __init__(self, features: dict[str, Feature], rounds: dict[str, Value] | None = None) -> None:
        self.features, self.rounds = features, rounds or {}
        self.values: dict[str, Value] = {}
        self.written: list[tuple[str, Value]] = []

    def has(self, name: str) -> bool:
        return name in self.features

    def describe(self, name: str) -> Feature:
        return self.features[name]

    def get(self, name: str) -> Value:
        return self.values[name]

    def set(self, name: str, value: Value) -> None:
        fault = self.features[name].fault(value)
        if fault:
            raise BadSettings(f"{name} = {value}: {fault}")
        self.values[name] = self.rounds.get(name, value)
        self.written.append((name, value))

    def execute(self, name: str) -> None:
        self.written.append((name, True))


def test_size_comes_after_format_and_offsets_and_the_trigger_after_both() -> None:
    camera = Camera(MODERN)
    Writer(camera).write(replace(PROFILE, offset_x=8))
    names = [name for name, _ in camera.written]
    assert names[0] == "AcquisitionStop"
    order = ["PixelFormat", "OffsetX", "Width", "Height", "TriggerMode", "TriggerSource", "ExposureTime", "Gain"]
    assert [names.index(name) for name in order] == sorted(names.index(name) for name in order)
    assert camera.values["OffsetX"] == 8
    assert [value for name, value in camera.written if name == "OffsetX"] == [0, 8]


def test_a_hardware_trigger_with_all_its_parts() -> None:
    camera = Camera(MODERN)
    asked = replace(
        PROFILE,
        trigger="hardware",
        trigger_line="Line3",
        trigger_edge="falling",
        trigger_delay_us=250.0,
        debounce_us=50.0,
        overlap="readout",
    )
    got = Writer(camera).write(asked)
    assert got == asked
    wanted = {"TriggerSource": "Line3", "TriggerActivation": "FallingEdge", "TriggerDelay": 250.0, "TriggerMode": "On"}
    wanted |= {"LineSelector": "Line3", "LineDebouncerTime": 50.0, "TriggerOverlap": "ReadOut"}
    assert {name: camera.values[name] for name in wanted} == wanted


def test_a_burst_makes_the_frames_of_one_picture() -> None:
    camera = Camera(MODERN)
    got = Writer(camera).write(replace(PROFILE, frames=4))
    assert (camera.values["AcquisitionBurstFrameCount"], camera.values["Height"]) == (4, 120)
    assert camera.values["TriggerSelector"] == "FrameBurstStart"
    assert got.height == 480


@pytest.mark.parametrize(
    ("missing", "profile", "words"),
    [
        ("TriggerDelay", replace(PROFILE, trigger_delay_us=5.0), r"TriggerDelay = 5.0: .* expected 0.0"),
        ("LineDebouncerTime", replace(PROFILE, trigger="hardware", debounce_us=5.0), "LineDebouncerTime = 5.0"),
        ("TriggerOverlap", replace(PROFILE, overlap="off"), "TriggerOverlap = Off"),
        ("TriggerMode", PROFILE, "trigger = software: the camera has no TriggerMode"),
        ("UserSetSelector", replace(PROFILE, user_set="UserSet1"), "user_set = UserSet1"),
        ("AcquisitionBurstFrameCount", replace(PROFILE, frames=2), "AcquisitionBurstFrameCount = 2"),
        ("Gain", replace(PROFILE, gain_db=3.0), "Gain = 3.0"),
    ],
)
def test_what_a_camera_lacks_is_said_only_where_it_is_asked_for(missing: str, profile: Profile, words: str) -> None:
    less = {name: feature for name, feature in MODERN.items() if name != missing}
    with pytest.raises(BadSettings, match=words):
        Writer(Camera(less)).write(profile)
    default = replace(PROFILE, trigger="off") if missing == "TriggerMode" else PROFILE
    assert Writer(Camera(less)).write(default).width == 640


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (replace(PROFILE, width=642), r"Width = 642: expected 16..4096 in steps of 4"),
        (replace(PROFILE, pixel_format="Mono16"), r"PixelFormat = Mono16: expected one of Mono8, Mono12p"),
        (replace(PROFILE, exposure_us=5.0), r"ExposureTime = 5.0: expected 10..1000000"),
        (replace(PROFILE, user_set="Mine"), r"UserSetSelector = Mine: expected one of Default, UserSet1"),
        (replace(PROFILE, trigger="hardware", trigger_line="Line7"), r"TriggerSource = Line7: .*Line0, Line3"),
        (replace(PROFILE, features=(("SharpnessLevel", 11),)), r"SharpnessLevel = 11: expected 0..10"),
    ],
)
def test_a_value_the_camera_refuses_is_told_with_node_value_and_range(profile: Profile, words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        Writer(Camera(MODERN)).write(profile)


def test_what_a_camera_makes_of_a_value_is_read_back() -> None:
    got = Writer(Camera(MODERN, {"ExposureTime": 1999.0})).write(PROFILE)
    assert got.exposure_us == 1999.0
    with pytest.raises(
        BadSettings, match=r"ExposureTime: wanted 2000.0, the camera made it 1000.0; allowed 10..1000000"
    ):
        Writer(Camera(MODERN, {"ExposureTime": 1000.0})).write(PROFILE)
    with pytest.raises(BadSettings, match=r"SharpnessLevel: wanted 3, the camera made it 2"):
        Writer(Camera(MODERN, {"SharpnessLevel": 2})).write(replace(PROFILE, features=(("SharpnessLevel", 3),)))


def test_the_cameras_own_settings_are_loaded_before_all_others() -> None:
    camera = Camera(MODERN)
    Writer(camera).write(replace(PROFILE, user_set="UserSet1"))
    names = [name for name, _ in camera.written]
    assert names.index("UserSetLoad") < names.index("PixelFormat")


def test_an_older_camera_is_set_by_its_own_names() -> None:
    older = {"ExposureTime": "ExposureTimeAbs", "AcquisitionFrameRate": "AcquisitionFrameRateAbs", "Gain": "GainAbs"}
    features = {older.get(name, name): replace(each, name=older.get(name, name)) for name, each in MODERN.items()}
    camera = Camera(features)
    got = Writer(camera).write(replace(PROFILE, trigger="off", frame_rate_hz=12.0, gain_db=2.0))
    assert (got.exposure_us, got.frame_rate_hz, got.gain_db) == (2000.0, 12.0, 2.0)
    assert camera.values["ExposureTimeAbs"] == 2000.0
    assert camera.values["AcquisitionFrameRateAbs"] == 12.0


COUNTED = MODERN | {
    each.name: each
    for each in (
        Feature("ChunkModeActive", "boolean", None, None, None, (), writable=True),
        choice("ChunkSelector", "Timestamp", "CounterValue", "ExposureTime"),
        Feature("ChunkEnable", "boolean", None, None, None, (), writable=True),
        choice("CounterSelector", "Counter0"),
        choice("CounterEventSource", "Off", "Line0"),
        command("CounterReset"),
    )
}


@pytest.mark.parametrize(
    ("line", "trigger", "counts"), [("Line0", "hardware", True), ("Line3", "hardware", False), ("Line0", "off", False)]
)
def test_triggers_are_counted_where_the_camera_can_count_that_line(line: str, trigger: str, counts: bool) -> None:
    camera = Camera(COUNTED)
    writer = Writer(camera)
    writer.write(replace(PROFILE, trigger=trigger, trigger_line=line))  # type: ignore[arg-type]
    assert writer.counts_triggers is counts
    assert camera.values["ChunkModeActive"] is counts
    if counts:
        assert camera.values["CounterEventSource"] == "Line0"
        asked = [value for name, value in camera.written if name in ("ChunkSelector", "ChunkEnable")]
        assert asked == ["Timestamp", True, "CounterValue", True, "ExposureTime", False]


@given(st.floats(1, 1e6), st.floats(-0.019, 0.019))
def test_a_cameras_own_rounding_is_no_difference(wanted: float, share: float) -> None:
    assert agrees(wanted, wanted * (1 + share))
    assert not agrees(wanted, wanted * 1.03 + 0.2)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "0x10", 16),
        ("float", "1e3", 1000.0),
        ("boolean", "On", True),
        ("boolean", "0", False),
        ("text", "a", "a"),
    ],
)
def test_what_a_person_types_becomes_a_value(kind: str, text: str, value: Value) -> None:
    assert read_value(number("Thing", 0, 99, None, kind), text) == value


@pytest.mark.parametrize(("kind", "text"), [("integer", "1.5"), ("float", "wide"), ("boolean", "maybe")])
def test_what_is_no_value_is_refused_by_name(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="Thing = "):
        read_value(number("Thing", 0, 99, None, kind), text)
