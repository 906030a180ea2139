"""The fleet service on its own: python run_service.py SETTINGS."""

import logging
import sys
from pathlib import Path

from okng.cloud.process import prepare, run
from okng.cloud.settings import read_fleet_settings

if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(threadName)s %(name)s: %(message)s", level=logging.INFO)
    settings = read_fleet_settings(Path(sys.argv[1]))
    prepare(settings)
    sys.exit(run(settings))
