"""The records process on its own: python run_records.py RUN_DIR OPTIONS_JSON [CAMERA …]."""

import faulthandler
import logging
import signal
import sys
from pathlib import Path

from okng.records.leaving import Leaving
from okng.records.options import RecordsOptions
from okng.records.process import run

if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)
    logging.basicConfig(format="%(levelname)s %(threadName)s %(name)s: %(message)s", level=logging.INFO)
    options, cameras = RecordsOptions.model_validate_json(sys.argv[2]), tuple(sys.argv[3:]) or ("cam0",)
    sys.exit(run(options, cameras, Path(sys.argv[1]), leaving=Leaving()))
