"""Be one camera process: `run_camera.py RUN_DIR JSON` with options and profile; ends with the process's exit code.

With `scripted` in the JSON the camera is a ScriptedSource: `fates` of its exposures, and how often it is `in_use`.
"""

import json
import logging
import sys
from pathlib import Path
from unittest.mock import patch

from okng.bus.errors import CameraBusy
from okng.camera import process
from okng.camera.options import CameraOptions
from okng.camera.profiles import Profile, Setup
from okng.camera.source import make_source
from okng.imaging.plan import DevelopPlan
from okng.tests.camera.scripted_camera import ScriptedSource


def scripted(fates: list[str], in_use: int) -> ScriptedSource:
    """A camera that does this."""
    source = ScriptedSource()
    source.fates.extend(fates)
    source.refusals.extend([CameraBusy("camera SN0000 is in use by another program (busy)")] * in_use)
    return source


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    said = json.loads(sys.argv[2])
    options = CameraOptions.model_validate(said["options"])
    setup = Setup(1, "0123456789ab", Profile(**said["profile"]), DevelopPlan(**said["plan"]))
    make = make_source if said["scripted"] is None else lambda options: scripted(**said["scripted"])
    with patch.object(process, "make_source", make):
        sys.exit(process.run("top", options, setup, Path(sys.argv[1])))
