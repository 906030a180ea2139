"""The driver the settings name is the one that is made, with its options; what it lacks is said when they are read."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from okng.camera.options import CameraOptions
from okng.camera.replay import ReplaySource
from okng.camera.source import make_source
from okng.camera.video import VideoSource


def test_a_folder_is_replayed_as_the_options_say(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    options = CameraOptions(driver="replay", folder=tmp_path, replay_timing="consumed", replay_loop=False)
    made = make_source(options)
    assert isinstance(made, ReplaySource)
    assert made.ended is False


def test_a_video_is_opened_by_its_address() -> None:
    made = make_source(CameraOptions(driver="video", video="rtsp://u:geheim@cam/1", transfer_ms=300))
    assert isinstance(made, VideoSource)
    assert [camera.serial for camera in made.discover()] == ["rtsp://cam/1"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"driver": "replay"}, "folder of pictures"),
        ({"driver": "video"}, "/dev/videoN"),
        ({"driver": "folder"}, "replay"),
    ],
)
def test_what_a_driver_lacks_is_said_at_once(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CameraOptions(**given)


def test_relative_paths_are_counted_from_the_settings_file(tmp_path: Path) -> None:
    options = CameraOptions(driver="video", video="films/a.mp4", folder=Path("pictures"), producer=Path("/x/a.cti"))
    rooted = options.rooted(tmp_path)
    assert (rooted.video, rooted.folder) == (str(tmp_path / "films/a.mp4"), tmp_path / "pictures")
    assert rooted.producer == Path("/x/a.cti")
    for video in ("/dev/video0", "rtsp://cam/1"):
        assert CameraOptions(driver="video", video=video).rooted(tmp_path).video == video
