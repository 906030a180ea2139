"""Be one camera process: `run_camera.py RUN_DIR JSON` with options and profile; ends with the process's exit code."""

import json
import logging
import sys
from pathlib import Path

from okng.camera.options import CameraOptions
from okng.camera.process import run
from okng.camera.profiles import Profile, Setup

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    said = json.loads(sys.argv[2])
    options = CameraOptions.model_validate(said["options"])
    setup = Setup(1, "0123456789ab", Profile(**said["profile"]))
    sys.exit(run("top", options, setup, Path(sys.argv[1])))
