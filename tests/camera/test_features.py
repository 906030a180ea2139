"""The node map as data, on a producer of our own and on one nobody here wrote."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.errors import BadSettings, CameraLost
from okng.camera.features import Feature
from okng.camera.gentl import GentlSource
from okng.simline.scene import Scene


@pytest.fixture(params=["simulated", "viky"])
def source(request: pytest.FixtureRequest, scene: Scene, producer: Path, viky: Path) -> Iterator[GentlSource]:
    with GentlSource(producer if request.param == "simulated" else viky) as made:
        made.open("SN0000" if request.param == "simulated" else made.discover()[0].serial)
        yield made


def listed(source: GentlSource) -> dict[str, Feature]:
    found = source.features()
    assert len({each.name for each in found}) == len(found), "one feature is listed once"
    return {each.name: each for each in found}


def test_every_feature_is_listed_with_what_it_is_and_may_be(source: GentlSource) -> None:
    found = listed(source)
    width, pixel_format = found["Width"], found["PixelFormat"]
    assert (width.kind, width.readable, width.value) == ("integer", True, source.get("Width"))
    assert width.low is not None
    assert width.high is not None
    assert isinstance(width.value, int)
    assert width.low <= width.value <= width.high
    assert "Mono8" in pixel_format.choices
    assert pixel_format.value in pixel_format.choices
    assert found["AcquisitionStart"].kind == "command"
    assert found["AcquisitionStart"].value is None
    assert found["Width"] == dataclasses.replace(source.describe("Width"), category=width.category)
    assert json.loads(json.dumps([dataclasses.asdict(each) for each in found.values()]))


def test_viky_tells_where_a_feature_stands_and_what_it_means(viky: Path) -> None:
    with GentlSource(viky) as source:
        source.open(source.discover()[0].serial)
        width = listed(source)["Width"]
        assert "pixels" in width.description.lower()
        assert width.category
        assert width.visibility == "beginner"


def test_a_refused_value_names_node_value_and_range(source: GentlSource) -> None:
    width = source.describe("Width")
    with pytest.raises(BadSettings, match=rf"Width = 999999: expected {width.low:.12g}\.\.{width.high:.12g}"):
        source.set("Width", 999_999)
    with pytest.raises(BadSettings, match=r"PixelFormat = Mono7: expected one of .*Mono8"):
        source.set("PixelFormat", "Mono7")
    with pytest.raises(BadSettings, match="Width = wide: expected a number"):
        source.set("Width", "wide")
    with pytest.raises(BadSettings, match="AcquisitionStart = True: a command"):
        source.set("AcquisitionStart", True)


def test_what_is_locked_while_streaming_is_said(scene: Scene, producer: Path) -> None:
    with GentlSource(producer) as source:
        source.open("SN0000")
        source.start()
        assert not source.describe("Width").writable
        with pytest.raises(BadSettings, match="Width = 64: the camera does not let it be written now"):
            source.set("Width", 64)


def test_without_a_camera_there_is_nothing_to_list(producer: Path) -> None:
    with pytest.raises(CameraLost, match="no camera"):
        GentlSource(producer).features()
