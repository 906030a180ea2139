"""Be one camera process of any driver: `run_source.py RUN_DIR JSON` with options, profile, driver, its arguments."""

import json
import logging
import sys
from pathlib import Path
from unittest.mock import patch

from okng.camera import process
from okng.camera.options import CameraOptions
from okng.camera.profiles import Profile, Setup
from okng.camera.source import Source


def make(driver: str, arguments: list[str]) -> Source:
    """That driver, not open."""
    if driver == "video":
        from okng.camera.video import VideoSource

        return VideoSource(arguments[0], int(arguments[1]))
    if driver == "replay":
        from okng.camera.replay import ReplaySource

        return ReplaySource(Path(arguments[0]))
    from okng.camera.aravis import AravisSource

    return AravisSource()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    said = json.loads(sys.argv[2])
    options = CameraOptions.model_validate(said["options"])
    setup = Setup(1, "0123456789ab", Profile(**said["profile"]))
    with patch.object(process, "make_source", lambda _: make(said["driver"], said["arguments"])):
        sys.exit(process.run("top", options, setup, Path(sys.argv[1])))
